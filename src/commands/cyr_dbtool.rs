//! `angarium cyr_dbtool`: the entries of the mailboxes database. Cyrus' `cyr_dbtool`.

use std::path::Path;
use std::sync::Arc;

use clap::{Arg, ArgMatches};
use mailstore::disk::RealDisk;
use mailstore::{Store, StoreOptions};
use tools::database::{DatabaseAction, database};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::{Services, store_failure, store_options};

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run: online }, alone) };

fn spec() -> clap::Command {
    clap::Command::new("cyr_dbtool")
        .about("Look into the mailboxes database, or change an entry")
        .long_about(
            "Print entries of the mailboxes database, or set or delete one. Setting and deleting go past everything that keeps \
             entries in step: they are refused while a server runs, a value that the server could not read is refused, and the \
             old value is printed. Run ctl_mboxlist -r afterwards. docs/formats/mailboxes.md explains the keys.",
        )
        .after_long_help(
            "EXAMPLES\n  cyr_dbtool mailboxes.db show N/user/joe\n      the rows of joe's mailboxes\n  cyr_dbtool mailboxes.db \
             get V/uidvalidity\n      one value\n  cyr_dbtool mailboxes.db delete Q/user/gone\n      remove an entry; the server \
             must be stopped\n\nEXIT STATUS\n  0   done\n  1   there is no such entry\n  64  wrong arguments\n  75  the store is in \
             use, or the value cannot be read",
        )
        .arg(Arg::new("FILE").required(true).help("mailboxes.db, with or without a directory"))
        .arg(
            Arg::new("WORDS")
                .required(true)
                .num_args(1..=4)
                .value_name("[FORMAT] ACTION [KEY [VALUE]]")
                .help("show [PREFIX], get KEY, set KEY VALUE, delete KEY; Cyrus' FORMAT before it is passed over"),
        )
}

/// What the words ask for.
fn action(matches: &ArgMatches) -> Result<DatabaseAction, Failure> {
    let file = matches.get_one::<String>("FILE").map(String::as_str).unwrap_or_default();
    if Path::new(file).file_name().is_none_or(|name| name != "mailboxes.db") {
        return Err(Failure::new(Exit::Usage, format!("{file}: only mailboxes.db can be looked into")));
    }
    let words: Vec<&str> = matches.get_many::<String>("WORDS").unwrap_or_default().map(String::as_str).collect();
    let known = |word: &str| matches!(word, "show" | "get" | "set" | "delete");
    let words = match &words[..] {
        [format, rest @ ..] if !known(format) => rest,
        all => all,
    };
    match words {
        ["show"] => Ok(DatabaseAction::Show(String::new())),
        ["show", prefix] => Ok(DatabaseAction::Show((*prefix).to_owned())),
        ["get", key] => Ok(DatabaseAction::Get((*key).to_owned())),
        ["set", key, value] => Ok(DatabaseAction::Set((*key).to_owned(), (*value).to_owned())),
        ["delete", key] => Ok(DatabaseAction::Delete((*key).to_owned())),
        _ => Err(Failure::new(Exit::Usage, "the action is show [PREFIX], get KEY, set KEY VALUE or delete KEY")),
    }
}

fn online(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let action = action(matches)?;
    if matches!(action, DatabaseAction::Set(..) | DatabaseAction::Delete(_)) {
        return Err(Failure::new(Exit::TempFail, "the server runs: stop it before you change an entry"));
    }
    database(&services.store, &action, console).map_err(|problem| Failure::new(problem.exit(), problem))
}

fn alone(matches: &ArgMatches, config: &Config, console: &mut dyn Console) -> Result<Exit, Failure> {
    let action = action(matches)?;
    let options = StoreOptions { create: false, ..store_options(config) };
    let (store, _) = Store::open(options, Arc::new(RealDisk)).map_err(store_failure)?;
    let done = database(&store, &action, console).map_err(|problem| Failure::new(problem.exit(), problem));
    let closed = store.close().map_err(store_failure);
    let exit = done?;
    closed.map(|()| exit)
}
