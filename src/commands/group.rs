//! `angarium group`: groups of users, which access lists and aliases may name.

use clap::{Arg, ArgMatches};
use directory::UserId;
use serde_json::json;
use tools::group::change_group;
use tools::{CommandError, Console, Exit};

use super::listing::{self, texts};
use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let group = || Arg::new("GROUP").required(true).help("The group's name, without group: in front");
    let users = || Arg::new("USER").required(true).num_args(1..).help("Users");
    clap::Command::new("group")
        .about("List groups, and say who is in them")
        .long_about(
            "Groups are named in access lists and as members of aliases, as group:NAME. A group is there as long as \
             somebody is in it.",
        )
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("list")
                .about("List groups, and how many are in each")
                .arg(listing::json().help("One JSON object a line")),
        )
        .subcommand(clap::Command::new("show").about("List who is in a group").arg(group()).arg(listing::json()))
        .subcommand(clap::Command::new("add").about("Put users into a group").arg(group()).arg(users()))
        .subcommand(clap::Command::new("remove").about("Take users out of a group").arg(group()).arg(users()))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Some((word, matches)) = matches.subcommand() else { return Ok(Exit::Ok) };
    let group = listing::text(matches, "GROUP").unwrap_or_default();
    match word {
        "list" => list(matches.get_flag("json"), services, console)?,
        "show" => show(&group, matches.get_flag("json"), services, console)?,
        _ => change(&group, &texts(matches, "USER"), word == "add", services)?,
    }
    Ok(Exit::Ok)
}

fn list(as_json: bool, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    for (group, users) in services.operator().groups()? {
        let line = json!({"group": group, "users": users}).to_string();
        console.out(&if as_json { line } else { format!("{group:30} {users}") })?;
    }
    Ok(())
}

fn show(group: &str, as_json: bool, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let users = services.operator().look(|view| view.group(group))?;
    if users.is_empty() {
        return Err(CommandError::Missing(format!("nobody is in a group {group:?}")));
    }
    if as_json {
        return Ok(console.out(&json!({"group": group, "users": users}).to_string())?);
    }
    users.iter().try_for_each(|user| Ok(console.out(user.as_str())?))
}

/// Puts users into a group, or takes them out. All must be there, or nothing is changed.
fn change(group: &str, names: &[String], add: bool, services: &Services) -> Result<(), CommandError> {
    let uids = names.iter().map(|name| UserId::parse(name)).collect::<Result<Vec<_>, _>>()?;
    let (coming, going): (&[UserId], &[UserId]) = if add { (&uids, &[]) } else { (&[], &uids) };
    change_group(&services.store, &services.operator(), group, coming, going)
}

#[cfg(test)]
mod tests {
    use crate::commands::trial::Trial;

    #[test]
    fn every_option_and_every_error() {
        let trial = Trial::with_users(&["joe", "sue"]);
        trial.table(&[
            ("group list", ""),
            ("group add staff joe sue", ""),
            ("group add staff joe", ""),
            ("group list", "staff                          2"),
            ("group list --json", r#"{"group":"staff","users":2}"#),
            ("group show staff", "joe\nsue"),
            ("group show staff --json", r#"{"group":"staff","users":["joe","sue"]}"#),
            ("group remove staff joe", ""),
            ("group remove staff joe", "!64 groups: \"staff\": joe is not in it"),
            ("group add 'a b' joe", "!64 groups: \"a b\""),
            ("group add staff nobody", "!67 nobody"),
            ("group show none", "!66 none"),
            ("alias create all -o joe -m group:staff", "all@example.org"),
            ("group remove staff sue", "!64 the alias all@example.org names it"),
        ]);
    }
}
