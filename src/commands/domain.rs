//! `angarium domain`: domains that mail is accepted for.

use clap::{Arg, ArgAction, ArgMatches};
use tools::domain::{add_domain, delete_domains, list_domains, rename_domain};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("domain")
        .about("Add, list, rename and delete mail domains")
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("add")
                .about("Accept mail for a domain")
                .arg(Arg::new("DOMAIN").required(true))
                .arg(Arg::new("description").long("description").value_name("TEXT").default_value("")),
        )
        .subcommand(
            clap::Command::new("rename")
                .about("Give a domain another name, with all addresses in it")
                .long_about(
                    "Give a domain another name. The addresses of its users and aliases have the new name from one moment to \
                     the next, and so has whatever names them; mailboxes stay as they are. The server's own domain can be \
                     renamed too.",
                )
                .arg(Arg::new("OLD").required(true))
                .arg(Arg::new("NEW").required(true)),
        )
        .subcommand(
            clap::Command::new("delete")
                .about("Delete domains")
                .long_about(
                    "Delete domains: all that are named, or none. They must have no users, and no aliases but postmaster, \
                     unless --cascade says that these go too, the users with their mail. The server's own domain stays.",
                )
                .arg(Arg::new("DOMAIN").required(true).num_args(1..))
                .arg(
                    Arg::new("cascade")
                        .long("cascade")
                        .action(ArgAction::SetTrue)
                        .help("With their users, the users' mail, and aliases"),
                ),
        )
        .subcommand(
            clap::Command::new("list")
                .about("List domains")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line")),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let text = |matches: &ArgMatches, name: &str| matches.get_one::<String>(name).cloned().unwrap_or_default();
    let done = match matches.subcommand() {
        Some(("add", matches)) => {
            add_domain(&services.operator(), &text(matches, "DOMAIN"), &text(matches, "description"))
        }
        Some(("rename", matches)) => {
            rename_domain(&services.operator(), &text(matches, "OLD"), &text(matches, "NEW"), console)
        }
        Some(("delete", matches)) => {
            let names: Vec<String> = matches.get_many("DOMAIN").into_iter().flatten().cloned().collect();
            delete_domains(&services.store, &services.operator(), &names, matches.get_flag("cascade"), console)
        }
        Some((_, matches)) => list_domains(&*services.directory, matches.get_flag("json"), console),
        None => Ok(()),
    };
    done.map(|()| Exit::Ok).map_err(|problem| Failure::new(problem.exit(), problem))
}
