//! `angarium user app-password`: a password for one program of a user.

use crate::services::Services;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches};
use directory::PROTOCOLS;
use tools::app_password::{AddAppPassword, add_app_password, list_app_passwords, remove_app_passwords};
use tools::{CommandError, Console};

use super::spec::user;
use super::user_of;

pub(super) const NAME: &str = "app-password";

pub(super) fn spec() -> clap::Command {
    let name = || Arg::new("NAME").help("What it is for, as the user calls it");
    clap::Command::new(NAME)
        .about("Make, list and take back passwords for single programs")
        .long_about(
            "An app password is for one program of a user: it is made here and shown once, good for some protocols, from \
             some networks, for a time. It works wherever a client sends its password (LOGIN, USER and PASS, PLAIN), not \
             with SCRAM, and carries no rights of an administrator. Changing the user's own password leaves it as it is.",
        )
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("add")
                .about("Make an app password and print it")
                .arg(user())
                .arg(name().required(true))
                .arg(
                    Arg::new("protocol")
                        .long("protocol")
                        .value_name("PROTOCOL")
                        .value_delimiter(',')
                        .action(ArgAction::Append)
                        .value_parser(PossibleValuesParser::new(PROTOCOLS))
                        .default_values(["imap", "pop3"])
                        .help("What it is good for"),
                )
                .arg(
                    Arg::new("network")
                        .long("network")
                        .value_name("NETWORK")
                        .value_delimiter(',')
                        .action(ArgAction::Append)
                        .help("Where it is good from, as 192.0.2.0/24 [default: everywhere]"),
                )
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name("TIME")
                        .help("How long it is good, as 90d or 12h, or its last day, as 2026-12-31 [default: for ever]"),
                ),
        )
        .subcommand(
            clap::Command::new("list")
                .about("List a user's app passwords and when each was last used")
                .arg(user())
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line")),
        )
        .subcommand(
            clap::Command::new("remove")
                .about("Take an app password back; sessions that began with it go on until they are kicked")
                .arg(user())
                .arg(name().required_unless_present("all").conflicts_with("all"))
                .arg(Arg::new("all").long("all").action(ArgAction::SetTrue).help("All of the user's")),
        )
}

pub(super) fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let many = |matches: &ArgMatches, name: &str| -> Vec<String> {
        matches.get_many::<String>(name).into_iter().flatten().cloned().collect()
    };
    let name = |matches: &ArgMatches| matches.get_one::<String>("NAME").cloned();
    match matches.subcommand() {
        Some(("add", matches)) => {
            let request = AddAppPassword {
                user: user_of(matches),
                name: name(matches).unwrap_or_default(),
                protocols: many(matches, "protocol"),
                networks: many(matches, "network"),
                expires: matches.get_one::<String>("expires").cloned(),
            };
            add_app_password(&services.operator(), &request, console)
        }
        Some(("remove", matches)) => {
            remove_app_passwords(&services.operator(), &user_of(matches), name(matches).as_deref(), console)
        }
        Some((_, matches)) => {
            list_app_passwords(&*services.directory, &user_of(matches), matches.get_flag("json"), console)
        }
        None => Ok(()),
    }
}
