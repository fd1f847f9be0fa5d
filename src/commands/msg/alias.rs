//! `msgaliascreate`, `msgaliasadd`, `msgaliasremove`, `msgaliasmod`, `msgaliasdelete`, `msgaliaslist`.

use clap::{Arg, ArgAction, ArgMatches};
use directory::{Address, Alias, Error, Member, RemoteAddress, Service, UserId, Words};
use tools::{CommandError, Console, Exit};

use super::{address, name_and_domain, required_address};
use crate::commands::alias::{attributes, edit, edit_attributes, list};
use crate::commands::listing::{text, texts};
use crate::commands::{Command, Run, StoreCommand, no_input};
use crate::failure::Failure;
use crate::services::Services;

pub(crate) const CREATE: Command = Command {
    spec: || {
        let [description, joinable, _, _] = attributes();
        which(clap::Command::new("msgaliascreate").about("Make an alias, with an owner and a member at least"))
            .args(parts())
            .args([description, joinable])
            .arg(check_loops())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: create }),
};
pub(crate) const ADD: Command = Command {
    spec: || {
        which(clap::Command::new("msgaliasadd").about("Add owners and members to an alias"))
            .args(parts())
            .arg(check_loops())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: add }),
};
pub(crate) const REMOVE: Command = Command {
    spec: || {
        which(clap::Command::new("msgaliasremove").about("Remove owners and members from an alias; the last ones stay"))
            .args(parts())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: remove }),
};
pub(crate) const MOD: Command = Command {
    spec: || {
        which(clap::Command::new("msgaliasmod").about("Change the description and the type of an alias"))
            .args(attributes())
    },
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: modify }),
};
pub(crate) const DELETE: Command = Command {
    spec: || which(clap::Command::new("msgaliasdelete").about("Delete an alias")),
    links: &[],
    run: Run::Store(StoreCommand { input: no_input, run: delete }),
};
pub(crate) const LIST: Command =
    Command { spec: list_spec, links: &[], run: Run::Store(StoreCommand { input: no_input, run: run_list }) };

/// The options that say which alias.
fn which(command: clap::Command) -> clap::Command {
    command.arg(Arg::new("mail").long("mail").value_name("ADDRESS").help("The alias's address")).args(name_and_domain())
}

/// The options that say whom and what it names. All may be given several times.
fn parts() -> [Arg; 8] {
    let part = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).action(ArgAction::Append).help(help)
    };
    [
        part("owner", "ADDRESS", "An owner, by address"),
        part("owneruid", "UID", "An owner, by user ID"),
        part("member", "ADDRESS", "A member, by address: a user or an alias of this server, or somebody elsewhere"),
        part("memberuid", "UID", "A member, by user ID"),
        part("memberalias", "NAME", "A member that is an alias, by its name in the domain or its address"),
        part("remote", "ADDRESS", "A member elsewhere"),
        part("file", "PATH", "A file that mail is appended to"),
        part("program", "COMMAND", "A program that mail is piped into"),
    ]
}

fn check_loops() -> Arg {
    Arg::new("loop")
        .long("loop")
        .action(ArgAction::SetTrue)
        .help("Refuse members that would make a loop; that is always so, the option is accepted for old scripts")
}

fn list_spec() -> clap::Command {
    which(clap::Command::new("msgaliaslist").about("List aliases, or show one at length"))
        .arg(
            Arg::new("search")
                .long("search")
                .value_name("WORDS")
                .help("Whose name or description has all these words in it"),
        )
        .args(crate::commands::listing::args("ALIAS"))
        .mut_arg("domain", |arg| arg.help("Of this domain only; with --name, where the alias is"))
}

/// What [`parts`] name.
struct Parts {
    owners: Vec<UserId>,
    members: Vec<Member>,
    file: Option<String>,
    program: Option<String>,
}

impl Parts {
    /// Reads the options of the alias `of`. Bare names are of its domain.
    fn read(matches: &ArgMatches, of: &Address, services: &Services) -> Result<Self, CommandError> {
        let within = services.operator().in_domain(of.domain().clone());
        let mut owners = Vec::new();
        for text in texts(matches, "owner") {
            owners.push(within.parse_owner(full("owners", &text)?)?);
        }
        for text in texts(matches, "owneruid") {
            owners.push(UserId::parse(&text).map_err(|error| error.of_field("owners"))?);
        }
        let members = Self::members(matches, &within)?;
        Ok(Self { owners, members, file: only(matches, "file")?, program: only(matches, "program")? })
    }

