//! `angarium restore`: mail from a backup.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};
use mailstore::uid_set;
use tools::restore::{RestoreRequest, restore};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand, names};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("restore")
        .about("Bring back a user's mail, a folder or a message from a backup")
        .long_about(
            "Bring back mail from a backup that `angarium backup` made: a mailbox and all below it, or single messages. \
             What is there already is left alone, whatever its flags; everything else is appended with flags, keywords \
             and dates, under new UIDs. Quotas are not asked. May be run again: the second time there is nothing to do.",
        )
        .arg(Arg::new("from").long("from").value_name("DIR").required(true).value_parser(clap::value_parser!(PathBuf)).help("The backup"))
        .arg(Arg::new("MAILBOX").required(true).help("user/joe is all of joe's mail, user/joe/Lists one of his folders"))
        .arg(
            Arg::new("uids")
                .long("uid")
                .value_name("SET")
                .value_parser(|text: &str| uid_set::parse(text).ok_or("a set of UIDs looks like 3,7:9"))
                .help("Only these messages of MAILBOX, by their UIDs in the backup"),
        )
        .arg(Arg::new("into").long("into").value_name("MAILBOX").help("Put it there instead of where it was"))
        .arg(flag("dry-run", "Say only what would be done").short('n'))
        .arg(flag("json", "One JSON object for each mailbox"))
        .after_long_help(
            "EXIT STATUS\n  0   done\n  65  some messages could not be restored; each is named\n  66  no such backup, or no such mailbox in it\n  67  the user is gone: make him again first\n\n\
             EXAMPLES\n  angarium restore --from /backup/monday user/joe\n  angarium restore --from /backup/monday user/joe --into user/joe/Monday\n  angarium restore --from /backup/monday user/joe/Lists --uid 17,20:25",
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    let request = RestoreRequest {
        from: matches.get_one::<PathBuf>("from").cloned().unwrap_or_default(),
        mailbox: names::mailbox(text("MAILBOX").unwrap_or_default())?,
        uids: matches.get_one::<mailstore::UidSet>("uids").cloned(),
        into: text("into").map(names::mailbox).transpose()?,
        dry_run: matches.get_flag("dry-run"),
        json: matches.get_flag("json"),
    };
    restore(&services.store, &request, console).map_err(|problem| Failure::new(problem.exit(), problem))
}
