//! A million mailboxes: what a start, LIST and the repair tools cost with a store of a size that nobody makes by CREATE for
//! a measurement. The store is written straight to disk in its own formats (docs/formats/), which takes seconds.
//!
//! Times are a process's own processor time, user and system, beside the wall clock: the machine may be shared.

mod made;
mod parts;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::{ADMIN, Home};

pub use parts::{list, quota, reconstruct};

use crate::process::own_cpu_seconds;
use crate::{Failure, Tree};

/// What to measure, and where.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's program.
    pub program: PathBuf,
    /// Where the stores are made; nothing is left there.
    pub directory: PathBuf,
    /// How often what takes seconds is measured; the median counts.
    pub rounds: usize,
}

/// A line of the table.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was done.
    pub what: String,
    /// How long it took by the clock.
    pub wall: Duration,
    /// Processor seconds.
    pub cpu: f64,
    /// Memory in MiB: at the end of a start (PSS), the highest of a tool.
    pub memory: Option<u64>,
    /// A rate, where it says more than the time.
    pub rate: Option<String>,
}

/// The table in Markdown.
#[must_use]
pub fn table(figures: &[Figure]) -> String {
    let mut text = "| | CPU, s | wall, s | memory, MiB | |\n|---|--:|--:|--:|---|\n".to_owned();
    for Figure { what, wall, cpu, memory, rate } in figures {
        let memory = memory.map(|memory| memory.to_string()).unwrap_or_default();
        let rate = rate.as_deref().unwrap_or_default();
        text.push_str(&format!("| {what} | {cpu:.2} | {:.2} | {memory} | {rate} |\n", wall.as_secs_f64()));
    }
    text
}

/// A store with an administrator and no mailboxes but his, stopped.
struct Place {
    home: Home,
    _directory: tempfile::TempDir,
    program: PathBuf,
}

impl Place {
    fn new(settings: &Settings) -> Result<Self, Failure> {
        let directory = tempfile::tempdir_in(&settings.directory)?;
        let home = Home::at(&settings.program.to_string_lossy(), directory.path(), &[]);
        home.add_user(ADMIN);
        Ok(Self { home, _directory: directory, program: settings.program.clone() })
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// Runs a command by itself, without a server; its output goes to a file.
    fn run(&self, what: &str, arguments: &[&str]) -> Result<Figure, Failure> {
        self.run_with(what, arguments, Stdio::null())
    }

    fn run_with(&self, what: &str, arguments: &[&str], input: Stdio) -> Result<Figure, Failure> {
        let (begin, before) = (Instant::now(), own_cpu_seconds()?);
        let mut child = Command::new(&self.program)
            .args(arguments)
            .current_dir(self.path())
            .stdin(input)
            .stdout(File::create(self.output())?)
            .stderr(File::create(self.path().join("errors"))?)
            .spawn()?;
        let mut memory = 0;
        let status = loop {
            // The highest so far: the last look counts.
            memory = peak_kib(child.id()).unwrap_or(memory);
            match child.try_wait()? {
                Some(status) => break status,
                None => std::thread::sleep(LOOK_EVERY),
            }
        };
        let figure = Figure {
            what: what.to_owned(),
            wall: begin.elapsed(),
            // A child that was waited for is in our own account.
            cpu: own_cpu_seconds()? - before,
            memory: Some(memory / 1024),
            rate: None,
        };
        // A check that found something is no failure.
        if status.code().is_none_or(|code| code > 1) {
            let said = std::fs::read(self.path().join("errors"))?;
            return Err(Failure::wrong(&format!("{arguments:?}: {status}"), &said));
        }
        Ok(figure)
    }

    fn output(&self) -> PathBuf {
        self.path().join("output")
    }
}

/// How often a command's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

fn peak_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// The figure with the median of the processor times.
fn median(mut figures: Vec<Figure>) -> Option<Figure> {
    figures.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let middle = figures.len() / 2;
    figures.into_iter().nth(middle)
}

fn server_cpu(pid: u32) -> Result<f64, Failure> {
    Tree::new(pid).cpu_seconds()
}

/// Tells whoever waits in front of the terminal.
#[expect(clippy::print_stderr, reason = "a run takes minutes")]
fn progress(what: std::fmt::Arguments<'_>) {
    eprintln!("scale: {what}");
}
