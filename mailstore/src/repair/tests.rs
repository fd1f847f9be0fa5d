//! A small store of joe's to be damaged, and what of it can be seen.
//!
//! - [`damages`]: every kind of damage, one at a time, of a mailbox that is closed and of one in use;
//! - [`limits`]: what is left alone;
//! - [`put_back`]: message files, indexes and directories that come from a backup;
//! - [`requests`]: what an administrator asks for beyond the usual, and a mailbox in full use.

mod damages;
mod limits;
mod put_back;
mod requests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use durable::disk::{Disk, RealDisk};

use super::*;
use crate::acl::Access;
use crate::error::ErrorKind;
use crate::flags::{Keyword, SystemFlags};
use crate::ident::{Timestamp, Uid};
use crate::layout::Layout;
use crate::list::Row;
use crate::mailbox::{AppendOptions, FlagOp, Mailbox, NewMessage, Permitted, StoreRequest};
use crate::name::MailboxName;
use crate::store::{CreateOptions, Store, StoreOptions};
use crate::uid_set::{self, UidSet};

/// A store of joe's, whose INBOX has the messages 1 to 6: 1 is \Answered, 5 has `$Work`, 6 has `Todo`; joe has seen 1 to 3.
pub(super) struct Site {
    pub(super) dir: tempfile::TempDir,
    pub(super) store: Arc<Store>,
}

pub(super) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

pub(super) fn text(n: u32) -> String {
    format!("From: a@example.org\r\nSubject: number {n}\r\n\r\n{}\r\n", "x".repeat(n as usize * 10))
}

pub(super) fn options() -> RepairOptions {
    RepairOptions { settling: Duration::ZERO, ..RepairOptions::default() }
}

pub(super) fn open_store(dir: &Path, disk: Arc<dyn Disk>) -> Arc<Store> {
    let layout = Layout::new(dir.join("config"), dir.join("spool"));
    Store::open(StoreOptions { create: true, ..StoreOptions::new(layout) }, disk).unwrap().0
}

pub(super) fn append(store: &Store, mailbox: &str, n: u32, keywords: &[&str]) -> Uid {
    let mut stage = store.stage(crate::DEFAULT_PARTITION).unwrap();
    stage.write(text(n).as_bytes()).unwrap();
    let message = NewMessage {
        staged: Arc::new(stage.finish().unwrap()),
        internal_date: Timestamp { seconds: 1_700_000_000 + i64::from(n), zone_minutes: 60 },
        flags: if n == 1 { SystemFlags::ANSWERED } else { SystemFlags::NONE },
        keywords: keywords.iter().filter_map(|text| Keyword::parse(text)).collect(),
        seen: n <= 3,
    };
    let options = AppendOptions { reader: Some("joe".into()), ..AppendOptions::default() };
    store.mailbox(&name(mailbox)).unwrap().append(&[message], &options).unwrap()[0]
}

pub(super) fn fill(store: &Store) {
    store.create_user("joe", None).unwrap();
    store.create(&Access::user("joe"), &name("user/joe/Other"), &CreateOptions::default()).unwrap();
    for n in 1..=6 {
        let keywords: &[&str] = match n {
            5 => &["$Work"],
            6 => &["Todo"],
            _ => &[],
        };
        append(store, "user/joe", n, keywords);
    }
    append(store, "user/joe/Other", 1, &[]);
}

impl Site {
    fn new() -> Site {
        let dir = tempfile::tempdir().unwrap();
        let store = open_store(dir.path(), Arc::new(RealDisk));
        fill(&store);
        store.close().unwrap();
        drop(store);
        let store = open_store(dir.path(), Arc::new(RealDisk));
        Site { dir, store }
    }

    /// The same store after a stop in good order and a start.
    fn restarted(self) -> Site {
        let Site { dir, store } = self;
        store.close().unwrap();
        drop(store);
        let store = open_store(dir.path(), Arc::new(RealDisk));
        Site { dir, store }
    }

    /// Fails if the program's own check finds anything.
    fn is_in_order(&self, context: &str) {
        let findings = self.store.check_contents(&mut |_| {}).unwrap().findings;
        assert!(findings.is_empty(), "{context}: {findings:?}");
    }

    fn inbox(&self) -> PathBuf {
        self.dir.path().join("spool/user/joe")
    }

    fn mailbox(&self) -> Arc<Mailbox> {
        self.store.mailbox(&name("user/joe")).unwrap()
    }

    fn row(&self) -> Arc<Row> {
        self.store.row(&name("user/joe")).unwrap()
    }

    fn repair(&self, options: &RepairOptions) -> Repaired {
        self.store.reconstruct(&name("user/joe"), options).unwrap()
    }

    fn store_flag(&self, uids: &str, flag: SystemFlags) {
        let request = StoreRequest {
            reader: "joe",
            uids: &uid_set::parse(uids).unwrap(),
            op: FlagOp::Add,
            system: flag,
            seen: false,
            keywords: &[],
            permitted: Permitted::ALL,
            unchanged_since: None,
        };
        self.mailbox().store(&request).unwrap();
    }
}

/// The messages of the INBOX: flags, keywords, whether joe has seen it, and which of the texts it is.
type Seen = BTreeMap<u32, (u32, Vec<String>, bool, u32)>;

fn messages(mailbox: &Arc<Mailbox>) -> Seen {
    let reading = mailbox.read();
    let all: Vec<_> = reading.records(1..=u32::MAX).collect();
    let mut seen = Seen::new();
    for record in all {
        let body = mailbox.open_message(record.uid).unwrap().read_all(1 << 20).unwrap();
        assert_eq!(body.len() as u32, record.size);
        let which = (1..100).find(|n| text(*n).as_bytes() == body).unwrap_or(0);
        let keywords = reading.keywords_of(&record).map(|keyword| keyword.as_str().to_owned()).collect();
        let state = (record.flags.bits(), keywords, reading.reader("joe").has_seen(record.uid), which);
        seen.insert(record.uid.get(), state);
    }
    seen
}

fn uids(seen: &Seen) -> Vec<u32> {
    seen.keys().copied().collect()
}

fn codes(repaired: &Repaired) -> Vec<(&'static str, Option<u32>)> {
    let changes = repaired.events.iter().filter(|event| event.kind == RepairKind::Change);
    changes.map(|event| (event.code, event.uid)).collect()
}

fn patch(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

/// Changes a field of the index header and makes its checksum right again.
fn patch_header(dir: &Path, at: usize, value: u32) {
    patch(&dir.join("cyrus.index"), |bytes| {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..252]);
        bytes[252..256].copy_from_slice(&crc.to_le_bytes());
    });
}

fn remove(dir: &Path, files: &[&str]) {
    files.iter().for_each(|file| std::fs::remove_file(dir.join(file)).unwrap());
}

fn put(dir: &Path, file: &str, n: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(dir.join(file), text(n)).unwrap();
    std::fs::set_permissions(dir.join(file), std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Copies the files of a directory, each made anew as tar does it.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_type().unwrap().is_file() {
            let target = to.join(entry.file_name());
            let _ = std::fs::remove_file(&target);
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
