//! STORE of one flag of one message, one round trip each, each connection in a mailbox of its own. Each must be answered
//! with the message's new flags, once.

use super::Options;
use super::select::prepare;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target, parse};

struct Flagger {
    imap: Imap,
    count: usize,
    done: usize,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(8);
    let mut flaggers = Vec::new();
    for user in 1..=connections {
        let mut imap = Imap::login(target, user).await?;
        let (mailbox, count) = prepare(&mut imap, options.population).await?;
        if imap.select(&mailbox).await? != count {
            return Err(Failure::Wrong(format!("{mailbox} does not have {count} messages")));
        }
        imap.run("STORE 1:* -FLAGS.SILENT (\\Answered)", |_| Ok(())).await?;
        flaggers.push(Flagger { imap, count, done: 0 });
    }
    if options.prepare {
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let (flaggers, run) = drive(flaggers, options.bounds(2, 1_000_000)).await?;
    let report = meter.report("store", "commands", run, true).await?;
    for flagger in flaggers {
        flagger.imap.log_out().await?;
    }
    Ok(Some(report))
}

impl Client for Flagger {
    async fn step(&mut self) -> Result<u64, Failure> {
        let number = self.done % self.count + 1;
        // Set in one pass over the mailbox, taken away in the next.
        let set = (self.done / self.count).is_multiple_of(2);
        let sign = if set { '+' } else { '-' };
        let mut answers = 0;
        self.imap
            .run(&format!("STORE {number} {sign}FLAGS (\\Answered)"), |answer| {
                if parse::numbered(answer).is_some_and(|(_, rest)| rest.starts_with(b"FETCH ")) {
                    let (of, items) = parse::fetch(answer)?;
                    let flags = parse::item(&items, b"FLAGS")?;
                    if of != number || parse::has_flag(flags, b"\\Answered") != set {
                        return Err(Failure::wrong("STORE", answer));
                    }
                    answers += 1;
                }
                Ok(())
            })
            .await?;
        if answers != 1 {
            return Err(Failure::Wrong(format!("{answers} FETCH answers for a STORE")));
        }
        self.done += 1;
        Ok(1)
    }
}
