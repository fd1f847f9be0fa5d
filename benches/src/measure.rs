//! Timed runs: clients that do step after step, and what comes out of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use crate::process::own_cpu_seconds;
use crate::{Bounds, Failure, Target};

/// What a server may still do after its last answer, and what is to be charged to the work before it.
const SETTLE: Duration = Duration::from_millis(1200);

/// One of several clients that work at the same time, each on its own connection.
pub(crate) trait Client: Send + 'static {
    /// Does the next piece of work and checks the answers. How much work it was, in the workload's unit.
    fn step(&mut self) -> impl Future<Output = Result<u64, Failure>> + Send;
}

/// What clients did together.
#[derive(Default)]
pub(crate) struct Run {
    /// How long each step took.
    pub(crate) steps: Vec<Duration>,
    /// Work of all steps.
    pub(crate) work: u64,
    /// From the first step's begin to the last one's end.
    pub(crate) elapsed: Duration,
}

/// The figures of a run without errors.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    /// Of which server, if it was told.
    pub label: String,
    /// Of which workload, with what tells it from others of its kind: `deliver-8x1`.
    pub name: String,
    /// What is counted: `messages`, `MB`, ...
    pub unit: String,
    /// How much of it was done.
    pub work: f64,
    /// In how many seconds.
    pub seconds: f64,
    /// `work` in a second.
    pub rate: f64,
    /// Time from a command to the end of its answer in milliseconds: half of them took no longer.
    pub p50_ms: f64,
    /// 99 in 100 took no longer.
    pub p99_ms: f64,
    /// CPU seconds of the server's processes, user and system, if they were named.
    pub cpu_seconds: Option<f64>,
    /// The same for a unit of work, in microseconds.
    pub cpu_us_per_unit: Option<f64>,
    /// CPU seconds of the load generator.
    pub client_cpu_seconds: f64,
    /// What this workload has besides.
    pub extra: BTreeMap<String, f64>,
}

/// Counts time and CPU of one run.
pub(crate) struct Meter<'a> {
    target: &'a Target,
    server: Option<f64>,
    client: f64,
}

/// Lets all clients work until a bound is reached. The first failure ends the run.
pub(crate) async fn drive<C: Client>(clients: Vec<C>, bounds: Bounds) -> Result<(Vec<C>, Run), Failure> {
    let left = Arc::new(AtomicU64::new(bounds.steps));
    let begin = Instant::now();
    let deadline = begin + bounds.time;
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let left = Arc::clone(&left);
        tasks.spawn(async move {
            let mut run = Run::default();
            let mut now = Instant::now();
            while now < deadline
                && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
            {
                run.work += client.step().await?;
                let end = Instant::now();
                run.steps.push(end - now);
                now = end;
            }
            Ok::<_, Failure>((client, run))
        });
    }
    let (mut clients, mut whole) = (Vec::new(), Run::default());
    while let Some(ended) = tasks.join_next().await {
        let (client, run) = ended.map_err(io::Error::other)??;
        clients.push(client);
        whole.work += run.work;
        whole.steps.extend(run.steps);
    }
    whole.elapsed = begin.elapsed();
    Ok((clients, whole))
}

impl<'a> Meter<'a> {
    /// Begins to count.
    pub(crate) fn begin(target: &'a Target) -> Result<Self, Failure> {
        let server = target.processes.map(|tree| tree.cpu_seconds()).transpose()?;
        Ok(Self { target, server, client: own_cpu_seconds()? })
    }

    /// The figures since the beginning; `settle` for work that a server goes on with after it answered.
    pub(crate) async fn report(self, name: &str, unit: &str, run: Run, settle: bool) -> Result<Report, Failure> {
        let client = own_cpu_seconds()? - self.client;
        if settle && self.server.is_some() {
            tokio::time::sleep(SETTLE).await;
        }
        let server = match (self.server, self.target.processes) {
            (Some(before), Some(tree)) => Some(tree.cpu_seconds()? - before),
            _ => None,
        };
        Ok(Report::new(name, unit, run, server, client))
    }
}

