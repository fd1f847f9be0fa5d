//! `angarium deliver`: one message from standard input, or a whole mbox file or Maildir.

use std::path::PathBuf;

use admin::control::Input;
use clap::{Arg, ArgAction, ArgMatches};
use mailstore::MailboxName;
use tools::{Console, DeliverRequest, Exit, ImportRequest, Quoting, Source, deliver, import};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Store(StoreCommand { input, run }) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    let value =
        |name: &'static str, value: &'static str, help: &'static str| Arg::new(name).value_name(value).help(help);
    clap::Command::new("deliver")
        .about("Deliver a message from standard input, or import an mbox file or a Maildir")
        .long_about(
            "Deliver one message from standard input into the INBOX of each USER, or import all messages of an mbox file \
             or a Maildir into the mailbox of one. Exit codes are those of sysexits(3): 75 means that it may work later.",
        )
        .arg(value("USER", "USER[/FOLDER]", "User ID; with a folder behind it only for an import").num_args(0..))
        .arg(value("folder", "FOLDER", "Folder of each USER; without a USER a shared mailbox").short('m').long("folder"))
        .arg(value("auth", "USER", "Who posts, for the right p on the folder [default: nobody known]").short('a').long("auth"))
        .arg(value("sender", "ADDRESS", "Envelope sender, noted as Return-Path").short('f').short_alias('r').long("sender"))
        .arg(flag("ignore-quota", "Deliver although a quota is used up").short('q'))
        .arg(value("mbox", "FILE", "Import this mbox file; - is standard input").long("mbox").conflicts_with("maildir"))
        .arg(value("maildir", "DIR", "Import this Maildir, its folders included").long("maildir"))
        .arg(
            value("from", "OFFSET", "Begin at this offset of the mbox file, as an import that ended early has named it")
                .long("from")
                .value_parser(clap::value_parser!(u64))
                .requires("mbox"),
        )
        .arg(flag("mboxo", "The mbox file has only >From where a body had From").requires("mbox"))
        .arg(flag("resume", "Skip messages that are in the mailbox already"))
        .arg(flag("json", "Print what was done as JSON"))
}

fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    let reads_file = matches.contains_id("maildir") || text(matches, "mbox").is_some_and(|path| path != "-");
    Ok(if reads_file { Input::None } else { Input::Stream(Box::new(std::io::stdin())) })
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let store = &services.store;
    let source = match (text(matches, "mbox"), text(matches, "maildir")) {
        (Some(path), _) => Source::Mbox {
            path: (path != "-").then(|| PathBuf::from(path)),
            from: matches.get_one("from").copied().unwrap_or(0),
            quoting: if matches.get_flag("mboxo") { Quoting::Mboxo } else { Quoting::Mboxrd },
        },
        (None, Some(path)) => Source::Maildir { path: PathBuf::from(path) },
        (None, None) => return one_message(matches, services, console),
    };
    let request = ImportRequest {
        source,
        target: target(matches)?,
        ignore_quota: matches.get_flag("ignore-quota"),
        resume: matches.get_flag("resume"),
        json: matches.get_flag("json"),
    };
    Ok(import(store, console, &request))
}

fn one_message(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    if matches.get_flag("resume") {
        return Err(Failure::new(Exit::Usage, "--resume is for --mbox and --maildir"));
    }
    let request = DeliverRequest {
        folder: text(matches, "folder"),
        auth: text(matches, "auth"),
        sender: text(matches, "sender"),
        ignore_quota: matches.get_flag("ignore-quota"),
        users: users(matches),
        json: matches.get_flag("json"),
    };
    Ok(deliver(&services.store, console, &request))
}

/// The mailbox of an import: `USER`, `USER/FOLDER`, `-m FOLDER USER`, or `-m SHARED`.
fn target(matches: &ArgMatches) -> Result<MailboxName, Failure> {
    let folder = text(matches, "folder");
    let name = match (&users(matches)[..], folder) {
        ([user], None) => format!("user/{user}"),
        ([user], Some(folder)) => format!("user/{user}/{folder}"),
        ([], Some(shared)) => shared,
        _ => return Err(Failure::new(Exit::Usage, "an import wants one USER")),
    };
    MailboxName::parse(&name).map_err(|problem| Failure::new(Exit::Usage, format!("{name}: {problem}")))
}

fn users(matches: &ArgMatches) -> Vec<String> {
    matches.get_many::<String>("USER").unwrap_or_default().cloned().collect()
}

fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}
