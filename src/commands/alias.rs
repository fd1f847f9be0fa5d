//! `angarium alias`: addresses that stand for others.

pub(super) mod edit;
pub(super) mod list;

use clap::{Arg, ArgAction, ArgMatches};
use directory::{Address, Alias, Member, UserId, Words};
use tools::{CommandError, Console, Exit};

use super::listing::{in_domain, json, revision, revision_arg, text, texts, words};
use super::user::fields::switch;
use super::{Command, Run, StoreCommand, listing};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("alias")
        .about("Create, list, show, change and delete aliases")
        .long_about(
            "Create, list, show, change and delete aliases. Names without an @ are in the domain of --domain, or in the \
             server's own. A member is a user ID or an alias of the alias's domain, an address, here or elsewhere, or \
             group:NAME.",
        )
        .subcommand_required(true)
        .subcommand(create_spec())
        .subcommand(
            clap::Command::new("list")
                .about("List aliases, sorted by address")
                .arg(Arg::new("of").long("of").value_name("USER").help("Only those that name this user, as owner or member"))
                .args(list::args()),
        )
        .subcommand(
            clap::Command::new("search")
                .about("List aliases whose name or description has all these words in it")
                .arg(Arg::new("WORD").required(true).num_args(1..))
                .args(list::args()),
        )
        .subcommand(clap::Command::new("show").about("Show an alias").args(alias()).arg(json()))
        .subcommand(modify_spec())
        .subcommand(
            clap::Command::new("add")
                .about("Add members and owners")
                .args(alias())
                .arg(members().help("Who is in it from now on"))
                .arg(owners().help("Who may change it from now on, too")),
        )
        .subcommand(
            clap::Command::new("remove")
                .about("Remove members and owners; the last ones stay")
                .args(alias())
                .arg(members().help("Who is in it no more"))
                .arg(owners().help("Who may change it no more")),
        )
        .subcommand(
            clap::Command::new("delete")
                .about("Delete aliases, and those that have no member left without them")
                .arg(Arg::new("ALIAS").required(true).num_args(1..).help("Addresses, or names in the domain"))
                .arg(listing::domain("Where names without an @ are"))
                .arg(revision_arg()),
        )
        .after_long_help(
            "EXAMPLES\n  angarium alias create staff --owner joe --member joe,ann,archive@example.com\n  angarium alias add \
             staff sue --owner sue\n  angarium alias list --of joe",
        )
}

fn create_spec() -> clap::Command {
    clap::Command::new("create")
        .about("Make an alias")
        .args(alias())
        .arg(owners().help("Who may change it; at least one user. They get its mail only if they are members, too"))
        .arg(
            Arg::new("member")
                .long("member")
                .short('m')
                .value_name("MEMBER")
                .action(ArgAction::Append)
                .help("Whom it reaches; at least one. Several with commas, or again"),
        )
        .args(attributes())
}

fn modify_spec() -> clap::Command {
    clap::Command::new("modify")
        .about("Change an alias")
        .long_about("Change what is said of an alias; what is not given stays. The address can't be changed.")
        .args(alias())
        .arg(owners().help("All owners from now on"))
        .arg(
            Arg::new("member")
                .long("member")
                .short('m')
                .value_name("MEMBER")
                .action(ArgAction::Append)
                .help("All members from now on"),
        )
        .args(attributes())
        .arg(revision_arg())
}

/// Which alias.
fn alias() -> [Arg; 2] {
    [
        Arg::new("ALIAS").required(true).help("Its address, or its name in the domain"),
        listing::domain("Where a name without an @ is [default: the server's own]"),
    ]
}

fn members() -> Arg {
    Arg::new("MEMBER").num_args(0..)
}

fn owners() -> Arg {
    Arg::new("owner").long("owner").short('o').value_name("USER").value_delimiter(',').action(ArgAction::Append)
}

/// What there is to say of an alias but for whom it names, for the modern and the classic commands.
pub(super) fn attributes() -> [Arg; 4] {
    [
        Arg::new("description").long("description").value_name("TEXT").help("What it is, for people"),
        switch(Arg::new("joinable").long("joinable").value_name("BOOL"))
            .help("Users may join and leave it themselves; else it is restricted to its owners [default: true]"),
        Arg::new("file")
            .long("file")
            .value_name("PATH")
            .help("A file that its mail is appended to, with the MTA's rights; an empty one: none any more"),
        Arg::new("program")
            .long("program")
            .value_name("COMMAND")
            .help("A program that its mail is piped into, with the MTA's rights; an empty one: none any more"),
    ]
}

