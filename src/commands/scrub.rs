//! `angarium scrub`: everything that is kept, read and compared with what it should be.

use clap::{Arg, ArgAction, ArgMatches};
use tools::scrub::budget::SystemClock;
use tools::scrub::{ScrubRequest, scrub};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::config::value::{Setting, Size};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const LONG: &str = "\
Read every message file and compare it with the hash in its record; look at index, cache, counters, header and seen state of \
each mailbox, at quotas, subscriptions and directories. The server does the same by itself, a little all the time ([scrub] \
in the configuration); this does it now.

Repaired is what repeats something that is kept elsewhere: cyrus.cache, the counters of an index, cyrus.header where it \
differs from the mailboxes database, the usage of quota roots. Everything else is named, with the command for it: a message \
file that is missing or changed, an index that can't be read. Each finding is one line of output and one of log.

It runs with and without a server. With one, nobody notices anything of it: mailboxes are not opened, no lock is held while \
message files are read.";

const EXAMPLES: &str = "\
Exit codes:
  0   everything is in order now
  1   something is left to you (with -n: something was found)
  64  wrong arguments
  66  there is no such mailbox
  74  nobody reads the output any more
  75  try again: the store is in use, or the disk failed

Examples:
  scrub                           everything, as fast as the disk is
  scrub --bytes-per-second 20MiB  with some consideration
  scrub -n -r user/joe            joe's mailboxes; change nothing
  scrub --json                    for programs";

fn spec() -> clap::Command {
    let flag = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).long(name).action(ArgAction::SetTrue).help(help)
    };
    clap::Command::new("scrub")
        .about("Compare every message with its hash; repair what is derived")
        .long_about(LONG)
        .after_long_help(EXAMPLES)
        .arg(Arg::new("PATTERN").num_args(0..).help("Mailboxes; * and % are wildcards; everything if there are none"))
        .arg(flag('r', "recursive", "And all mailboxes below"))
        .arg(flag('n', "dry-run", "Change nothing, only say what is found"))
        .arg(flag('q', "quiet", "Only findings: no summary"))
        .arg(
            Arg::new("bytes-per-second")
                .long("bytes-per-second")
                .value_name("SIZE")
                .value_parser(size)
                .help("Read no more than this in a second, such as 20MiB; no limit without it"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object for each line"))
}

/// As sizes are written in the configuration.
fn size(text: &str) -> Result<u64, String> {
    Size::of(text).map(|size| size.0).map_err(|problem| format!("{problem}; expected {}", Size::EXPECTED))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let request = ScrubRequest {
        names: matches.get_many::<String>("PATTERN").into_iter().flatten().cloned().collect(),
        recursive: matches.get_flag("recursive"),
        dry_run: matches.get_flag("dry-run"),
        quiet: matches.get_flag("quiet"),
        json: matches.get_flag("json"),
        octets_per_second: matches.get_one::<u64>("bytes-per-second").copied().unwrap_or_default(),
    };
    let done = scrub(&services.store, &request, &SystemClock::default(), console);
    done.map_err(|problem| Failure::new(problem.exit(), problem))
}
