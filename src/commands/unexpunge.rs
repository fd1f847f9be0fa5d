//! `angarium unexpunge`: expunged messages that are kept for a while. Cyrus' `unexpunge`.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, value_parser};
use tools::unexpunge::{Unexpunge, Which, unexpunge};
use tools::{Console, Exit, interval};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const EXAMPLES: &str = "\
EXAMPLES
  unexpunge -l user/joe
      the expunged messages that are kept, with size, dates and subject
  unexpunge -t 1h user/joe
      bring back what was expunged in the last hour
  unexpunge -u user/joe 17 21
      bring back two messages

EXIT STATUS
  0   done
  64  wrong arguments
  66  there is no such mailbox, or no such message is kept";

fn spec() -> clap::Command {
    let flag = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).long(name).action(ArgAction::SetTrue).help(help)
    };
    clap::Command::new("unexpunge")
        .about("List expunged messages, or bring them back")
        .long_about(
            "List the expunged messages of a mailbox that are kept until cyr_expire removes them, or bring them back. A message \
             that is brought back gets a new UID, keeps its flags but for \\Deleted, and is unseen. Quotas do not stop it.",
        )
        .after_long_help(EXAMPLES)
        .arg(Arg::new("MAILBOX").required(true).help("The mailbox; * and % are wildcards"))
        .arg(Arg::new("UID").num_args(0..).value_parser(value_parser!(u32)).help("With -u: the messages"))
        .arg(flag('l', "list", "List them"))
        .arg(flag('a', "all", "Bring all back"))
        .arg(flag('u', "uids", "Bring the messages with these UIDs back").requires("UID"))
        .arg(
            Arg::new("time").short('t').long("time").value_name("TIME").help(
                "Bring back what was expunged within this time: 1h, 3d; bare numbers are days",
            ),
        )
        .group(ArgGroup::new("what").args(["list", "all", "uids", "time"]).required(true))
        .arg(Arg::new("dry-run").short('n').long("dry-run").action(ArgAction::SetTrue).help("Only say what would be done"))
        .arg(Arg::new("deleted").short('d').action(ArgAction::SetTrue).hide(true).help("Take \\Deleted away: always so"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let failure = |problem: tools::CommandError| Failure::new(problem.exit(), problem);
    let uids: Vec<u32> = matches.get_many("UID").into_iter().flatten().copied().collect();
    let which = match matches.get_one::<String>("time") {
        Some(time) => Which::Within(interval::seconds(time).map_err(failure)?),
        None if matches.get_flag("uids") => Which::Uids(uids),
        None => Which::All,
    };
    let request = Unexpunge {
        mailbox: matches.get_one::<String>("MAILBOX").cloned().unwrap_or_default(),
        list: matches.get_flag("list"),
        which,
        dry_run: matches.get_flag("dry-run"),
        json: matches.get_flag("json"),
    };
    unexpunge(&services.store, &request, console).map_err(failure)
}