/// Changes `alias` as the [`attributes`] say.
pub(super) fn edit_attributes(matches: &ArgMatches, alias: &mut Alias) {
    if let Some(text) = text(matches, "description") {
        alias.description = text;
    }
    if let Some(joinable) = matches.get_one::<bool>("joinable") {
        alias.joinable = *joinable;
    }
    for (name, field) in [("file", &mut alias.file), ("program", &mut alias.program)] {
        if let Some(text) = text(matches, name) {
            *field = (!text.is_empty()).then_some(text);
        }
    }
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Some((word, matches)) = matches.subcommand() else { return Ok(Exit::Ok) };
    match word {
        "create" => create(matches, services, console)?,
        "list" => match text(matches, "of") {
            Some(user) => list::of_user(&user, matches, services, console)?,
            None => list::list(Words::default(), matches, services, console)?,
        },
        "search" => list::list(words(matches, "WORD"), matches, services, console)?,
        "show" => {
            let service = in_domain(services.operator(), matches)?;
            let address = service.alias_address(&text(matches, "ALIAS").unwrap_or_default())?;
            list::show(&address, matches.get_flag("json"), services, console)?;
        }
        "modify" => modify(matches, services)?,
        "delete" => delete(matches, services, console)?,
        _ => add_or_remove(word == "add", matches, services)?,
    }
    Ok(Exit::Ok)
}

fn create(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let address = address(matches, services)?;
    services.operator().require_domain(address.domain())?;
    let mut alias = Alias::new(address.clone());
    edit_attributes(matches, &mut alias);
    alias.owners = parse_owners(&address, matches, services)?;
    for member in parse_members(&address, &texts(matches, "member"), services)? {
        alias.add(member);
    }
    services.operator().create_alias(&alias)?;
    console.out(&format!("{address} created"))?;
    Ok(())
}

fn modify(matches: &ArgMatches, services: &Services) -> Result<(), CommandError> {
    let address = address(matches, services)?;
    let (owners, members) = (matches.contains_id("owner"), matches.contains_id("member"));
    let attributes = ["description", "joinable", "file", "program"].iter().any(|name| matches.contains_id(name));
    if !(owners || members || attributes) {
        return Err(CommandError::Usage("nothing to change: say what".to_owned()));
    }
    let new_owners = parse_owners(&address, matches, services)?;
    let new_members = parse_members(&address, &texts(matches, "member"), services)?;
    edit::change(&services.operator(), &address, revision(matches)?, &|alias| {
        edit_attributes(matches, alias);
        if owners {
            alias.owners.clone_from(&new_owners);
        }
        if members {
            remove_all_members(alias);
            new_members.iter().for_each(|member| {
                alias.add(member.clone());
            });
        }
        Ok(())
    })
}

fn remove_all_members(alias: &mut Alias) {
    let members: Vec<Member> = alias.members().collect();
    members.iter().for_each(|member| {
        alias.remove(member);
    });
}

fn delete(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let service = in_domain(services.operator(), matches)?;
    let names = texts(matches, "ALIAS");
    let addresses = names.iter().map(|name| service.alias_address(name)).collect::<Result<Vec<_>, _>>()?;
    edit::delete(&service, &addresses, revision(matches)?, console)
}

fn add_or_remove(add: bool, matches: &ArgMatches, services: &Services) -> Result<(), CommandError> {
    let address = address(matches, services)?;
    let names = texts(matches, "MEMBER");
    let owners = parse_owners(&address, matches, services)?;
    if names.is_empty() && owners.is_empty() {
        return Err(CommandError::Usage("nothing to change: name members, or owners with --owner".to_owned()));
    }
    let service = services.operator();
    if add {
        let members = parse_members(&address, &names, services)?;
        return edit::change(&service, &address, None, &|alias| {
            edit::add(alias, &owners, &members);
            Ok(())
        });
    }
    let members = edit::named_members(&service, &address, &names)?;
    edit::change(&service, &address, None, &|alias| edit::remove(alias, &owners, &members))
}

fn address(matches: &ArgMatches, services: &Services) -> Result<Address, CommandError> {
    let name = text(matches, "ALIAS").unwrap_or_default();
    Ok(in_domain(services.operator(), matches)?.alias_address(&name)?)
}

