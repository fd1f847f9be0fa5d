//! `angarium domain`: domains that mail is accepted for.

use clap::{Arg, ArgAction, ArgMatches};
use directory::{Domain, DomainName, Listing, Page, Words};
use tools::domain::{add_domain, delete_domains, rename_domain};
use tools::{CommandError, Console, Exit};

use super::listing::{json, print, print_fields, revision, revision_arg, text, texts, value, words};
use super::{Command, Run, StoreCommand, listing};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let name = || Arg::new("DOMAIN").required(true).help("The domain, as example.org");
    let description = || Arg::new("description").long("description").value_name("TEXT").help("What it is, for people");
    clap::Command::new("domain")
        .about("Create, list, show, rename and delete mail domains")
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("add")
                .visible_alias("create")
                .about("Accept mail for a domain")
                .long_about(
                    "Accept mail for a domain from now on, and make its alias postmaster, whose mail the user admin gets. \
                     Nothing else happens: the MX record in the DNS is yours to make, before.",
                )
                .arg(name())
                .arg(description().default_value("")),
        )
        .subcommand(clap::Command::new("list").about("List domains").args(listing::args("DOMAIN")))
        .subcommand(
            clap::Command::new("search")
                .about("List the domains whose name or description has all these words in it")
                .arg(Arg::new("WORD").required(true).num_args(1..))
                .args(listing::args("DOMAIN")),
        )
        .subcommand(
            clap::Command::new("show")
                .about("Show a domain, and how many users and aliases it has")
                .arg(name())
                .arg(json()),
        )
        .subcommand(
            clap::Command::new("modify")
                .about("Change the description")
                .arg(name())
                .arg(description().required(true))
                .arg(revision_arg()),
        )
        .subcommand(
            clap::Command::new("rename")
                .visible_alias("move")
                .about("Give a domain another name, with all addresses in it")
                .long_about(
                    "Give a domain another name. The addresses of its users and aliases have the new name from one moment to \
                     the next, and so has whatever names them; mailboxes stay as they are. The server's own domain can be \
                     renamed too.",
                )
                .arg(Arg::new("OLD").required(true))
                .arg(Arg::new("NEW").required(true)),
        )
        .subcommand(delete_spec("delete").arg(name().num_args(1..)))
        .after_long_help(
            "EXAMPLES\n  angarium domain create example.net --description 'The other one'\n  angarium domain rename \
             example.net example.com\n  angarium domain delete --cascade example.com",
        )
}

