//! SELECT of two mailboxes in turn. Each must be answered with the right EXISTS, once, and the UIDVALIDITY it had before.

use super::{KEPT, Options};
use crate::corpus::Corpus;
use crate::fill::fill;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target, parse};

/// Bytes of a message: what is in it does not matter.
const SIZE: usize = 2000;

struct Selector {
    imap: Imap,
    /// Name, messages, UIDVALIDITY.
    mailboxes: [(String, usize, String); 2],
    done: usize,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(8);
    let mut selectors = Vec::new();
    for user in 1..=connections {
        let mut imap = Imap::login(target, user).await?;
        let (large, count) = prepare(&mut imap, options.population).await?;
        let (small, few) = prepare(&mut imap, Some(count.div_ceil(2))).await?;
        let mut mailboxes = [(large, count, String::new()), (small, few, String::new())];
        for (name, count, validity) in &mut mailboxes {
            *validity = select(&mut imap, name, *count).await?;
        }
        selectors.push(Selector { imap, mailboxes, done: 0 });
    }
    if options.prepare {
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let (selectors, run) = drive(selectors, options.bounds(2, 1_000_000)).await?;
    let report = meter.report("select", "commands", run, false).await?;
    for selector in selectors {
        selector.imap.log_out().await?;
    }
    Ok(Some(report))
}

/// Makes a mailbox of small messages to work on; its name and how many messages it has.
pub(super) async fn prepare(imap: &mut Imap, population: Option<usize>) -> Result<(String, usize), Failure> {
    let count = population.unwrap_or(200);
    let mailbox = format!("Work{count}");
    fill(imap, &mailbox, &Corpus::new(Some(SIZE), KEPT), count).await?;
    Ok((mailbox, count))
}

impl Client for Selector {
    async fn step(&mut self) -> Result<u64, Failure> {
        let (name, count, validity) = &self.mailboxes[self.done % 2];
        if select(&mut self.imap, name, *count).await? != *validity {
            return Err(Failure::Wrong(format!("{name} has another UIDVALIDITY than before")));
        }
        self.done += 1;
        Ok(1)
    }
}

/// Selects; the UIDVALIDITY.
async fn select(imap: &mut Imap, mailbox: &str, count: usize) -> Result<String, Failure> {
    let (mut validity, mut exists) = (None, 0);
    imap.run(&format!("SELECT {mailbox}"), |answer| {
        match parse::numbered(answer) {
            Some((number, b"EXISTS")) if number == count => exists += 1,
            Some((_, b"EXISTS")) => return Err(Failure::wrong("EXISTS", answer)),
            _ if answer.starts_with(b"OK [UIDVALIDITY ") => {
                validity = parse::code(answer, "UIDVALIDITY").map(str::to_owned);
            }
            _ => {}
        }
        Ok(())
    })
    .await?;
    if exists != 1 {
        return Err(Failure::Wrong(format!("{exists} EXISTS for a SELECT")));
    }
    validity.ok_or_else(|| Failure::Wrong("SELECT without UIDVALIDITY".to_owned()))
}