/// The users of `--owner`; bare names are of the alias's domain (ALI-8).
fn parse_owners(alias: &Address, matches: &ArgMatches, services: &Services) -> Result<Vec<UserId>, CommandError> {
    let service = services.operator().in_domain(alias.domain().clone());
    let owners = texts(matches, "owner");
    let parsed = owners.iter().filter(|text| !text.is_empty()).map(|text| service.parse_owner(text));
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// Members as people write them; bare names are of the alias's domain (ALI-8).
fn parse_members(alias: &Address, names: &[String], services: &Services) -> Result<Vec<Member>, CommandError> {
    let service = services.operator().in_domain(alias.domain().clone());
    Ok(service.parse_members(&names.join(","))?)
}

#[cfg(test)]
mod tests {
    use crate::commands::trial::Trial;

    #[test]
    fn every_option() {
        let trial = Trial::with_users(&["joe", "sue"]);
        let file = trial.path().join("archive");
        let with_file = format!("alias modify staff --file {} --program '/bin/cat -u'", file.display());
        trial.table(&[
            ("domain add example.net", ""),
            ("user add ann --domain example.net --group office", "ann"),
            (
                "alias create staff --owner joe --member joe,sue --description 'Who works here'",
                "staff@example.org created",
            ),
            (
                "alias create all --domain example.net -o ann@example.net,joe@example.org -m ann -m staff@example.org \
                 -m X@else.example -m group:office --joinable=no",
                "all@example.net created",
            ),
            ("alias show all@example.net", "members        ann staff@example.org group:office X@else.example"),
            ("alias show all@example.net", "owners         ann joe"),
            ("alias show all --domain example.net", "type           restricted"),
            ("alias show all@example.net --json", r#""remote":["X@else.example"]"#),
            ("alias list", "all@example.net                  restricted     4"),
            ("alias list --domain example.org", "staff@example.org                open           2 Who works here"),
            ("alias list --of ann", "all@example.net"),
            ("alias list --of ann --domain example.org", ""),
            ("alias search WORKS", "staff@example.org"),
            ("alias search nothing", ""),
            ("alias add staff ann@example.net --owner sue", ""),
            ("alias show staff", "owners         joe sue"),
            ("alias add staff joe", ""),
            ("alias remove staff ann joe -o joe", ""),
            ("alias show staff", "members        sue"),
            (&with_file, ""),
            ("alias show staff", "program        /bin/cat -u"),
            ("alias modify staff --file '' --program '' --description ''", ""),
            ("alias modify staff -o joe -m joe -m sue --joinable=false", ""),
            ("alias show staff", "owners         joe"),
            ("alias remove all@example.net X@else.example", ""),
            ("alias delete staff", "staff@example.org deleted"),
            ("alias show all@example.net", "members        ann group:office"),
        ]);
        let first = trial.run("alias list --limit 1", "");
        assert_eq!(first.err, "there are more: --after all@example.net");
        let of = trial.run("alias list --of admin --limit 1 --json", "");
        assert_eq!(of.err, "there are more: --after postmaster@example.net", "{of:?}");
        trial.table(&[("alias list --of admin --after postmaster@example.net", "postmaster@example.org")]);
    }

    #[test]
    fn errors_name_field_value_and_rule() {
        let trial = Trial::with_users(&["joe"]);
        trial.table(&[
            ("alias create staff --owner joe --member joe", "staff@example.org created"),
            ("alias create outer --owner joe --member staff", "outer@example.org created"),
            ("alias create staff --owner joe --member joe", "!73 it is taken by alias staff@example.org"),
            ("alias create joe --owner joe --member joe", "!73 it is taken by user joe"),
            ("alias create x --member joe", "!64 owners: an alias has one owner at least"),
            ("alias create x --owner joe", "!64 members: an alias has one member at least"),
            ("alias create x --owner staff --member joe", "!64 owners: \"staff\": an owner is a user of this server"),
            ("alias create x --owner joe --member nobody", "!64 members: \"nobody\": there is no user and no alias"),
            ("alias create x -o joe -m nobody@example.org", "!64 nobody has that address on this server"),
            ("alias create x -o joe -m group:none", "!64 nobody is in a group of that name"),
            ("alias create x -o joe -m 'joe;x@else.example'", "!64 members"),
            ("alias create 'a b' -o joe -m joe", "!64 alias: \"a b\""),
            ("alias create x@nowhere.example -o joe -m joe", "!66 nowhere.example"),
            ("alias create x -o joe -m joe --file relative", "!64 file: \"relative\""),
            ("alias create x -o joe -m joe --file /etc/passwd", "!64 file: \"/etc/passwd\""),
            ("alias create x -o joe -m joe --program 'cat x'", "!64 program: \"cat x\""),
            ("alias create x -o joe -m joe --joinable=perhaps", "!64 perhaps"),
            (
                "alias add staff outer",
                "!64 it would be a member of itself: staff@example.org -> outer@example.org -> staff",
            ),
            ("alias add staff", "!64 nothing to change"),
            ("alias add nowhere joe", "!66 there is no alias nowhere@example.org"),
            ("alias remove staff joe", "!64 members: an alias has one member at least"),
            ("alias remove staff -o joe", "!64 owners: an alias has one owner at least"),
            ("alias remove staff admin", "!64 members: \"admin\": it is not there in staff@example.org"),
            ("alias remove staff -o admin", "!64 owners: \"admin\": it is not there in staff@example.org"),
            ("alias modify staff", "!64 nothing to change"),
            ("alias modify staff --description x --if-revision fffff", "!75 changed by somebody else"),
            ("alias delete postmaster", "!64 a domain can't be without its postmaster"),
            ("alias delete staff nowhere", "!66 nowhere@example.org"),
            ("alias delete staff --if-revision fffff", "!75 staff@example.org"),
            ("alias list --of nobody", "!67 nobody"),
            ("alias list --domain nowhere.example", "!66 nowhere.example"),
            ("alias show", "!64 ALIAS"),
        ]);
        assert_eq!(trial.must("alias list", "").lines().count(), 3);
    }
}
