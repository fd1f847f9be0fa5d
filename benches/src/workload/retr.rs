//! RETR of whole mailboxes, message after message, as programs do it that collect mail. Every message must be what was
//! stored.

use super::{KEPT, Options};
use crate::corpus::Corpus;
use crate::fill::fill;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::pop3::Pop3;
use crate::{Failure, Report, Target};

/// The first of the users whose INBOXes are read: one for each connection, because POP3 locks a mailbox, and of no other
/// workload's.
const USER: usize = 56;

/// Most connections: users 56 to 59.
const MOST: usize = 4;

struct Collector {
    pop3: Pop3,
    corpus: Corpus,
    count: usize,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(2);
    if connections > MOST {
        return Err(Failure::Refused(format!("more than {MOST} connections")));
    }
    let count = options.population.unwrap_or(500);
    let corpus = Corpus::new(options.size, KEPT);
    for user in USER..USER + connections {
        let mut imap = Imap::login(target, user).await?;
        fill(&mut imap, "INBOX", &corpus, count).await?;
        imap.log_out().await?;
    }
    if options.prepare {
        return Ok(None);
    }
    let mut collectors = Vec::new();
    for user in USER..USER + connections {
        let mut pop3 = Pop3::login(target, user).await?;
        let there = pop3.count().await?;
        if there != count {
            return Err(Failure::Wrong(format!("{there} messages instead of {count}")));
        }
        let mut collector = Collector { pop3, corpus: corpus.clone(), count };
        // Once, so that every server has the files in memory.
        collector.step().await?;
        collectors.push(collector);
    }
    let meter = Meter::begin(target)?;
    let (collectors, run) = drive(collectors, options.bounds(2, 10_000)).await?;
    let report = meter.report(if target.tls.is_some() { "retr-tls" } else { "retr" }, "MB", run, false).await?;
    for collector in collectors {
        collector.pop3.quit().await?;
    }
    Ok(Some(report))
}

impl Client for Collector {
    async fn step(&mut self) -> Result<u64, Failure> {
        let mut bytes = 0;
        for n in 0..self.count {
            let text = self.pop3.retrieve(n + 1).await?;
            bytes += text.len() as u64;
            let message = self.corpus.message(n);
            let same = if has_dots(text) { message.is(&unstuffed(text)) } else { message.is(text) };
            if !same {
                return Err(Failure::wrong("another message", text));
            }
        }
        Ok(bytes)
    }
}

/// Whether any line begins with a dot.
fn has_dots(text: &[u8]) -> bool {
    text.starts_with(b".") || memchr::memmem::find(text, b"\n.").is_some()
}

/// A message without what RFC 1939, 3 adds.
fn unstuffed(text: &[u8]) -> Vec<u8> {
    text.split_inclusive(|octet| *octet == b'\n')
        .flat_map(|line| line.strip_prefix(b".").unwrap_or(line).iter().copied())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_taken_away() {
        for (text, dots, expected) in [
            (&b"a\r\nb.\r\n"[..], false, &b"a\r\nb.\r\n"[..]),
            (b"..\r\na\r\n..b\r\n", true, b".\r\na\r\n.b\r\n"),
            (b"", false, b""),
        ] {
            assert_eq!((has_dots(text), unstuffed(text)), (dots, expected.to_vec()));
        }
    }
}