    fn members(matches: &ArgMatches, within: &Service<'_>) -> Result<Vec<Member>, CommandError> {
        let wrong = |error: Error| error.of_field("members");
        let mut members = Vec::new();
        for text in texts(matches, "member") {
            members.extend(within.parse_members(full("members", &text)?)?);
        }
        for text in texts(matches, "memberuid") {
            members.push(Member::User(UserId::parse(&text).map_err(wrong)?));
        }
        for text in texts(matches, "memberalias") {
            members.push(Member::Alias(within.alias_address(&text).map_err(wrong)?));
        }
        for text in texts(matches, "remote") {
            members.push(Member::Remote(RemoteAddress::parse(&text).map_err(wrong)?));
        }
        Ok(members)
    }

    fn are_none(&self) -> bool {
        self.owners.is_empty() && self.members.is_empty() && self.file.is_none() && self.program.is_none()
    }
}

/// An address, not a name.
fn full<'t>(field: &'static str, text: &'t str) -> Result<&'t str, CommandError> {
    let whole = text.contains('@') && !text.contains(|c: char| c == ',' || c.is_whitespace());
    whole.then_some(text).ok_or_else(|| Error::rule(field, text, "it must be an address, with an @").into())
}

/// The only value of an option of which an alias has one.
fn only(matches: &ArgMatches, name: &'static str) -> Result<Option<String>, CommandError> {
    let mut values = texts(matches, name);
    match values.pop() {
        Some(second) if !values.is_empty() => Err(Error::rule(name, second, "an alias has one at most").into()),
        value => Ok(value),
    }
}

fn create(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let service = services.operator();
    let address = required_address(matches, &service)?;
    service.require_domain(address.domain())?;
    let parts = Parts::read(matches, &address, services)?;
    let mut alias = Alias::new(address.clone());
    edit_attributes(matches, &mut alias);
    edit::add(&mut alias, &parts.owners, &parts.members);
    (alias.file, alias.program) = (parts.file, parts.program);
    service.create_alias(&alias)?;
    console.out(&format!("{address} created")).map_err(CommandError::from)?;
    Ok(Exit::Ok)
}

fn add(matches: &ArgMatches, services: &Services, _: &mut dyn Console) -> Result<Exit, Failure> {
    change(matches, services, &|alias, parts| {
        edit::add(alias, &parts.owners, &parts.members);
        for (name, field, more) in
            [("file", &mut alias.file, &parts.file), ("program", &mut alias.program, &parts.program)]
        {
            match (&*field, more) {
                (Some(before), Some(more)) if before != more => {
                    return Err(Error::rule(name, more, "an alias has one at most: remove the other one first").into());
                }
                (None, Some(more)) => *field = Some(more.clone()),
                _ => {}
            }
        }
        Ok(())
    })
}

fn remove(matches: &ArgMatches, services: &Services, _: &mut dyn Console) -> Result<Exit, Failure> {
    change(matches, services, &|alias, parts| {
        edit::remove(alias, &parts.owners, &parts.members)?;
        for (name, field, gone) in
            [("file", &mut alias.file, &parts.file), ("program", &mut alias.program, &parts.program)]
        {
            match gone {
                Some(gone) if field.as_ref() != Some(gone) => {
                    return Err(Error::rule(name, gone, format!("it is not there in {}", alias.address)).into());
                }
                Some(_) => *field = None,
                None => {}
            }
        }
        Ok(())
    })
}

/// Changes an alias by the parts that are given.
fn change(
    matches: &ArgMatches,
    services: &Services,
    edit: &dyn Fn(&mut Alias, &Parts) -> Result<(), CommandError>,
) -> Result<Exit, Failure> {
    let service = services.operator();
    let address = required_address(matches, &service)?;
    edit::require(&service, &address)?;
    let parts = Parts::read(matches, &address, services)?;
    if parts.are_none() {
        return Err(Failure::new(Exit::Usage, "nothing to change: say what"));
    }
    edit::change(&service, &address, None, &|alias| edit(alias, &parts))?;
    Ok(Exit::Ok)
}

fn modify(matches: &ArgMatches, services: &Services, _: &mut dyn Console) -> Result<Exit, Failure> {
    let service = services.operator();
    let address = required_address(matches, &service)?;
    if !["description", "joinable", "file", "program"].iter().any(|name| matches.contains_id(name)) {
        return Err(Failure::new(Exit::Usage, "nothing to change: say what"));
    }
    edit::change(&service, &address, None, &|alias| {
        edit_attributes(matches, alias);
        Ok(())
    })?;
    Ok(Exit::Ok)
}

fn delete(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let service = services.operator();
    let address = required_address(matches, &service)?;
    edit::delete(&service, &[address], None, console)?;
    Ok(Exit::Ok)
}

fn run_list(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    match address(matches, &services.operator())? {
        Some(address) => list::show(&address, matches.get_flag("json"), services, console)?,
        None => {
            let words = Words::parse(&text(matches, "search").unwrap_or_default());
            list::list(words, matches, services, console)?;
        }
    }
    Ok(Exit::Ok)
}
