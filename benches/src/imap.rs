//! An IMAP session as the workloads need it: one command at a time, every answer looked at.

use crate::connection::Connection;
use crate::{Failure, Target, parse};

/// A session.
pub(crate) struct Imap {
    connection: Connection,
    serial: u32,
    /// The tagged answer of the last command, without its tag.
    status: Vec<u8>,
}

impl Imap {
    /// Connects and reads the greeting.
    pub(crate) async fn open(target: &Target) -> Result<Self, Failure> {
        let mut connection = Connection::open(target.imap, target.tls.as_ref()).await?;
        let greeting = connection.answer(true).await?;
        if !greeting.starts_with(b"* OK") {
            return Err(Failure::wrong("greeting", greeting));
        }
        Ok(Self { connection, serial: 0, status: Vec::new() })
    }

    /// Connects and logs user number `n` in.
    pub(crate) async fn login(target: &Target, n: usize) -> Result<Self, Failure> {
        let mut imap = Self::open(target).await?;
        imap.log_in(target, n).await?;
        Ok(imap)
    }

    /// Logs user number `n` in.
    pub(crate) async fn log_in(&mut self, target: &Target, n: usize) -> Result<(), Failure> {
        self.run(&format!("LOGIN {} {}", target.user(n), target.password), |_| Ok(())).await
    }

    /// Logs out; the server must say BYE, once, and close.
    pub(crate) async fn log_out(mut self) -> Result<(), Failure> {
        let mut byes = 0;
        self.run("LOGOUT", |answer| {
            byes += u32::from(answer.starts_with(b"BYE"));
            Ok(())
        })
        .await?;
        if byes != 1 {
            return Err(Failure::Wrong(format!("{byes} BYE for a LOGOUT")));
        }
        self.connection.closed().await
    }

    /// Sends a command and gives every untagged answer, without its `* `, to `each`. The tagged one must be OK.
    pub(crate) async fn run(
        &mut self,
        command: &str,
        each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.run_with(&[command.as_bytes()], each).await
    }

    /// [`Imap::run`] for a command in parts, of which non-synchronizing literals may be some (RFC 7888).
    pub(crate) async fn run_with(
        &mut self,
        command: &[&[u8]],
        each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let tag = self.begin(command).await?;
        self.end(&tag, each).await
    }

    /// Sends a command, which [`Imap::end`] ends.
    pub(crate) async fn begin(&mut self, command: &[&[u8]]) -> Result<String, Failure> {
        self.serial += 1;
        let tag = format!("t{:06} ", self.serial);
        let mut parts = Vec::with_capacity(command.len() + 2);
        parts.push(tag.as_bytes());
        parts.extend_from_slice(command);
        parts.push(b"\r\n");
        self.connection.send(&parts).await?;
        Ok(tag)
    }

    /// Reads up to the tagged answer, which must be OK.
    pub(crate) async fn end(
        &mut self,
        tag: &str,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        loop {
            let answer = self.connection.answer(true).await?;
            if let Some(untagged) = answer.strip_prefix(b"* ") {
                each(untagged)?;
                continue;
            }
            let Some(status) = answer.strip_prefix(tag.as_bytes()) else {
                return Err(Failure::wrong("a tag that is not the command's", answer));
            };
            if !status.starts_with(b"OK") {
                return Err(Failure::wrong("refused", status));
            }
            self.status.clear();
            self.status.extend_from_slice(status);
            return Ok(());
        }
    }

    /// Begins IDLE (RFC 9051, 6.3.13) and waits for the server's consent.
    pub(crate) async fn idle(&mut self) -> Result<String, Failure> {
        let tag = self.begin(&[b"IDLE"]).await?;
        loop {
            let answer = self.connection.answer(true).await?;
            if answer.starts_with(b"+") {
                return Ok(tag);
            }
            if !answer.starts_with(b"* ") {
                return Err(Failure::wrong("IDLE", answer));
            }
        }
    }

    /// The next untagged answer during IDLE.
    pub(crate) async fn pushed(&mut self) -> Result<&[u8], Failure> {
        let answer = self.connection.answer(true).await?;
        answer.strip_prefix(b"* ").ok_or_else(|| Failure::wrong("in IDLE", answer))
    }

    /// Ends IDLE.
    pub(crate) async fn done(
        &mut self,
        tag: &str,
        each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.connection.send(&[b"DONE\r\n"]).await?;
        self.end(tag, each).await
    }

    /// The tagged answer of the last command, without its tag.
    pub(crate) fn status(&self) -> &[u8] {
        &self.status
    }

    /// Selects a mailbox; how many messages it has.
    pub(crate) async fn select(&mut self, mailbox: &str) -> Result<usize, Failure> {
        let mut exists = None;
        self.run(&format!("SELECT {mailbox}"), |answer| {
            match parse::numbered(answer) {
                Some((number, b"EXISTS")) if exists.replace(number).is_some() => {
                    return Err(Failure::wrong("a second EXISTS", answer));
                }
                _ => {}
            }
            Ok(())
        })
        .await?;
        exists.ok_or_else(|| Failure::Wrong("SELECT without EXISTS".to_owned()))
    }

    /// How many messages a mailbox has.
    pub(crate) async fn messages(&mut self, mailbox: &str) -> Result<usize, Failure> {
        let mut count = None;
        self.run(&format!("STATUS {mailbox} (MESSAGES)"), |answer| {
            if answer.starts_with(b"STATUS ") {
                count = parse::status(answer, "MESSAGES");
            }
            Ok(())
        })
        .await?;
        count.ok_or_else(|| Failure::Wrong("STATUS without MESSAGES".to_owned()))
    }

    /// Whether there is a mailbox of that name: CREATE of one that is there would be refused.
    pub(crate) async fn has(&mut self, name: &str) -> Result<bool, Failure> {
        let mut lines = 0;
        self.run(&format!("LIST \"\" \"{name}\""), |answer| {
            lines += usize::from(answer.starts_with(b"LIST (") && !answer.starts_with(b"LIST (\\Non"));
            Ok(())
        })
        .await?;
        Ok(lines > 0)
    }

    /// The capabilities after login.
    pub(crate) async fn can(&mut self, capability: &str) -> Result<bool, Failure> {
        let mut found = false;
        self.run("CAPABILITY", |answer| {
            found |= answer.split(|&byte| byte == b' ').any(|word| word.eq_ignore_ascii_case(capability.as_bytes()));
            Ok(())
        })
        .await?;
        Ok(found)
    }
}
