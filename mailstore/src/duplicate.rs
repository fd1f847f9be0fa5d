//! The duplicate delivery database: which message came to which mailbox lately, so that an MTA that lost our answer can
//! repeat its delivery and the user still gets one copy.
//!
//! Its marks are in a sled database, which reaches the disk once a second. So that a server that is killed forgets none of
//! them, each delivery is also noted in a [`journal`]: before it, and when it is done. A note without its end is decided when
//! the store is opened: by whether the mailbox holds that message. Nothing of this is synced: after a power cut a delivery
//! that had no answer may be there twice.
//!
//! It is a convenience: losing it costs a duplicate at worst. What can't be written is logged, and the mail is delivered.

mod journal;
mod marks;

use std::path::Path;
use std::sync::Arc;

use durable::disk::Disk;
use parking_lot::Mutex;

use self::journal::{Journal, Note};
use self::marks::Marks;
use crate::ident::{ContentHash, UniqueId};

/// The duplicate delivery database.
#[derive(Debug)]
pub struct Duplicates {
    /// Nothing where the database can't be opened: then nothing is a duplicate.
    marks: Option<Marks>,
    journal: Journal,
    undecided: Mutex<Vec<Undecided>>,
}

/// A delivery that was under way when the server died.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Undecided {
    pub(crate) mailbox: UniqueId,
    /// Of the message.
    pub(crate) hash: ContentHash,
    key: Vec<u8>,
    begun: i64,
}

/// A delivery under way. One that is dropped is decided at the next start.
#[derive(Debug)]
#[must_use]
pub struct Delivery<'a> {
    duplicates: &'a Duplicates,
    numbers: Vec<u64>,
    keys: Vec<Vec<u8>>,
    begun: i64,
}

impl Duplicates {
    /// Opens the database and takes in what the journal of a server that died has over it; [`undecided`](Self::undecided)
    /// and [`begin_anew`](Self::begin_anew) must follow. A damaged database is put aside.
    pub(crate) fn open(disk: Arc<dyn Disk>, path: &Path) -> Duplicates {
        let journal = Journal::new(disk, path.with_extension("journal"));
        let marks = Marks::open(path);
        let mut undecided = Vec::new();
        if let Some(marks) = &marks {
            for (note, delivered) in journal.replay() {
                let Note { time, hash, mailbox, key } = note;
                if delivered {
                    marks.set(&key, time);
                } else {
                    undecided.push(Undecided { mailbox, hash, key, begun: time });
                }
            }
        }
        Duplicates { marks, journal, undecided: Mutex::new(undecided) }
    }

    /// The deliveries that were under way when the server died. Whoever takes them looks whether the messages are there, and
    /// [`decide`](Self::decide)s.
    pub(crate) fn undecided(&self) -> Vec<Undecided> {
        std::mem::take(&mut self.undecided.lock())
    }

    /// A delivery that was under way did reach the mailbox.
    pub(crate) fn decide(&self, delivery: &Undecided) {
        if let Some(marks) = &self.marks {
            marks.set(&delivery.key, delivery.begun);
        }
    }

    /// All that the old journal says is in the database: a new one may begin.
    pub(crate) fn begin_anew(&self) {
        if self.marks.as_ref().is_some_and(Marks::flush) {
            self.journal.begin_anew();
        }
    }

    /// A message is about to be delivered to these mailboxes, at `now` (Unix seconds). Writes, and syncs nothing.
    pub fn begin<'m>(
        &self,
        message_id: &str,
        hash: ContentHash,
        mailboxes: impl Iterator<Item = &'m UniqueId>,
        now: i64,
    ) -> Delivery<'_> {
        let note = |mailbox: &UniqueId| {
            let key = marks::key(message_id, mailbox);
            Note { time: now, hash, mailbox: mailbox.clone(), key }
        };
        let notes: Vec<Note> = mailboxes.map(note).collect();
        let numbers = if self.marks.is_some() { self.journal.begin(&notes) } else { Vec::new() };
        Delivery { duplicates: self, numbers, keys: notes.into_iter().map(|note| note.key).collect(), begun: now }
    }

    /// Marks a message as delivered to a mailbox at `now` (Unix seconds).
    pub fn mark(&self, message_id: &str, mailbox: &UniqueId, now: i64) {
        if let Some(marks) = &self.marks {
            marks.set(&marks::key(message_id, mailbox), now);
        }
    }

    /// When the message was delivered to the mailbox, Unix seconds.
    #[must_use]
    pub fn delivered_at(&self, message_id: &str, mailbox: &UniqueId) -> Option<i64> {
        self.marks.as_ref()?.get(&marks::key(message_id, mailbox))
    }

    /// Gives every delivery to `each`: message id and unique id of the mailbox, nothing where the two were so long that only
    /// their hash is kept, and when it was. Ends when `each` returns `false`.
    pub fn each(&self, each: impl FnMut(Option<(&str, &str)>, i64) -> bool) {
        if let Some(marks) = &self.marks {
            marks.each(each);
        }
    }

    /// Forgets deliveries before `before` (Unix seconds), and entries that make no sense. Returns how many.
    pub(crate) fn prune(&self, before: i64) -> u64 {
        self.marks.as_ref().map_or(0, |marks| marks.prune(before))
    }

    /// Makes everything durable.
    pub(crate) fn close(&self) {
        self.begin_anew();
    }
}

