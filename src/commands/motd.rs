//! `angarium motd`: what every client is shown after its login; and what it has in common with `angarium lockout`.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches};
use login::notices::{Kind, Running, Untold};
use tools::{Console, Exit};
use wire::notices::Notice;

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run }, alone) };

fn spec() -> clap::Command {
    with_arguments(clap::Command::new("motd"))
        .about("Show or set the message of the day")
        .long_about(
            "Show or set the message of the day: IMAP clients are sent it as an ALERT after each login, which they must \
             show (POP3 and LMTP have nothing of the kind). It is kept in msg/motd below config_dir; who edits that file \
             sends the server SIGHUP. Only its first line counts, of which clients get at most 400 characters of ASCII: \
             letters lose their accents.",
        )
        .after_long_help(
            "EXAMPLES\n  angarium motd\n  angarium motd -m 'On Saturday from 10 to 12 there will be no mail'\n  \
             angarium motd --clear",
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let config_dir = services.store.layout().config().to_owned();
    let running = Running { sessions: &services.sessions, service: &services.operator() };
    show_or_set(Kind::Motd, matches, &config_dir, Some(running), console)
}

fn alone(matches: &ArgMatches, config: &Config, console: &mut dyn Console) -> Result<Exit, Failure> {
    show_or_set(Kind::Motd, matches, &config.config_dir(), None, console)
}

/// The arguments of a command that shows or sets a notice.
pub(super) fn with_arguments(command: clap::Command) -> clap::Command {
    command
        .arg(Arg::new("message").short('m').long("message").value_name("TEXT").help("Set it to this line of text"))
        .arg(Arg::new("clear").long("clear").action(ArgAction::SetTrue).conflicts_with("message").help("Take it away"))
}

/// Does what the arguments say, in the running server or without one.
pub(super) fn show_or_set(
    kind: Kind,
    matches: &ArgMatches,
    config_dir: &Path,
    running: Option<Running<'_>>,
    console: &mut dyn Console,
) -> Result<Exit, Failure> {
    let message = matches.get_one::<String>("message");
    let unread = |problem: std::io::Error| Failure::new(Exit::Io, problem);
    if message.is_none() && !matches.get_flag("clear") {
        let unable = |problem| Failure::new(Exit::Io, format!("{}: {problem}", kind.file(config_dir).display()));
        let notice = kind.read(config_dir).map_err(unable)?;
        console.out(notice.as_ref().map_or("none", Notice::text)).map_err(unread)?;
        return Ok(Exit::Ok);
    }
    let untold = |problem| match problem {
        Untold::Notice(_) => Failure::new(Exit::Usage, problem),
        Untold::File { .. } => Failure::new(Exit::Io, problem),
    };
    let ended = kind.tell(config_dir, running, message.map(String::as_str)).map_err(untold)?;
    if ended > 0 {
        console.out(&format!("{ended} sessions ended")).map_err(unread)?;
    }
    Ok(Exit::Ok)
}
