//! `angarium backup`: a copy of the store, taken while it is in use.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};
use tools::backup::{BackupRequest, Destination, backup, verify_backup};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let path = |name: &'static str| Arg::new(name).value_name("DIR").value_parser(clap::value_parser!(PathBuf));
    clap::Command::new("backup")
        .about("Copy the whole store while it is in use")
        .long_about(
            "Copy the whole store into a directory while it is in use: each mailbox as it is at one moment, with the \
             mailboxes database, the directory, quota limits, subscriptions and scripts, and a manifest with the hash of \
             every file, which is written last. Everything is a plain file: single messages, folders and users come \
             back with `angarium restore`, or with tar and `reconstruct`. Keys and certificates are not copied. With --tar \
             the same goes into a tar archive as it is made; unpack it to compare it or to restore from it.",
        )
        .arg(path("DIR").required(true).help("Where it goes: an empty directory, or one that is made"))
        .arg(path("previous").long("previous").help("Link messages that this earlier backup has instead of copying them"))
        .arg(
            Arg::new("hard-link")
                .long("hard-link")
                .action(ArgAction::SetTrue)
                .help("Link message files of the spool where that is possible: quick, and on the same disk"),
        )
        .arg(
            Arg::new("tar")
                .long("tar")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["previous", "hard-link", "verify"])
                .help("Write a tar archive: DIR is its file, or - for standard output"),
        )
        .arg(
            Arg::new("verify")
                .long("verify")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["previous", "hard-link"])
                .help("Copy nothing: compare the backup in DIR with its manifest"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Say what was done as JSON"))
        .after_long_help(
            "EXIT STATUS\n  0   done\n  1   done, but some messages are damaged; each is named\n  64  DIR is not empty\n  66  there is no backup to compare with\n\n\
             EXAMPLES\n  angarium backup /backup/monday\n  angarium backup /backup/tuesday --previous /backup/monday\n  angarium backup --verify /backup/monday\n  angarium backup --tar - | ssh far tee monday.tar",
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let path = |name: &str| matches.get_one::<PathBuf>(name).cloned();
    let to = path("DIR").unwrap_or_default();
    let done = if matches.get_flag("verify") {
        verify_backup(&to, console)
    } else {
        let to = match matches.get_flag("tar") {
            false => Destination::Directory(to),
            true if to.as_os_str() == "-" => Destination::Stdout,
            true => Destination::Archive(to),
        };
        let (hard_link, json) = (matches.get_flag("hard-link"), matches.get_flag("json"));
        let request = BackupRequest { to, previous: path("previous"), hard_link, json };
        backup(&services.store, &*services.directory, &request, console)
    };
    done.map_err(|problem| Failure::new(problem.exit(), problem))
}
