//! `angarium api-token`: tokens for programs that use the directory over HTTP.

use clap::{Arg, ArgAction, ArgMatches};
use directory::UserId;
use rest::NewToken;
use serde_json::json;
use tools::{CommandError, Console, Exit, interval};

use super::{Command, Run, StoreCommand, no_input};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: no_input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("api-token")
        .about("Make, list and take back tokens for programs that use the directory over HTTP")
        .long_about(
            "A token is sent as \"Authorization: Bearer TOKEN\" to the addresses of [http] and gives the rights of one user: \
             an administrator's may do everything. It is shown once, when it is made; what is kept is a hash.",
        )
        .subcommand_required(true)
        .subcommand(
            clap::Command::new("create")
                .about("Make a token and print it")
                .arg(Arg::new("NAME").required(true).help("What it is for"))
                .arg(
                    Arg::new("user")
                        .long("user")
                        .value_name("USER")
                        .default_value(directory::ADMIN)
                        .help("The user whose rights it gives"),
                )
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name("TIME")
                        .help("How long it is good, as 90d or 12h [default: for ever]"),
                ),
        )
        .subcommand(
            clap::Command::new("list")
                .about("List all tokens: ID, user, name, and when they end")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line")),
        )
        .subcommand(
            clap::Command::new("delete")
                .about("Take a token back")
                .arg(Arg::new("ID").required(true).help("As list shows it")),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let done = match matches.subcommand() {
        Some(("create", matches)) => create(matches, services, console),
        Some(("delete", matches)) => delete(matches, services, console),
        Some((_, matches)) => list(matches.get_flag("json"), services, console),
        None => Ok(()),
    };
    done.map(|()| Exit::Ok).map_err(|problem| Failure::new(problem.exit(), problem))
}

fn create(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let now = now();
    let expires = match text("expires") {
        Some(time) => Some(now.saturating_add(interval::seconds(&time)?.unsigned_abs())),
        None => None,
    };
    let user = UserId::parse(&text("user").unwrap_or_default())?;
    let new = NewToken { name: text("NAME").unwrap_or_default(), user, expires };
    let (_, secret) = services.api_tokens.create(&new, &services.operator(), &services.store, now)?;
    Ok(console.out(&secret)?)
}

fn list(as_json: bool, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    for token in services.api_tokens.list()? {
        let (id, name, user) = (&token.id, &token.name, token.user.as_str());
        let line = if as_json {
            json!({"id": id, "name": name, "user": user, "created": token.created, "expires": token.expires})
                .to_string()
        } else {
            let end = token.expires.map_or_else(|| "never".to_owned(), day);
            format!("{id}  {user:16} {end:10} {name}")
        };
        console.out(&line)?;
    }
    Ok(())
}

fn delete(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<(), CommandError> {
    let id = matches.get_one::<String>("ID").cloned().unwrap_or_default();
    match services.api_tokens.delete(&id, &services.operator())? {
        Some(token) => Ok(console.out(&format!("token {} of {} is good no more", token.name, token.user))?),
        None => Err(CommandError::Missing(format!("there is no token {id}"))),
    }
}

/// The day of a moment in Unix seconds.
fn day(moment: u64) -> String {
    let moment = i64::try_from(moment).ok().and_then(|moment| jiff::Timestamp::from_second(moment).ok());
    moment.map_or_else(|| "far".to_owned(), |moment| moment.strftime("%Y-%m-%d").to_string())
}

/// Unix seconds.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs()
}
