//! `msgusercreate`, `msgusermod`, `msguserdelete`, `msguserlist`, `msgpasswd`.

use admin::control::Input;
use clap::{Arg, ArgAction, ArgMatches};
use directory::Words;
use tools::{Console, Exit};

use crate::commands::listing::{domain, json, text, texts};
use crate::commands::user::fields::{self, Style};
use crate::commands::user::list::{self, show};
use crate::commands::user::{accounts, delete, delete_spec, hash, passwd, password_input, password_stdin};
use crate::commands::{Command, Run, StoreCommand, no_input};
use crate::failure::Failure;
use crate::services::Services;

pub(crate) const CREATE: Command = Command {
    spec: || {
        clap::Command::new("msgusercreate")
            .about("Add a user with an INBOX")
            .arg(uid().required(true))
            .arg(domain("The user's domain, unless the address says it [default: the server's own]"))
            .args(fields::args(Style::Attributes))
            .arg(password_stdin())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: password, run: create }),
};
pub(crate) const MOD: Command = Command {
    spec: || {
        clap::Command::new("msgusermod")
            .about("Change a user; an empty value takes away what was there")
            .arg(uid().required(true))
            .args(fields::args(Style::Attributes))
    },
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: modify }),
};
pub(crate) const DELETE: Command = Command {
    spec: || delete_spec("msguserdelete").arg(uid().required(true).action(ArgAction::Append)),
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: run_delete }),
};
pub(crate) const LIST: Command =
    Command { spec: list_spec, links: &[], run: Run::Store(StoreCommand { input: no_input, run: run_list }) };
pub(crate) const PASSWD: Command = Command {
    spec: || {
        clap::Command::new("msgpasswd")
            .about("Change a user's own password")
            .arg(uid().required(true))
            .arg(password_stdin())
            .arg(hash())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: password, run: run_passwd }),
};

fn uid() -> Arg {
    Arg::new("uid").long("uid").value_name("UID").help("User ID: the login name")
}

fn list_spec() -> clap::Command {
    clap::Command::new("msguserlist")
        .about("List users, or show one at length")
        .long_about(
            "List users, sorted by user ID, or show one at length. With --quota: what each may store, stores and has left, \
             in megabytes. Mail that begins to come in while there is room is taken whatever its size, so that a user may \
             store more than the limit.",
        )
        .arg(uid().conflicts_with_all(["search", "quota", "domain"]))
        .arg(Arg::new("search").long("search").value_name("WORDS").help("Whose user ID or names have all these words in them"))
        .args(list::args())
        .mut_arg("json", |_| json())
}

fn password(matches: &ArgMatches) -> Result<Input, Failure> {
    password_input(&uid_of(matches), matches)
}

fn create(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    accounts::create(&uid_of(matches), matches, services, console)?;
    Ok(Exit::Ok)
}

fn modify(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    accounts::modify(&uid_of(matches), matches, services, console)?;
    Ok(Exit::Ok)
}

fn run_delete(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    delete(&texts(matches, "uid"), matches, services, console)?;
    Ok(Exit::Ok)
}

fn run_list(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    match text(matches, "uid") {
        Some(uid) => show(&uid, matches.get_flag("json"), services, console)?,
        None => {
            let words = Words::parse(&text(matches, "search").unwrap_or_default());
            list::list(words, false, matches, services, console)?;
        }
    }
    Ok(Exit::Ok)
}

fn run_passwd(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    passwd(&uid_of(matches), matches, services, console)?;
    Ok(Exit::Ok)
}

fn uid_of(matches: &ArgMatches) -> String {
    text(matches, "uid").unwrap_or_default()
}
