//! `angarium lockout`: keeps users out, and lets them in again.

use clap::ArgMatches;
use login::notices::{Kind, Running};
use tools::{Console, Exit};

use super::motd::{show_or_set, with_arguments};
use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run }, alone) };

fn spec() -> clap::Command {
    with_arguments(clap::Command::new("lockout"))
        .about("Keep users out, or let them in again")
        .long_about(
            "Keep users out, or let them in again. The sessions of users end, each as soon as its command is done, with \
             the message; who logs in is told the same and disconnected, and LMTP clients are to try again later. \
             Administrators can log in. It stays so over a restart, until --clear: the message is kept in msg/shutdown \
             below config_dir. Who edits or removes that file sends the server SIGHUP. Without an option the message is \
             shown, or `none`.",
        )
        .after_long_help("EXAMPLES\n  angarium lockout -m 'Back at noon'\n  angarium lockout --clear")
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let config_dir = services.store.layout().config().to_owned();
    let running = Running { sessions: &services.sessions, service: &services.operator() };
    show_or_set(Kind::Lockout, matches, &config_dir, Some(running), console)
}

fn alone(matches: &ArgMatches, config: &Config, console: &mut dyn Console) -> Result<Exit, Failure> {
    show_or_set(Kind::Lockout, matches, &config.config_dir(), None, console)
}
