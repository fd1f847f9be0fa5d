//! From a delivery to those who idle in the mailbox: 40 connections watch one INBOX, a message is delivered, and each
//! must be told, once, of the new number of messages. Time counts from the moment when the message's last byte is sent, so
//! it includes making the message durable.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Options, run_id};
use crate::corpus::Corpus;
use crate::imap::Imap;
use crate::lmtp::Lmtp;
use crate::measure::{Meter, Run};
use crate::{Failure, Report, Target, parse};

/// Whose INBOX it is.
const USER: usize = 50;

/// Bytes of a delivered message.
const SIZE: usize = 4000;

/// Silence between two deliveries: a server may be busy with the last one's aftermath.
const PAUSE: Duration = Duration::from_millis(20);

/// Longest wait for a watcher to be told. Servers that cannot watch files look every 30 seconds.
const PATIENCE: Duration = Duration::from_secs(40);

pub(super) async fn run(target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    if options.prepare {
        return Ok(None);
    }
    let meter = Meter::begin(target)?;
    let run = pushes(target, options.connections.unwrap_or(40), options).await?;
    meter.report("push", "pushes", run, false).await.map(Some)
}

/// The pushes to so many watchers: when each was told.
pub(super) async fn pushes(target: &Target, watchers: usize, options: &Options) -> Result<Run, Failure> {
    let corpus = Corpus::new(Some(options.size.unwrap_or(SIZE)), &run_id());
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    let mut count = 0;
    for _ in 0..watchers {
        let mut imap = Imap::login(target, USER).await?;
        count = imap.select("INBOX").await?;
        imap.idle().await?;
        tasks.spawn(watch(imap, tell.clone()));
    }
    let mut lmtp = Lmtp::open(target).await?;
    let bounds = options.bounds(20, 50);
    let mut run = Run::default();
    let begin = Instant::now();
    for n in 0..bounds.steps as usize {
        if begin.elapsed() > bounds.time {
            break;
        }
        let sent = lmtp.deliver(&[target.address(USER)], &corpus.message(n)).await?;
        count += 1;
        for _ in 0..watchers {
            let (exists, at) = tokio::select! {
                Some(event) = told.recv() => event,
                Some(ended) = tasks.join_next() => {
                    ended.map_err(std::io::Error::other)??;
                    continue;
                }
                () = tokio::time::sleep(PATIENCE) => {
                    return Err(Failure::Wrong(format!("a watcher was not told within {PATIENCE:?}")));
                }
            };
            if exists != count {
                return Err(Failure::Wrong(format!("told of {exists} messages instead of {count}")));
            }
            run.steps.push(at.saturating_duration_since(sent));
        }
        run.work += watchers as u64;
        tokio::time::sleep(PAUSE).await;
        if told.try_recv().is_ok() {
            return Err(Failure::Wrong("a watcher was told twice".to_owned()));
        }
    }
    run.elapsed = begin.elapsed();
    Ok(run)
}

/// Reports each EXISTS and when it came, for as long as somebody listens.
async fn watch(mut imap: Imap, tell: mpsc::UnboundedSender<(usize, Instant)>) -> Result<(), Failure> {
    loop {
        if let Some((exists, b"EXISTS")) = parse::numbered(imap.pushed().await?)
            && tell.send((exists, Instant::now())).is_err()
        {
            return Ok(());
        }
    }
}
