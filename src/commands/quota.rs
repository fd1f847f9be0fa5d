//! `angarium quota`: what users store, and putting right what is counted wrongly. Cyrus' `quota`.

use clap::{Arg, ArgAction, ArgMatches};
use directory::DomainName;
use tools::quota::{QuotaRequest, quota_of_users};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand, names};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, short: char, help: &'static str| {
        Arg::new(name).long(name).short(short).action(ArgAction::SetTrue).help(help)
    };
    clap::Command::new("quota")
        .about("Report quotas, and repair what is counted wrongly")
        .long_about(
            "Report the limit, the percentage in use and the use in KiB of every quota root, sorted by name. With -f, first \
             find which root governs each mailbox, add up what each root's mailboxes use, and correct what is wrong; mail \
             may arrive meanwhile, no message counts twice or not at all. Mailboxes are counted by their indexes: run \
             reconstruct first where one may be wrong, or give --deep. Roots that govern no mailbox are removed. A user's \
             limit is what the directory says; where the root says another one, it is given that.",
        )
        .after_long_help(
            "EXAMPLES\n  quota\n      every root: limit in KiB, percent used, KiB used, name\n  quota -f\n      put every \
             root right, then report\n  quota -f -n user/joe\n      what would be put right for joe\n  quota -u joe sue\n      \
             two users by their IDs\n\nEXIT STATUS\n  0   all is right, or was put right\n  1   something is wrong and was \
             left so (-n, or work for reconstruct)\n  64  wrong options\n  74  the terminal went away\n  75  the store cannot \
             be used now",
        )
        .arg(flag("fix", 'f', "Put right what is wrong").visible_alias("repair"))
        .arg(flag("dry-run", 'n', "With -f: only say what would be put right").requires("fix"))
        .arg(flag("quiet", 'q', "With -f: say only what was wrong, without the report").requires("fix"))
        .arg(flag("user", 'u', "Arguments are user IDs").conflicts_with("domain"))
        .arg(flag("json", 'J', "One JSON object a line"))
        .arg(
            Arg::new("deep")
                .long("deep")
                .action(ArgAction::SetTrue)
                .requires("fix")
                .help("With -f: add up index records and file sizes instead of believing the index headers"),
        )
        .arg(
            Arg::new("domain")
                .long("domain")
                .short('d')
                .value_name("DOMAIN")
                .conflicts_with("PREFIX")
                .help("Only users whose primary address is in this domain"),
        )
        .arg(
            Arg::new("PREFIX")
                .num_args(0..)
                .help("Only roots whose names begin with this: user/joe or user.joe [default: all]"),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let args = || matches.get_many::<String>("PREFIX").unwrap_or_default();
    let prefixes = match matches.get_one::<String>("domain") {
        Some(domain) => users_of(domain, services)?,
        None if matches.get_flag("user") => args().map(|user| names::inbox(user)).collect::<Result<_, _>>()?,
        None => args().map(|name| names::internal(name)).collect(),
    };
    if matches.contains_id("domain") && prefixes.is_empty() {
        return Ok(Exit::Ok);
    }
    let request = QuotaRequest {
        fix: matches.get_flag("fix"),
        dry_run: matches.get_flag("dry-run"),
        quiet: matches.get_flag("quiet"),
        deep: matches.get_flag("deep"),
        json: matches.get_flag("json"),
        prefixes,
    };
    let done = quota_of_users(&services.store, &services.operator(), &request, console);
    done.map_err(|problem| Failure::new(problem.exit(), problem))
}

/// The INBOXes of a domain's users.
fn users_of(domain: &str, services: &Services) -> Result<Vec<String>, Failure> {
    let failed = |problem: directory::Error| {
        let problem = tools::CommandError::from(problem);
        Failure::new(problem.exit(), problem)
    };
    let domain = DomainName::parse(domain).map_err(failed)?;
    if !services.directory.domains().map_err(failed)?.iter().any(|known| known.name == domain) {
        return Err(Failure::new(Exit::NoInput, format!("there is no domain {domain}")));
    }
    let users = services.directory.users(Some(&domain)).map_err(failed)?;
    Ok(users.iter().map(|user| format!("user/{}", user.uid)).collect())
}
