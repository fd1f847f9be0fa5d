//! A directory and a store in memory, for the tests of the protocol.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mailstore::{Access, Error, MailboxName, Uid};
use parking_lot::Mutex;

use crate::deposit::{Deposit, Door, Quota, Resolution, Stage};

/// What a mailbox holds and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct FakeMailbox {
    /// Whether anybody may see it, and post to it.
    pub(crate) door: Option<Door>,
    pub(crate) full: bool,
    /// Full by the time the message is there, though not at RCPT.
    pub(crate) fills_up: bool,
    pub(crate) broken: bool,
    pub(crate) vanishes: bool,
    pub(crate) messages: Vec<Arc<FakeStaged>>,
}

#[derive(Debug, Default)]
pub(crate) struct FakeDeposit {
    pub(crate) mailboxes: Mutex<BTreeMap<String, FakeMailbox>>,
    pub(crate) seen: Mutex<Vec<(String, String)>>,
    /// Stage files that exist now.
    pub(crate) staged: Arc<AtomicUsize>,
    /// Messages finished so far.
    pub(crate) finished: AtomicUsize,
    pub(crate) disk_full: Arc<AtomicBool>,
}

/// A message being written.
pub(crate) struct FakeStage {
    octets: Vec<u8>,
    disk_full: Arc<AtomicBool>,
    file: File,
}

/// A message.
#[derive(Debug)]
pub(crate) struct FakeStaged {
    pub(crate) octets: Vec<u8>,
    _file: File,
}

/// Counts as a stage file while it lives.
#[derive(Debug)]
struct File(Arc<AtomicUsize>);

impl Drop for File {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

const CLOSED: Door = Door { visible: false, open: false };
const READABLE: Door = Door { visible: true, open: false };
const OPEN: Door = Door { visible: true, open: true };

impl FakeDeposit {
    /// Users and mailboxes that every test knows.
    pub(crate) fn example() -> Self {
        let deposit = Self::default();
        {
            let mut mailboxes = deposit.mailboxes.lock();
            let mut add = |name: &str, door: Door, change: fn(&mut FakeMailbox)| {
                let mailbox = mailboxes.entry(name.to_owned()).or_default();
                mailbox.door = Some(door);
                change(mailbox);
            };
            let nothing: fn(&mut FakeMailbox) = |_| {};
            for inbox in ["user/joe", "user/sue", "user/plus"] {
                add(inbox, CLOSED, nothing);
            }
            for folder in ["user/joe/Lists", "user/joe/Lists/rust", "user/joe/Q3.2026"] {
                add(folder, OPEN, nothing);
            }
            add("user/joe/Private", CLOSED, nothing);
            add("user/joe/Fleeting", OPEN, |mailbox| mailbox.vanishes = true);
            add("team", OPEN, nothing);
            add("team/open", OPEN, nothing);
            add("DELETED/team/5f", OPEN, nothing);
            add("readable", READABLE, nothing);
            add("hidden", CLOSED, nothing);
            add("user/full", CLOSED, |mailbox| mailbox.full = true);
            add("user/filling", CLOSED, |mailbox| mailbox.fills_up = true);
            add("user/broken", CLOSED, |mailbox| mailbox.broken = true);
        }
        deposit
    }

    /// The messages of a mailbox.
    pub(crate) fn messages(&self, mailbox: &str) -> Vec<String> {
        let mailboxes = self.mailboxes.lock();
        let messages = &mailboxes.get(mailbox).unwrap().messages;
        messages.iter().map(|message| String::from_utf8_lossy(&message.octets).into_owned()).collect()
    }
}

impl Deposit for FakeDeposit {
    type Stage = FakeStage;
    type Staged = FakeStaged;

    fn resolves_from_memory(&self) -> bool {
        true
    }

