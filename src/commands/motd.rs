//! `angarium motd`: what every client is shown after its login; and what it has in common with `angarium lockout`.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches};
use tools::{Console, Exit};
use wire::Sessions;
use wire::notices::{LONGEST, Notice};

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::notices::Kind;
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
    show_or_set(Kind::Motd, matches, &config_dir, Some(&services.sessions), console)
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

/// Does what the arguments say, in the running server (with its sessions) or without one.
pub(super) fn show_or_set(
    kind: Kind,
    matches: &ArgMatches,
    config_dir: &Path,
    sessions: Option<&Sessions>,
    console: &mut dyn Console,
) -> Result<Exit, Failure> {
    let message = matches.get_one::<String>("message");
    let file = kind.file(config_dir);
    let unable = |problem: std::io::Error| Failure::new(Exit::Io, format!("{}: {problem}", file.display()));
    if message.is_none() && !matches.get_flag("clear") {
        let said = match kind.read(config_dir).map_err(unable)? {
            Some(notice) => notice.text().to_owned(),
            None => "none".to_owned(),
        };
        console.out(&said).map_err(|problem| Failure::new(Exit::Io, problem))?;
        return Ok(Exit::Ok);
    }
    let notice = message.map(|text| notice(text)).transpose()?;
    kind.write(config_dir, message.map(String::as_str)).map_err(unable)?;
    let ended = sessions.map_or(0, |sessions| kind.put_in_force(sessions, notice));
    if ended > 0 {
        console.out(&format!("{ended} sessions ended")).map_err(|problem| Failure::new(Exit::Io, problem))?;
    }
    Ok(Exit::Ok)
}

/// What an administrator typed, if clients can be told all of it.
fn notice(text: &str) -> Result<Notice, Failure> {
    let wrong = |what: &str| Failure::new(Exit::Usage, format!("the message {what}"));
    if text.chars().any(char::is_control) {
        return Err(wrong("must be one line of text"));
    }
    let notice = Notice::new(text).ok_or_else(|| wrong("is empty"))?;
    if notice.text().len() == LONGEST {
        return Err(wrong(&format!("is longer than {} characters", LONGEST - 1)));
    }
    Ok(notice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(notice(text).ok().as_ref().map(Notice::text), expected, "{text:?}");
        };
        check("Back at noon", Some("Back at noon"));
        check("Größe", Some("Grosse"));
        check("two\nlines", None);
        check("a\r\n* BYE", None);
        check("", None);
        check("  ", None);
        check(&"x".repeat(399), Some(&"x".repeat(399)));
        check(&"x".repeat(400), None);
    }
}
