//! A POP3 session (RFC 1939) as a program holds it that collects mail: one command after the other.

use crate::connection::Connection;
use crate::{Failure, Target};

/// A session after login.
pub(crate) struct Pop3 {
    connection: Connection,
}

impl Pop3 {
    /// Connects and logs user number `n` in.
    pub(crate) async fn login(target: &Target, n: usize) -> Result<Self, Failure> {
        let mut pop3 = Self { connection: Connection::open(target.pop3, target.tls.as_ref()).await? };
        pop3.good().await?;
        pop3.run(&format!("USER {}", target.user(n))).await?;
        pop3.run(&format!("PASS {}", target.password)).await?;
        Ok(pop3)
    }

    /// How many messages there are.
    pub(crate) async fn count(&mut self) -> Result<usize, Failure> {
        self.connection.send(&[b"STAT\r\n"]).await?;
        let line = self.connection.answer(false).await?;
        let count = line.strip_prefix(b"+OK ").and_then(|rest| rest.split(|octet| *octet == b' ').next());
        let count = count.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        count.ok_or_else(|| Failure::wrong("STAT", line))
    }

    /// Message number `n`, from 1 on, as it comes: dots stuffed.
    pub(crate) async fn retrieve(&mut self, n: usize) -> Result<&[u8], Failure> {
        self.run(&format!("RETR {n}")).await?;
        self.connection.body().await
    }

    /// Ends the session; the server must have nothing else to say.
    pub(crate) async fn quit(mut self) -> Result<(), Failure> {
        self.run("QUIT").await?;
        self.connection.closed().await
    }

    async fn run(&mut self, command: &str) -> Result<(), Failure> {
        self.connection.send(&[command.as_bytes(), b"\r\n"]).await?;
        self.good().await
    }

    async fn good(&mut self) -> Result<(), Failure> {
        let line = self.connection.answer(false).await?;
        if line.starts_with(b"+OK") { Ok(()) } else { Err(Failure::wrong("POP3", line)) }
    }
}