impl Report {
    fn new(name: &str, unit: &str, mut run: Run, server: Option<f64>, client: f64) -> Self {
        run.steps.sort_unstable();
        let ms = |duration: Duration| round(duration.as_secs_f64() * 1e3);
        // Bytes are counted one by one and told by the million.
        let work = if unit == "MB" { run.work as f64 / 1e6 } else { run.work as f64 };
        let seconds = run.elapsed.as_secs_f64();
        Self {
            label: String::new(),
            name: name.to_owned(),
            unit: unit.to_owned(),
            work,
            seconds: round(seconds),
            rate: round(work / seconds),
            p50_ms: ms(percentile(&run.steps, 50)),
            p99_ms: ms(percentile(&run.steps, 99)),
            cpu_seconds: server.map(round),
            cpu_us_per_unit: server.map(|cpu| round(cpu * 1e6 / work)),
            client_cpu_seconds: round(client),
            extra: BTreeMap::new(),
        }
    }

    /// What the machine itself reaches in a workload, without a server.
    #[must_use]
    pub fn of_machine(name: &str, unit: &str, rate: f64) -> Self {
        let run = Run { elapsed: Duration::from_secs(1), ..Run::default() };
        Self { label: "machine".to_owned(), rate: round(rate), ..Self::new(name, unit, run, None, 0.0) }
    }

    /// Adds a figure of its own.
    pub(crate) fn with(mut self, name: &str, value: f64) -> Self {
        self.extra.insert(name.to_owned(), round(value));
        self
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            out,
            "{:10} {:16} {:>12.1} {}/s  p50 {:.3} ms  p99 {:.3} ms",
            self.label, self.name, self.rate, self.unit, self.p50_ms, self.p99_ms
        )?;
        if let (Some(cpu), Some(each)) = (self.cpu_seconds, self.cpu_us_per_unit) {
            write!(out, "  server CPU {cpu:.2} s ({each:.1} us each)")?;
        }
        write!(out, "  client CPU {:.2} s", self.client_cpu_seconds)?;
        for (name, value) in &self.extra {
            write!(out, "  {name} {value}")?;
        }
        Ok(())
    }
}

/// The value that `percent` of the sorted values do not exceed (nearest rank); zero if there are none.
#[must_use]
pub fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

/// To three places: what is beyond them is noise.
fn round(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_ranks() {
        let sorted: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        for (percent, expected) in [(0, 1), (1, 2), (50, 100), (99, 198), (100, 200)] {
            assert_eq!(percentile(&sorted, percent), Duration::from_millis(expected), "{percent}");
        }
        assert_eq!(percentile(&sorted[..1], 99), Duration::from_millis(1));
        assert_eq!(percentile(&[], 50), Duration::ZERO);
    }

    struct Counter(u64);

    impl Client for Counter {
        async fn step(&mut self) -> Result<u64, Failure> {
            self.0 += 1;
            if self.0 > 1000 { Err(Failure::Wrong("enough".to_owned())) } else { Ok(2) }
        }
    }

    #[tokio::test]
    async fn bounds_hold_for_all_clients_together() {
        let bounds = Bounds { time: Duration::from_secs(60), steps: 7 };
        let (clients, run) = drive(vec![Counter(0), Counter(0)], bounds).await.unwrap();
        assert_eq!(clients.iter().map(|client| client.0).sum::<u64>(), 7);
        assert_eq!((run.steps.len(), run.work), (7, 14));
    }

    #[tokio::test]
    async fn a_failure_ends_the_run() {
        let bounds = Bounds { time: Duration::from_secs(60), steps: u64::MAX };
        assert!(drive(vec![Counter(0), Counter(0)], bounds).await.is_err());
    }
}
