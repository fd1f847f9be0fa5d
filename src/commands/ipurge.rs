//! `angarium ipurge`: messages expunged by age or size. Cyrus' `ipurge`.

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use tools::expire::{Purge, purge};
use tools::{Console, Exit, interval};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const EXAMPLES: &str = "\
EXAMPLES
  ipurge -n -d 365 team
      what in the shared mailbox team is older than a year?
  ipurge -f -X -d 30 'user/%/Trash'
      what came into users' Trash more than 30 days ago goes
  ipurge -f -m 20 -s 'user/joe/*'
      messages of more than 20 MiB go, \\Flagged ones stay

EXIT STATUS
  0   done
  64  wrong arguments";

fn spec() -> clap::Command {
    let flag = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).long(name).action(ArgAction::SetTrue).help(help)
    };
    let size = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).long(name).value_name("NUMBER").value_parser(value_parser!(u64)).help(help)
    };
    clap::Command::new("ipurge")
        .about("Expunge messages by age or size")
        .long_about(
            "Expunge messages that are older or larger than given; with both, messages must be both. Without -f users' mailboxes \
             are left alone. What is expunged is kept as any other expunged message (see unexpunge). A line for each mailbox.",
        )
        .after_long_help(EXAMPLES)
        .arg(Arg::new("MAILBOX").num_args(0..).help("Mailboxes, all if there are none; * and % are wildcards"))
        .arg(Arg::new("days").short('d').long("days").value_name("TIME").help("Older than so many days, or 12h, 30m"))
        .arg(size('b', "bytes", "Larger than so many bytes"))
        .arg(size('k', "kbytes", "Larger than so many KiB").conflicts_with("bytes"))
        .arg(size('m', "mbytes", "Larger than so many MiB").conflicts_with_all(["bytes", "kbytes"]))
        .arg(flag('f', "force", "Users' mailboxes too"))
        .arg(flag('x', "exact", "Of exactly that age in days or that size"))
        .arg(flag('X', "arrival", "The age is counted from the arrival, not from the Date field"))
        .arg(flag('i', "invert", "Expunge what does not match"))
        .arg(flag('s', "skip-flagged", "\\Flagged messages stay"))
        .arg(flag('o', "only-deleted", "Only \\Deleted messages"))
        .arg(flag('n', "dry-run", "Only say what would be done"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let failure = |problem: tools::CommandError| Failure::new(problem.exit(), problem);
    let size = |name: &str, unit: u64| matches.get_one::<u64>(name).map(|number| number.saturating_mul(unit));
    let request = Purge {
        names: matches.get_many::<String>("MAILBOX").into_iter().flatten().cloned().collect(),
        users: matches.get_flag("force"),
        age: matches.get_one::<String>("days").map(|text| interval::seconds(text)).transpose().map_err(failure)?,
        size: size("bytes", 1).or(size("kbytes", 1 << 10)).or(size("mbytes", 1 << 20)),
        exact: matches.get_flag("exact"),
        by_arrival: matches.get_flag("arrival"),
        invert: matches.get_flag("invert"),
        skip_flagged: matches.get_flag("skip-flagged"),
        only_deleted: matches.get_flag("only-deleted"),
        dry_run: matches.get_flag("dry-run"),
    };
    purge(&services.store, &request, console).map_err(failure)
}
