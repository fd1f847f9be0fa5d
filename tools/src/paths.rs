//! Where mailboxes lie, and which mailbox lies where. Cyrus' `mbpath`.

use std::path::{Component, Path, PathBuf};

use mailstore::{MailboxName, Store};
use serde_json::json;

use crate::error::CommandError;
use crate::{Console, Exit};

/// How paths are said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathRequest {
    /// Say nothing of mailboxes that do not exist.
    pub quiet: bool,
    /// End at the first mailbox that does not exist.
    pub stop: bool,
    /// One JSON object a line.
    pub json: bool,
}

/// Prints the directory of each mailbox. Ends with [`Exit::NoInput`] if one does not exist.
///
/// # Errors
/// [`CommandError::Store`] if a partition is not configured any more.
pub fn mailbox_paths(
    store: &Store,
    names: &[MailboxName],
    request: PathRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let mut exit = Exit::Ok;
    for name in names {
        match store.row(name) {
            Some(row) => {
                let path = store.layout().mailbox_dir(&row.partition, name)?;
                tell(name, &path, &row.partition, request, console, false)?;
            }
            None => {
                exit = Exit::NoInput;
                if !request.quiet {
                    console.err(&format!("{name}: no such mailbox"))?;
                }
                if request.stop {
                    break;
                }
            }
        }
    }
    Ok(exit)
}

/// Prints the mailbox that each path (of a directory, or of a file in it) belongs to. Ends with [`Exit::NoInput`] if one
/// belongs to none.
///
/// # Errors
/// [`CommandError::Io`] if nobody reads the answer.
pub fn mailboxes_at(
    store: &Store,
    paths: &[PathBuf],
    request: PathRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let mut exit = Exit::Ok;
    for path in paths {
        let absolute = plain(&console.directory().join(path));
        match mailbox_of(store, &absolute) {
            Some((name, partition)) => tell(&name, &absolute, &partition, request, console, true)?,
            None => {
                exit = Exit::NoInput;
                if !request.quiet {
                    console.err(&format!("{}: belongs to no mailbox", path.display()))?;
                }
                if request.stop {
                    break;
                }
            }
        }
    }
    Ok(exit)
}

fn tell(
    name: &MailboxName,
    path: &Path,
    partition: &str,
    request: PathRequest,
    console: &mut dyn Console,
    by_path: bool,
) -> Result<(), CommandError> {
    let line = match (request.json, by_path) {
        (true, _) => {
            json!({"mailbox": name.as_str(), "partition": partition, "path": path.display().to_string()}).to_string()
        }
        (false, true) => name.to_string(),
        (false, false) => path.display().to_string(),
    };
    Ok(console.out(&line)?)
}

/// The deepest mailbox that has `path` below it, on that partition.
fn mailbox_of(store: &Store, path: &Path) -> Option<(MailboxName, String)> {
    let partitions = store.layout().partitions().map(|(partition, top)| (partition.to_owned(), plain(top)));
    let mut below: Vec<_> = partitions.filter(|(_, top)| path.starts_with(top)).collect();
    // One partition may lie below another.
    below.sort_by_key(|(_, top)| std::cmp::Reverse(top.components().count()));
    below.into_iter().find_map(|(partition, top)| {
        let relative = path.strip_prefix(&top).ok()?;
        let is_here = |name: &MailboxName| store.row(name).is_some_and(|row| row.partition == partition);
        let name = relative.ancestors().filter_map(|place| MailboxName::parse(place.to_str()?).ok()).find(is_here)?;
        Some((name, partition))
    })
}

/// A path without `.` and `..`. Links are not followed: the path may be of something that is gone.
fn plain(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for component in absolute.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder, name};

    #[test]
    fn both_directions() {
        let fixture = Fixture::new();
        let spool = fixture.dir.path().join("spool");
        let mut console = Recorder::default();
        let names = [name("user/joe/Lists"), name("user/none")];
        let exit = mailbox_paths(&fixture.store, &names, PathRequest::default(), &mut console).unwrap();
        assert_eq!((exit, console.err.len()), (Exit::NoInput, 1));
        assert_eq!(console.out, [spool.join("user/joe/Lists").display().to_string()]);

        let mut console = Recorder { directory: spool.join("user"), ..Recorder::default() };
        let paths = ["joe", "joe/5.", "./sue/../joe/Lists/cyrus.index", "joe/none/deeper", "/etc/passwd", "../stage."];
        let paths = paths.map(PathBuf::from);
        let exit = mailboxes_at(&fixture.store, &paths, PathRequest::default(), &mut console).unwrap();
        assert_eq!((exit, console.err.len()), (Exit::NoInput, 2));
        assert_eq!(console.out, ["user/joe", "user/joe", "user/joe/Lists", "user/joe"]);
    }
}
