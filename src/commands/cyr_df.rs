//! `angarium cyr_df`: the room on the file systems of the partitions. Cyrus' `cyr_df`.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches};
use rustix::fs::{StatVfs, statvfs};
use serde_json::json;
use tools::Exit;

use super::{Caller, Command, Run};
use crate::failure::Failure;
use crate::services::store_options;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

fn spec() -> clap::Command {
    clap::Command::new("cyr_df")
        .about("Show the room on the file systems of the partitions")
        .long_about(
            "Show, for each partition, the size of its file system and how much of it is used and free, in KiB.",
        )
        .after_long_help(
            "EXIT STATUS\n  0   done\n  64  wrong options\n  74  a partition cannot be looked at; the others are shown",
        )
        .arg(
            Arg::new("meta")
                .short('m')
                .action(ArgAction::SetTrue)
                .help("Accepted for Cyrus' sake: there are no partitions for metadata alone"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line"))
}

fn run(matches: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    let said = |problem| Failure::new(Exit::Io, problem);
    let layout = store_options(&caller.config()?).layout;
    let (json, mut exit) = (matches.get_flag("json"), Exit::Ok);
    if !json {
        let head = ("Partition", "1k-blocks", "Used", "Available", "Use%");
        let line = format!("{:<12} {:>12} {:>12} {:>12} {:>4} Location", head.0, head.1, head.2, head.3, head.4);
        terminal::out(&line).map_err(said)?;
    }
    for (name, path) in layout.partitions() {
        match statvfs(path) {
            Ok(found) => terminal::out(&line(name, path, &found, json)).map_err(said)?,
            Err(problem) => {
                exit = Exit::Io;
                terminal::err(&format!("{name}: {}: {problem}", path.display())).map_err(said)?;
            }
        }
    }
    Ok(exit)
}

fn line(name: &str, path: &Path, found: &StatVfs, as_json: bool) -> String {
    let kib = |blocks: u64| (u128::from(blocks) * u128::from(found.f_frsize) / 1024) as u64;
    let (size, used, free) =
        (kib(found.f_blocks), kib(found.f_blocks.saturating_sub(found.f_bfree)), kib(found.f_bavail));
    // Of what users other than root can have; rounded as Cyrus does.
    let percent = (u128::from(used) * 100 + u128::from(used + free) / 2) / u128::from((used + free).max(1));
    if as_json {
        let path = path.display().to_string();
        return json!({"partition": name, "path": path, "size_kib": size, "used_kib": used, "available_kib": free,
            "percent": percent as u64})
        .to_string();
    }
    format!("{name:<12} {size:>12} {used:>12} {free:>12} {percent:>3}% {}", path.display())
}
