//! `cyr_expire` and `ipurge`: what goes after a while, and what is removed by age or size.

use mailstore::{ErrorKind, Record, Row, Store, SystemFlags, Timestamp, UidSet};

use crate::error::CommandError;
use crate::interval::before;
use crate::select::{self, Pattern};
use crate::{Console, Exit, Progress};

/// What `cyr_expire` removes; times in seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expire {
    /// Mailboxes that were deleted so long ago.
    pub deleted: Option<i64>,
    /// Deliveries that are remembered for longer.
    pub deliveries: Option<i64>,
    /// Messages that were expunged so long ago.
    pub expunged: Option<i64>,
    /// Only in mailboxes whose names begin so.
    pub prefix: Option<String>,
    /// Only in mailboxes of that user.
    pub user: Option<String>,
    /// Change nothing, say what would be.
    pub dry_run: bool,
}

/// Removes what was deleted or expunged long enough ago; a line for each mailbox.
///
/// # Errors
/// [`CommandError`].
pub fn expire(store: &Store, request: &Expire, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let now = Timestamp::now().seconds;
    let would = if request.dry_run { "would be " } else { "" };
    if let Some(age) = request.deliveries {
        let count = if request.dry_run { None } else { Some(store.prune_duplicates_before(before(now, age))) };
        let line =
            count.map_or("old deliveries would be forgotten".to_owned(), |n| format!("{n} deliveries forgotten"));
        console.out(&line)?;
    }
    if let Some(age) = request.deleted {
        let mut old = store.deleted_before(before(now, age));
        old.retain(|row| request.concerns(row));
        if !request.dry_run {
            store.purge(&old)?;
        }
        for row in &old {
            console.out(&format!("{}: {would}removed", row.name))?;
        }
    }
    let Some(age) = request.expunged else { return Ok(Exit::Ok) };
    let mut rows = select::rows(store, &[], false);
    rows.retain(|row| request.concerns(row));
    let (mut exit, total) = (Exit::Ok, rows.len() as u64);
    for (done, row) in rows.iter().enumerate() {
        console.progress(&Progress { what: row.name.to_string(), done: done as u64, total: Some(total) })?;
        let time = before(now, age);
        let forgotten = store.mailbox(&row.name).and_then(|mailbox| match request.dry_run {
            true => mailbox.forgettable(time),
            false => mailbox.repack(time),
        });
        match forgotten {
            Ok(0) => {}
            Ok(count) => console.out(&format!("{}: {count} expunged messages {would}removed", row.name))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                exit = crate::reconstruct::exit_of(&error);
                console.err(&format!("{}: {error}", row.name))?;
            }
        }
    }
    Ok(exit)
}

impl Expire {
    fn concerns(&self, row: &Row) -> bool {
        let name = row.name.as_str();
        // A deleted mailbox is where it was before.
        let place = name.strip_prefix("DELETED/").unwrap_or(name);
        self.prefix.as_deref().is_none_or(|prefix| place.starts_with(prefix))
            && self.user.as_deref().is_none_or(|user| row.name.owner() == Some(user))
    }
}

/// What `ipurge` removes. A message must meet all conditions that are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Purge {
    /// In these mailboxes; in all if there are none.
    pub names: Vec<String>,
    /// Users' mailboxes too; else only shared ones.
    pub users: bool,
    /// Older than so many seconds.
    pub age: Option<i64>,
    /// Larger than so many bytes.
    pub size: Option<u64>,
    /// Of exactly that age in days or that size.
    pub exact: bool,
    /// The age is counted from the arrival, not from the Date field.
    pub by_arrival: bool,
    /// What does not meet the conditions is removed instead.
    pub invert: bool,
    /// \Flagged messages stay.
    pub skip_flagged: bool,
    /// Only \Deleted messages.
    pub only_deleted: bool,
    /// Change nothing, say what would be.
    pub dry_run: bool,
}

/// Expunges messages by age or size; a line for each mailbox.
///
/// # Errors
/// [`CommandError`].
pub fn purge(store: &Store, request: &Purge, console: &mut dyn Console) -> Result<Exit, CommandError> {
    if request.age.is_none() && request.size.is_none() {
        return Err(CommandError::Usage("an age or a size is needed: -d, -b, -k or -m".to_owned()));
    }
    let patterns = request.names.iter().map(|text| Pattern::parse(store, text)).collect::<Result<Vec<_>, _>>()?;
    let mut rows = select::rows(store, &patterns, false);
    rows.retain(|row| !row.name.is_deleted() && (request.users || row.name.owner().is_none()));
    let now = Timestamp::now().seconds;
    let (mut exit, total) = (Exit::Ok, rows.len() as u64);
    for (done, row) in rows.iter().enumerate() {
        console.progress(&Progress { what: row.name.to_string(), done: done as u64, total: Some(total) })?;
        match purge_mailbox(store, row, request, now) {
            Ok((0, _)) => {}
            Ok((messages, bytes)) => {
                let would = if request.dry_run { "would be " } else { "" };
                console.out(&format!("{}: {messages} messages, {bytes} bytes {would}removed", row.name))?;
            }
            // Deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // The other mailboxes are purged all the same.
            Err(error) => {
                exit = crate::reconstruct::exit_of(&error);
                console.err(&format!("{}: {error}", row.name))?;
            }
        }
    }
    Ok(exit)
}

