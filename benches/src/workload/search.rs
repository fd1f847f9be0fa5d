//! SEARCH over 10,000 messages by a header field, by flags, by date; over 40 messages of 70 KB by what is in their
//! bodies. One command at a time. The answer must have exactly the messages that the corpus says.

use super::fetch::{DISTINCT, prepare_list};
use super::{KEPT, Options};
use crate::corpus::{Corpus, NEEDLE, SENDERS};
use crate::fill::fill;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target, parse};

/// Bytes of the messages that are searched whole.
const LARGE: usize = 70_000;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    From,
    Flag,
    Date,
    Body,
}

struct Searcher {
    imap: Imap,
    key: Key,
    count: usize,
    done: usize,
}

pub(super) async fn run(key: Key, target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(1);
    let mut searchers = Vec::new();
    for _ in 0..connections {
        let mut imap = Imap::login(target, 1).await?;
        let (mailbox, count) = if key == Key::Body {
            let count = options.population.unwrap_or(40);
            let mailbox = format!("Large{count}");
            fill(&mut imap, &mailbox, &Corpus::new(Some(LARGE), KEPT), count).await?;
            (mailbox, count)
        } else {
            prepare_list(&mut imap, options.population).await?
        };
        imap.select(&mailbox).await?;
        let mut searcher = Searcher { imap, key, count, done: 0 };
        if !options.prepare {
            searcher.step().await?;
        }
        searchers.push(searcher);
    }
    if options.prepare {
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let (searchers, run) = drive(searchers, options.bounds(2, 1_000_000)).await?;
    let name = match key {
        Key::From => "search-from",
        Key::Flag => "search-flag",
        Key::Date => "search-date",
        Key::Body => "search-body",
    };
    let report = meter.report(name, "commands", run, false).await?;
    for searcher in searchers {
        searcher.imap.log_out().await?;
    }
    Ok(Some(report))
}

impl Client for Searcher {
    async fn step(&mut self) -> Result<u64, Failure> {
        // Never the same search twice in a row: a server may remember.
        let round = self.done;
        let first = round % 28;
        let (text, matches): (String, Box<dyn Fn(usize) -> bool + Send>) = match self.key {
            Key::From => {
                let sender = round % SENDERS;
                (format!("FROM \"p{sender:03}@people\""), Box::new(move |n| n % SENDERS == sender))
            }
            Key::Flag if round.is_multiple_of(2) => {
                ("FLAGGED UNSEEN".to_owned(), Box::new(|n| Corpus::is_flagged(n) && !Corpus::is_seen(n)))
            }
            Key::Flag => ("UNSEEN".to_owned(), Box::new(|n| !Corpus::is_seen(n))),
            Key::Date => {
                let (since, before) = (Corpus::search_date(first), Corpus::search_date(first + 7));
                let days = first..first + 7;
                (format!("SINCE {since} BEFORE {before}"), Box::new(move |n| days.contains(&Corpus::day(n))))
            }
            Key::Body if round.is_multiple_of(2) => (format!("BODY {NEEDLE}"), Box::new(Corpus::has_needle)),
            Key::Body => (format!("BODY not{NEEDLE}"), Box::new(|_| false)),
        };
        let mut found = None;
        self.imap
            .run(&format!("SEARCH {text}"), |answer| {
                if answer.starts_with(b"SEARCH") && found.replace(parse::search(answer)).is_some() {
                    return Err(Failure::wrong("a second SEARCH", answer));
                }
                Ok(())
            })
            .await?;
        let expected = (0..self.count).filter(|&n| matches(n % DISTINCT)).map(|n| n + 1);
        match found.flatten() {
            Some(found) if expected.eq(found.iter().copied()) => {}
            Some(found) => return Err(Failure::Wrong(format!("SEARCH {text} found {} messages", found.len()))),
            None => return Err(Failure::Wrong(format!("SEARCH {text} was not answered"))),
        }
        self.done += 1;
        Ok(1)
    }
}
