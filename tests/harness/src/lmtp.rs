//! A small LMTP client (RFC 2033): one transaction a call, one reply for each recipient.

use std::io;
use std::net::SocketAddr;

use crate::Connection;

/// An LMTP session after LHLO.
pub struct Lmtp {
    /// For what the methods below do not cover.
    pub connection: Connection,
}

impl Lmtp {
    /// Connects, reads the greeting and says LHLO.
    ///
    /// # Errors
    /// When the connection fails or the server does not greet with 220 and 250.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let mut lmtp = Self { connection: Connection::open(address, false)? };
        expect(&lmtp.final_line()?, "220")?;
        expect(&lmtp.command("LHLO client.example.org")?, "250")?;
        Ok(lmtp)
    }

    /// Sends one message; the replies stand in the order of the recipients, those refused at RCPT included.
    ///
    /// # Errors
    /// When the connection fails or MAIL or DATA is refused.
    pub fn deliver(&mut self, sender: &str, recipients: &[&str], message: &[u8]) -> io::Result<Vec<String>> {
        expect(&self.command(&format!("MAIL FROM:<{sender}>"))?, "250")?;
        let mut replies = Vec::new();
        for recipient in recipients {
            replies.push(self.command(&format!("RCPT TO:<{recipient}>"))?);
        }
        if !replies.iter().any(|reply| reply.starts_with("250")) {
            self.command("RSET")?;
            return Ok(replies);
        }
        expect(&self.command("DATA")?, "354")?;
        self.connection.send(&stuffed(message))?;
        self.connection.send(b".\r\n")?;
        for reply in &mut replies {
            if reply.starts_with("250") {
                *reply = self.final_line()?;
            }
        }
        Ok(replies)
    }

    /// Sends one line and reads its reply, of which the last line is returned.
    ///
    /// # Errors
    /// When the connection fails or ends.
    pub fn command(&mut self, line: &str) -> io::Result<String> {
        self.connection.send(format!("{line}\r\n").as_bytes())?;
        self.final_line()
    }

    /// The next line that ends a reply: its code is followed by a space, not by `-`.
    ///
    /// # Errors
    /// When the connection fails or ends.
    pub fn final_line(&mut self) -> io::Result<String> {
        loop {
            let line = self.connection.reply()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.0.get(3) != Some(&b'-') {
                return Ok(line.to_string());
            }
        }
    }
}

/// A message as DATA carries it: every line that begins with a dot gets another one (RFC 5321, 4.5.2), and the last
/// line is ended.
pub(crate) fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 8);
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn expect(reply: &str, code: &str) -> io::Result<()> {
    if reply.starts_with(code) { Ok(()) } else { Err(io::Error::other(format!("expected {code}, got {reply}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stuffed() {
        for (message, sent) in
            [(&b""[..], &b""[..]), (b"a\r\n.\r\n..b\r\n", b"a\r\n..\r\n...b\r\n"), (b"no end", b"no end\r\n")]
        {
            assert_eq!(stuffed(message), sent);
        }
    }
}
