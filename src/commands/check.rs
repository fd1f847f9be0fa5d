//! `angarium check`: whether the store is in order.

use clap::{Arg, ArgAction, ArgMatches};
use tools::check::{CheckStore, check_store};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("check")
        .about("Check the mail store; repair nothing")
        .long_about(
            "Check the mail store and name what is not in order. Repairs nothing. Exits with 1 if there is damage.",
        )
        .arg(flag("contents", "Read every message and compare it with its hash"))
        .arg(flag("json", "One JSON object for each finding"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let request = CheckStore { contents: matches.get_flag("contents"), json: matches.get_flag("json") };
    check_store(&services.store, request, console).map_err(|problem| Failure::new(problem.exit(), problem))
}
