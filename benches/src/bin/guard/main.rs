//! Counts the instructions of the hot paths under callgrind and compares them with those that were committed: a regression
//! that no noise of the machine hides or makes.
//!
//! Each path (`paths.rs`) runs in this very program, under valgrind: a server without sockets and a client on one tokio
//! runtime. Start, store, login and first rounds are not counted (`callgrind.rs`); the client is, and does little.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

mod callgrind;
mod figures;
mod paths;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};
use figures::Figures;
use paths::PATHS;

/// How often a path is counted again that seems to have risen: the seeds of hash tables and the order in which threads run make
/// a percent or two, and what has really risen has risen each time.
const AGAIN: usize = 2;

/// Counts the instructions of each path under valgrind and compares them with the committed ones. Fails if one rose.
#[derive(Parser)]
struct Arguments {
    /// Writes the figures instead of comparing them
    #[arg(long)]
    bless: bool,

    /// Only these paths
    #[arg(long, value_name = "PATH", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,

    /// The committed figures
    #[arg(long, default_value = "benches/instructions.toml")]
    file: PathBuf,

    /// Keep callgrind's profiles there, for callgrind_annotate
    #[arg(long, value_name = "DIRECTORY")]
    keep: Option<PathBuf>,

    #[command(subcommand)]
    run: Option<Run>,
}

#[derive(Subcommand)]
enum Run {
    /// Does some rounds of one path in this process: what valgrind is given
    Run {
        #[arg(value_parser = names())]
        path: String,
        rounds: u32,
        /// An empty directory, for the store
        directory: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("guard: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is well.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    if let Some(Run::Run { path, rounds, directory }) = &arguments.run {
        paths::run(path, *rounds, directory)?;
        return Ok(true);
    }
    if !has_the_instructions() {
        eprintln!("guard: left out: the figures are those of an x86-64 processor with AVX2");
        return Ok(true);
    }
    let mut now = measure(&arguments.only, arguments.keep.as_deref())?;
    let compiler = compiler()?;
    let mut committed = Figures::read(&arguments.file)?;
    for _ in 0..if arguments.bless { 0 } else { AGAIN } {
        let rows = figures::compare(&now, &committed.paths);
        let risen = rows.into_iter().filter(|row| row.is_failure() && now.contains_key(&row.path));
        let risen: Vec<String> = risen.map(|row| row.path).collect();
        if risen.is_empty() {
            break;
        }
        println!("counted again: {}", risen.join(", "));
        for (path, again) in measure(&risen, arguments.keep.as_deref())? {
            now.entry(path).and_modify(|least| *least = again.min(*least));
        }
    }
    let mut rows = figures::compare(&now, &committed.paths);
    rows.retain(|row| arguments.only.is_empty() || arguments.only.contains(&row.path));
    print!("{}", figures::table(&rows));
    if arguments.bless {
        committed.bless(&now, compiler, arguments.only.is_empty());
        committed.write(&arguments.file)?;
        return Ok(true);
    }
    for remark in rows.iter().filter_map(figures::Row::remark) {
        println!("{remark}");
    }
    if committed.compiler != compiler {
        println!("The committed figures are of {}, these are of {compiler}: nothing is judged.", committed.compiler);
        return Ok(true);
    }
    Ok(!rows.iter().any(figures::Row::is_failure))
}

/// Instructions for a round of each path, or of those named.
fn measure(only: &[String], keep: Option<&Path>) -> Result<BTreeMap<String, u64>, Box<dyn Error>> {
    let mut now = BTreeMap::new();
    for path in PATHS.iter().filter(|path| only.is_empty() || only.iter().any(|name| name == path.name)) {
        let instructions = callgrind::instructions_per_round(path.name, path.rounds, keep)
            .map_err(|error| format!("{}: {error}", path.name))?;
        now.insert(path.name.to_owned(), instructions);
    }
    Ok(now)
}

/// Hashing, searching and copying choose their code by the processor.
fn has_the_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

/// What `rustc --version` says, without hash and date.
fn compiler() -> Result<String, Box<dyn Error>> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = String::from_utf8(Command::new(rustc).arg("--version").output()?.stdout)?;
    Ok(version.split(" (").next().unwrap_or_default().trim().to_owned())
}

fn names() -> Vec<&'static str> {
    PATHS.iter().map(|path| path.name).collect()
}
