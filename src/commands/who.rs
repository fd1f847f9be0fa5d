//! `angarium who`: who is connected to the server.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::json;
use tools::{Console, Exit};
use wire::sessions::SessionView;

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run }, no_server) };

fn spec() -> clap::Command {
    clap::Command::new("who")
        .about("Show who is connected")
        .long_about(
            "Show every session of the running server: its number, the service, who has logged in and from where, the \
             mailbox that is selected, how long it lasts, octets read and written, and what the client calls itself. \
             Exits with 69 if no server runs.",
        )
        .arg(Arg::new("USER").num_args(0..).help("Only sessions of these users"))
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object a line"))
        .after_long_help("EXAMPLES\n  angarium who\n  angarium who joe --json")
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let users: Vec<&String> = matches.get_many("USER").into_iter().flatten().collect();
    let json = matches.get_flag("json");
    let wanted = |view: &SessionView| {
        users.is_empty() || view.user.as_deref().is_some_and(|user| users.iter().any(|wanted| *wanted == user))
    };
    let said = |problem| Failure::new(Exit::Io, problem);
    let views: Vec<SessionView> = services.sessions.list().into_iter().filter(|view| wanted(view)).collect();
    if !json {
        let line = row(["ID", "SERVICE", "USER", "FROM", "TLS", "AGE", "IN", "OUT", "MAILBOX", "CLIENT"]);
        console.out(&line).map_err(said)?;
    }
    for view in &views {
        console.out(&if json { object(view) } else { line(view) }).map_err(said)?;
    }
    Ok(Exit::Ok)
}

fn line(view: &SessionView) -> String {
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().unwrap_or("-").to_owned();
    row([
        &view.id.to_string(),
        view.service,
        &text(&view.user),
        &view.peer.to_string(),
        view.tls.unwrap_or("-"),
        &spell(view.age),
        &view.octets_in.to_string(),
        &view.octets_out.to_string(),
        &text(&view.mailbox),
        &text(&view.client),
    ])
}

fn row(cells: [&str; 10]) -> String {
    let [id, service, user, from, tls, age, read, written, mailbox, client] = cells;
    let line = format!(
        "{id:>7} {service:7} {user:16} {from:22} {tls:7} {age:>7} {read:>10} {written:>10} {mailbox:24} {client}"
    );
    line.trim_end().to_owned()
}

fn object(view: &SessionView) -> String {
    json!({
        "id": view.id,
        "service": view.service,
        "user": view.user.as_deref(),
        "peer": view.peer.to_string(),
        "tls": view.tls,
        "seconds": view.age.as_secs(),
        "octets_in": view.octets_in,
        "octets_out": view.octets_out,
        "mailbox": view.mailbox.as_deref(),
        "client": view.client.as_deref(),
    })
    .to_string()
}

/// A time in its two largest units: `3d04h`, `2h05m`, `7m30s`, `12s`.
fn spell(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

/// Without a server nobody is connected.
pub(super) fn no_server(_: &ArgMatches, config: &Config, _: &mut dyn Console) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, format!("no server runs for {}", config.config_dir().display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (450, "7m30s"), (7_500, "2h05m"), (3 * 86_400 + 4 * 3600 + 59, "3d04h")]
        {
            assert_eq!(spell(Duration::from_secs(seconds)), expected);
        }
    }
}