impl Delivery<'_> {
    /// The delivery is over: to which of the mailboxes, in their order, the message came.
    pub fn end(self, came: &[bool]) {
        let Delivery { duplicates, numbers, keys, begun } = self;
        let Some(marks) = &duplicates.marks else { return };
        for (key, _) in keys.iter().zip(came).filter(|(_, came)| **came) {
            marks.set(key, begun);
        }
        // Behind the mark: what the journal no longer holds open is in the database.
        let is_long = duplicates.journal.end(&numbers, came);
        if is_long {
            duplicates.journal.rotate(|| marks.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use durable::disk::RealDisk;

    use super::*;

    fn id(text: &str) -> UniqueId {
        UniqueId::parse(text).unwrap()
    }

    fn open(dir: &Path) -> Duplicates {
        Duplicates::open(Arc::new(RealDisk), &dir.join("deliver.db"))
    }

    /// The files as a server that was killed before sled's next flush leaves them.
    fn killed(dir: &Path) -> tempfile::TempDir {
        let left = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), left.path().join(entry.file_name())).unwrap();
            }
        }
        left
    }

    #[test]
    fn a_kill_forgets_no_delivery() {
        let dir = tempfile::tempdir().unwrap();
        let long = format!("<{}@x>", "a".repeat(5000));
        let hash = ContentHash::of(b"x");
        let before = open(dir.path());
        before.begin_anew();
        for message in ["<1@x>", "", &long] {
            let (a, b) = (id("a"), id("b"));
            before.begin(message, hash, [&a, &b].into_iter(), 100).end(&[true, false]);
        }
        let c = id("c");
        drop(before.begin("<1@x>", hash, [&c].into_iter(), 101));
        let left = killed(dir.path());
        // Opened twice, as if the first start had died too.
        for _ in 0..2 {
            let after = open(left.path());
            for message in ["<1@x>", "", &long] {
                assert_eq!(after.delivered_at(message, &id("a")), Some(100), "{message}");
                assert_eq!(after.delivered_at(message, &id("b")), None, "{message}");
            }
            let undecided = after.undecided();
            let found: Vec<_> = undecided.iter().map(|found| (found.mailbox.as_str(), found.hash)).collect();
            assert_eq!(found, [("c", hash)]);
            after.decide(&undecided[0]);
            assert_eq!(after.delivered_at("<1@x>", &c), Some(101));
        }
        open(left.path()).begin_anew();
        let after = open(left.path());
        assert_eq!(after.undecided(), []);
        assert_eq!(after.delivered_at("<1@x>", &id("a")), Some(100));
    }

    #[test]
    fn the_journal_stays_short() {
        let dir = tempfile::tempdir().unwrap();
        let (hash, a, b) = (ContentHash::of(b"x"), id("a"), id("b"));
        let before = open(dir.path());
        before.begin_anew();
        let open_all_the_time = before.begin("<slow@x>", hash, [&b].into_iter(), 1);
        let rounds = 3 * journal::LONG / 200;
        for round in 0..rounds {
            before.begin(&format!("<{round}@x>"), hash, [&a].into_iter(), 2).end(&[true]);
        }
        let length = std::fs::metadata(dir.path().join("deliver.journal")).unwrap().len();
        assert!(length < journal::LONG + 1000, "{length}");
        let after = open(killed(dir.path()).path());
        let undecided = after.undecided();
        assert_eq!(undecided.len(), 1, "{undecided:?}");
        assert_eq!(undecided[0].mailbox, b);
        open_all_the_time.end(&[true]);
        let after = open(killed(dir.path()).path());
        assert_eq!(after.undecided(), []);
        assert_eq!(after.delivered_at("<slow@x>", &b), Some(1));
    }

    #[test]
    fn nothing_is_left_of_the_journal_after_a_stop() {
        let dir = tempfile::tempdir().unwrap();
        let duplicates = open(dir.path());
        duplicates.begin_anew();
        duplicates.begin("<1@x>", ContentHash::of(b"x"), [&id("a")].into_iter(), 7).end(&[true]);
        duplicates.close();
        assert!(!dir.path().join("deliver.journal").exists());
        drop(duplicates);
        assert_eq!(open(dir.path()).delivered_at("<1@x>", &id("a")), Some(7));
    }
}
