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

fn status(tag: &str, reply: &Reply) -> Option<String> {
    let rest = reply.0.strip_prefix(tag.as_bytes())?.strip_prefix(b" ")?;
    Some(String::from_utf8_lossy(rest).into_owned())
}
