//! A store of its own and a console that remembers, for the tests of the commands.

use std::io::{self, BufRead, Cursor};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mailstore::disk::RealDisk;
use mailstore::{Access, CreateOptions, Layout, MailboxName, QuotaLimits, Store, StoreOptions};

use crate::console::{Console, Progress};

/// A store in a directory that goes when it does.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) store: Arc<Store>,
}

impl Fixture {
    /// A store with the users joe and sue, and joe's folder Lists.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path().join("config"), dir.path().join("spool"));
        let options = StoreOptions { create: true, max_message: 1 << 20, ..StoreOptions::new(layout) };
        let (store, _) = Store::open(options, Arc::new(RealDisk)).unwrap();
        for user in ["joe", "sue"] {
            store.create_user(user, None).unwrap();
        }
        store.create(&Access::user("joe"), &name("user/joe/Lists"), &CreateOptions::default()).unwrap();
        Self { dir, store }
    }

    /// Limits a user's quota.
    pub(crate) fn limit(&self, user: &str, kib: u64) {
        let limits = QuotaLimits { storage_kib: Some(kib), ..QuotaLimits::default() };
        self.store.set_quota(&MailboxName::inbox(user).unwrap(), Some(limits)).unwrap();
    }

    /// The texts of a mailbox's messages.
    pub(crate) fn texts(&self, mailbox: &str) -> Vec<String> {
        let mailbox = self.store.mailbox(&name(mailbox)).unwrap();
        let uids: Vec<_> = mailbox.read().records(1..=u32::MAX).map(|record| record.uid).collect();
        let text = |uid| mailbox.open_message(uid).unwrap().read_all(1 << 21).unwrap();
        uids.into_iter().map(|uid| String::from_utf8(text(uid)).unwrap()).collect()
    }

    /// Files waiting below `stage.`.
    pub(crate) fn staged(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("spool/stage.")).unwrap().count()
    }
}

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

/// A console that remembers what was said.
#[derive(Default)]
pub(crate) struct Recorder {
    pub(crate) out: Vec<String>,
    pub(crate) err: Vec<String>,
    pub(crate) octets: Vec<u8>,
    pub(crate) progress: Vec<Progress>,
    pub(crate) stdin: Cursor<Vec<u8>>,
    pub(crate) directory: PathBuf,
    /// The caller goes away at the first report of progress.
    pub(crate) gone: bool,
}

impl Recorder {
    pub(crate) fn with_stdin(text: impl Into<Vec<u8>>) -> Self {
        Self { stdin: Cursor::new(text.into()), ..Self::default() }
    }
}

impl Console for Recorder {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.out.extend(line.split('\n').map(str::to_owned));
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.err.push(line.to_owned());
        Ok(())
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        self.progress.push(progress.clone());
        if self.gone { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.stdin
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}