    fn resolve(&self, local: &str, domain: Option<&str>) -> Resolution {
        if domain.is_some_and(|domain| domain != "example.com" && domain != "bücher.example") {
            return Resolution::Unknown;
        }
        match local.to_lowercase().as_str() {
            user @ ("joe" | "sue" | "full" | "filling" | "broken" | "new") => Resolution::Users(vec![user.to_owned()]),
            "jürgen" | "joseph" => Resolution::Users(vec!["joe".to_owned()]),
            "a+b" => Resolution::Users(vec!["plus".to_owned()]),
            "staff" => Resolution::Users(vec!["joe".to_owned(), "sue".to_owned()]),
            "mixed" => Resolution::Users(vec!["filling".to_owned(), "joe".to_owned()]),
            "worse" => Resolution::Users(vec!["joe".to_owned(), "broken".to_owned()]),
            "empty" => Resolution::Users(Vec::new()),
            "off" => Resolution::Disabled,
            "later" => Resolution::Unavailable,
            _ => Resolution::Unknown,
        }
    }

    fn door(&self, mailbox: &MailboxName, submitter: &Access) -> Option<Door> {
        let door = self.mailboxes.lock().get(mailbox.as_str())?.door?;
        let is_owner = !submitter.anonymous && mailbox.owner() == Some(&submitter.user);
        Some(if is_owner { OPEN } else { door })
    }

    fn find_ignoring_case(&self, wanted: &MailboxName) -> Option<MailboxName> {
        let mailboxes = self.mailboxes.lock();
        let name = mailboxes.keys().find(|name| name.to_lowercase() == wanted.as_str().to_lowercase())?;
        MailboxName::parse(name).ok()
    }

    fn access(&self, user: &str) -> Access {
        Access::user(user)
    }

    // So that both ways are taken: INBOXes at once, folders on a thread that may block.
    fn knows_room(&self, mailbox: &MailboxName) -> bool {
        mailbox.is_inbox()
    }

    fn has_room(&self, mailbox: &MailboxName, _: u64, quota: Quota) -> bool {
        quota == Quota::Ignore || !self.mailboxes.lock().get(mailbox.as_str()).is_some_and(|mailbox| mailbox.full)
    }

    fn stage(&self, _: &MailboxName) -> Result<FakeStage, Error> {
        self.staged.fetch_add(1, Ordering::SeqCst);
        let file = File(Arc::clone(&self.staged));
        Ok(FakeStage { octets: Vec::new(), disk_full: Arc::clone(&self.disk_full), file })
    }

    fn finish(&self, stage: FakeStage) -> Result<FakeStaged, Error> {
        self.finished.fetch_add(1, Ordering::SeqCst);
        Ok(FakeStaged { octets: stage.octets, _file: stage.file })
    }

    fn size(&self, message: &FakeStaged) -> u64 {
        message.octets.len() as u64
    }

    fn message_id(&self, message: &FakeStaged) -> Option<String> {
        let text = String::from_utf8_lossy(&message.octets).into_owned();
        let line = text.lines().find_map(|line| line.strip_prefix("Message-ID: "))?;
        Some(line.to_owned())
    }

    fn is_duplicate(&self, message_id: &str, mailbox: &MailboxName) -> bool {
        self.seen.lock().contains(&(message_id.to_owned(), mailbox.to_string()))
    }

    fn deliver(
        &self,
        message: &Arc<FakeStaged>,
        message_id: Option<&str>,
        to: &[&MailboxName],
        quota: Quota,
    ) -> Vec<Result<Uid, Error>> {
        let mut mailboxes = self.mailboxes.lock();
        let mut deliver = |name: &MailboxName| {
            let mailbox = mailboxes.get_mut(name.as_str()).filter(|mailbox| !mailbox.vanishes);
            let mailbox = mailbox.ok_or_else(|| Error::NotFound(name.to_string()))?;
            if mailbox.broken {
                return Err(Error::Corrupt { path: "cyrus.index".into(), what: "checksum".to_owned() });
            }
            if (mailbox.full || mailbox.fills_up) && quota != Quota::Ignore {
                return Err(Error::OverQuota { root: name.to_string() });
            }
            mailbox.messages.push(Arc::clone(message));
            self.seen.lock().extend(message_id.map(|id| (id.to_owned(), name.to_string())));
            Ok(Uid::new(mailbox.messages.len() as u32).unwrap())
        };
        to.iter().map(|name| deliver(name)).collect()
    }
}

impl Stage for FakeStage {
    fn would_block(&self, more: usize) -> bool {
        self.octets.len() + more > 4096
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        if self.disk_full.load(Ordering::SeqCst) {
            return Err(Error::Limit("disk full"));
        }
        self.octets.extend_from_slice(octets);
        Ok(())
    }
}
