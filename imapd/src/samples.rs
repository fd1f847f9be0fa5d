//! A store with one mailbox in a temporary directory, for the tests of commands.

use std::sync::Arc;

use mailstore::disk::RealDisk;
use mailstore::{
    Access, AppendOptions, CreateOptions, DEFAULT_PARTITION, FlagOp, Keyword, Layout, Mailbox, MailboxName, ModSeq,
    NewMessage, Permitted, Store, StoreOptions, StoreRequest, SystemFlags, Timestamp,
};

use crate::syntax::parse;
use crate::types::{Arguments, Encoding};
use crate::view::View;

/// Whose mailbox it is.
pub(crate) const JOE: &str = "joe";

/// The store and joe's INBOX.
pub(crate) struct Sample {
    pub(crate) mailbox: Arc<Mailbox>,
    store: Arc<Store>,
    _dir: tempfile::TempDir,
}

impl Sample {
    /// An INBOX that holds `messages`, which arrived one day after another from 1 January 2026 on.
    pub(crate) fn with(messages: &[&[u8]]) -> Sample {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("config"), dir.path().join("spool"));
        let options = StoreOptions { create: true, ..StoreOptions::new(layout) };
        let (store, _) = Store::open(options, Arc::new(RealDisk)).unwrap();
        let name = MailboxName::inbox(JOE).unwrap();
        store.create(&Access::admin("admin"), &name, &CreateOptions::default()).unwrap();
        let sample = Sample { mailbox: store.mailbox(&name).unwrap(), store, _dir: dir };
        for (day, message) in messages.iter().enumerate() {
            sample.append(message, 1_767_225_600 + 86_400 * day as i64);
        }
        sample
    }

    /// Appends a message that arrived at `seconds`.
    pub(crate) fn append(&self, message: &[u8], seconds: i64) -> u32 {
        let mut stage = self.store.stage(DEFAULT_PARTITION).unwrap();
        stage.write(message).unwrap();
        let message = NewMessage {
            staged: Arc::new(stage.finish().unwrap()),
            internal_date: Timestamp { seconds, zone_minutes: 60 },
            flags: SystemFlags::NONE,
            keywords: Vec::new(),
            seen: false,
        };
        self.mailbox.append(&[message], &AppendOptions::default()).unwrap()[0].get()
    }

    /// Sets flags.
    pub(crate) fn flag(&self, uid: u32, system: SystemFlags, seen: bool, keywords: &[&str]) -> ModSeq {
        let keywords: Vec<Keyword> = keywords.iter().map(|keyword| Keyword::parse(keyword).unwrap()).collect();
        let request = StoreRequest {
            reader: JOE,
            uids: &[uid].into_iter().collect(),
            op: FlagOp::Add,
            system,
            seen,
            keywords: &keywords,
            permitted: Permitted::ALL,
            unchanged_since: None,
        };
        self.mailbox.store(&request).unwrap().modseq
    }

    /// Removes a message.
    pub(crate) fn expunge(&self, uid: u32) {
        self.mailbox.remove_messages(&[uid].into_iter().collect()).unwrap();
    }

    /// A session's view at this moment. Nothing in it is \Recent.
    pub(crate) fn view(&self) -> View {
        let reading = self.mailbox.read();
        View::new(reading.uids(), reading.status().highest_modseq, u32::MAX)
    }
}

/// A command's arguments.
pub(crate) fn arguments(command: &str) -> Arguments {
    parse(command.as_bytes(), Encoding::Utf8).unwrap_or_else(|error| panic!("{command}: {error}")).arguments
}
