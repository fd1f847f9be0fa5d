//! `angarium trace`: what a user's or an address' mail client says and is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches};
use directory::UserId;
use tools::{Console, Exit, Progress};
use tracing::info;
use wire::trace::{Order, Trace, Whom};
use wire::{Network, Sessions};

use super::{Command, Run, StoreCommand, who};
use crate::failure::Failure;
use crate::services::Services;
use crate::trace;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run }, who::no_server) };

/// When nothing more is said for this long, what was said is pushed through: a pipe has it then as a terminal has it at once.
const PAUSE: Duration = Duration::from_millis(150);
/// How often a terminal that nobody says anything to is asked whether it is still there.
const STILL_THERE: Duration = Duration::from_secs(5);

fn spec() -> clap::Command {
    clap::Command::new("trace")
        .about("Record what a client says and is told")
        .long_about(
            "Record what the clients of a user, or those from an address, say and are told, line by line with times: into \
             a file for each session below log/ in config_dir, or on this terminal (--follow) until it is interrupted. A \
             user's sessions are recorded from the login on, those from an address from the greeting on; sessions that \
             have logged in already, from their next command on. Passwords and what stands in for them are never \
             recorded, messages and literals over 256 octets only with --bodies. Files are for the server's user alone, \
             and all files of a trace together take 64 MiB at most. A trace does not outlive the server.",
        )
        .arg(Arg::new("user").short('u').long("user").value_name("USER").help("Sessions of this user"))
        .arg(
            Arg::new("address")
                .short('a')
                .long("address")
                .value_name("NETWORK")
                .value_parser(str::parse::<Network>)
                .help("Sessions from this address or network"),
        )
        .arg(Arg::new("follow").short('f').long("follow").action(ArgAction::SetTrue).help("Show it here instead of in files"))
        .arg(Arg::new("bodies").long("bodies").action(ArgAction::SetTrue).help("Messages and long literals too"))
        .arg(Arg::new("for").long("for").value_name("TIME").default_value("1h").help("How long: 12h, 30m, 90s"))
        .arg(
            Arg::new("stop")
                .long("stop")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["follow", "bodies"])
                .help("End the traces of this user or address, or all"),
        )
        .arg(
            Arg::new("list")
                .long("list")
                .action(ArgAction::SetTrue)
                .conflicts_with_all(["user", "address", "follow", "bodies", "stop"])
                .help("Show the traces that are on"),
        )
        .group(ArgGroup::new("what").args(["user", "address", "stop", "list"]).multiple(true).required(true))
        .group(ArgGroup::new("whom").args(["user", "address"]))
        .after_long_help(
            "EXAMPLES\n  angarium trace --user joe\n  angarium trace --address 192.0.2.7 --follow\n  \
             angarium trace --list\n  angarium trace --user joe --stop",
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let sessions = &services.sessions;
    let user = matches.get_one::<String>("user").map(|user| UserId::parse(user)).transpose();
    let user = user.map_err(|problem| Failure::new(Exit::Usage, problem))?;
    let user = user.map(|user| Whom::User(user.as_str().to_owned()));
    let whom = user.or_else(|| matches.get_one::<Network>("address").map(|network| Whom::From(*network)));
    if matches.get_flag("stop") {
        let ended = trace::end(sessions, |trace| whom.as_ref().is_none_or(|whom| trace.order().whom == *whom));
        say(console, &format!("{ended} traces ended"))?;
        return Ok(if ended == 0 { Exit::NoInput } else { Exit::Ok });
    }
    let Some(whom) = whom else {
        sessions.traces().iter().try_for_each(|trace| say(console, &line(trace)))?;
        return Ok(Exit::Ok);
    };
    let time = matches.get_one::<String>("for").map_or("1h", String::as_str);
    let seconds = tools::interval::seconds(time).map_err(|problem| Failure::new(Exit::Usage, problem))?;
    let seconds = u64::try_from(seconds).unwrap_or(0);
    let until = Instant::now().checked_add(Duration::from_secs(seconds));
    let until = until.ok_or_else(|| Failure::new(Exit::Usage, format!("{time} is too long")))?;
    info!(event = "trace.begun", %whom, seconds, bodies = matches.get_flag("bodies"), follow = matches.get_flag("follow"));
    let order = Order { whom, bodies: matches.get_flag("bodies"), until };
    if matches.get_flag("follow") {
        follow(sessions, order, console);
        return Ok(Exit::Ok);
    }
    let directory = trace::directory(services.store.layout().config(), &order.whom.to_string());
    let shown = format!("{} for {time}", directory.display());
    let begun = trace::into_files(sessions, order, directory);
    begun.map_err(|problem| Failure::new(Exit::CantCreate, format!("{shown}: {problem}")))?;
    say(console, &shown)?;
    Ok(Exit::Ok)
}

/// Shows records until the time is over, the trace is ended, or nobody reads them any more.
fn follow(sessions: &Arc<Sessions>, order: Order, console: &mut dyn Console) {
    let (trace, records) = sessions.trace(order);
    let (mut shown, mut wait) = (0, STILL_THERE);
    loop {
        let left = trace.order().until.saturating_duration_since(Instant::now());
        let told = match records.recv_timeout(left.min(wait)) {
            Ok(record) => {
                (shown, wait) = (shown + 1, PAUSE);
                console.out(&trace::line(&record))
            }
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) if !left.is_zero() => {
                wait = STILL_THERE;
                console.progress(&Progress { what: "records".to_owned(), done: shown, total: None })
            }
            Err(_) => break,
        };
        if told.is_err() {
            break;
        }
    }
    trace::end(sessions, |other| other.id() == trace.id());
}

fn line(trace: &Trace) -> String {
    let (records, lost) = trace.counts();
    let left = trace.order().until.saturating_duration_since(Instant::now()).as_secs();
    let bodies = if trace.order().bodies { ", with messages" } else { "" };
    format!("{}: {records} records, {lost} lost, ends in {left} s{bodies}", trace.order().whom)
}

fn say(console: &mut dyn Console, line: &str) -> Result<(), Failure> {
    console.out(line).map_err(|problem| Failure::new(Exit::Io, problem))
}
