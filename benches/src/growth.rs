//! How the cost of a command grows with what is there already: messages in a mailbox, mailboxes in the store, connections.
//!
//! A server is started for each of the three, in a directory of its own. What must not depend on the size is measured at
//! all sizes in turns, so that a busy moment of the machine falls on all of them. Every answer is checked, as in the
//! workloads.
//!
//! The figures are kept as JSON; [`picture`] and [`chapter`] make pictures and text of them, the same ones each time.

mod connections;
mod mailboxes;
mod messages;
mod scale;
mod site;

pub mod chapter;
pub mod picture;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{Failure, percentile};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's program.
    pub program: PathBuf,
    /// Where the servers keep their mail, on a file system that keeps what is synced. It must exist.
    pub directory: PathBuf,
    /// Messages in a mailbox.
    pub messages: Vec<usize>,
    /// Mailboxes in the store.
    pub mailboxes: Vec<usize>,
    /// Connections that idle.
    pub connections: Vec<usize>,
    /// How often each command is measured in a round.
    pub steps: usize,
    /// Rounds over all sizes.
    pub rounds: usize,
}

/// All that was measured, and when and where.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Figures {
    /// One sentence for the reader: the day, the machine, its load.
    pub measured: String,
    /// A picture for each.
    pub subjects: Vec<Subject>,
}

/// What grows, and what grows with it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subject {
    /// `messages`: the picture's file name.
    pub name: String,
    /// What the horizontal axes count: `messages in the mailbox`.
    pub axis: String,
    /// The charts, from left to right and from top to bottom.
    pub charts: Vec<Chart>,
}

/// Curves in the same unit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chart {
    /// What is seen.
    pub title: String,
    /// In what it is measured: `ms`.
    pub unit: String,
    /// What we hold ourselves to, in the same unit.
    pub goal: Option<Goal>,
    /// The curves.
    pub curves: Vec<Curve>,
}

/// A bound that all curves of a chart must keep.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Goal {
    /// Not above.
    AtMost(f64),
    /// Not below.
    AtLeast(f64),
}

/// A figure at each size.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Curve {
    /// Of what: `STORE`.
    pub name: String,
    /// Size and figure, the size ascending.
    pub points: Vec<(f64, f64)>,
}

/// Measures all three.
///
/// # Errors
/// [`Failure`]: then there are no figures.
pub async fn measure(settings: &Settings) -> Result<Vec<Subject>, Failure> {
    Ok(vec![
        messages::measure(settings).await?,
        mailboxes::measure(settings).await?,
        connections::measure(settings).await?,
    ])
}

impl Chart {
    fn new(title: &str, unit: &str, goal: Option<Goal>, curves: Vec<Curve>) -> Self {
        Self { title: title.to_owned(), unit: unit.to_owned(), goal, curves }
    }
}

/// Times of one command at several sizes.
struct Times {
    name: &'static str,
    at: Vec<(usize, Vec<Duration>)>,
}

impl Times {
    fn new(name: &'static str, sizes: &[usize]) -> Self {
        Self { name, at: sizes.iter().map(|&size| (size, Vec::new())).collect() }
    }

    /// Adds a time at the size of that index.
    fn push(&mut self, index: usize, time: Duration) {
        if let Some((_, times)) = self.at.get_mut(index) {
            times.push(time);
        }
    }

    /// Medians in milliseconds.
    fn medians(self) -> Curve {
        let median = |mut times: Vec<Duration>| {
            times.sort_unstable();
            percentile(&times, 50).as_secs_f64() * 1e3
        };
        let points = self.at.into_iter().map(|(size, times)| (size as f64, median(times))).collect();
        Curve { name: self.name.to_owned(), points }
    }
}

/// How long something takes.
async fn timed<T>(what: impl Future<Output = Result<T, Failure>>) -> Result<(T, Duration), Failure> {
    let begin = Instant::now();
    let done = what.await?;
    Ok((done, begin.elapsed()))
}

/// Tells whoever waits in front of the terminal.
#[expect(clippy::print_stderr, reason = "a run takes minutes")]
fn progress(what: std::fmt::Arguments<'_>) {
    eprintln!("growth: {what}");
}
