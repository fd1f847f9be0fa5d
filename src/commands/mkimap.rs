//! `angarium mkimap`: the directories of a new store. Cyrus' `mkimap`.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use clap::ArgMatches;
use tools::Exit;

use super::{Caller, Command, Run};
use crate::failure::Failure;
use crate::services::store_options;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

/// The owner's, and his group's to look at (as Cyrus has it).
const MODE: u32 = 0o750;

/// Directories of the configuration directory.
const INSIDE: [&str; 7] = ["copies", "log", "quota", "sieve", "socket", "tls", "user"];

fn spec() -> clap::Command {
    clap::Command::new("mkimap")
        .about("Make the directories of a new store")
        .long_about(
            "Make the configuration directory and the partitions that the configuration names, with what belongs into them. \
             What is there already stays as it is. Not needed before a first start, which does the same; it is there for \
             scripts, and to see where everything will lie.",
        )
        .after_long_help("EXIT STATUS\n  0   done\n  73  a directory cannot be made\n  77  it may not be made by this user")
}

fn run(_: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    let config = caller.config()?;
    if let Some(file) = &config.file {
        say(&format!("reading configure file {}", file.display()))?;
    }
    let layout = store_options(&config).layout;
    make(layout.config())?;
    for inside in INSIDE {
        make(&layout.config().join(inside))?;
    }
    for (_, partition) in layout.partitions() {
        make(partition)?;
        make(&partition.join("stage."))?;
    }
    say("done")?;
    Ok(Exit::Ok)
}

fn make(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        return Ok(());
    }
    say(&format!("creating {}...", path.display()))?;
    DirBuilder::new().recursive(true).mode(MODE).create(path).map_err(|problem| {
        let exit = match problem.kind() {
            io::ErrorKind::PermissionDenied => Exit::NoPermission,
            _ => Exit::CantCreate,
        };
        Failure::new(exit, format!("{}: {problem}", path.display()))
    })
}

fn say(line: &str) -> Result<(), Failure> {
    terminal::out(line).map_err(|problem| Failure::new(Exit::Io, problem))
}
