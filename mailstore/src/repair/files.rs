//! What lies in a mailbox's directory.

use std::ffi::OsString;
use std::path::Path;
use std::process;

use durable::disk::{Disk, FileKind, Metadata, is_temporary_name};

use crate::error::Result;
use crate::mailbox::{EXPUNGED_DIR, message_files, message_path, message_uid};
use crate::uid_set::UidSet;

/// A directory, sorted out.
pub(super) struct Files {
    /// Message files, by UID.
    pub(super) live: UidSet,
    /// Files of expunged messages.
    pub(super) aside: UidSet,
    /// Temporary files that a crash left, ours and those of Cyrus (`cyrus.index.NEW`).
    pub(super) leftovers: Vec<OsString>,
    /// `cyrus.header` and the like.
    pub(super) own: Vec<OsString>,
    /// Files that have no business here.
    pub(super) odd: Vec<OsString>,
}

impl Files {
    /// Reads the directory of a mailbox. What this process writes at the moment, in a mailbox that is `open`, is not
    /// mistaken for a leftover.
    pub(super) fn list(disk: &dyn Disk, dir: &Path, open: bool) -> Result<Files> {
        let aside = message_files(disk, &dir.join(EXPUNGED_DIR))?;
        let mut files = Files { live: UidSet::new(), aside, leftovers: Vec::new(), own: Vec::new(), odd: Vec::new() };
        for entry in disk.read_dir(dir)? {
            if entry.kind == FileKind::Directory {
                continue;
            }
            let name = entry.name.to_str().unwrap_or_default();
            match message_uid(name) {
                Some(uid) if entry.kind == FileKind::File => {
                    files.live.insert(uid);
                }
                _ if is_temporary_name(&entry.name) => {
                    if !open || !is_of_this_process(name) {
                        files.leftovers.push(entry.name);
                    }
                }
                _ if name.starts_with("cyrus.") && name.ends_with(".NEW") => files.leftovers.push(entry.name),
                _ if name.starts_with("cyrus.") => files.own.push(entry.name),
                _ => files.odd.push(entry.name),
            }
        }
        files.leftovers.sort_unstable();
        files.own.sort_unstable();
        files.odd.sort_unstable();
        Ok(files)
    }
}

/// The metadata of a message file, if it is there.
pub(super) fn look(disk: &dyn Disk, dir: &Path, uid: u32) -> Result<Option<Metadata>> {
    match disk.metadata(&message_path(dir, uid)) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `<name>.<pid>-<random>.tmp`
fn is_of_this_process(name: &str) -> bool {
    name.strip_suffix(".tmp")
        .and_then(|stem| stem.rsplit_once('.')?.1.split_once('-'))
        .is_some_and(|(pid, _)| pid.parse() == Ok(process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_sorted_out() {
        let dir = tempfile::tempdir().unwrap();
        let other = "cyrus.index.1-0123456789abcdef.tmp";
        let own = format!("cyrus.index.{}-0123456789abcdef.tmp", process::id());
        let odd = [".swp", "-1.", "05.", "5.bak", "99999999999.", "core"];
        let names = ["1.", "20.", "cyrus.index", "cyrus.header.bad", "cyrus.cache.NEW", other, &own];
        for name in names.iter().chain(&odd) {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::create_dir_all(dir.path().join("expunged.")).unwrap();
        std::fs::write(dir.path().join("expunged./3."), "x").unwrap();
        std::fs::create_dir(dir.path().join("7.")).unwrap();
        std::os::unix::fs::symlink("1.", dir.path().join("8.")).unwrap();
        let list = |open| Files::list(&durable::disk::RealDisk, dir.path(), open).unwrap();
        let files = list(true);
        assert_eq!(files.live.iter().collect::<Vec<_>>(), [1, 20]);
        assert_eq!(files.aside.iter().collect::<Vec<_>>(), [3]);
        assert_eq!(files.leftovers, ["cyrus.cache.NEW", other]);
        let mut expected: Vec<OsString> = odd.iter().map(OsString::from).collect();
        expected.push("8.".into());
        expected.sort();
        assert_eq!(files.odd, expected);
        assert_eq!(list(false).leftovers.len(), 3);
    }
}
