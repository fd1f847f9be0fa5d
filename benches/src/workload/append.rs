//! APPEND, one message a command, each connection into a mailbox of its own. The UIDs of a mailbox must follow one
//! another without a gap, and the mailbox must have all the messages in the end.

use super::{Options, run_id};
use crate::corpus::Corpus;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target, parse};

const MAILBOX: &str = "Appended";

struct Appender {
    imap: Imap,
    corpus: Corpus,
    user: usize,
    done: usize,
    /// How many messages the mailbox had before.
    before: usize,
    /// UIDVALIDITY and the last UID.
    last: Option<(usize, usize)>,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(8);
    let corpus = Corpus::new(options.size, &run_id());
    let mut appenders = Vec::new();
    for user in 1..=connections {
        let mut imap = Imap::login(target, user).await?;
        if !imap.has(MAILBOX).await? {
            imap.run(&format!("CREATE {MAILBOX}"), |_| Ok(())).await?;
        }
        let before = imap.messages(MAILBOX).await?;
        appenders.push(Appender { imap, corpus: corpus.clone(), user, done: 0, before, last: None });
    }
    if options.prepare {
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let (appenders, run) = drive(appenders, options.bounds(15, 2000)).await?;
    let report = meter.report("append", "messages", run, true).await?;
    for mut appender in appenders {
        let there = appender.imap.messages(MAILBOX).await?;
        if there != appender.before + appender.done {
            return Err(Failure::Wrong(format!("{there} messages after {} and {}", appender.before, appender.done)));
        }
        appender.imap.log_out().await?;
    }
    Ok(Some(report))
}

impl Client for Appender {
    async fn step(&mut self) -> Result<u64, Failure> {
        // Connections begin at different messages, so that not all send a large one at the same time.
        let message = self.corpus.message(self.user * 100_000 + self.user * 7 + self.done);
        let command = format!("APPEND {MAILBOX} (\\Seen) {{{}+}}\r\n", message.len());
        self.imap.run_with(&[command.as_bytes(), message.head.as_bytes(), message.body], |_| Ok(())).await?;
        let status = self.imap.status();
        let uid = parse::code(status, "APPENDUID").and_then(|code| code.split_once(' '));
        let uid = uid.and_then(|(validity, uid)| Some((validity.parse().ok()?, uid.parse().ok()?)));
        let (validity, uid): (usize, usize) = uid.ok_or_else(|| Failure::wrong("APPENDUID is missing", status))?;
        if self.last.is_some_and(|last| last != (validity, uid.wrapping_sub(1))) {
            return Err(Failure::wrong("a UID that does not follow the last one", status));
        }
        self.last = Some((validity, uid));
        self.done += 1;
        Ok(1)
    }
}
