//! Concurrent mail traffic that keeps a ledger of what the server has promised, and the comparison of that ledger with
//! what a server holds later.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

use crate::transcript::Protocol;
use crate::{DOMAIN, Imap, Lmtp, PASSWORD, PATIENCE, Server};

/// The users that the traffic needs.
pub const USERS: [&str; 2] = ["joe", "sue"];

/// Where the traffic goes: LMTP into both users' INBOX, APPEND into joe's, and sue's own for what is flagged and removed.
const MAILBOXES: [(&str, &str); 4] = [("joe", "INBOX"), ("sue", "INBOX"), ("joe", "Appended"), ("sue", "Scratch")];

/// What was sent and what was promised, over all rounds.
#[derive(Default)]
pub struct Ledger {
    shared: Arc<Shared>,
    /// Which message each UID stood for when last seen: it may never stand for another one.
    identities: BTreeMap<(String, u32, u32), String>,
    rounds: u32,
}

/// Traffic in progress.
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What the comparisons found.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Messages that the server acknowledged.
    pub acknowledged: usize,
    /// Acknowledged messages that are gone or changed.
    pub lost: usize,
    /// Messages that are there more than once.
    pub doubled: usize,
    /// Acknowledged expunges whose message is back.
    pub risen: usize,
    /// Acknowledged flags that are gone.
    pub unflagged: usize,
    /// UIDs that stood for one message and now stand for another.
    pub reissued: usize,
}

#[derive(Default)]
struct Shared {
    book: Mutex<Book>,
    changed: Condvar,
}

#[derive(Default)]
struct Book {
    /// By Message-ID and mailbox.
    entries: BTreeMap<(String, String), Entry>,
    acknowledged: usize,
    serial: usize,
}

struct Entry {
    message: Vec<u8>,
    /// Whether the server said 250 or OK.
    acknowledged: bool,
    /// Whether it acknowledged a flag.
    flagged: bool,
    removal: Removal,
    /// Whether its bytes have been compared.
    compared: bool,
}

#[derive(PartialEq, Eq)]
enum Removal {
    No,
    Asked,
    Acknowledged,
}

impl Ledger {
    /// Makes the mailboxes that the traffic goes to; the users must exist.
    pub fn prepare(server: &Server) {
        for (user, mailbox) in MAILBOXES.iter().filter(|(_, mailbox)| *mailbox != "INBOX") {
            server.imap(user).must(&format!("CREATE {mailbox}")).expect("a mailbox can be made");
        }
    }

    /// Begins traffic: two LMTP clients, one that appends, one that stores flags and expunges.
    pub fn load(&self, server: &Server) -> Load {
        let (imap, lmtp) = (server.address(Protocol::Imap), server.address(Protocol::Lmtp));
        let mut threads = Vec::new();
        for work in [deliver as fn(&Shared, SocketAddr) -> io::Result<()>, deliver] {
            threads.push((work, lmtp));
        }
        threads.push((append, imap));
        threads.push((store_and_expunge, imap));
        let threads = threads
            .into_iter()
            .map(|(work, address)| {
                let shared = Arc::clone(&self.shared);
                // Ends when the server is gone, which is what the test is about.
                std::thread::spawn(move || drop(work(&shared, address)))
            })
            .collect();
        Load { shared: Arc::clone(&self.shared), threads }
    }

    /// Compares all promises with what the server has now. `flags` says whether acknowledged flags are among them.
    pub fn compare(&mut self, server: &Server, flags: bool) -> Tally {
        self.rounds += 1;
        let mut tally = Tally::default();
        for (user, mailbox) in MAILBOXES {
            self.compare_mailbox(server, user, mailbox, flags, &mut tally);
        }
        tally.acknowledged = self.shared.book().acknowledged;
        tally
    }

    fn compare_mailbox(&mut self, server: &Server, user: &str, mailbox: &str, flags: bool, tally: &mut Tally) {
        let place = format!("{user}/{mailbox}");
        let mut imap = server.imap(user);
        let opened = imap.must(&format!("SELECT {mailbox}")).expect("the mailbox opens");
        let validity: u32 = opened.code("UIDVALIDITY").and_then(|value| value.parse().ok()).expect("a UIDVALIDITY");
        let found = imap.fetch("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])").expect("a FETCH");
        let mut there: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for message in found {
            let id = identity(&message.body);
            let known = self.identities.entry((place.clone(), validity, message.uid)).or_insert_with(|| id.clone());
            tally.reissued += usize::from(*known != id);
            if there.insert(id, (message.uid, message.flags)).is_some() {
                tally.doubled += 1;
            }
        }
        let mut book = self.shared.book();
        for ((_, id), entry) in book.entries.iter_mut().filter(|((at, _), _)| *at == place) {
            let Some((uid, its_flags)) = there.get(id) else {
                tally.lost += usize::from(entry.acknowledged && entry.removal == Removal::No);
                continue;
            };
            tally.risen += usize::from(entry.removal == Removal::Acknowledged);
            tally.unflagged += usize::from(flags && entry.flagged && !its_flags.contains("\\Flagged"));
            if !entry.compared && entry.removal == Removal::No {
                let fetched = imap.fetch(&format!("UID FETCH {uid} BODY.PEEK[]")).expect("a FETCH");
                let same = fetched.first().is_some_and(|message| message.body.ends_with(&entry.message));
                tally.lost += usize::from(!same);
                entry.compared = same;
            }
        }
    }
}

