//! LMTP deliveries: each connection sends message after message, each to one or more recipients, pipelined as Postfix
//! does it. What counts is a copy: one recipient's `250`. In the end every INBOX must have as many messages more as were
//! accepted for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Options, run_id};
use crate::corpus::Corpus;
use crate::imap::Imap;
use crate::lmtp::Lmtp;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target};

/// Mailboxes that receive.
const MAILBOXES: usize = 16;

struct Sender {
    lmtp: Lmtp,
    corpus: Corpus,
    target: Target,
    recipients: usize,
    mailboxes: usize,
    /// The next message, counted over all connections.
    next: Arc<AtomicUsize>,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    if options.prepare {
        return Ok(None);
    }
    let connections = options.connections.unwrap_or(8);
    let recipients = options.recipients.unwrap_or(1);
    let mailboxes = options.population.unwrap_or(MAILBOXES).max(recipients);
    let corpus = Corpus::new(options.size, &run_id());
    let before = counts(target, mailboxes).await?;
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = Vec::new();
    for _ in 0..connections {
        senders.push(Sender {
            lmtp: Lmtp::open(target).await?,
            corpus: corpus.clone(),
            target: target.clone(),
            recipients,
            mailboxes,
            next: Arc::clone(&next),
        });
    }
    let meter = Meter::begin(target)?;
    let (senders, run) = drive(senders, options.bounds(15, 2000 / recipients as u64)).await?;
    let report = meter.report(&format!("deliver-{connections}x{recipients}"), "copies", run, true).await?;
    for sender in senders {
        sender.lmtp.quit().await?;
    }
    let mut expected = before;
    for n in 0..next.load(Ordering::Relaxed) {
        for user in users(n, recipients, mailboxes) {
            expected[user - 1] += 1;
        }
    }
    let after = counts(target, mailboxes).await?;
    if after != expected {
        return Err(Failure::Wrong(format!("messages in the INBOXes: {after:?} instead of {expected:?}")));
    }
    Ok(Some(report))
}

impl Client for Sender {
    async fn step(&mut self) -> Result<u64, Failure> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let to: Vec<_> = users(n, self.recipients, self.mailboxes).map(|user| self.target.address(user)).collect();
        self.lmtp.deliver(&to, &self.corpus.message(n)).await?;
        Ok(self.recipients as u64)
    }
}

/// The users to whom message `n` goes.
fn users(n: usize, recipients: usize, mailboxes: usize) -> impl Iterator<Item = usize> {
    (0..recipients).map(move |at| (n * recipients + at) % mailboxes + 1)
}

async fn counts(target: &Target, mailboxes: usize) -> Result<Vec<usize>, Failure> {
    let mut counts = Vec::new();
    for user in 1..=mailboxes {
        let mut imap = Imap::login(target, user).await?;
        counts.push(imap.messages("INBOX").await?);
        imap.log_out().await?;
    }
    Ok(counts)
}
