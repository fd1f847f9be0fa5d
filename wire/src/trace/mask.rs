//! What a trace leaves out: passwords and whatever stands in for them, always; messages and long literals, unless they are
//! asked for.
//!
//! The client's side comes as the framing cut it, so a literal is never taken for a command. What no command is might be a
//! password that came at the wrong moment, and is left out too. The server's side comes as it is sent, in pieces of any
//! size.

use std::collections::VecDeque;

use super::Side;
use crate::framing::Literal;
use crate::sasl::is_mechanism;

/// Literals up to this are shown: 256 octets, names and search keys.
const SHOWN: u64 = 256;
/// What is kept of a line of ours: 8 KiB.
const LINE: usize = 8 * 1024;
/// The end of a line that may announce a literal: `~{`, 19 digits, `}`.
const TAIL: usize = 24;
/// Replies that may be outstanding: more than any client pipelines.
const OUTSTANDING: usize = 10_000;
/// Instead of a secret.
const HIDDEN: &str = "[hidden]";

/// IMAP commands without secrets.
const IMAP: &[&str] = &[
    "APPEND",
    "CAPABILITY",
    "CHECK",
    "CLOSE",
    "COPY",
    "CREATE",
    "DELETE",
    "DELETEACL",
    "ENABLE",
    "EXAMINE",
    "EXPUNGE",
    "FETCH",
    "GETACL",
    "GETMETADATA",
    "GETQUOTA",
    "GETQUOTAROOT",
    "ID",
    "IDLE",
    "LIST",
    "LISTRIGHTS",
    "LOGOUT",
    "LSUB",
    "MOVE",
    "MYRIGHTS",
    "NAMESPACE",
    "NOOP",
    "RENAME",
    "REPLACE",
    "SEARCH",
    "SELECT",
    "SETACL",
    "SETMETADATA",
    "SETQUOTA",
    "SORT",
    "STARTTLS",
    "STATUS",
    "STORE",
    "SUBSCRIBE",
    "THREAD",
    "UID",
    "UNSELECT",
    "UNSUBSCRIBE",
    "XLIST",
];
/// POP3 commands without secrets.
const POP3: &[&str] =
    &["CAPA", "DELE", "LANG", "LIST", "NOOP", "QUIT", "RETR", "RSET", "STAT", "STLS", "TOP", "UIDL", "USER", "UTF8"];
/// LMTP commands without secrets.
const LMTP: &[&str] = &[
    "BDAT", "DATA", "EHLO", "EXPN", "HELO", "HELP", "LHLO", "MAIL", "NOOP", "QUIT", "RCPT", "RSET", "STARTTLS", "VRFY",
];

