//! A small IMAP client for tests that drive many commands: it sends one, and hands back everything up to the tagged
//! reply.

use std::io;
use std::net::SocketAddr;

use crate::{Connection, Reply};

/// An IMAP session.
pub struct Imap {
    /// For what the methods below do not cover.
    pub connection: Connection,
    commands: u64,
}

/// A message as a FETCH showed it.
#[derive(Debug, Clone, Default)]
pub struct Fetched {
    /// Its UID, 0 if not asked for.
    pub uid: u32,
    /// The inside of its list of flags.
    pub flags: String,
    /// Its internal date.
    pub date: String,
    /// The one section that was asked for.
    pub body: Vec<u8>,
}

/// What came back for one command.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The untagged replies, in order.
    pub untagged: Vec<Reply>,
    /// The tagged reply without its tag: `OK done`.
    pub status: String,
}

impl Imap {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// When the connection fails or the greeting is not `* OK` or `* PREAUTH`.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::over(Connection::open(address, true)?)
    }

    /// Takes a fresh connection over and reads the greeting.
    ///
    /// # Errors
    /// As [`Imap::open`].
    pub fn over(mut connection: Connection) -> io::Result<Self> {
        let greeting = connection.reply()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if greeting.0.starts_with(b"* OK") || greeting.0.starts_with(b"* PREAUTH") {
            Ok(Self { connection, commands: 0 })
        } else {
            Err(io::Error::other(format!("greeting {greeting:?}")))
        }
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// As [`Imap::open`], and when the login is refused.
    pub fn login(address: SocketAddr, user: &str, password: &str) -> io::Result<Self> {
        let mut imap = Self::open(address)?;
        imap.must(&format!("LOGIN {} {}", quoted(user), quoted(password)))?;
        Ok(imap)
    }

    /// Sends a command (without tag and CRLF) and reads up to its tagged reply.
    ///
    /// # Errors
    /// When the connection fails; a NO or a BAD is an answer, not an error.
    pub fn command(&mut self, command: &str) -> io::Result<Answer> {
        let tag = self.send(command.as_bytes())?;
        self.answer(&tag)
    }

    /// [`Imap::command`], where anything but OK is an error too.
    ///
    /// # Errors
    /// As [`Imap::command`], and with the command and its answer when that is not OK.
    pub fn must(&mut self, command: &str) -> io::Result<Answer> {
        let answer = self.command(command)?;
        if answer.ok() { Ok(answer) } else { Err(io::Error::other(format!("{command}: {}", answer.status))) }
    }

    /// Runs a FETCH of any of UID, FLAGS, INTERNALDATE and one section.
    ///
    /// # Errors
    /// As [`Imap::must`].
    pub fn fetch(&mut self, command: &str) -> io::Result<Vec<Fetched>> {
        let answer = self.must(command)?;
        Ok(answer.untagged.iter().filter_map(|reply| fetched(&reply.0)).collect())
    }

    /// Appends a message, waiting for the server's consent to the literal; `options` are flags and date, as
    /// `(\Seen) "01-Jan-2026 00:00:00 +0000"`, or nothing.
    ///
    /// # Errors
    /// As [`Imap::command`].
    pub fn append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> io::Result<Answer> {
        let space = if options.is_empty() { "" } else { " " };
        let command = format!("APPEND {}{space}{options} {{{}}}", quoted(mailbox), message.len());
        let tag = self.send(command.as_bytes())?;
        let mut untagged = Vec::new();
        loop {
            let reply = self.next()?;
            if reply.0.starts_with(b"+") {
                break;
            }
            match status(&tag, &reply) {
                Some(status) => return Ok(Answer { untagged, status }),
                None => untagged.push(reply),
            }
        }
        self.connection.send(message)?;
        self.connection.send(b"\r\n")?;
        let mut answer = self.answer(&tag)?;
        answer.untagged.splice(0..0, untagged);
        Ok(answer)
    }

    /// Sends a command and returns its tag without waiting for anything.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn send(&mut self, command: &[u8]) -> io::Result<String> {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        let mut line = format!("{tag} ").into_bytes();
        line.extend_from_slice(command);
        line.extend_from_slice(b"\r\n");
        self.connection.send(&line)?;
        Ok(tag)
    }

    /// Reads up to the tagged reply of `tag`.
    ///
    /// # Errors
    /// When the connection fails or ends.
    pub fn answer(&mut self, tag: &str) -> io::Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            let reply = self.next()?;
            match status(tag, &reply) {
                Some(status) => return Ok(Answer { untagged, status }),
                None => untagged.push(reply),
            }
        }
    }

    fn next(&mut self) -> io::Result<Reply> {
        self.connection.reply()?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

impl Answer {
    /// Whether the tagged reply is OK.
    pub fn ok(&self) -> bool {
        self.status.starts_with("OK")
    }

    /// The number before `word` in the untagged reply `* n word`, the last one if there are several.
    pub fn number(&self, word: &str) -> Option<u32> {
        let end = format!(" {word}");
        self.untagged
            .iter()
            .rev()
            .find_map(|reply| std::str::from_utf8(&reply.0).ok()?.strip_prefix("* ")?.strip_suffix(&end)?.parse().ok())
    }

    /// The argument of the response code `[word argument]`, wherever in the answer it stands.
    pub fn code(&self, word: &str) -> Option<String> {
        let open = format!("[{word} ");
        let lines = self.untagged.iter().map(ToString::to_string).chain([self.status.clone()]);
        lines.into_iter().find_map(|line| {
            let (_, rest) = line.split_once(&open)?;
            Some(rest.split_once(']')?.0.to_owned())
        })
    }
}

/// A string in quotes, as a command may carry it.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Reads `* n FETCH (...)`.
fn fetched(reply: &[u8]) -> Option<Fetched> {
    let mut rest = reply.strip_prefix(b"* ")?;
    let start = rest.windows(8).position(|window| window == b" FETCH (")?;
    rest = &rest[start + 8..];
    let mut message = Fetched::default();
    while !rest.is_empty() && rest[0] != b')' {
        let (name, value) = split_item(rest)?;
        let (value, after) = if name.starts_with(b"BODY[") { string(value)? } else { plain(value)? };
        match name {
            b"UID" => message.uid = std::str::from_utf8(&value).ok()?.parse().ok()?,
            b"FLAGS" => message.flags = String::from_utf8_lossy(&value).into_owned(),
            b"INTERNALDATE" => message.date = String::from_utf8_lossy(&value).into_owned(),
            name if name.starts_with(b"BODY[") => message.body = value,
            _ => {}
        }
        rest = after.strip_prefix(b" ").unwrap_or(after);
    }
    Some(message)
}

/// The name of a FETCH item, with its brackets, and what stands behind the space after it.
fn split_item(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut depth = 0;
    let end = rest.iter().position(|&byte| {
        depth += i32::from(byte == b'[') - i32::from(byte == b']');
        byte == b' ' && depth == 0
    })?;
    Some((&rest[..end], &rest[end + 1..]))
}

/// A number, a quoted string or a flat list.
fn plain(value: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (skip, end) = match value.first()? {
        b'(' => (1, value.iter().position(|&byte| byte == b')')?),
        b'"' => (1, 1 + value[1..].iter().position(|&byte| byte == b'"')?),
        _ => (0, value.iter().position(|byte| b" )".contains(byte))?),
    };
    Some((value[skip..end].to_vec(), &value[end + skip..]))
}

/// A literal, a quoted string or NIL.
fn string(value: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if let Some(size) = value.strip_prefix(b"{") {
        let close = size.iter().position(|&byte| byte == b'}')?;
        let length: usize = std::str::from_utf8(&size[..close]).ok()?.parse().ok()?;
        let content = size.get(close + 3..)?;
        return Some((content.get(..length)?.to_vec(), &content[length..]));
    }
    if value.starts_with(b"NIL") {
        return Some((Vec::new(), &value[3..]));
    }
    plain(value)
}

fn status(tag: &str, reply: &Reply) -> Option<String> {
    let rest = reply.0.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")?;
    Some(String::from_utf8_lossy(rest).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetch_replies_are_read() {
        let reply = b"* 3 FETCH (UID 7 FLAGS (\\Seen Kept) INTERNALDATE \"17-Jul-1996 02:44:25 +0000\" \
            BODY[HEADER.FIELDS (MESSAGE-ID)] {5}\r\na) \r\n)";
        let message = fetched(reply).unwrap();
        assert_eq!((message.uid, message.flags.as_str()), (7, "\\Seen Kept"));
        assert_eq!(message.date, "17-Jul-1996 02:44:25 +0000");
        assert_eq!(message.body, b"a) \r\n");
        assert_eq!(fetched(b"* 1 FETCH (BODY[] NIL UID 2)").unwrap().uid, 2);
        assert!(fetched(b"* 3 EXISTS").is_none());
    }
}