/// Purges a mailbox; how many messages and bytes.
fn purge_mailbox(store: &Store, row: &Row, request: &Purge, now: i64) -> Result<(usize, u64), mailstore::Error> {
    let mailbox = store.mailbox(&row.name)?;
    let chosen: Vec<Record> =
        mailbox.read().records(1..=u32::MAX).filter(|record| request.concerns(record, now)).collect();
    let bytes: u64 = chosen.iter().map(|record| u64::from(record.size)).sum();
    if !chosen.is_empty() && !request.dry_run {
        let uids: UidSet = chosen.iter().map(|record| record.uid.get()).collect();
        mailbox.remove_messages(&uids)?;
        tracing::info!(event = "ipurge.purged", mailbox = %row.name, messages = chosen.len(), bytes);
    }
    Ok((chosen.len(), bytes))
}

const DAY: i64 = 24 * 3600;

impl Purge {
    fn concerns(&self, record: &Record, now: i64) -> bool {
        let date = if self.by_arrival { record.internal_date } else { record.sent_date };
        let age = now.saturating_sub(date.seconds);
        let of_age = self.age.is_none_or(|wanted| match self.exact {
            true => age / DAY == wanted / DAY,
            false => age > wanted,
        });
        let of_size = self.size.is_none_or(|wanted| match self.exact {
            true => u64::from(record.size) == wanted,
            false => u64::from(record.size) > wanted,
        });
        if self.skip_flagged && record.flags.contains(SystemFlags::FLAGGED) {
            return false;
        }
        if self.only_deleted && !record.flags.contains(SystemFlags::DELETED) {
            return false;
        }
        (of_age && of_size) != self.invert
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder, name};
    use crate::{DeliverRequest, deliver};

    fn filled() -> Fixture {
        let fixture = Fixture::new();
        for (date, size) in [("1 Jan 2020 00:00:00 +0000", 10), ("1 Jan 2021 00:00:00 +0000", 5000)] {
            let text = format!("From: a@example.org\nDate: Wed, {date}\n\n{}\n", "x".repeat(size));
            let request = DeliverRequest { users: vec!["joe".into()], ..DeliverRequest::default() };
            assert_eq!(deliver(&fixture.store, &mut Recorder::with_stdin(text), &request), Exit::Ok);
        }
        fixture
    }

    fn run(fixture: &Fixture, request: &Purge) -> Vec<String> {
        let mut console = Recorder::default();
        assert_eq!(purge(&fixture.store, request, &mut console).unwrap(), Exit::Ok);
        console.out
    }

    #[test]
    fn messages_go_by_age_and_size() {
        let fixture = filled();
        let old = Purge { age: Some(DAY), users: true, dry_run: true, ..Purge::default() };
        let count = |request: &Purge| {
            run(&fixture, request)
                .first()
                .map_or(0, |line| line.split(' ').nth(1).and_then(|count| count.parse::<u32>().ok()).unwrap())
        };
        assert_eq!(count(&old), 2);
        assert_eq!(count(&Purge { users: false, ..old.clone() }), 0, "users' mailboxes are not touched");
        assert_eq!(count(&Purge { by_arrival: true, ..old.clone() }), 0);
        assert_eq!(count(&Purge { size: Some(4000), ..old.clone() }), 1);
        assert_eq!(count(&Purge { invert: true, ..old.clone() }), 0);
        assert_eq!(count(&Purge { only_deleted: true, ..old.clone() }), 0);
        assert_eq!(count(&Purge { names: vec!["user/sue".into()], ..old.clone() }), 0);
        assert!(purge(&fixture.store, &Purge::default(), &mut Recorder::default()).is_err());
        let line = run(&fixture, &Purge { size: Some(4000), dry_run: false, ..old });
        assert!(line[0].starts_with("user/joe: 1 messages"), "{line:?}");
        assert_eq!(fixture.texts("user/joe").len(), 1);
    }

    #[test]
    fn a_damaged_mailbox_does_not_keep_the_others() {
        let fixture = filled();
        let row = fixture.store.row(&name("user/joe/Lists")).unwrap();
        let dir = fixture.store.layout().mailbox_dir(&row.partition, &row.name).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        std::fs::write(&dir, "in the way").unwrap();
        let request = Purge { age: Some(DAY), users: true, ..Purge::default() };
        fixture.store.mailbox(&name("user/joe/Lists")).unwrap_err();
        let mut console = Recorder::default();
        assert_ne!(purge(&fixture.store, &request, &mut console).unwrap(), Exit::Ok);
        assert!(console.err[0].starts_with("user/joe/Lists: "), "{:?}", console.err);
        assert!(console.out[0].starts_with("user/joe: 2 messages"), "{:?}", console.out);
    }

    #[test]
    fn what_was_removed_goes_for_good() {
        let fixture = filled();
        let store = &fixture.store;
        store.mailbox(&name("user/joe")).unwrap().remove_messages(&[1].into_iter().collect()).unwrap();
        store.delete(&mailstore::Access::user("joe"), &name("user/joe/Lists")).unwrap();
        store.settle();
        let run = |request: &Expire| {
            let mut console = Recorder::default();
            assert_eq!(expire(store, request, &mut console).unwrap(), Exit::Ok);
            console.out
        };
        // What happened this second is not before it.
        let all = Expire { deleted: Some(-10), expunged: Some(-10), ..Expire::default() };
        assert!(run(&Expire { deleted: Some(DAY), expunged: Some(DAY), ..Expire::default() }).is_empty());
        assert!(run(&Expire { user: Some("sue".into()), ..all.clone() }).is_empty());
        let dry = run(&Expire { dry_run: true, prefix: Some("user/joe".into()), ..all.clone() });
        assert_eq!(dry.len(), 2, "{dry:?}");
        let out = run(&all);
        assert!(out[0].starts_with("DELETED/user/joe/Lists/") && out[0].ends_with(": removed"), "{out:?}");
        assert_eq!(out[1], "user/joe: 1 expunged messages removed");
        assert!(run(&all).is_empty());
    }
}