/// What a client has said, as the framing knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Heard<'a> {
    /// A line: a command, a response of a SASL exchange, the end of IDLE.
    Line(&'a [u8]),
    /// Text of an IMAP command, and the literal that follows it.
    Fragment {
        text: &'a [u8],
        literal: Option<Literal>,
        /// Not what goes on behind a literal. Only the framing knows: a literal that was announced may have been refused, and
        /// the command with it.
        begins: bool,
    },
    /// An argument that is a literal.
    Literal(&'a [u8]),
    /// Octets of a message.
    Body(&'a [u8]),
    /// A line that framing refused.
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Imap,
    Pop3,
    Lmtp,
}

/// See the [module](self). One for a session that is traced.
#[derive(Debug)]
pub(super) struct Mask {
    protocol: Protocol,
    bodies: bool,
    /// Octets still to be sent of what was said before anybody listened; `None` before the first command.
    behind: Option<u64>,
    /// The rest of the command is secret. So is that of one whose beginning nobody listened to.
    secret: bool,
    /// A SASL exchange is under way.
    exchange: bool,
    /// Octets of a message that were left out.
    unshown: u64,
    server: Server,
}

/// What is known of our own side.
#[derive(Debug, Default)]
struct Server {
    /// The beginning and the end of an unfinished line.
    line: Vec<u8>,
    tail: Vec<u8>,
    /// Octets of a literal to come, and whether they are shown.
    literal: u64,
    shown: bool,
    /// The line goes on behind a literal.
    continued: bool,
    /// Whether the replies that POP3 clients wait for are messages.
    replies: VecDeque<bool>,
    /// Inside of a message, of which so many octets were left out.
    message: Option<u64>,
    /// A POP3 client is to answer a challenge.
    challenged: bool,
    /// Nobody can tell what a POP3 client is answered: it sent commands where an exchange might have gone on.
    blind: bool,
}

/// Where texts go.
type Texts = Vec<(Side, String)>;

impl Mask {
    /// For a session of `service`, from its greeting on (`fresh`) or from its next command on. `None` where nobody speaks a
    /// mail protocol.
    pub(super) fn new(service: &str, bodies: bool, fresh: bool) -> Option<Self> {
        let protocol = match service {
            "imap" | "imaps" => Protocol::Imap,
            "pop3" | "pop3s" => Protocol::Pop3,
            "lmtp" => Protocol::Lmtp,
            _ => return None,
        };
        let mut server = Server::default();
        if fresh {
            server.replies.push_back(false);
        }
        let behind = fresh.then_some(0);
        Some(Self { protocol, bodies, behind, secret: true, exchange: false, unshown: 0, server })
    }

    /// The client's words; `waiting` octets of ours are still to be sent.
    pub(super) fn heard(&mut self, what: Heard<'_>, waiting: usize, out: &mut Texts) {
        self.behind.get_or_insert(waiting as u64);
        if let Heard::Body(octets) = what {
            match self.bodies {
                true => out.push((Side::Client, text(octets))),
                false => self.unshown += octets.len() as u64,
            }
            return;
        }
        self.end_body(out);
        let shown = match what {
            Heard::Line(line) => self.line(line),
            Heard::Fragment { text, literal, begins } => self.fragment(text, literal, begins),
            Heard::Literal(_) if self.secret => HIDDEN.to_owned(),
            Heard::Literal(octets) if self.bodies || octets.len() as u64 <= SHOWN => text(octets),
            Heard::Literal(octets) => left_out(octets.len() as u64),
            Heard::Body(_) | Heard::Refused => {
                // The reply to a response that was refused is the one to AUTH.
                if !self.exchange {
                    self.expect_reply(false);
                }
                "[a malformed line]".to_owned()
            }
        };
        out.push((Side::Client, shown));
    }

    /// Octets of ours.
    pub(super) fn said(&mut self, mut octets: &[u8], out: &mut Texts) {
        self.end_body(out);
        let Some(behind) = &mut self.behind else { return };
        let skip = usize::try_from(*behind).unwrap_or(usize::MAX).min(octets.len());
        *behind -= skip as u64;
        octets = &octets[skip..];
        while !octets.is_empty() {
            if self.server.literal > 0 {
                let take = usize::try_from(self.server.literal).unwrap_or(usize::MAX).min(octets.len());
                if self.server.shown {
                    out.push((Side::Server, text(&octets[..take])));
                }
                self.server.literal -= take as u64;
                octets = &octets[take..];
                continue;
            }
            let end = memchr::memchr(b'\n', octets).map(|at| at + 1);
            let (part, rest) = octets.split_at(end.unwrap_or(octets.len()));
            self.server.take(part);
            octets = rest;
            if end.is_some() {
                self.server_line(out);
            }
        }
    }

    /// Octets of ours that nobody has looked at.
    pub(super) fn said_of_file(&mut self, octets: u64, out: &mut Texts) {
        self.end_body(out);
        let Some(behind) = &mut self.behind else { return };
        let new = octets.saturating_sub(*behind);
        *behind -= octets - new;
        if self.server.shown && new > 0 {
            out.push((Side::Server, left_out(new)));
        }
        self.server.literal = self.server.literal.saturating_sub(new);
    }

    /// A message has come to its end.
    fn end_body(&mut self, out: &mut Texts) {
        let unshown = std::mem::take(&mut self.unshown);
        if unshown > 0 {
            out.push((Side::Client, left_out(unshown)));
        }
    }

    fn line(&mut self, line: &[u8]) -> String {
        if self.exchange {
            self.server.blind |= !std::mem::take(&mut self.server.challenged) && self.protocol == Protocol::Pop3;
            return HIDDEN.to_owned();
        }
        let known = match self.protocol {
            // DONE.
            Protocol::Imap => return if line.eq_ignore_ascii_case(b"DONE") { text(line) } else { HIDDEN.to_owned() },
            Protocol::Pop3 => POP3,
            Protocol::Lmtp => LMTP,
        };
        let words = Words::of(line);
        let verb = words.first.to_ascii_uppercase();
        let is = |name: &str| verb == name.as_bytes();
        self.expect_reply(is("RETR") || is("TOP"));
        if is("AUTH") {
            self.exchange = !words.second.is_empty();
            return words.up_to_the_mechanism();
        }
        match known.iter().any(|name| is(name)) {
            true => text(line),
            false if is("PASS") || is("APOP") => format!("{} {HIDDEN}", text(words.first)),
            false => HIDDEN.to_owned(),
        }
    }

    /// A POP3 client is owed another reply.
    fn expect_reply(&mut self, message: bool) {
        if self.protocol == Protocol::Pop3 && self.server.replies.len() < OUTSTANDING {
            self.server.replies.push_back(message);
        }
    }

    fn fragment(&mut self, fragment: &[u8], literal: Option<Literal>, begins: bool) -> String {
        let mut shown = match begins {
            true => self.imap_command(fragment),
            false if self.secret => HIDDEN.to_owned(),
            false => text(fragment),
        };
        if let Some(Literal { len, sync, binary }) = literal {
            let (tilde, plus) = (if binary { "~" } else { "" }, if sync { "" } else { "+" });
            shown.push_str(&format!("{tilde}{{{len}{plus}}}"));
        }
        shown
    }

    /// ```abnf
    /// command = tag SP command-name *(SP argument) CRLF
    /// ```
    fn imap_command(&mut self, command: &[u8]) -> String {
        let words = Words::of(command);
        let verb = words.second.to_ascii_uppercase();
        let is = |name: &str| verb == name.as_bytes();
        self.exchange = is("AUTHENTICATE");
        self.secret = !IMAP.iter().any(|name| is(name));
        if is("AUTHENTICATE") {
            let behind_tag = Words::of(command.get(words.first.len() + 1..).unwrap_or_default());
            return format!("{} {}", text(words.first), behind_tag.up_to_the_mechanism());
        }
        match self.secret {
            false => text(command),
            true if is("LOGIN") => words.but_for_the_rest(),
            true => HIDDEN.to_owned(),
        }
    }

    /// A whole line of ours.
    fn server_line(&mut self, out: &mut Texts) {
        let server = &mut self.server;
        let (line, announced) = (server.finished(), announced(&server.tail));
        server.tail.clear();
        match self.protocol {
            Protocol::Imap => {
                let literal = announced.filter(|_| server.continued || holds_data(&line));
                server.continued = literal.is_some();
                out.push((Side::Server, text(&line)));
                if let Some(octets) = literal {
                    server.literal = octets;
                    server.shown = self.bodies || octets <= SHOWN;
                    if !server.shown {
                        out.push((Side::Server, left_out(octets)));
                    }
                }
            }
            Protocol::Pop3 => {
                if let Some(unshown) = server.message {
                    if line != b"." {
                        match self.bodies {
                            true => out.push((Side::Server, text(&line))),
                            false => server.message = Some(unshown + line.len() as u64 + 2),
                        }
                        return;
                    }
                    server.message = None;
                    if unshown > 0 {
                        out.push((Side::Server, left_out(unshown)));
                    }
                } else if line.starts_with(b"+OK") || line.starts_with(b"-ERR") {
                    (self.exchange, server.challenged) = (false, false);
                    let message = server.replies.pop_front().unwrap_or(false);
                    server.message = (message && line.starts_with(b"+OK")).then_some(0);
                } else {
                    server.challenged = self.exchange && line.starts_with(b"+");
                }
                match [&b"+OK"[..], b"-ERR"].into_iter().find(|word| line.starts_with(word)) {
                    _ if !server.blind || self.bodies => out.push((Side::Server, text(&line))),
                    Some(word) => out.push((Side::Server, format!("{} {HIDDEN}", text(word)))),
                    // It may be a line of a message.
                    None => {}
                }
            }
            Protocol::Lmtp => {
                self.exchange &= line.starts_with(b"334");
                out.push((Side::Server, text(&line)));
            }
        }
    }
}

impl Server {
    /// Takes a part of a line.
    fn take(&mut self, part: &[u8]) {
        let room = LINE - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
        let text = part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part);
        self.tail.extend_from_slice(&text[text.len().saturating_sub(TAIL)..]);
        // The CR may have come before its LF.
        if part == b"\n" && self.tail.last() == Some(&b'\r') {
            self.tail.pop();
        }
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
    }

    /// The line that has come to its end.
    fn finished(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        while matches!(line.last(), Some(b'\r' | b'\n')) {
            line.pop();
        }
        line
    }
}

/// The words of a command.
struct Words<'a> {
    first: &'a [u8],
    second: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Words<'a> {
    fn of(text: &'a [u8]) -> Self {
        let cut = |text: &'a [u8]| {
            let end = memchr::memchr(b' ', text).unwrap_or(text.len());
            (&text[..end], text.get(end + 1..).unwrap_or_default())
        };
        let (first, text) = cut(text);
        let (second, rest) = cut(text);
        Self { first, second, rest }
    }

    /// The first two words, and that there was more.
    fn but_for_the_rest(&self) -> String {
        let hidden = if self.rest.is_empty() { String::new() } else { format!(" {HIDDEN}") };
        format!("{} {}{hidden}", text(self.first), text(self.second))
    }

    /// The same; also hidden is what stands where the name of a SASL mechanism belongs and is none.
    fn up_to_the_mechanism(&self) -> String {
        match self.second.is_empty() || is_mechanism(self.second) {
            true => self.but_for_the_rest(),
            false => format!("{} {HIDDEN}", text(self.first)),
        }
    }
}

/// Whether an untagged reply is one that may hold literals: not human-readable text (RFC 9051, 7).
fn holds_data(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"* ") else { return false };
    ![&b"OK "[..], b"NO ", b"BAD ", b"BYE ", b"PREAUTH "].iter().any(|status| rest.starts_with(status))
}

/// The octets that the end of a line announces.
fn announced(tail: &[u8]) -> Option<u64> {
    let tail = tail.strip_suffix(b"}")?;
    let digits = &tail[memchr::memrchr(b'{', tail)? + 1..];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn left_out(octets: u64) -> String {
    format!("[{octets} octets]")
}

/// Octets as a line of text.
fn text(octets: &[u8]) -> String {
    let mut shown = String::with_capacity(octets.len());
    for c in String::from_utf8_lossy(octets).chars() {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests;
