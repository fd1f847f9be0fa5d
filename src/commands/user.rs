//! `angarium user`: people with a mailbox.

use std::io::{BufRead, Read};

pub(super) mod accounts;
mod app_password;
pub(super) mod automatic;
pub(super) mod fields;
pub(super) mod list;
mod spec;

use admin::control::Input;
use clap::ArgMatches;
use directory::{UserId, Words};
use mailstore::ErrorKind;
use tools::logins::list_logins;
use tools::usage::{UsageRequest, show_usage};
use tools::user::{read_password, set_password};
use tools::{CommandError, Console, Exit};

pub(super) use self::spec::{delete_spec, hash, password_stdin};
use super::listing::{text, texts, words};
use super::{Command, Run, StoreCommand, names};
use crate::failure::Failure;
use crate::services::Services;
use crate::terminal;

pub(super) const COMMAND: Command =
    Command { spec: spec::spec, links: &[], run: Run::Store(StoreCommand { input, run }) };

/// The password, asked for where the administrator sits: the server has no terminal.
fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    match matches.subcommand() {
        Some(("add" | "passwd", matches)) => password_input(&user_of(matches), matches),
        Some(("delete", matches)) if terminal::is_attended() && asks(matches) => {
            Ok(Input::Stream(Box::new(ASK.chain(std::io::stdin()))))
        }
        _ => Ok(Input::None),
    }
}

/// The password of `user`, typed on the terminal or read from standard input.
pub(super) fn password_input(user: &str, matches: &ArgMatches) -> Result<Input, Failure> {
    let is_hash = matches.try_get_one::<bool>("hash").is_ok_and(|flag| flag.copied().unwrap_or_default());
    if !matches.get_flag("password-stdin")
        && !is_hash
        && let Some(password) = terminal::ask_new_password(user)?
    {
        return Ok(Input::Octets(format!("{password}\n").into_bytes()));
    }
    Ok(Input::Stream(Box::new(std::io::stdin())))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Some((word, matches)) = matches.subcommand() else { return Ok(Exit::Ok) };
    let user = user_of(matches);
    match word {
        "add" => accounts::create(&user, matches, services, console)?,
        "list" => list::list(Words::default(), false, matches, services, console)?,
        "search" => list::list(words(matches, "WORD"), matches.get_flag("addresses"), matches, services, console)?,
        "show" => list::show(&user, matches.get_flag("json"), services, console)?,
        "modify" => accounts::modify(&user, matches, services, console)?,
        "enable" | "disable" => accounts::enable(&user, word == "enable", services)?,
        "delete" => delete(&texts(matches, "USER"), matches, services, console)?,
        "logins" => list_logins(&*services.directory, &user, matches.get_flag("json"), console)?,
        "passwd" => passwd(&user, matches, services, console)?,
        "usage" => return usage(matches, services, console),
        _ => app_password::run(matches, services, console)?,
    }
    Ok(Exit::Ok)
}

/// Deletes users, or says what would be deleted.
pub(super) fn delete(
    names: &[String],
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    if matches.get_flag("dry-run") {
        return accounts::preview_deletion(names, services, &mut |line| console.out(line));
    }
    if asks(matches) && read_line(console)? == ASK {
        accounts::preview_deletion(names, services, &mut |line| console.err(line))?;
        console.err("All mail goes along. Delete? [y/N]")?;
        if !matches!(read_line(console)?.to_ascii_lowercase().trim_ascii(), b"y" | b"yes") {
            return Err(CommandError::Usage("nothing was deleted".to_owned()));
        }
    }
    accounts::delete(names, services, console)
}

/// What standard input begins with if somebody sits there who can be asked: the server does not see the terminal.
const ASK: &[u8] = b"ask\n";

/// Whether whoever deletes wants to be asked, if there is a terminal.
fn asks(matches: &ArgMatches) -> bool {
    !matches.get_flag("dry-run") && !matches.get_flag("yes")
}

/// Longest answer.
const MAX_ANSWER: u64 = 80;

fn read_line(console: &mut dyn Console) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    console.stdin().take(MAX_ANSWER).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// What a user's folders use, or those below another quota root.
fn usage(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let root = match text(matches, "mailbox") {
        Some(name) => names::mailbox(&name)?,
        None => {
            let uid = UserId::parse(&user_of(matches)).map_err(CommandError::from)?;
            if services.operator().user(&uid).map_err(CommandError::from)?.is_none() {
                return Err(CommandError::from(directory::Error::NoUser(uid.to_string())).into());
            }
            names::mailbox(&names::inbox(uid.as_str())?)?
        }
    };
    let messages = matches.get_one::<u16>("largest").copied().unwrap_or_default();
    let request = UsageRequest { root, messages: usize::from(messages), json: matches.get_flag("json") };
    match show_usage(&services.store, &request, console) {
        Err(CommandError::Store(problem)) if problem.kind() == ErrorKind::NotFound => {
            Err(Failure::new(Exit::NoInput, format!("there is no mailbox {}", request.root)))
        }
        shown => Ok(shown?),
    }
}

/// Changes a password, or takes its hash.
pub(super) fn passwd(
    user: &str,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    if matches.get_flag("hash") {
        return accounts::take_hash(user, services, console);
    }
    let password = read_password(console)?;
    set_password(&services.operator(), user, &password)
}

/// Ends the sessions of somebody who is not welcome any more.
pub(super) fn end_sessions(services: &Services, user: &str) {
    let user = user.to_ascii_lowercase();
    let is_his = |view: &wire::sessions::SessionView| view.user.as_deref() == Some(user.as_str());
    services.sessions.end("This account is closed", is_his);
}

fn user_of(matches: &ArgMatches) -> String {
    // One that takes several users reads them itself.
    text(matches, "USER").unwrap_or_default()
}

#[cfg(test)]
mod tests;
