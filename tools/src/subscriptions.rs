//! Subscription files: whether they are in order, and putting their good lines back in order. Cyrus has no tool for it.

use mailstore::Store;
use serde_json::json;

use crate::error::CommandError;
use crate::{Console, Exit, Progress};

/// What `subs` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubsRequest {
    /// Write the good lines of damaged files back.
    pub repair: bool,
    /// Only these users; everybody if there is none.
    pub users: Vec<String>,
    /// One JSON object a line.
    pub json: bool,
}

/// Looks at subscription files, and with `repair` writes the good lines of each damaged one back, sorted and unique. What
/// was in a bad line is lost already: restore the file from a backup if it matters.
///
/// Ends with [`Exit::Found`] if a file is damaged and stays so.
///
/// # Errors
/// [`CommandError::Store`] if the disk fails.
pub fn subs(store: &Store, request: &SubsRequest, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let users = if request.users.is_empty() { store.subscribers()? } else { request.users.clone() };
    let (total, mut damaged) = (Some(users.len() as u64), false);
    for (done, user) in (0..).zip(&users) {
        console.progress(&Progress { what: user.clone(), done, total })?;
        let (bad_lines, unsorted) = store.subscription_damage(user)?;
        if bad_lines == 0 && !unsorted {
            continue;
        }
        if request.repair {
            store.repair_subscriptions(user)?;
            tracing::info!(event = "subscriptions.repaired", user, bad_lines, unsorted);
        } else {
            damaged = true;
        }
        let line = if request.json {
            json!({"user": user, "bad_lines": bad_lines, "unsorted": unsorted, "repaired": request.repair}).to_string()
        } else {
            let order = if unsorted { ", out of order" } else { "" };
            let repaired = if request.repair { ": repaired" } else { "" };
            format!("{user}: {bad_lines} bad lines{order}{repaired}")
        };
        console.out(&line)?;
    }
    Ok(if damaged { Exit::Found } else { Exit::Ok })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder};

    #[test]
    fn damaged_files_are_found_and_repaired() {
        let fixture = Fixture::new();
        let file = fixture.dir.path().join("config/user/j/joe.sub");
        std::fs::write(&file, b"user/joe/z\t\nuser/joe\t\n\xff\xfe\t\n../../etc\t\nuser/joe\t\n").unwrap();
        let run = |repair| {
            let mut console = Recorder::default();
            let exit = subs(&fixture.store, &SubsRequest { repair, ..SubsRequest::default() }, &mut console).unwrap();
            (exit, console.out)
        };
        assert_eq!(run(false), (Exit::Found, vec!["joe: 2 bad lines, out of order".to_owned()]));
        assert_eq!(run(true), (Exit::Ok, vec!["joe: 2 bad lines, out of order: repaired".to_owned()]));
        assert_eq!(run(true), (Exit::Ok, vec![]));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "user/joe\t\nuser/joe/z\t\n");
    }
}
