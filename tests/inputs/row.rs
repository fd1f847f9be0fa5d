//! What a row says: the input, through which door it comes, the answer, and what it may cost.

use std::io;
use std::time::Duration;

use harness::transcript::Protocol;
use harness::{Connection, Imap};

use crate::arena::Arena;

/// What an input may make the server's memory grow by at its worst moment, in KiB, unless its row says otherwise: some
/// lines' worth, and the stacks of threads that were not needed before. Inputs that would fill it are four times as large and
/// more; nearly all take a few pages.
const MEMORY: u64 = 8 << 10;

/// How long it may take, unless its row says otherwise. Nearly all take milliseconds; this is for a debug build on a machine
/// that has other things to do.
const TIME: Duration = Duration::from_secs(10);

/// One input.
pub(crate) struct Row {
    /// The input in a few words, and where it comes in.
    pub(crate) name: &'static str,
    /// See [`MEMORY`].
    pub(crate) memory: u64,
    /// See [`TIME`].
    pub(crate) time: Duration,
    deed: Deed,
}

/// What is done.
enum Deed {
    /// Each of these octets, on a connection of its own, is answered so.
    Each(Door, &'static [(&'static [u8], Answer)]),
    /// So are these, which are too many to be written down.
    Made(Door, fn() -> Vec<u8>, Answer),
    /// It takes more than that.
    Play(fn(&Arena)),
}

/// Where an input comes in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Door {
    /// IMAP; nobody has logged in.
    Imap,
    /// IMAP; joe has logged in and selected his INBOX.
    Selected,
    /// POP3; nobody has logged in.
    Pop3,
    /// POP3; joe's maildrop is open.
    Maildrop,
    /// LMTP behind LHLO.
    Lmtp,
    /// LMTP behind MAIL and RCPT for joe.
    Recipient,
    /// LMTP behind DATA for joe.
    Data,
}

