//! A small POP3 client (RFC 1939).

use std::io;
use std::net::SocketAddr;

use crate::Connection;

/// A POP3 session.
pub struct Pop3 {
    /// For what the methods below do not cover.
    pub connection: Connection,
}

impl Pop3 {
    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// When the connection fails or the server does not greet with `+OK`.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::over(Connection::open(address, false)?)
    }

    /// Reads the greeting of a connection.
    ///
    /// # Errors
    /// As for [`Pop3::open`].
    pub fn over(connection: Connection) -> io::Result<Self> {
        let mut pop3 = Self { connection };
        good(pop3.line()?)?;
        Ok(pop3)
    }

    /// Logs in with USER and PASS.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn login(mut self, user: &str, password: &str) -> io::Result<Self> {
        self.must(&format!("USER {user}"))?;
        self.must(&format!("PASS {password}"))?;
        Ok(self)
    }

    /// Sends a line and returns the first line of the response.
    ///
    /// # Errors
    /// When the connection fails or ends.
    pub fn command(&mut self, line: &str) -> io::Result<String> {
        self.connection.send(format!("{line}\r\n").as_bytes())?;
        self.line()
    }

    /// The same, where anything but `+OK` is an error.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn must(&mut self, line: &str) -> io::Result<String> {
        good(self.command(line)?)
    }

    /// Sends a command with a multi-line response and returns its lines, dots removed, each with its CRLF.
    ///
    /// # Errors
    /// When the connection fails or the server refuses.
    pub fn body(&mut self, line: &str) -> io::Result<Vec<u8>> {
        self.must(line)?;
        self.rest()
    }

    /// The lines of a multi-line response behind its first, dots removed, each with its CRLF.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn rest(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.connection.reply()?.ok_or(io::ErrorKind::UnexpectedEof)?.0;
            match line.strip_prefix(b".") {
                Some([]) => return Ok(body),
                Some(stuffed) => body.extend_from_slice(stuffed),
                None => body.extend_from_slice(&line),
            }
            body.extend_from_slice(b"\r\n");
        }
    }

    /// The next line.
    ///
    /// # Errors
    /// When the connection fails or ends.
    pub fn line(&mut self) -> io::Result<String> {
        Ok(self.connection.reply()?.ok_or(io::ErrorKind::UnexpectedEof)?.to_string())
    }
}

fn good(line: String) -> io::Result<String> {
    if line.starts_with("+OK") { Ok(line) } else { Err(io::Error::other(line)) }
}
