//! An LMTP session (RFC 2033) as an MTA holds it: pipelined, many transactions on one connection.

use std::fmt::Write as _;
use std::time::Instant;

use crate::connection::Connection;
use crate::corpus::Message;
use crate::{Failure, Target};

/// A session after LHLO.
pub(crate) struct Lmtp {
    connection: Connection,
}

impl Lmtp {
    /// Connects, reads the greeting and says LHLO. The server must offer PIPELINING (RFC 2033, 5).
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let mut lmtp = Self { connection: Connection::open(target.lmtp, None).await? };
        lmtp.expect(b"220").await?;
        lmtp.connection.send(&[b"LHLO client.example.org\r\n"]).await?;
        lmtp.expect(b"250").await?;
        Ok(lmtp)
    }

    /// Delivers one message to the addresses; each must be accepted. Returns when the last byte was handed to the kernel.
    pub(crate) async fn deliver(&mut self, recipients: &[String], message: &Message<'_>) -> Result<Instant, Failure> {
        let mut envelope = String::from("MAIL FROM:<sender@people.example.net>\r\n");
        for recipient in recipients {
            let _ = write!(envelope, "RCPT TO:<{recipient}>\r\n");
        }
        envelope.push_str("DATA\r\n");
        self.connection.send(&[envelope.as_bytes()]).await?;
        for _ in 0..=recipients.len() {
            self.expect(b"250").await?;
        }
        self.expect(b"354").await?;
        self.connection.send(&[message.head.as_bytes(), message.body, b".\r\n"]).await?;
        let sent = Instant::now();
        for _ in recipients {
            self.expect(b"250").await?;
        }
        if self.connection.has_unread() {
            return Err(Failure::Wrong("more replies than recipients".to_owned()));
        }
        Ok(sent)
    }

    /// Ends the session; the server must have nothing else to say.
    pub(crate) async fn quit(mut self) -> Result<(), Failure> {
        self.connection.send(&[b"QUIT\r\n"]).await?;
        self.expect(b"221").await?;
        self.connection.closed().await
    }

    /// Reads one reply, with its continuation lines.
    async fn expect(&mut self, code: &[u8; 3]) -> Result<(), Failure> {
        loop {
            let line = self.connection.answer(false).await?;
            if !line.starts_with(code) {
                return Err(Failure::wrong("LMTP", line));
            }
            if line.get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
