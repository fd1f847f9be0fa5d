//! `angarium domain`: domains that mail is accepted for.

use clap::{Arg, ArgAction, ArgMatches};
use tools::domain::{add_domain, list_domains};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("domain")
        .about("Add and list mail domains")
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("add")
                .about("Accept mail for a domain")
                .arg(Arg::new("DOMAIN").required(true))
                .arg(Arg::new("description").long("description").value_name("TEXT").default_value("")),
        )
        .subcommand(
            clap::Command::new("list")
                .about("List domains")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line")),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let text = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let done = match matches.subcommand() {
        Some(("add", matches)) => {
            add_domain(&*services.directory, &text(matches, "DOMAIN"), &text(matches, "description"))
        }
        Some((_, matches)) => list_domains(&*services.directory, matches.get_flag("json"), console),
        None => Ok(()),
    };
    done.map(|()| Exit::Ok).map_err(|problem| Failure::new(problem.exit(), problem))
}