impl Load {
    /// Waits until `count` more messages have been acknowledged.
    pub fn await_acknowledged(&self, count: usize) {
        let book = self.shared.book();
        let goal = book.acknowledged + count;
        let (book, timeout) = self
            .shared
            .changed
            .wait_timeout_while(book, PATIENCE * 3, |book| book.acknowledged < goal)
            .expect("no thread panics over the book");
        assert!(!timeout.timed_out(), "only {} of {goal} messages were acknowledged", book.acknowledged);
    }

    /// Waits for the end of the traffic, which is when the server is gone.
    pub fn finish(self) {
        for thread in self.threads {
            thread.join().expect("a client does not panic");
        }
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no thread panics over the book")
    }

    /// A new message, noted as sent to these mailboxes.
    fn new_message(&self, places: &[&str]) -> (String, Vec<u8>) {
        let mut book = self.book();
        book.serial += 1;
        let (id, message) = message(book.serial);
        for place in places {
            let entry = Entry {
                message: message.clone(),
                acknowledged: false,
                flagged: false,
                removal: Removal::No,
                compared: false,
            };
            book.entries.insert(((*place).to_owned(), id.clone()), entry);
        }
        (id, message)
    }

    fn note(&self, place: &str, id: &str, change: impl FnOnce(&mut Entry)) {
        let mut book = self.book();
        if let Some(entry) = book.entries.get_mut(&(place.to_owned(), id.to_owned())) {
            let before = entry.acknowledged;
            change(entry);
            if entry.acknowledged && !before {
                book.acknowledged += 1;
                self.changed.notify_all();
            }
        }
    }
}

fn deliver(shared: &Shared, address: SocketAddr) -> io::Result<()> {
    let mut lmtp = Lmtp::open(address)?;
    let recipients = USERS.map(|user| format!("{user}@{DOMAIN}"));
    let recipients = [recipients[0].as_str(), recipients[1].as_str()];
    let places = ["joe/INBOX", "sue/INBOX"];
    loop {
        let (id, message) = shared.new_message(&places);
        let replies = lmtp.deliver("sender@example.org", &recipients, &message)?;
        for (place, reply) in places.iter().zip(replies) {
            if reply.starts_with("250") {
                shared.note(place, &id, |entry| entry.acknowledged = true);
            }
        }
    }
}

fn append(shared: &Shared, address: SocketAddr) -> io::Result<()> {
    let mut imap = Imap::login(address, "joe", PASSWORD)?;
    loop {
        let (id, message) = shared.new_message(&["joe/Appended"]);
        if imap.append("Appended", "", &message)?.ok() {
            shared.note("joe/Appended", &id, |entry| entry.acknowledged = true);
        }
    }
}

fn store_and_expunge(shared: &Shared, address: SocketAddr) -> io::Result<()> {
    let place = "sue/Scratch";
    let mut imap = Imap::login(address, "sue", PASSWORD)?;
    imap.must("SELECT Scratch")?;
    for turn in 0_u32.. {
        let (id, message) = shared.new_message(&[place]);
        let answer = imap.append("Scratch", "", &message)?;
        let Some(uid) = answer.code("APPENDUID").and_then(|code| Some(code.split_once(' ')?.1.to_owned())) else {
            continue;
        };
        shared.note(place, &id, |entry| entry.acknowledged = true);
        if imap.command(&format!("UID STORE {uid} +FLAGS.SILENT (\\Flagged Kept)"))?.ok() {
            shared.note(place, &id, |entry| entry.flagged = true);
        }
        if turn % 2 == 0 {
            shared.note(place, &id, |entry| entry.removal = Removal::Asked);
            imap.must(&format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)"))?;
            if imap.command(&format!("UID EXPUNGE {uid}"))?.ok() {
                shared.note(place, &id, |entry| entry.removal = Removal::Acknowledged);
            }
        }
    }
    Ok(())
}

/// A message of its own, between half a kilobyte and some twenty, with lines that begin with dots.
fn message(serial: usize) -> (String, Vec<u8>) {
    let id = format!("<load-{serial}@{DOMAIN}>");
    let mut text = format!(
        "From: sender@example.org\r\nTo: joe@{DOMAIN}\r\nSubject: load {serial}\r\nMessage-ID: {id}\r\n\
         Date: Thu, 01 Jan 2026 00:00:00 +0000\r\n\r\n"
    );
    for line in 0..(serial * 37) % 300 + 8 {
        text.push_str(&format!(".{line} of {serial}: the quick brown fox jumps over the lazy dog\r\n.\r\n"));
    }
    (id, text.into_bytes())
}

fn identity(header: &[u8]) -> String {
    let text = String::from_utf8_lossy(header);
    text.split(['<', '>']).nth(1).map(|id| format!("<{id}>")).unwrap_or_default()
}
