//! What a command costs in mailboxes of many messages. All mailboxes are in one server, each the INBOX of a user: links
//! of a thousand small messages, so that a million of them are a million directory entries and records, but no gigabytes.

use super::site::Site;
use super::{Chart, Curve, Goal, Settings, Subject, Times, progress, timed};
use crate::corpus::Corpus;
use crate::fill::{fill, top_up};
use crate::imap::Imap;
use crate::lmtp::Lmtp;
use crate::workload::{KEPT, run_id};
use crate::{Failure, Target, parse};

/// Different messages: a file may have 65,000 names in ext4.
const DISTINCT: usize = 1000;

/// Bytes of a message.
const SIZE: usize = 1024;

/// The mailbox of the different messages, and one to come from when INBOX is selected.
const SEED: &str = "Seed";

/// What a mail client asks of a message to list it.
const LIST_ITEMS: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)";

/// Memory of an open mailbox beyond the files that are mapped, in bytes for each message.
const GOAL_BYTES: f64 = 40.0;

/// Messages of which the server's growth tells something about each: it grows by pages, and by what a session needs.
const MANY: usize = 5000;

/// Commands whose cost must not depend on the size.
struct Commands {
    select: Times,
    store: Times,
    fetch: Times,
    body: Times,
    append: Times,
    deliver: Times,
}

/// Sessions in one of the mailboxes.
struct Sessions {
    index: usize,
    reader: Imap,
    appender: Imap,
    lmtp: Lmtp,
    address: String,
    /// Messages in the mailbox.
    count: usize,
    /// Of a number that goes through them without order.
    at: usize,
}

pub(super) async fn measure(settings: &Settings) -> Result<Subject, Failure> {
    let sizes = &settings.messages;
    let mut site = Site::new(settings, sizes.len(), &[])?;
    let target = site.target()?;
    for (index, &count) in sizes.iter().enumerate() {
        progress(format_args!("filling a mailbox with {count} messages"));
        let mut imap = Imap::login(&target, index + 1).await?;
        fill(&mut imap, SEED, &Corpus::new(Some(SIZE), KEPT), DISTINCT).await?;
        top_up(&mut imap, SEED, DISTINCT, "INBOX", count).await?;
        imap.log_out().await?;
    }
    let (mut cold, mut memory) = (Times::new("SELECT", sizes), Vec::new());
    for _ in 0..settings.rounds {
        site.restart();
        memory = first_selects(&site, sizes, &mut cold).await?;
    }
    let commands = in_turns(&site.target()?, settings).await?;
    let ms = |title: &str, curves| Chart::new(title, "ms", None, curves);
    Ok(Subject {
        name: "messages".to_owned(),
        axis: "messages in the mailbox".to_owned(),
        charts: vec![
            ms(
                "One command",
                [commands.select, commands.store, commands.fetch, commands.body].map(Times::medians).into(),
            ),
            ms("One message more", [commands.append, commands.deliver].map(Times::medians).into()),
            ms("The first SELECT after the server's start", vec![cold.medians()]),
            Chart::new(
                "An open mailbox, beyond its files",
                "bytes a message",
                Some(Goal::AtMost(GOAL_BYTES)),
                vec![Curve { name: "heap".to_owned(), points: memory }],
            ),
        ],
    })
}

/// Selects each mailbox of a server that was just started: how long it takes and, for each message, by how many bytes the
/// server's own memory grows, a session's view of the mailbox included.
async fn first_selects(site: &Site, sizes: &[usize], cold: &mut Times) -> Result<Vec<(f64, f64)>, Failure> {
    let target = site.target()?;
    let processes = site.processes()?;
    let mut memory = Vec::new();
    for (index, &count) in sizes.iter().enumerate() {
        let mut imap = Imap::login(&target, index + 1).await?;
        imap.select(SEED).await?;
        let before = processes.anonymous_kib()?;
        let (there, time) = timed(imap.select("INBOX")).await?;
        if there < count {
            return Err(Failure::Wrong(format!("{there} messages instead of {count}")));
        }
        cold.push(index, time);
        imap.run("FETCH 1,* (FLAGS)", |_| Ok(())).await?;
        let grown = processes.anonymous_kib()?.saturating_sub(before);
        if count >= MANY {
            memory.push((count as f64, grown as f64 * 1024.0 / count as f64));
        }
        imap.log_out().await?;
    }
    Ok(memory)
}

