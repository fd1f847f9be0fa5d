//! Memory of connections that idle: by how much the server's processes grow (PSS) for each of 1,000 connections of 40
//! users, each in an INBOX. With 10,000 and more, also how soon somebody among them hears of a new message.

use std::time::Instant;

use tokio::task::JoinSet;

use super::{Options, push};
use crate::imap::Imap;
use crate::measure::{Meter, Run, percentile};
use crate::{Failure, Report, Target};

/// Users who idle.
const USERS: usize = 40;

/// With so many connections, a delivery to one more is timed.
const CROWD: usize = 10_000;

/// Connections that are opened at the same time.
const AT_ONCE: usize = 16;

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    if options.prepare {
        return Ok(None);
    }
    let Some(processes) = target.processes else {
        return Err(Failure::Refused("memory can be read only of a server whose process is named".to_owned()));
    };
    let connections = options.connections.unwrap_or(1000);
    // Everybody once before: what a first login costs is not what a connection costs.
    for user in 1..=connections.min(USERS) {
        Imap::login(target, user).await?.log_out().await?;
    }
    let meter = Meter::begin(target)?;
    let mut idle = vec![open(target.clone(), 1).await?];
    let before = processes.pss_kib()?;
    let mut run = Run::default();
    let begin = Instant::now();
    let mut opening = JoinSet::new();
    for n in 0..connections {
        if opening.len() == AT_ONCE {
            collect(&mut opening, &mut idle).await?;
        }
        opening.spawn(open(target.clone(), n % USERS + 1));
    }
    while !opening.is_empty() {
        collect(&mut opening, &mut idle).await?;
    }
    run.elapsed = begin.elapsed();
    run.work = connections as u64;
    let after = processes.pss_kib()?;
    let mut pushes = match connections {
        CROWD.. => push::pushes(target, 1, options).await?.steps,
        _ => Vec::new(),
    };
    pushes.sort_unstable();
    for (imap, tag) in &mut idle {
        imap.done(tag, |_| Ok(())).await?;
    }
    let tls = if target.tls.is_some() { "-tls" } else { "" };
    let report = meter.report(&format!("idle-{connections}{tls}"), "connections", run, false).await?;
    let grown = after.saturating_sub(before) as f64;
    let report = report.with("pss_kib_each", grown / connections as f64).with("pss_mib", after as f64 / 1024.0);
    if pushes.is_empty() {
        return Ok(Some(report));
    }
    let ms = |percent| percentile(&pushes, percent).as_secs_f64() * 1e3;
    Ok(Some(report.with("push_p50_ms", ms(50)).with("push_p99_ms", ms(99))))
}

async fn open(target: Target, user: usize) -> Result<(Imap, String), Failure> {
    let mut imap = Imap::login(&target, user).await?;
    imap.select("INBOX").await?;
    let tag = imap.idle().await?;
    Ok((imap, tag))
}

async fn collect(
    opening: &mut JoinSet<Result<(Imap, String), Failure>>,
    idle: &mut Vec<(Imap, String)>,
) -> Result<(), Failure> {
    if let Some(opened) = opening.join_next().await {
        idle.push(opened.map_err(std::io::Error::other)??);
    }
    Ok(())
}
