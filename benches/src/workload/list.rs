//! LIST of a tree of 1,000 mailboxes. Each must be listed exactly once.

use std::collections::BTreeSet;

use super::Options;
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target};

/// The user whose tree it is: one whose other mailboxes no workload needs.
const USER: usize = 60;

/// Mailboxes below one parent.
const BROAD: usize = 100;

struct Lister {
    imap: Imap,
    names: BTreeSet<Vec<u8>>,
}

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(2);
    let count = options.population.unwrap_or(1000);
    let names: Vec<String> = (0..count).map(|n| format!("Tree{:02}/Branch{:02}", n / BROAD, n % BROAD)).collect();
    let mut imap = Imap::login(target, USER).await?;
    for name in &names {
        if !imap.has(name).await? {
            imap.run(&format!("CREATE {name}"), |_| Ok(())).await?;
        }
    }
    if options.prepare {
        return Ok(None);
    }
    let mut listers = Vec::new();
    for _ in 0..connections {
        let imap = Imap::login(target, USER).await?;
        listers.push(Lister { imap, names: names.iter().map(|name| name.clone().into_bytes()).collect() });
    }
    let meter = Meter::begin(target)?;
    let (listers, run) = drive(listers, options.bounds(2, 100_000)).await?;
    let report = meter.report("list", "lines", run, false).await?;
    for lister in listers {
        lister.imap.log_out().await?;
    }
    Ok(Some(report))
}

impl Client for Lister {
    async fn step(&mut self) -> Result<u64, Failure> {
        let mut missing = vec![true; self.names.len()];
        let mut shown = 0;
        let names: Vec<&[u8]> = self.names.iter().map(Vec::as_slice).collect();
        self.imap
            .run("LIST \"\" \"*\"", |answer| {
                let Some(line) = answer.strip_prefix(b"LIST (") else { return Ok(()) };
                shown += 1;
                let name = memchr::memrchr(b' ', line).map_or(line, |at| &line[at + 1..]);
                let name = name.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(name);
                // Parents and INBOX are no concern of ours.
                if let Ok(at) = names.binary_search(&name) {
                    if !missing[at] {
                        return Err(Failure::wrong("listed twice", answer));
                    }
                    missing[at] = false;
                }
                Ok(())
            })
            .await?;
        match missing.iter().position(|&missing| missing) {
            Some(at) => Err(Failure::wrong("not listed", names[at])),
            None => Ok(shown),
        }
    }
}