/// Measures the commands at each size in turn, again and again.
async fn in_turns(target: &Target, settings: &Settings) -> Result<Commands, Failure> {
    let sizes = &settings.messages;
    let mut sessions = Vec::new();
    for index in 0..sizes.len() {
        sessions.push(Sessions::open(target, index).await?);
    }
    let times = |name| Times::new(name, sizes);
    let mut commands = Commands {
        select: times("SELECT"),
        store: times("STORE"),
        fetch: times("FETCH, envelope"),
        body: times("FETCH, body"),
        append: times("APPEND"),
        deliver: times("LMTP delivery"),
    };
    let corpus = Corpus::new(Some(SIZE), &run_id());
    let mut serial = 0;
    for round in 1..=settings.rounds {
        progress(format_args!("commands in mailboxes of many messages, round {round} of {}", settings.rounds));
        for sessions in &mut sessions {
            sessions.read(&mut commands, settings.steps).await?;
            for _ in 0..settings.steps.div_ceil(4) {
                sessions.add(&mut commands, &corpus, serial).await?;
                serial += 2;
            }
        }
    }
    Ok(commands)
}

impl Sessions {
    async fn open(target: &Target, index: usize) -> Result<Self, Failure> {
        let mut reader = Imap::login(target, index + 1).await?;
        let count = reader.select("INBOX").await?;
        Ok(Self {
            index,
            reader,
            appender: Imap::login(target, index + 1).await?,
            lmtp: Lmtp::open(target).await?,
            address: target.address(index + 1),
            count,
            at: 0,
        })
    }

    /// SELECT, STORE and FETCH, each so many times.
    async fn read(&mut self, commands: &mut Commands, steps: usize) -> Result<(), Failure> {
        for _ in 0..steps {
            self.reader.select(SEED).await?;
            let (count, time) = timed(self.reader.select("INBOX")).await?;
            if count < self.count {
                return Err(Failure::Wrong(format!("{count} messages where {} were", self.count)));
            }
            commands.select.push(self.index, time);
        }
        for step in 0..steps {
            let number = self.next();
            let sign = if step % 2 == 0 { '+' } else { '-' };
            let store = format!("STORE {number} {sign}FLAGS (\\Seen)");
            commands.store.push(self.index, self.one(number, &store).await?);
        }
        for _ in 0..steps {
            let number = self.next();
            let time = self.one(number, &format!("FETCH {number} {LIST_ITEMS}")).await?;
            commands.fetch.push(self.index, time);
        }
        for _ in 0..steps {
            let number = self.next();
            let time = self.one(number, &format!("FETCH {number} (BODY.PEEK[])")).await?;
            commands.body.push(self.index, time);
        }
        Ok(())
    }

    /// An APPEND and a delivery.
    async fn add(&mut self, commands: &mut Commands, corpus: &Corpus, serial: usize) -> Result<(), Failure> {
        let message = corpus.message(serial);
        let opening = format!("APPEND INBOX {{{}+}}\r\n", message.len());
        let parts = [opening.as_bytes(), message.head.as_bytes(), message.body];
        let ((), time) = timed(self.appender.run_with(&parts, |_| Ok(()))).await?;
        commands.append.push(self.index, time);
        let recipients = [self.address.clone()];
        let (_, time) = timed(self.lmtp.deliver(&recipients, &corpus.message(serial + 1))).await?;
        commands.deliver.push(self.index, time);
        Ok(())
    }

    /// A command that is answered with one FETCH, of message `number`.
    async fn one(&mut self, number: usize, command: &str) -> Result<std::time::Duration, Failure> {
        let mut answers = 0;
        let command = self.reader.run(command, |answer| match parse::numbered(answer) {
            Some((of, rest)) if rest.starts_with(b"FETCH (") => {
                answers += 1;
                if of == number { Ok(()) } else { Err(Failure::wrong("another message", answer)) }
            }
            _ => Ok(()),
        });
        let ((), time) = timed(command).await?;
        if answers == 1 { Ok(time) } else { Err(Failure::Wrong(format!("{answers} FETCH of message {number}"))) }
    }

    /// The number of a message, near none of the last ones.
    fn next(&mut self) -> usize {
        /// A prime, and a large part of any mailbox.
        const STRIDE: usize = 618_033_989;
        self.at = (self.at + STRIDE) % self.count;
        self.at + 1
    }
}