/// What comes back. Texts are beginnings: of the reply (IMAP, data aside), the line (POP3), the last line of the reply
/// (LMTP). IMAP commands have the tag `a`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// This, and the session goes on.
    Says(&'static str),
    /// This, and the connection ends, though we may still talk.
    LastWords(&'static str),
}

impl Row {
    /// Each of `inputs`, on a connection of its own.
    pub(crate) const fn each(name: &'static str, door: Door, inputs: &'static [(&'static [u8], Answer)]) -> Self {
        Self { name, memory: MEMORY, time: TIME, deed: Deed::Each(door, inputs) }
    }

    /// An input that is made.
    pub(crate) const fn made(name: &'static str, door: Door, input: fn() -> Vec<u8>, answer: Answer) -> Self {
        Self { name, memory: MEMORY, time: TIME, deed: Deed::Made(door, input, answer) }
    }

    /// More than one input with one answer.
    pub(crate) const fn play(name: &'static str, play: fn(&Arena)) -> Self {
        Self { name, memory: MEMORY, time: TIME, deed: Deed::Play(play) }
    }

    /// With another bound on memory, in MiB.
    pub(crate) const fn mib(mut self, mib: u64) -> Self {
        self.memory = mib << 10;
        self
    }

    /// With another bound on time.
    pub(crate) const fn seconds(mut self, seconds: u64) -> Self {
        self.time = Duration::from_secs(seconds);
        self
    }

    /// Does what the row says.
    pub(crate) fn run(&self, arena: &Arena) {
        match self.deed {
            Deed::Each(door, inputs) => inputs.iter().for_each(|(input, answer)| say(arena, door, input, *answer)),
            Deed::Made(door, input, answer) => say(arena, door, &input(), answer),
            Deed::Play(play) => play(arena),
        }
    }
}

/// Sends an input through a door and looks at the answer.
pub(crate) fn say(arena: &Arena, door: Door, input: &[u8], answer: Answer) {
    let mut connection = door.open(arena);
    // A server that has heard enough answers and closes while we still talk, and hears us out.
    let sent = connection.send(input);
    let name = input[..input.len().min(60)].escape_ascii().to_string();
    let mut talk = Talk { connection, protocol: door.protocol(), name };
    match answer {
        Answer::Says(expected) => {
            talk.expect(expected);
            talk.goes_on();
        }
        Answer::LastWords(expected) => {
            talk.expect(expected);
            talk.ends();
        }
    }
    assert!(sent.is_ok(), "{}: {sent:?}", talk.name);
}

impl Door {
    fn protocol(self) -> Protocol {
        match self {
            Door::Imap | Door::Selected => Protocol::Imap,
            Door::Pop3 | Door::Maildrop => Protocol::Pop3,
            Door::Lmtp | Door::Recipient | Door::Data => Protocol::Lmtp,
        }
    }

    fn open(self, arena: &Arena) -> Connection {
        match self {
            Door::Imap => Imap::open(arena.server.address(Protocol::Imap)).unwrap().connection,
            Door::Selected => {
                let mut imap = arena.server.imap("joe");
                imap.must("SELECT INBOX").unwrap();
                imap.connection
            }
            Door::Pop3 => arena.pop3().connection,
            Door::Maildrop => arena.server.pop3("joe").connection,
            Door::Lmtp => arena.server.lmtp().connection,
            Door::Recipient | Door::Data => {
                let mut lmtp = arena.server.lmtp();
                assert!(lmtp.command("MAIL FROM:<a@example.org>").unwrap().starts_with("250"));
                assert!(lmtp.command("RCPT TO:<joe@example.org>").unwrap().starts_with("250"));
                if matches!(self, Door::Data) {
                    assert!(lmtp.command("DATA").unwrap().starts_with("354"));
                }
                lmtp.connection
            }
        }
    }
}

/// A conversation after the input.
struct Talk {
    connection: Connection,
    protocol: Protocol,
    /// The input, for whoever reads a failure.
    name: String,
}

impl Talk {
    /// The next reply that says how the input was taken; nothing when the connection has ended.
    fn decisive(&mut self) -> Option<String> {
        loop {
            let reply = match self.connection.reply() {
                Ok(reply) => reply?,
                Err(error) if is_end(&error) => return None,
                Err(error) => panic!("{}: no answer: {error}", self.name),
            };
            let text = reply.to_string();
            let data = match self.protocol {
                Protocol::Lmtp => reply.0.get(3) == Some(&b'-'),
                Protocol::Pop3 | Protocol::Pop3s => false,
                Protocol::Imap | Protocol::Imaps => {
                    ["* OK", "* BAD", "* NO", "* BYE"].iter().all(|word| !text.starts_with(word))
                        && text.starts_with("* ")
                }
            };
            if !data {
                return Some(text);
            }
        }
    }

    fn expect(&mut self, expected: &str) {
        let said = self.decisive();
        let said = said.unwrap_or_else(|| panic!("{}: the connection ended without {expected:?}", self.name));
        assert!(said.starts_with(expected), "{}: expected {expected:?}, got {said:?}", self.name);
    }

    /// The session takes another command.
    fn goes_on(&mut self) {
        let (command, expected): (&[u8], _) = match self.protocol {
            Protocol::Imap | Protocol::Imaps => (b"still NOOP\r\n", "still OK"),
            Protocol::Pop3 | Protocol::Pop3s => (b"CAPA\r\n", "+OK"),
            Protocol::Lmtp => (b"NOOP\r\n", "250"),
        };
        self.connection.send(command).unwrap_or_else(|error| panic!("{}: cannot go on: {error}", self.name));
        loop {
            let said = self.decisive();
            let said = said.unwrap_or_else(|| panic!("{}: the session does not go on", self.name));
            if said.starts_with(expected) {
                return;
            }
            // What was cut in pieces may be refused in pieces.
            let refused =
                ["-ERR", "500"].iter().any(|word| said.starts_with(word)) || said.split(' ').nth(1) == Some("BAD");
            assert!(refused, "{}: afterwards {said:?}", self.name);
        }
    }

    /// The connection ends, with nothing said before but perhaps a goodbye.
    fn ends(&mut self) {
        while let Some(said) = self.decisive() {
            assert!(said.starts_with("* BYE"), "{}: {said:?} before the end", self.name);
        }
    }
}

/// Whether an error means that the server has closed the connection.
pub(crate) fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof)
}

/// `start`, `unit` over and over up to `length` octets in all, `end`.
pub(crate) fn filled(start: &str, unit: &str, length: usize, end: &str) -> Vec<u8> {
    let times = length.saturating_sub(start.len() + end.len()) / unit.len();
    [start, &unit.repeat(times), end].concat().into_bytes()
}
