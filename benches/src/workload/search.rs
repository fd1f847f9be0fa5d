//! SEARCH over 10,000 messages by a header field, by flags, by date; over 40 messages of 70 KB by what is in their
//! bodies. One command at a time. The answer must have exactly the messages that the corpus says.

use std::sync::Arc;

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

/// What is asked, and the sequence numbers of the messages that must be found.
struct Case {
    command: String,
    expected: Vec<usize>,
}

struct Searcher {
    imap: Imap,
    cases: Arc<Vec<Case>>,
    done: usize,
}

pub(super) async fn run(key: Key, target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(1);
    let mut searchers: Vec<Searcher> = Vec::new();
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
        let cases = searchers.first().map_or_else(|| Arc::new(cases(key, count)), |first| Arc::clone(&first.cases));
        let mut searcher = Searcher { imap, cases, done: 0 };
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

/// Searches that follow one another: never the same twice in a row, which a server may remember.
fn cases(key: Key, count: usize) -> Vec<Case> {
    let case = |keys: String, matches: &dyn Fn(usize) -> bool| Case {
        command: format!("SEARCH {keys}"),
        expected: (0..count).filter(|n| matches(n % DISTINCT)).map(|n| n + 1).collect(),
    };
    match key {
        Key::From => (0..SENDERS)
            .map(|sender| case(format!("FROM \"p{sender:03}@people\""), &|n| n % SENDERS == sender))
            .collect(),
        Key::Flag => vec![
            case("FLAGGED UNSEEN".to_owned(), &|n| Corpus::is_flagged(n) && !Corpus::is_seen(n)),
            case("UNSEEN".to_owned(), &|n| !Corpus::is_seen(n)),
        ],
        Key::Date => (0..28)
            .map(|first| {
                let (since, before) = (Corpus::search_date(first), Corpus::search_date(first + 7));
                case(format!("SINCE {since} BEFORE {before}"), &|n| (first..first + 7).contains(&Corpus::day(n)))
            })
            .collect(),
        Key::Body => {
            vec![case(format!("BODY {NEEDLE}"), &Corpus::has_needle), case(format!("BODY not{NEEDLE}"), &|_| false)]
        }
    }
}

impl Client for Searcher {
    async fn step(&mut self) -> Result<u64, Failure> {
        let Case { command, expected } = &self.cases[self.done % self.cases.len()];
        let mut found = None;
        self.imap
            .run(command, |answer| {
                if answer.starts_with(b"SEARCH") && found.replace(parse::search(answer)).is_some() {
                    return Err(Failure::wrong("a second SEARCH", answer));
                }
                Ok(())
            })
            .await?;
        match found.flatten() {
            Some(found) if found == *expected => {}
            Some(found) => return Err(Failure::Wrong(format!("{command} found {} messages", found.len()))),
            None => return Err(Failure::Wrong(format!("{command} was not answered"))),
        }
        self.done += 1;
        Ok(1)
    }
}
