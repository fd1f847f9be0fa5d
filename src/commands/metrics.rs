//! `angarium metrics`: what the running server counts.

use clap::{Arg, ArgAction, ArgMatches};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run }, alone) };

fn spec() -> clap::Command {
    clap::Command::new("metrics")
        .about("Print what the running server counts")
        .long_about(
            "Print what the running server counts, in the text format that Prometheus reads; the same is served over HTTP \
             where [metrics] listen says. docs/metrics.md explains the figures. Exits with 69 if no server runs.",
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object"))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let Some(metrics) = services.metrics() else {
        return Err(Failure::new(Exit::Unavailable, "the server is starting"));
    };
    let text = if matches.get_flag("json") { metrics.json().to_string() } else { metrics.text() };
    for line in text.lines() {
        console.out(line).map_err(|problem| Failure::new(Exit::Io, problem))?;
    }
    Ok(Exit::Ok)
}

/// Without a server there is nothing to show.
fn alone(_: &ArgMatches, config: &Config, _: &mut dyn Console) -> Result<Exit, Failure> {
    Err(Failure::new(Exit::Unavailable, format!("no server runs for {}", config.config_dir().display())))
}
