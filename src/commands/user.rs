//! `angarium user`: people with a mailbox.

mod app_password;

use admin::control::Input;
use clap::{Arg, ArgAction, ArgMatches};
use tools::logins::list_logins;
use tools::user::{
    AddUser, add_user, delete_user, list_users, read_password, set_enabled, set_password, set_password_hash, show_user,
};
use tools::{Console, Exit};
use wire::sessions::SessionView;

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Store(StoreCommand { input, run }) };

fn spec() -> clap::Command {
    let json = || Arg::new("json").long("json").action(ArgAction::SetTrue);
    let from_stdin = || {
        Arg::new("password-stdin")
            .long("password-stdin")
            .action(ArgAction::SetTrue)
            .help("Read the password from a line of standard input even if that is a terminal")
    };
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    clap::Command::new("user")
        .about("Add, show, list, disable and delete users, change passwords, see who has logged in")
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("add")
                .about("Add a user with an INBOX")
                .long_about(
                    "Add a user with an INBOX. The password is asked for on the terminal, or is one line of standard \
                     input if that is not a terminal.",
                )
                .arg(user())
                .arg(text("mail", "ADDRESS", "Mail address [default: USER in the primary domain]"))
                .arg(text("given-name", "NAME", "First name"))
                .arg(text("surname", "NAME", "Last name"))
                .arg(
                    text("quota", "MIB", "Most mail in MiB, INBOX and folders together [default: that of new users]")
                        .value_parser(clap::value_parser!(u64)),
                )
                .arg(Arg::new("admin").long("admin").action(ArgAction::SetTrue).help("May manage all mailboxes"))
                .arg(from_stdin()),
        )
        .subcommand(
            clap::Command::new("list")
                .about("List users")
                .arg(text("domain", "DOMAIN", "Of this domain only"))
                .arg(json().help("One JSON object a line")),
        )
        .subcommand(
            clap::Command::new("show")
                .about("Show a user, and when somebody last came in")
                .arg(user())
                .arg(json().help("As a JSON object")),
        )
        .subcommand(
            clap::Command::new("disable")
                .about("Keep a user out, and refuse mail for him; sessions end")
                .arg(user()),
        )
        .subcommand(clap::Command::new("enable").about("Let a user in again").arg(user()))
        .subcommand(
            clap::Command::new("delete")
                .about("Delete a user with all mail")
                .long_about(
                    "Delete a user: account, passwords, mailboxes, subscriptions, quota, rights on other mailboxes, and what \
                     aliases say of him. An alias that is left without an owner or a member is deleted too, and is named. \
                     Deleted mailboxes are kept as long as store.delete_mode and cyr_expire say. The user admin stays.",
                )
                .arg(user()),
        )
        .subcommand(
            clap::Command::new("logins")
                .about("Show the last logins of a user, and those that failed")
                .long_about(
                    "Show the last logins of a user, the latest first: when, how often that day, from which address, over \
                     which protocol, with which mechanism and app password, what the client calls itself, and why it \
                     failed. How many are kept says limits.login_history.",
                )
                .arg(user())
                .arg(json().help("One JSON object a line")),
        )
        .subcommand(app_password::spec())
        .subcommand(
            clap::Command::new("passwd")
                .about("Change a user's own password; app passwords stay as they are")
                .arg(user())
                .arg(from_stdin()).arg(
                Arg::new("hash")
                    .long("hash")
                    .action(ArgAction::SetTrue)
                    .help("Read not a password but its hash, as another server has kept it ({SSHA512}..., $6$...)"),
            ),
        )
}

fn user() -> Arg {
    Arg::new("USER").required(true).help("User ID: the login name, and the owner of user/USER")
}

/// The password, asked for where the administrator sits: the server has no terminal.
fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    let Some((name @ ("add" | "passwd"), matches)) = matches.subcommand() else { return Ok(Input::None) };
    debug_assert!(!name.is_empty());
    let is_hash = matches.try_get_one::<bool>("hash").is_ok_and(|flag| flag.copied().unwrap_or_default());
    if !matches.get_flag("password-stdin")
        && !is_hash
        && let Some(password) = terminal::ask_new_password(&user_of(matches))?
    {
        return Ok(Input::Octets(format!("{password}\n").into_bytes()));
    }
    Ok(Input::Stream(Box::new(std::io::stdin())))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Services { store, directory, .. } = services;
    let done = match matches.subcommand() {
        Some(("add", matches)) => {
            let text = |name: &str| matches.get_one::<String>(name).cloned();
            let request = AddUser {
                mail: text("mail"),
                given_name: text("given-name").unwrap_or_default(),
                surname: text("surname").unwrap_or_default(),
                admin: matches.get_flag("admin"),
                quota_mib: matches.get_one("quota").copied(),
                ..AddUser::new(&user_of(matches))
            };
            read_password(console).and_then(|password| {
                let user = add_user(store, &services.operator(), &request, &password)?;
                console.out(&format!("{} added with address {}", user.uid, user.mail))?;
                Ok(())
            })
        }
        Some(("passwd", matches)) => read_password(console).and_then(|secret| {
            let set = if matches.get_flag("hash") { set_password_hash } else { set_password };
            set(&services.operator(), &user_of(matches), &secret)
        }),
        Some(("show", matches)) => show_user(&**directory, &user_of(matches), matches.get_flag("json"), console),
        Some(("logins", matches)) => list_logins(&**directory, &user_of(matches), matches.get_flag("json"), console),
        Some((word @ ("enable" | "disable"), matches)) => {
            let user = user_of(matches);
            let done = set_enabled(&services.operator(), &user, word == "enable");
            if done.is_ok() && word == "disable" {
                end_sessions(services, &user);
            }
            done
        }
        Some(("delete", matches)) => {
            let user = user_of(matches);
            let done = delete_user(store, &services.operator(), &user, console);
            end_sessions(services, &user);
            done
        }
        Some((app_password::NAME, matches)) => app_password::run(matches, services, console),
        Some((_, matches)) => {
            let domain = matches.get_one::<String>("domain").map(String::as_str);
            list_users(&**directory, domain, matches.get_flag("json"), console)
        }
        None => Ok(()),
    };
    done.map(|()| Exit::Ok).map_err(|problem| Failure::new(problem.exit(), problem))
}

/// Ends the sessions of somebody who is not welcome any more.
fn end_sessions(services: &Services, user: &str) {
    let user = user.to_ascii_lowercase();
    let is_his = |view: &SessionView| view.user.as_deref() == Some(user.as_str());
    services.sessions.end("This account is closed", is_his);
}

fn user_of(matches: &ArgMatches) -> String {
    matches.get_one::<String>("USER").cloned().unwrap_or_default()
}
