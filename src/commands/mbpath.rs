//! `angarium mbpath`: where mailboxes lie, and which mailbox lies where. Cyrus' `mbpath`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};
use tools::paths::{PathRequest, mailbox_paths, mailboxes_at};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand, names};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("mbpath")
        .about("Print the directories of mailboxes, or the mailboxes of directories")
        .long_about(
            "Print the directory of each mailbox; or with -p the mailbox of each directory or file. Names are internal names, \
             user/joe/Lists or as Cyrus has them user.joe.Lists.",
        )
        .after_long_help(
            "EXAMPLES\n  mbpath user/joe\n      /var/spool/imap/user/joe\n  mbpath -u joe\n      the same by user ID\n  mbpath \
             -p /var/spool/imap/user/joe/17.\n      user/joe\n\nEXIT STATUS\n  0   done\n  64  wrong options\n  66  a mailbox does \
             not exist",
        )
        .arg(flag("paths", "Arguments are paths").short('p').conflicts_with("user"))
        .arg(flag("user", "Arguments are user IDs").short('u'))
        .arg(flag("quiet", "Say nothing of what does not exist").short('q'))
        .arg(flag("stop", "End at the first that does not exist").short('s'))
        .arg(flag("local", "Accepted for Cyrus' sake: every mailbox is local").short('l'))
        .arg(flag("json", "One JSON object a line"))
        .arg(Arg::new("NAME").num_args(1..).required(true).help("Mailboxes, users or paths"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let args = matches.get_many::<String>("NAME").unwrap_or_default();
    let request = PathRequest {
        quiet: matches.get_flag("quiet"),
        stop: matches.get_flag("stop"),
        json: matches.get_flag("json"),
    };
    let done = if matches.get_flag("paths") {
        mailboxes_at(&services.store, &args.map(PathBuf::from).collect::<Vec<_>>(), request, console)
    } else {
        let by_user = matches.get_flag("user");
        let name = |text: &String| names::mailbox(&if by_user { names::inbox(text)? } else { text.clone() });
        let wanted = args.map(name).collect::<Result<Vec<_>, _>>()?;
        mailbox_paths(&services.store, &wanted, request, console)
    };
    done.map_err(|problem| Failure::new(problem.exit(), problem))
}
