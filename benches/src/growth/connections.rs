//! What many connections cost that idle: memory, and whether others are answered and told as fast as without them.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::site::Site;
use super::{Chart, Curve, Goal, Settings, Subject, Times, progress, timed};
use crate::corpus::Corpus;
use crate::imap::Imap;
use crate::lmtp::Lmtp;
use crate::workload::run_id;
use crate::{Failure, Target, parse};

/// Users who idle, each in an INBOX.
const USERS: usize = 40;

/// The user who is not one of them and is told of mail.
const WATCHER: usize = USERS + 1;

/// Connections that are opened at the same time.
const AT_ONCE: usize = 16;

/// Bytes of a delivered message.
const SIZE: usize = 4000;

/// Silence between two deliveries: the aftermath of one is not to be measured with the next.
const PAUSE: Duration = Duration::from_millis(5);

/// KiB of a connection, of all that the server has grown by.
const GOAL_KIB: f64 = 12.0;

/// Milliseconds from a delivery to those who are told of it.
const GOAL_PUSH: f64 = 3.0;

/// Connections of which the server's growth tells something about each: it grows by pages.
const ENOUGH: usize = 50;

pub(super) async fn measure(settings: &Settings) -> Result<Subject, Failure> {
    let sizes = &settings.connections;
    let most = sizes.iter().max().copied().unwrap_or_default() + 100;
    let site =
        Site::new(settings, WATCHER, &[&format!("limits.connections = {most}"), "limits.connections_per_user = 0"])?;
    let (target, processes) = (site.target()?, site.processes()?);
    // Everybody once before: what a first login costs is not what a connection costs.
    for user in 1..=WATCHER {
        open(target.clone(), user).await?;
    }
    let mut prober = Prober::open(&target).await?;
    let before = processes.pss_kib()?;
    let mut idle = Vec::new();
    let (mut noop, mut push) = (Times::new("NOOP", sizes), Times::new("EXISTS", sizes));
    let (mut each, mut whole) = (Vec::new(), Vec::new());
    for (index, &count) in sizes.iter().enumerate() {
        progress(format_args!("{count} connections"));
        fill(&target, &mut idle, count).await?;
        let memory = processes.pss_kib()?;
        whole.push((count as f64, memory as f64 / 1024.0));
        if count >= ENOUGH {
            each.push((count as f64, memory.saturating_sub(before) as f64 / count as f64));
        }
        for _ in 0..settings.steps * settings.rounds {
            noop.push(index, prober.noop().await?);
        }
        for _ in 0..(settings.steps * settings.rounds).div_ceil(2) {
            push.push(index, prober.push().await?);
            tokio::time::sleep(PAUSE).await;
        }
    }
    let curve = |name: &str, points| vec![Curve { name: name.to_owned(), points }];
    Ok(Subject {
        name: "connections".to_owned(),
        axis: "connections in IDLE".to_owned(),
        charts: vec![
            Chart::new("Memory of a connection", "KiB", Some(Goal::AtMost(GOAL_KIB)), curve("growth of PSS", each)),
            Chart::new("Memory of the server", "MiB", None, curve("PSS", whole)),
            Chart::new("A command of another connection", "ms", None, vec![noop.medians()]),
            Chart::new(
                "From a delivery to who waits for it",
                "ms",
                Some(Goal::AtMost(GOAL_PUSH)),
                vec![push.medians()],
            ),
        ],
    })
}

/// Sessions that are not among those that idle, and are measured.
struct Prober {
    session: Imap,
    watcher: Imap,
    exists: usize,
    lmtp: Lmtp,
    address: String,
    corpus: Corpus,
    serial: usize,
}

impl Prober {
    async fn open(target: &Target) -> Result<Self, Failure> {
        let mut session = Imap::login(target, WATCHER).await?;
        session.select("INBOX").await?;
        let mut watcher = Imap::login(target, WATCHER).await?;
        let exists = watcher.select("INBOX").await?;
        watcher.idle().await?;
        Ok(Self {
            session,
            watcher,
            exists,
            lmtp: Lmtp::open(target).await?,
            address: target.address(WATCHER),
            corpus: Corpus::new(Some(SIZE), &run_id()),
            serial: 0,
        })
    }

    async fn noop(&mut self) -> Result<Duration, Failure> {
        Ok(timed(self.session.run("NOOP", |_| Ok(()))).await?.1)
    }

    /// From the last byte of a delivery to the EXISTS.
    async fn push(&mut self) -> Result<Duration, Failure> {
        self.serial += 1;
        self.exists += 1;
        let recipients = [self.address.clone()];
        let message = self.corpus.message(self.serial);
        let watching = async {
            loop {
                if let Some((exists, b"EXISTS")) = parse::numbered(self.watcher.pushed().await?) {
                    return Ok::<_, Failure>((exists, Instant::now()));
                }
            }
        };
        let (sent, (exists, told)) = tokio::try_join!(self.lmtp.deliver(&recipients, &message), watching)?;
        if exists != self.exists {
            return Err(Failure::Wrong(format!("told of {exists} messages instead of {}", self.exists)));
        }
        Ok(told.saturating_duration_since(sent))
    }
}

/// Opens connections until there are so many.
async fn fill(target: &Target, idle: &mut Vec<Imap>, count: usize) -> Result<(), Failure> {
    let mut opening = JoinSet::new();
    let mut asked = idle.len();
    while idle.len() < count {
        while asked < count && opening.len() < AT_ONCE {
            opening.spawn(open(target.clone(), asked % USERS + 1));
            asked += 1;
        }
        if let Some(opened) = opening.join_next().await {
            idle.push(opened.map_err(std::io::Error::other)??);
        }
    }
    Ok(())
}

async fn open(target: Target, user: usize) -> Result<Imap, Failure> {
    let mut imap = Imap::login(&target, user).await?;
    imap.select("INBOX").await?;
    imap.idle().await?;
    Ok(imap)
}
