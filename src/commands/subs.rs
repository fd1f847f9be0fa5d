//! `angarium subs`: whether subscription files are in order, and their repair.

use clap::{Arg, ArgAction, ArgMatches};
use tools::subscriptions::{SubsRequest, subs};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand, names};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("subs")
        .about("Check and repair subscription files")
        .long_about(
            "Check the subscription files of users, and with --repair write the good lines of each damaged one back, sorted. \
             What a bad line held is lost: subscriptions are nowhere else, so restore the file from a backup if it matters. \
             Readers pass bad lines over.",
        )
        .after_long_help(
            "EXAMPLES\n  subs --check\n      who has a damaged file\n  subs --repair joe\n      joe's good lines, sorted\n\nEXIT \
             STATUS\n  0   all is in order, or was repaired\n  1   --check found damage\n  64  wrong options",
        )
        .arg(flag("check", "Only look (as without any option)").conflicts_with("repair"))
        .arg(flag("repair", "Write good lines back"))
        .arg(flag("json", "One JSON object a line"))
        .arg(Arg::new("USER").num_args(0..).help("User IDs [default: everybody who has a file]"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let users: Vec<String> = matches.get_many::<String>("USER").unwrap_or_default().cloned().collect();
    users.iter().try_for_each(|user| names::inbox(user).map(drop))?;
    let request = SubsRequest { repair: matches.get_flag("repair"), users, json: matches.get_flag("json") };
    subs(&services.store, &request, console).map_err(|problem| Failure::new(problem.exit(), problem))
}
