//! `angarium mbexamine`: what the files of a mailbox say. Cyrus' `mbexamine`.

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use tools::examine::{Examine, examine};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const EXAMPLES: &str = "\
EXAMPLES
  mbexamine user/joe
      header, readers and every record of joe's INBOX
  mbexamine -u 17 user/joe
      the record of one message
  mbexamine -q 'user/*'
      are the sums in the index headers right?

EXIT STATUS
  0   shown, and nothing is wrong
  1   something is counted wrongly, or a cache record is bad
  66  there is no such mailbox or message";

fn spec() -> clap::Command {
    let flag = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).long(name).action(ArgAction::SetTrue).help(help)
    };
    clap::Command::new("mbexamine")
        .about("Show what the files of a mailbox say")
        .long_about(
            "Show what cyrus.index, cyrus.header and cyrus.seen of a mailbox say: its numbers, its readers, and a line for each \
             record, expunged ones included. Nothing is changed, nor opened that is not open.",
        )
        .after_long_help(EXAMPLES)
        .arg(Arg::new("MAILBOX").required(true).num_args(1..).help("Mailboxes; * and % are wildcards"))
        .arg(
            Arg::new("uid").short('u').long("uid").value_name("UID").value_parser(value_parser!(u32)).help("Only this message"),
        )
        .arg(flag('q', "quota", "Only compare the sums that quotas are counted by with the records"))
        .arg(flag('c', "cache", "Only compare every cache record with its message").conflicts_with("quota"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let request = Examine {
        names: matches.get_many::<String>("MAILBOX").into_iter().flatten().cloned().collect(),
        uid: matches.get_one("uid").copied(),
        quota: matches.get_flag("quota"),
        cache: matches.get_flag("cache"),
        json: matches.get_flag("json"),
    };
    examine(&services.store, &request, console).map_err(|problem| Failure::new(problem.exit(), problem))
}
