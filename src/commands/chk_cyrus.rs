//! `angarium chk_cyrus`: message files that should be there and are not. Cyrus' `chk_cyrus`.

use clap::{Arg, ArgMatches};
use tools::examine::{MissingFiles, missing_files};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const EXAMPLES: &str = "\
EXAMPLES
  chk_cyrus
      every mailbox
  chk_cyrus -M 'user/joe*'
      joe's mailboxes

EXIT STATUS
  0   no file is missing
  1   files are missing or empty: restore them from a backup, then run reconstruct
  66  there is no such mailbox";

fn spec() -> clap::Command {
    clap::Command::new("chk_cyrus")
        .about("Name message files that are missing")
        .long_about(
            "Name the message files that cyrus.index speaks of and that are missing or empty, a line for each. Nothing is \
             changed.",
        )
        .after_long_help(EXAMPLES)
        .arg(Arg::new("mailbox").short('M').long("mailbox").value_name("MAILBOX").num_args(1).action(clap::ArgAction::Append)
            .help("Only this mailbox; * and % are wildcards"))
        .arg(Arg::new("partition").short('P').long("partition").value_name("PARTITION").help("Only this partition"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let request = MissingFiles {
        names: matches.get_many::<String>("mailbox").into_iter().flatten().cloned().collect(),
        partition: matches.get_one::<String>("partition").cloned(),
    };
    missing_files(&services.store, &request, console).map_err(|problem| Failure::new(problem.exit(), problem))
}