/// How domains are deleted, under whatever name.
pub(super) fn delete_spec(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .about("Delete domains")
        .long_about(
            "Delete domains: all that are named, or none. They must have no users, and no aliases but postmaster, unless \
             --cascade says that these go too, the users with their mail. The server's own domain stays.",
        )
        .arg(
            Arg::new("cascade")
                .long("cascade")
                .action(ArgAction::SetTrue)
                .help("With their users, the users' mail, and aliases"),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Some((word, matches)) = matches.subcommand() else { return Ok(Exit::Ok) };
    match word {
        "add" => add(&required(matches, "DOMAIN"), matches, services)?,
        "list" => list(&Words::default(), matches, services, console)?,
        "search" => list(&words(matches, "WORD"), matches, services, console)?,
        "show" => show(matches, services, console)?,
        "modify" => modify(matches, services)?,
        "rename" => rename_domain(&services.operator(), &required(matches, "OLD"), &required(matches, "NEW"), console)?,
        _ => delete(&texts(matches, "DOMAIN"), matches, services, console)?,
    }
    Ok(Exit::Ok)
}

/// Makes the domain `name`, which the options describe.
pub(super) fn add(name: &str, matches: &ArgMatches, services: &Services) -> Result<(), CommandError> {
    add_domain(&services.operator(), name, &required(matches, "description"))
}

/// Deletes the domains `names`, as the options say.
pub(super) fn delete(
    names: &[String],
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let cascade = matches.get_flag("cascade");
    let mut gone = Vec::new();
    if cascade {
        for name in names {
            let name = DomainName::parse(name)?;
            gone.extend(services.directory.users(Some(&name))?.into_iter().map(|user| user.uid.to_string()));
        }
    }
    delete_domains(&services.store, &services.operator(), names, cascade, console)?;
    gone.iter().for_each(|user| super::user::end_sessions(services, user));
    Ok(())
}

/// Lists the domains that have `words` in their names or descriptions.
pub(super) fn list(
    words: &Words,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let mut domains = services.operator().domains()?;
    domains.retain(|domain| words.match_folded(&format!("{} {}", domain.name, domain.description).to_lowercase()));
    let mut page_of = |page: &Page| {
        let after = page.after.as_deref().map(DomainName::parse).transpose()?;
        let begin = after.map_or(0, |after| domains.partition_point(|domain| domain.name <= after));
        let rows = &domains[begin..domains.len().min(begin + page.size())];
        let is_last = begin + rows.len() == domains.len();
        let next = rows.last().filter(|_| !is_last).map(|domain| domain.name.to_string());
        Ok(Listing { rows: rows.to_vec(), next })
    };
    print(matches, console, &mut page_of, &mut line)
}

fn line(domain: &Domain) -> String {
    let primary = if domain.primary { "(primary)" } else { "" };
    format!("{:30} {primary:9} {}", domain.name.as_str(), domain.description).trim_end().to_owned()
}

fn show(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let (service, name) = (services.operator(), DomainName::parse(&required(matches, "DOMAIN"))?);
    let domain = service.domain(&name)?.ok_or_else(|| directory::Error::NoDomain(name.to_string()))?;
    let counts = service.counts(Some(&name))?;
    if matches.get_flag("json") {
        let mut object = value(&*domain)?;
        object["users"] = counts.users.into();
        object["aliases"] = counts.aliases.into();
        return Ok(console.out(&object.to_string())?);
    }
    let state = if domain.deleting { "being deleted" } else { "" };
    let fields = [
        ("domain", domain.name.to_string()),
        ("description", domain.description.clone()),
        ("primary", if domain.primary { "yes" } else { "no" }.to_owned()),
        ("state", state.to_owned()),
        ("users", counts.users.to_string()),
        ("aliases", counts.aliases.to_string()),
        ("revision", domain.revision.to_string()),
    ];
    print_fields(&fields, console)
}

fn modify(matches: &ArgMatches, services: &Services) -> Result<(), CommandError> {
    let name = DomainName::parse(&required(matches, "DOMAIN"))?;
    services.operator().describe_domain(&name, &required(matches, "description"), revision(matches)?)?;
    Ok(())
}

fn required(matches: &ArgMatches, name: &str) -> String {
    text(matches, name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::commands::trial::Trial;

    #[test]
    fn every_option_and_every_error() {
        let trial = Trial::with_users(&["joe"]);
        trial.table(&[
            ("domain add example.net --description 'The other one'", ""),
            ("domain create Third.example", ""),
            ("domain list", "example.net                              The other one"),
            ("domain list --json", r#""name":"example.net""#),
            ("domain list --limit 9 --after example.net", "example.org"),
            ("domain list --after third.example", ""),
            ("domain list --after 'a b'", "!64 domain: \"a b\""),
            ("domain search EXAMPLE --after example.org", "third.example"),
            ("domain search OTHER net", "example.net"),
            ("domain search nothing", ""),
            ("domain search other --json", r#""description":"The other one""#),
            ("domain show example.net", "aliases        1"),
            ("domain show example.org --json", r#""users":2"#),
            ("domain modify example.net --description Second", ""),
            ("domain show example.net", "description    Second"),
            ("domain rename example.net example.com", "example.com"),
            ("domain move example.com example.net", "example.net"),
            ("domain delete example.net third.example", "third.example deleted"),
            ("domain add example.org", "!73 domain: \"example.org\": it is taken by a domain of this server"),
            ("domain add a..b", "!64 domain: \"a..b\": between its dots"),
            ("domain add nodot", "!64 only the server's own domain may be a name without a dot"),
            (
                "domain add x.example --description 'a\tb'",
                "!64 description: \"a\\tb\": it can't have control characters",
            ),
            ("domain show nowhere.example", "!66 there is no domain nowhere.example"),
            ("domain modify nowhere.example --description x", "!66 nowhere.example"),
            ("domain modify example.org --description x --if-revision fffff", "!75 changed by somebody else"),
            ("domain modify example.org --description x --if-revision huh", "!64 revision: \"huh\""),
            ("domain modify example.org", "!64 --description"),
            ("domain rename nowhere.example x.example", "!66 nowhere.example"),
            ("domain rename example.org example.org", "!73 example.org"),
            ("domain delete example.org", "!64 it is the server's own domain"),
            ("domain delete nowhere.example", "!66 nowhere.example"),
            ("domain add", "!64 DOMAIN"),
            ("domain frobnicate", "!64 frobnicate"),
        ]);
    }

    #[test]
    fn lists_go_page_by_page() {
        let trial = Trial::new();
        (1..=4).for_each(|n| drop(trial.must(&format!("domain add d{n}.example"), "")));
        let (mut after, mut seen) = (String::new(), Vec::new());
        loop {
            let said = trial.run(&format!("domain list --limit 2{after}"), "");
            seen.push(
                said.out.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>(),
            );
            let Some(next) = said.err.strip_prefix("there are more: --after ") else { break };
            after = format!(" --after {next}");
        }
        assert_eq!(seen.concat(), ["d1.example", "d2.example", "d3.example", "d4.example", "example.org"]);
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }

    #[test]
    fn a_domain_goes_with_its_users_only_if_that_is_said() {
        let trial = Trial::new();
        trial.table(&[
            ("domain add example.net", ""),
            ("user add ann --domain example.net", "ann added with address ann@example.net"),
            ("alias create all --domain example.net --owner ann --member ann", "all@example.net created"),
            ("domain delete example.net", "!64 it has 1 users and 1 aliases"),
            ("domain delete --cascade example.net", "example.net deleted"),
            ("user show ann", "!67 ann"),
            ("alias show all@example.net", "!66 all@example.net"),
        ]);
    }
}
