//! The client: tags, literals, answers. Blocking, one command at a time.

use std::io::{BufRead, BufReader, Read, Write};

use crate::connection::Stream;
use crate::trouble::{Kind, Trouble, printable};
use crate::value::{Value, announced, parse};

/// Longest answer to one command, 256 MiB: a LIST of a million mailboxes.
const MAX_ANSWER: usize = 256 << 20;

/// Longest single response with its literals, 16 MiB: the annotation of a mailbox, the ACL of a large site.
const MAX_RESPONSE: usize = 16 << 20;

/// A part of a command.
pub(crate) enum Part<'a> {
    /// As it stands.
    Raw(&'a str),
    /// A string, quoted or as a literal.
    Text(&'a str),
}

/// What came of a command that the server accepted.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The untagged responses, without what concerns nobody (`* OK ...`).
    pub(crate) responses: Vec<Vec<Value>>,
    /// What the tagged response says.
    pub(crate) text: String,
}

/// A connection after its greeting.
pub(crate) struct Imap {
    stream: BufReader<Stream>,
    serial: u32,
    /// Messages for the administrator: alerts, and why the server says goodbye.
    alerts: Vec<String>,
}

impl Imap {
    /// Reads the greeting.
    pub(crate) fn new(stream: Stream) -> Result<Self, Trouble> {
        let mut imap = Self { stream: BufReader::new(stream), serial: 0, alerts: Vec::new() };
        let greeting = imap.response()?;
        match status(&greeting, "*") {
            Some((word, _)) if word.eq_ignore_ascii_case("OK") || word.eq_ignore_ascii_case("PREAUTH") => Ok(imap),
            Some((_, text)) => Err(Trouble::new(Kind::Unavailable, format!("the server is not for us: {text}"))),
            None => Err(Trouble::protocol(greeting[..greeting.len().min(100)].escape_ascii())),
        }
    }

    /// Goes on over a stream that is encrypted now: there is no second greeting.
    pub(crate) fn resume(stream: Stream) -> Self {
        Self { stream: BufReader::new(stream), serial: 0, alerts: Vec::new() }
    }

    /// The stream, to go on with it in TLS; nothing may have been received that belongs to what follows.
    pub(crate) fn into_stream(self) -> Result<Stream, Trouble> {
        if !self.stream.buffer().is_empty() {
            return Err(Trouble::protocol("something was said before encryption began"));
        }
        Ok(self.stream.into_inner())
    }

    /// Does a command.
    pub(crate) fn run(&mut self, parts: &[Part<'_>]) -> Result<Answer, Trouble> {
        let tag = self.begin(parts)?;
        self.end(&tag)
    }

    /// Sends a command, [`Imap::end`] reads what comes of it.
    pub(crate) fn begin(&mut self, parts: &[Part<'_>]) -> Result<String, Trouble> {
        self.serial += 1;
        let tag = format!("c{}", self.serial);
        let mut line = format!("{tag} ").into_bytes();
        for part in parts {
            match part {
                Part::Raw(text) => line.extend_from_slice(text.as_bytes()),
                Part::Text(text) if is_quotable(text) => {
                    line.push(b'"');
                    for octet in text.bytes() {
                        line.extend((octet == b'"' || octet == b'\\').then_some(b'\\'));
                        line.push(octet);
                    }
                    line.push(b'"');
                }
                Part::Text(text) => {
                    line.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
                    self.send(&line)?;
                    self.invited(&tag)?;
                    line = text.as_bytes().to_vec();
                }
            }
        }
        line.extend_from_slice(b"\r\n");
        self.send(&line)?;
        Ok(tag)
    }

    /// Waits for the server to want more (`+`).
    pub(crate) fn invited(&mut self, tag: &str) -> Result<(), Trouble> {
        loop {
            let response = self.response()?;
            if response.starts_with(b"+") {
                return Ok(());
            }
            if let Some((word, text)) = status(&response, tag) {
                return Err(refused(word, text));
            }
            self.note(&response);
        }
    }

    /// Sends octets as they are.
    pub(crate) fn send(&mut self, octets: &[u8]) -> Result<(), Trouble> {
        self.stream.get_mut().write_all(octets)?;
        Ok(self.stream.get_mut().flush()?)
    }

    /// Reads up to the tagged response, which must be OK.
    pub(crate) fn end(&mut self, tag: &str) -> Result<Answer, Trouble> {
        let mut answer = Answer::default();
        let mut size = 0;
        loop {
            let response = self.response()?;
            size += response.len();
            if size > MAX_ANSWER {
                return Err(Trouble::protocol("an answer without end"));
            }
            if let Some((word, text)) = status(&response, tag) {
                if !word.eq_ignore_ascii_case("OK") {
                    return Err(refused(word, text));
                }
                answer.text = text.to_owned();
                return Ok(answer);
            }
            if !self.note(&response) {
                let untagged = response.strip_prefix(b"* ");
                let untagged = untagged.ok_or_else(|| Trouble::protocol(response.escape_ascii()))?;
                answer.responses.push(parse(untagged)?);
            }
        }
    }

    /// From now on the server may take its time.
    pub(crate) fn be_patient(&self) -> Result<(), Trouble> {
        Ok(self.stream.get_ref().be_patient()?)
    }

    /// What the server wants the administrator to know.
    pub(crate) fn alerts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.alerts)
    }

    /// Takes note of an untagged status; whether it was one.
    fn note(&mut self, response: &[u8]) -> bool {
        let Some((word, text)) = status(response, "*") else { return false };
        if word.eq_ignore_ascii_case("BYE") || text.to_ascii_uppercase().starts_with("[ALERT]") {
            self.alerts.push(printable(text));
        }
        true
    }

    /// One response with its literals, without the final CRLF.
    fn response(&mut self) -> Result<Vec<u8>, Trouble> {
        let mut response = Vec::new();
        loop {
            let begin = response.len();
            let room = (MAX_RESPONSE - begin) as u64;
            self.stream.by_ref().take(room).read_until(b'\n', &mut response)?;
            if !response.ends_with(b"\n") {
                // Nothing more comes, or too much.
                return Err(match response.len() < MAX_RESPONSE {
                    true => std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into(),
                    false => Trouble::protocol("a response without end"),
                });
            }
            let line = response[begin..].trim_ascii_end();
            let Some(size) = announced(line) else {
                response.truncate(begin + line.len());
                return Ok(response);
            };
            let literal = response.len();
            if size > MAX_RESPONSE - literal {
                return Err(Trouble::protocol("a literal that is too large"));
            }
            response.resize(literal + size, 0);
            self.stream.read_exact(&mut response[literal..])?;
        }
    }
}

/// The status word and text of a response with that tag.
fn status<'a>(response: &'a [u8], tag: &str) -> Option<(&'a str, &'a str)> {
    let text = std::str::from_utf8(response).ok()?.strip_prefix(tag)?.strip_prefix(' ')?;
    let (word, text) = text.split_once(' ').unwrap_or((text, ""));
    ["OK", "NO", "BAD", "BYE", "PREAUTH"].iter().any(|known| word.eq_ignore_ascii_case(known)).then_some((word, text))
}

fn refused(word: &str, text: &str) -> Trouble {
    if word.eq_ignore_ascii_case("BAD") {
        return Trouble::new(Kind::Refused, format!("the server does not understand: {text}"));
    }
    Trouble::refused(text)
}

/// Whether a text can be a quoted string: printable ASCII, and not longer than old servers take.
fn is_quotable(text: &str) -> bool {
    text.len() < 1000 && text.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}
