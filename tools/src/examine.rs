//! `mbexamine` and `chk_cyrus`: what mailboxes hold, and which message files are missing. Nothing is changed.

use mailstore::{ErrorKind, Record, RepairOptions, Row, Store, SystemFlags};
use serde_json::json;

use crate::error::CommandError;
use crate::reconstruct::exit_of;
use crate::select::{self, Pattern};
use crate::{Console, Exit, Progress};

/// What to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examine {
    /// Of which mailboxes.
    pub names: Vec<String>,
    /// Only this message.
    pub uid: Option<u32>,
    /// Only whether the quota is counted right.
    pub quota: bool,
    /// Only what is wrong with cache records.
    pub cache: bool,
    /// One JSON object a line.
    pub json: bool,
}

/// Shows what the files of mailboxes say.
///
/// Ends with [`Exit::Found`] if something is counted wrongly or a cache record is bad.
///
/// # Errors
/// [`CommandError`].
pub fn examine(store: &Store, request: &Examine, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let mut exit = Exit::Ok;
    for text in &request.names {
        let rows = select::rows(store, &[Pattern::parse(store, text)?], false);
        if rows.is_empty() {
            console.err(&format!("{text}: there is no such mailbox"))?;
            exit = Exit::NoInput;
        }
        for row in rows {
            let found = match (request.quota, request.cache) {
                (true, _) => examine_quota(store, &row, console),
                (_, true) => examine_cache(store, &row, console),
                _ => examine_one(store, &row, request, console),
            };
            match found {
                Ok(Exit::Ok) => {}
                Ok(found) => exit = found,
                Err(CommandError::Store(error)) => {
                    exit = exit_of(&error);
                    console.err(&format!("{}: {error}", row.name))?;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(exit)
}

fn examine_one(store: &Store, row: &Row, request: &Examine, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let found = store.examine(&row.name)?;
    let wanted = |record: &&Record| request.uid.is_none_or(|uid| record.uid.get() == uid);
    if request.json {
        let head = json!({"mailbox": row.name.as_str(), "path": found.dir.display().to_string(), "id": row.unique_id.as_str(),
            "uidvalidity": found.uid_validity.get(), "last_uid": found.last_uid,
            "highest_modseq": found.highest_modseq.get(), "exists": found.exists, "used": found.used,
            "generation": found.generation, "clean": found.clean, "keywords": found.keywords});
        console.out(&head.to_string())?;
        for record in found.records.iter().filter(wanted) {
            let line = json!({"uid": record.uid.get(), "size": record.size, "flags": flags(record.flags),
                "keywords": format!("{:x}", record.keywords), "internal_date": record.internal_date.seconds,
                "modseq": record.modseq.get(), "expunged": record.is_expunged(), "hash": record.hash.to_string()});
            console.out(&line.to_string())?;
        }
        return Ok(Exit::Ok);
    }
    if request.uid.is_none() {
        console.out(&format!("Examining {} ({})", row.name, found.dir.display()))?;
        let root = row.quota_root.as_ref().map_or("(none)", |root| root.as_str());
        let rows = [
            ("Unique id", row.unique_id.to_string()),
            ("Partition", row.partition.clone()),
            ("Quota root", root.to_owned()),
            ("ACL", row.acl.to_string().replace('\t', " ")),
            ("Keywords", found.keywords.join(" ")),
            ("UIDVALIDITY", found.uid_validity.to_string()),
            ("Last UID", format!("{} (never beyond {})", found.last_uid, found.marks.0)),
            ("Highest mod-sequence", format!("{} (never beyond {})", found.highest_modseq, found.marks.1)),
            ("Messages", found.exists.to_string()),
            ("Records", found.records.len().to_string()),
            ("Bytes", found.used.to_string()),
            ("Generation", found.generation.to_string()),
            ("Cache", format!("{} bytes", found.cache_len)),
            ("Closed in order", if found.clean { "yes" } else { "no, or in use" }.to_owned()),
        ];
        for (name, value) in rows {
            console.out(&format!("  {name}: {value}"))?;
        }
        for (user, seen, recent) in &found.readers {
            console.out(&format!("  Reader {user}: {seen} seen, not recent up to {recent}"))?;
        }
    }
    for record in found.records.iter().filter(wanted) {
        let gone = if record.is_expunged() { " EXPUNGED" } else { "" };
        console.out(&format!(
            "{:>10} SIZE:{} HEADER:{} DATE:{} SENT:{} MODSEQ:{} FLAGS:{} KEYWORDS:{:x} HASH:{}{gone}",
            record.uid.get(),
            record.size,
            record.header_size,
            record.internal_date.seconds,
            record.sent_date.seconds,
            record.modseq,
            flags(record.flags),
            record.keywords,
            record.hash
        ))?;
    }
    let unknown = request.uid.is_some_and(|uid| !found.records.iter().any(|record| record.uid.get() == uid));
    Ok(if unknown { Exit::NoInput } else { Exit::Ok })
}

fn flags(flags: SystemFlags) -> String {
    let names = [
        (SystemFlags::ANSWERED, "\\Answered"),
        (SystemFlags::FLAGGED, "\\Flagged"),
        (SystemFlags::DELETED, "\\Deleted"),
        (SystemFlags::DRAFT, "\\Draft"),
    ];
    let set: Vec<_> = names.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| *name).collect();
    format!("({})", set.join(" "))
}

fn examine_quota(store: &Store, row: &Row, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let found = store.examine(&row.name)?;
    let live = || found.records.iter().filter(|record| !record.is_expunged());
    let (messages, bytes) = (live().count(), live().map(|record| u64::from(record.size)).sum::<u64>());
    if (messages, bytes) == (found.exists as usize, found.used) {
        console.out(&format!("{}: {messages} messages, {bytes} bytes", row.name))?;
        return Ok(Exit::Ok);
    }
    let (name, exists, used) = (&row.name, found.exists, found.used);
    console.out(&format!("{name}: the header says {exists} messages, {used} bytes, there are {messages}, {bytes}"))?;
    Ok(Exit::Found)
}

fn examine_cache(store: &Store, row: &Row, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let options = RepairOptions { dry_run: true, contents: true, ..RepairOptions::default() };
    let repaired = store.reconstruct(&row.name, &options)?;
    let bad: Vec<_> = repaired.events.iter().filter(|event| event.code.starts_with("cache.")).collect();
    for event in &bad {
        console.out(&format!("{}: {event}", row.name))?;
    }
    Ok(if bad.is_empty() { Exit::Ok } else { Exit::Found })
}

/// What `chk_cyrus` looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingFiles {
    /// Only these mailboxes.
    pub names: Vec<String>,
    /// Only those on this partition.
    pub partition: Option<String>,
}

/// Names the message files that should be there and are not, or are empty.
///
/// Ends with [`Exit::Found`] if there are any.
///
/// # Errors
/// [`CommandError`].
pub fn missing_files(store: &Store, request: &MissingFiles, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let patterns = request.names.iter().map(|text| Pattern::parse(store, text)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = select::rows(store, &patterns, false);
    rows.retain(|row| request.partition.as_ref().is_none_or(|partition| *partition == row.partition));
    let options = RepairOptions { dry_run: true, ..RepairOptions::default() };
    let (mut exit, total) = (Exit::Ok, rows.len() as u64);
    for (done, row) in rows.iter().enumerate() {
        console.progress(&Progress { what: row.name.to_string(), done: done as u64, total: Some(total) })?;
        let repaired = match store.reconstruct(&row.name, &options) {
            Ok(repaired) => repaired,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                exit = exit_of(&error);
                console.err(&format!("{}: {error}", row.name))?;
                continue;
            }
        };
        for event in repaired.events.iter().filter(|event| ["message.missing", "message.empty"].contains(&event.code)) {
            exit = Exit::Found;
            let dir = store.layout().mailbox_dir(&row.partition, &row.name)?;
            let file = dir.join(format!("{}.", event.uid.unwrap_or_default()));
            let what = if event.code == "message.empty" { "is empty" } else { "is missing" };
            console.out(&format!("{}: {} {what}", row.name, file.display()))?;
        }
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder};
    use crate::{DeliverRequest, deliver};

    fn filled() -> Fixture {
        let fixture = Fixture::new();
        for n in 1..=3 {
            let request = DeliverRequest { users: vec!["joe".into()], ..DeliverRequest::default() };
            assert_eq!(
                deliver(&fixture.store, &mut Recorder::with_stdin(format!("From: a@example.org\n\n{n}\n")), &request),
                Exit::Ok
            );
        }
        fixture
    }

    #[test]
    fn a_mailbox_is_shown() {
        let fixture = filled();
        let run = |request: &Examine| {
            let mut console = Recorder::default();
            let exit = examine(&fixture.store, request, &mut console).unwrap();
            (exit, console.out)
        };
        let request = Examine { names: vec!["user.joe".into()], ..Examine::default() };
        let (exit, out) = run(&request);
        assert_eq!(exit, Exit::Ok);
        assert!(out.iter().any(|line| line == "  Messages: 3"), "{out:?}");
        assert_eq!(out.iter().filter(|line| line.contains(" SIZE:")).count(), 3);
        let (exit, out) = run(&Examine { uid: Some(2), ..request.clone() });
        assert_eq!((exit, out.len()), (Exit::Ok, 1));
        assert_eq!(run(&Examine { uid: Some(9), ..request.clone() }).0, Exit::NoInput);
        assert_eq!(run(&Examine { quota: true, ..request.clone() }).0, Exit::Ok);
        assert_eq!(run(&Examine { cache: true, ..request.clone() }), (Exit::Ok, vec![]));
        let (_, out) = run(&Examine { json: true, ..request });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&out[0]).unwrap()["exists"], 3);
        assert_eq!(run(&Examine { names: vec!["nowhere".into()], ..Examine::default() }).0, Exit::NoInput);
    }

    #[test]
    fn missing_files_are_named() {
        let fixture = filled();
        let run = || {
            let mut console = Recorder::default();
            let exit = missing_files(&fixture.store, &MissingFiles::default(), &mut console).unwrap();
            (exit, console.out)
        };
        assert_eq!(run(), (Exit::Ok, vec![]));
        let inbox = fixture.dir.path().join("spool/user/joe");
        std::fs::remove_file(inbox.join("2.")).unwrap();
        std::fs::write(inbox.join("3."), "").unwrap();
        let (exit, out) = run();
        assert_eq!((exit, out.len()), (Exit::Found, 2), "{out:?}");
        assert!(out[0].ends_with("2. is missing") && out[1].ends_with("3. is empty"), "{out:?}");
        assert!(inbox.join("3.").exists(), "nothing is changed");
    }
}
