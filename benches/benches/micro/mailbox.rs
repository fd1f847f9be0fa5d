//! A mailbox to measure with: the first messages of the corpus, without a session around it.

use std::sync::Arc;

use benches::{in_process, messages};
use mailstore::disk::RealDisk;
use mailstore::{
    AppendOptions, DEFAULT_PARTITION, Layout, Mailbox, MailboxName, NewMessage, Store, StoreOptions, SystemFlags,
    Timestamp,
};
use tempfile::TempDir;

/// Bytes of a message.
const SIZE: usize = 2_000;

/// Messages of the mailboxes.
pub(crate) const SIZES: &[usize] = &[1_000, 10_000];

/// Messages appended at once.
const BATCH: usize = 500;

/// Users who have an INBOX, too.
const OTHERS: [&str; 2] = ["sue", "tim"];

/// A store with one mailbox in it. Nothing stays open that nobody holds.
pub(crate) struct Sample {
    pub(crate) store: Arc<Store>,
    pub(crate) name: MailboxName,
    /// Last: the store is closed before it goes.
    _directory: TempDir,
}

impl Sample {
    pub(crate) fn new(count: usize) -> Self {
        let directory = in_process::directory().unwrap();
        let layout = Layout::new(directory.path().join("config"), directory.path().join("spool"));
        let options = StoreOptions { create: true, max_idle: 0, ..StoreOptions::new(layout) };
        let (store, _) = Store::open(options, Arc::new(RealDisk)).unwrap();
        for user in [OTHERS[0], OTHERS[1], "joe"] {
            store.create_user(user, None).unwrap();
        }
        let sample = Self { store, name: MailboxName::inbox("joe").unwrap(), _directory: directory };
        let mailbox = sample.mailbox();
        let new: Vec<_> = messages(SIZE).take(count).map(|message| sample.stage(&message)).collect();
        for batch in new.chunks(BATCH) {
            mailbox.append(batch, &AppendOptions::default()).unwrap();
        }
        assert_eq!(mailbox.read().uids().len(), count as u64);
        sample
    }

    /// Opens the mailbox, if nobody has it open.
    pub(crate) fn mailbox(&self) -> Arc<Mailbox> {
        self.store.mailbox(&self.name).unwrap()
    }

    /// Makes sure that nobody has the mailbox open: whoever opens another one has the idle ones closed.
    pub(crate) fn close(&self) {
        while self.store.open_mailbox(&self.name).is_some() {
            for other in OTHERS {
                drop(self.store.mailbox(&MailboxName::inbox(other).unwrap()).unwrap());
                self.store.settle();
            }
            std::thread::yield_now();
        }
    }

    fn stage(&self, message: &[u8]) -> NewMessage {
        let mut stage = self.store.stage(DEFAULT_PARTITION).unwrap();
        stage.write(message).unwrap();
        NewMessage {
            staged: Arc::new(stage.finish().unwrap()),
            internal_date: Timestamp::now(),
            flags: SystemFlags::default(),
            keywords: Vec::new(),
            seen: false,
        }
    }
}
