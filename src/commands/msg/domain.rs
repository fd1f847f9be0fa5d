//! `msgdomaincreate`, `msgdomaindelete`, `msgdomainlist`, `msgdomainmove`.

use clap::{Arg, ArgAction, ArgMatches};
use directory::Words;
use tools::domain::rename_domain;
use tools::{Console, Exit};

use crate::commands::domain::{add, delete, delete_spec, list};
use crate::commands::listing::{self, text, texts};
use crate::commands::{Command, Run, StoreCommand, no_input};
use crate::failure::Failure;
use crate::services::Services;

pub(crate) const CREATE: Command =
    Command { spec: create_spec, links: &[], run: Run::Store(StoreCommand { input: no_input, run: create }) };
pub(crate) const DELETE: Command = Command {
    spec: || delete_spec("msgdomaindelete").arg(domain().action(ArgAction::Append)),
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: run_delete }),
};
pub(crate) const LIST: Command = Command {
    spec: || clap::Command::new("msgdomainlist").about("List domains").args(listing::args("DOMAIN")),
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: run_list }),
};
pub(crate) const MOVE: Command =
    Command { spec: move_spec, links: &[], run: Run::Store(StoreCommand { input: no_input, run: run_move }) };

fn domain() -> Arg {
    Arg::new("domain").long("domain").value_name("DOMAIN").required(true).help("The domain, as example.org")
}

fn create_spec() -> clap::Command {
    clap::Command::new("msgdomaincreate").about("Accept mail for a domain").arg(domain()).arg(
        Arg::new("description").long("description").value_name("TEXT").default_value("").help("What it is, for people"),
    )
}

fn move_spec() -> clap::Command {
    clap::Command::new("msgdomainmove")
        .about("Give a domain another name, with all addresses in it")
        .arg(Arg::new("OLD").required(true).help("Its name"))
        .arg(Arg::new("NEW").required(true).help("Its name from now on"))
}

fn create(matches: &ArgMatches, services: &Services, _: &mut dyn Console) -> Result<Exit, Failure> {
    add(&text(matches, "domain").unwrap_or_default(), matches, services)?;
    Ok(Exit::Ok)
}

fn run_delete(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    delete(&texts(matches, "domain"), matches, services, console)?;
    Ok(Exit::Ok)
}

fn run_list(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    list(&Words::default(), matches, services, console)?;
    Ok(Exit::Ok)
}

fn run_move(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let name = |which: &str| text(matches, which).unwrap_or_default();
    rename_domain(&services.operator(), &name("OLD"), &name("NEW"), console)?;
    Ok(Exit::Ok)
}
