//! `angarium cyr_expire`: what was deleted or expunged goes for good. Cyrus' `cyr_expire`.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches};
use tools::expire::{Expire, expire};
use tools::{Console, Exit, interval};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const EXAMPLES: &str = "\
EXAMPLES
  cyr_expire -E 3 -D 7 -X 7
      what the server does once a day by itself
  cyr_expire -n -X 1d -u joe
      which of joe's mailboxes hold messages that were expunged more than a day ago?

EXIT STATUS
  0   done
  64  wrong arguments
  74  reading or writing failed; the rest was done";

fn spec() -> clap::Command {
    let time = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).long(name).value_name("TIME").help(help)
    };
    clap::Command::new("cyr_expire")
        .about("Remove for good what was deleted or expunged long ago")
        .long_about(
            "Remove for good what was deleted or expunged long enough ago, and forget old deliveries. Times are 7d, 12h, 30m or \
             90s; bare numbers are days. A line for each mailbox that lost something.",
        )
        .after_long_help(EXAMPLES)
        .arg(time('D', "deleted", "Mailboxes that were deleted so long ago"))
        .arg(time('E', "deliveries", "What is remembered of deliveries so long ago"))
        .arg(time('X', "expunged", "Messages that were expunged so long ago"))
        .group(ArgGroup::new("what").args(["deleted", "deliveries", "expunged"]).required(true).multiple(true))
        .arg(Arg::new("prefix").short('p').long("prefix").value_name("PREFIX").help("Only mailboxes whose names begin so"))
        .arg(Arg::new("user").short('u').long("user").value_name("USER").help("Only mailboxes of that user"))
        .arg(Arg::new("dry-run").short('n').long("dry-run").action(ArgAction::SetTrue).help("Only say what would be done"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let failure = |problem: tools::CommandError| Failure::new(problem.exit(), problem);
    let time = |name: &str| matches.get_one::<String>(name).map(|text| interval::seconds(text)).transpose();
    let request = Expire {
        deleted: time("deleted").map_err(failure)?,
        deliveries: time("deliveries").map_err(failure)?,
        expunged: time("expunged").map_err(failure)?,
        prefix: matches.get_one::<String>("prefix").map(|prefix| super::names::internal(prefix)),
        user: matches.get_one::<String>("user").cloned(),
        dry_run: matches.get_flag("dry-run"),
    };
    expire(&services.store, &request, console).map_err(failure)
}
