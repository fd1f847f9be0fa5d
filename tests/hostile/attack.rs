//! What every attack has in common: a server with a user who has mail, a bystander whose commands are timed, and the
//! look at the server afterwards.

use std::fs;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use harness::{Connection, Home, Imap, Server, corpus};

/// The memory an attack may make the server use, in KiB. Nothing here needs more than a few command lines' worth; a debug
/// build with its threads' stacks takes some 60 MiB before anybody attacks.
const MEMORY: u64 = 400 << 10;

/// How long a bystander may have to wait. An idle server answers within a millisecond; this is for a debug build that
/// shares two cores with its attacker and with other tests. What it must catch is a server that stands still.
const BYSTANDER: Duration = Duration::from_secs(5);

/// How long half of a bystander's commands may take at most. An attack that holds a lock or a thread misses this by far.
const BYSTANDER_MEDIAN: Duration = Duration::from_millis(500);

/// Between two commands of a bystander: he must notice what happens, not be a load himself.
const PACE: Duration = Duration::from_millis(5);

/// A server under attack.
pub(crate) struct Attack {
    /// Its directory.
    pub(crate) home: Home,
    /// Its process.
    pub(crate) server: Server,
    /// Ends with the times that his commands took, when `over` is dropped.
    bystander: Option<JoinHandle<Vec<Duration>>>,
    over: Option<Sender<()>>,
}

impl Attack {
    /// Starts a server where `joe`, the attacker, and `sue`, the bystander, have three messages each.
    pub(crate) fn begin() -> Self {
        Self::begin_with(&[])
    }

    /// The same with settings of the server.
    pub(crate) fn begin_with(settings: &[&str]) -> Self {
        let home = Home::new(env!("CARGO_BIN_EXE_angarium"), settings);
        for user in ["joe", "sue"] {
            home.add_user(user);
        }
        let server = home.start();
        for user in ["joe", "sue"] {
            let mut imap = server.imap(user);
            for number in 1..=3 {
                assert!(imap.append("INBOX", "", &corpus::small(number)).unwrap().ok());
            }
        }
        let (over, told) = mpsc::channel::<()>();
        let mut imap = server.imap("sue");
        imap.must("SELECT INBOX").unwrap();
        let bystander = std::thread::spawn(move || {
            let mut times = Vec::new();
            while told.recv_timeout(PACE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let begin = Instant::now();
                imap.must("FETCH 1:3 (FLAGS ENVELOPE)").expect("a bystander is served");
                times.push(begin.elapsed());
            }
            times
        });
        Self { home, server, bystander: Some(bystander), over: Some(over) }
    }

    /// A raw connection on which `joe` is logged in and has selected his INBOX.
    pub(crate) fn insider(&self) -> Connection {
        let mut imap = self.joe();
        imap.must("SELECT INBOX").unwrap();
        imap.connection
    }

    /// `joe`, logged in.
    pub(crate) fn joe(&self) -> Imap {
        self.server.imap("joe")
    }

    /// How many files and sockets the server has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.server.pid())).expect("the server runs").count()
    }

    /// The look at the server afterwards, and its stop. Warnings are what attacks are for; errors and panics are not.
    pub(crate) fn survived(mut self) {
        self.end_of_bystander();
        let memory = self.server.peak_resident();
        assert!(memory < MEMORY, "the server took {} MiB", memory >> 10);
        let mut joe = self.joe();
        joe.must("SELECT INBOX").expect("the attacker's own mail is still there");
        drop(joe);
        let log = self.server.log();
        assert!(!log.contains("panicked at"), "{log}");
        self.server.stop(&["WARN".to_owned()]);
        self.home.check_store();
    }
}

impl Attack {
    /// The look at the server afterwards where errors are what the attack is for.
    pub(crate) fn bystander_was_served(mut self) {
        self.end_of_bystander();
        assert!(!self.server.log().contains("panicked at"), "{}", self.server.log());
    }

    fn end_of_bystander(&mut self) {
        drop(self.over.take());
        let mut times = self.bystander.take().expect("one end").join().expect("the bystander was served to the end");
        times.sort();
        if let (Some(&median), Some(&longest)) = (times.get(times.len() / 2), times.last()) {
            assert!(median < BYSTANDER_MEDIAN, "a bystander waited {median:?} most of the time");
            assert!(longest < BYSTANDER, "a bystander waited {longest:?}");
        }
        assert!(self.server.is_alive(), "the server is gone:\n{}", self.server.log());
    }
}

/// How a server may react to nonsense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// It said BAD or NO and goes on.
    Refused(String),
    /// It said BYE, or closed the connection.
    HungUp,
    /// It did as it was told.
    Obeyed,
}

/// Sends bytes, as far as the server takes them, and reads what becomes of them: up to the reply with `tag`, or an untagged
/// BAD, or the end.
pub(crate) fn provoke(connection: &mut Connection, bytes: &[u8], tag: &str) -> Reaction {
    // A server that has heard enough may close while we still talk.
    let sent = connection.send(bytes);
    let prefix = format!("{tag} ");
    loop {
        match connection.reply() {
            Ok(Some(reply)) => {
                let text = reply.to_string();
                if text.starts_with("* BYE") {
                    return Reaction::HungUp;
                }
                if text.starts_with("* BAD") || text.starts_with("* NO") {
                    return Reaction::Refused(text);
                }
                if let Some(status) = text.strip_prefix(&prefix) {
                    return if status.starts_with("OK") { Reaction::Obeyed } else { Reaction::Refused(text) };
                }
                // A tag that is none may come back as far as it was one.
                if text.split(' ').nth(1).is_some_and(|status| status == "BAD") {
                    return Reaction::Refused(text);
                }
                assert!(!text.starts_with('+'), "the server wants more: {text}");
            }
            Ok(None) => return Reaction::HungUp,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Reaction::HungUp,
            Err(error) => panic!("no reaction: {error} (sending: {sent:?})"),
        }
    }
}

/// Whether the session goes on after the nonsense.
pub(crate) fn goes_on(connection: &mut Connection) -> bool {
    provoke(connection, b"still NOOP\r\n", "still") == Reaction::Obeyed
}
