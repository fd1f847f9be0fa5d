//! 16 clients that each do what mail clients do: read a list and a message, flag it, search, save a message, look for new
//! mail - and mail arrives meanwhile. What counts is a command or a delivery. In the end each INBOX must have everything
//! that was delivered.

use super::{Options, run_id};
use crate::corpus::Corpus;
use crate::imap::Imap;
use crate::lmtp::Lmtp;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target, parse};

/// Where a client saves what it sends.
const SENT: &str = "Sent";

/// Bytes of messages that are saved and delivered.
const SIZE: usize = 10_000;

/// Users whose mailboxes are used begin here, so that deliveries of other workloads do not change what is measured.
const FIRST_USER: usize = 20;

/// Messages in an INBOX before the run.
const MESSAGES: usize = 100;

struct Person {
    imap: Imap,
    lmtp: Lmtp,
    address: String,
    corpus: Corpus,
    /// Messages in the INBOX, all of which were delivered before a command was sent.
    inbox: usize,
    sent: usize,
    done: usize,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(16);
    let corpus = Corpus::new(Some(options.size.unwrap_or(SIZE)), &run_id());
    let mut people = Vec::new();
    for user in FIRST_USER..FIRST_USER + connections {
        let mut imap = Imap::login(target, user).await?;
        let mut lmtp = Lmtp::open(target).await?;
        let address = target.address(user);
        if !imap.has(SENT).await? {
            imap.run(&format!("CREATE {SENT}"), |_| Ok(())).await?;
        }
        let sent = imap.messages(SENT).await?;
        let mut inbox = imap.messages("INBOX").await?;
        // At least one, which is new: a server need not answer a STORE that changes nothing.
        for n in 0..MESSAGES.saturating_sub(inbox).max(1) {
            lmtp.deliver(std::slice::from_ref(&address), &corpus.message(user * 1_000_000 + n)).await?;
            inbox += 1;
        }
        people.push(Person { imap, lmtp, address, corpus: corpus.clone(), inbox, sent, done: user * 10_000 });
    }
    if options.prepare {
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let (people, run) = drive(people, options.bounds(4, 1_000_000)).await?;
    let report = meter.report(&format!("mixed-{connections}"), "operations", run, true).await?;
    for mut person in people {
        // Not STATUS: of a mailbox that is selected it may be what the session has been told.
        let (inbox, sent) = (person.imap.select("INBOX").await?, person.imap.messages(SENT).await?);
        if (inbox, sent) != (person.inbox, person.sent) {
            let expected = (person.inbox, person.sent);
            return Err(Failure::Wrong(format!("{inbox} and {sent} messages instead of {expected:?}")));
        }
        person.imap.log_out().await?;
        person.lmtp.quit().await?;
    }
    Ok(Some(report))
}

impl Client for Person {
    async fn step(&mut self) -> Result<u64, Failure> {
        let last = self.inbox;
        match self.done % 10 {
            0 if self.imap.select("INBOX").await? == last => {}
            0 => return Err(Failure::Wrong("SELECT does not show what was delivered".to_owned())),
            1 => {
                let command = format!("FETCH {}:{last} (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)", last - 19);
                self.expect_fetches(&command, 20, b"ENVELOPE").await?;
            }
            2 => self.expect_fetches(&format!("FETCH {last} (BODY.PEEK[])"), 1, b"BODY[]").await?,
            3 => self.expect_fetches(&format!("STORE {last} +FLAGS (\\Seen)"), 1, b"FLAGS").await?,
            4 => self.search(last).await?,
            5 => {
                let message = self.corpus.message(self.done);
                self.lmtp.deliver(std::slice::from_ref(&self.address), &message).await?;
                self.inbox += 1;
            }
            6 => self.notice(last).await?,
            7 => self.expect_fetches("FETCH 1:* (FLAGS)", last, b"FLAGS").await?,
            8 => {
                let message = self.corpus.message(self.done);
                let command = format!("APPEND {SENT} (\\Seen) {{{}+}}\r\n", message.len());
                self.imap.run_with(&[command.as_bytes(), message.head.as_bytes(), message.body], |_| Ok(())).await?;
                self.sent += 1;
            }
            _ => {
                let sent = self.imap.messages(SENT).await?;
                if sent != self.sent {
                    return Err(Failure::Wrong(format!("STATUS of {sent} messages instead of {}", self.sent)));
                }
            }
        }
        self.done += 1;
        Ok(1)
    }
}

impl Person {
    /// Runs a command that must be answered with `count` FETCH answers that have `item`.
    async fn expect_fetches(&mut self, command: &str, count: usize, item: &[u8]) -> Result<(), Failure> {
        let mut answers = 0;
        self.imap
            .run(command, |answer| {
                if parse::numbered(answer).is_some_and(|(_, rest)| rest.starts_with(b"FETCH ")) {
                    parse::item(&parse::fetch(answer)?.1, item)?;
                    answers += 1;
                }
                Ok(())
            })
            .await?;
        if answers == count {
            Ok(())
        } else {
            Err(Failure::Wrong(format!("{answers} answers instead of {count} to {command}")))
        }
    }

    async fn search(&mut self, last: usize) -> Result<(), Failure> {
        let mut found = None;
        self.imap
            .run("SEARCH SEEN FROM \"people.example.net\"", |answer| {
                if answer.starts_with(b"SEARCH") {
                    found = parse::search(answer);
                }
                Ok(())
            })
            .await?;
        // The message that was flagged in the step before must be among them.
        match found {
            Some(found) if found.contains(&last) => Ok(()),
            _ => Err(Failure::Wrong(format!("SEARCH SEEN does not find message {last}"))),
        }
    }

    /// NOOP, which must tell of the message that was delivered in the step before.
    async fn notice(&mut self, last: usize) -> Result<(), Failure> {
        let mut told = false;
        self.imap
            .run("NOOP", |answer| {
                told |= parse::numbered(answer) == Some((last, b"EXISTS"));
                Ok(())
            })
            .await?;
        if told { Ok(()) } else { Err(Failure::Wrong(format!("NOOP does not tell of message {last}"))) }
    }
}
