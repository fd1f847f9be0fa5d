//! `angarium kick`: ends sessions.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches};
use tools::{Console, Exit};
use tracing::info;
use wire::Network;
use wire::sessions::SessionView;

use super::{Command, Run, StoreCommand, who};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run }, who::no_server) };

/// What a client is told if the administrator says nothing else.
const MESSAGE: &str = "Disconnected by the administrator";

fn spec() -> clap::Command {
    clap::Command::new("kick")
        .about("End sessions")
        .long_about(
            "End sessions of the running server, by their numbers in `angarium who`, by user, by network, or all of them. \
             Each client is told why. A session that is at work ends when the command is done: nothing is cut in half. \
             Clients may connect again; `angarium user passwd` or a firewall keeps them out. Exits with 66 if there was \
             no such session, with 69 if no server runs.",
        )
        .arg(Arg::new("ID").num_args(0..).value_parser(clap::value_parser!(u64)).help("Sessions by number"))
        .arg(Arg::new("user").short('u').long("user").value_name("USER").action(ArgAction::Append).help("All sessions of a user"))
        .arg(
            Arg::new("from")
                .long("from")
                .value_name("NETWORK")
                .action(ArgAction::Append)
                .value_parser(str::parse::<Network>)
                .help("All sessions from an address or a network"),
        )
        .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("All sessions of mail clients and MTAs"))
        .group(ArgGroup::new("which").args(["ID", "user", "from", "all"]).multiple(true).required(true))
        .arg(Arg::new("message").short('m').long("message").value_name("TEXT").default_value(MESSAGE).help("What clients are told"))
        .after_long_help(
            "EXAMPLES\n  angarium kick 1234\n  angarium kick --user joe\n  angarium kick --all -m 'Back in ten minutes'",
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let ids: Vec<u64> = matches.get_many("ID").into_iter().flatten().copied().collect();
    let users: Vec<&String> = matches.get_many("user").into_iter().flatten().collect();
    let networks: Vec<&Network> = matches.get_many("from").into_iter().flatten().collect();
    let all = matches.get_flag("all");
    let message = matches.get_one::<String>("message").map_or(MESSAGE, String::as_str);
    if message.is_empty() || message.chars().any(char::is_control) {
        return Err(Failure::new(Exit::Usage, "the message must be one line of text"));
    }
    let chosen = |view: &SessionView| {
        let named = ids.contains(&view.id)
            || view.user.as_deref().is_some_and(|user| users.iter().any(|wanted| *wanted == user))
            || view.peer.ip().is_some_and(|ip| networks.iter().any(|network| network.contains(ip)));
        view.is_clients() && (named || all)
    };
    let ended = services.sessions.end(message, chosen);
    info!(event = "sessions.kicked", sessions = ended, message);
    console.out(&format!("{ended} sessions ended")).map_err(|problem| Failure::new(Exit::Io, problem))?;
    Ok(if ended == 0 && !all { Exit::NoInput } else { Exit::Ok })
}
