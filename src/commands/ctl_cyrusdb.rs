//! `angarium ctl_cyrusdb`: recover or copy all databases. Cyrus' `ctl_cyrusdb`, which master runs at its start and every
//! half hour; `angarium serve` does both by itself.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches};
use mailstore::StoreOptions;
use tools::copies::checkpoint;
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::{Services, leave, store_options};

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input: super::no_input, run: online }, alone) };

fn spec() -> clap::Command {
    let flag = |name: &'static str, short: char, help: &'static str| {
        Arg::new(name).long(name).short(short).action(ArgAction::SetTrue).help(help)
    };
    clap::Command::new("ctl_cyrusdb")
        .about("Recover the databases, or write safety copies of them")
        .long_about(
            "Recover the mailbox list and the directory, or write safety copies of both. A server does all of it by itself: \
             recovery when it starts, copies at least hourly. The command is there for scripts that were written for Cyrus, \
             and to have a copy right before something risky.",
        )
        .after_long_help(
            "EXAMPLES\n  ctl_cyrusdb -r\n      what a start of the server does: replay journals, end what was under way\n  \
             ctl_cyrusdb -r -x\n      replay journals, and say what was under way when the server died\n  \
             ctl_cyrusdb -c\n      a copy of each database in <config>/copies, now\n\nEXIT STATUS\n  0   done\n  64  wrong \
             options\n  75  a database cannot be proved complete: ctl_mboxlist -r names what is lost, and repairs",
        )
        .arg(flag("recover", 'r', "Recover, as a start of the server does"))
        .arg(flag("checkpoint", 'c', "Write a safety copy of each database"))
        .group(ArgGroup::new("what").args(["recover", "checkpoint"]).required(true))
        .arg(
            flag(
                "no-cleanup",
                'x',
                "With -r: only recover: mailboxes that are half made, renamed or deleted are named and left so until the \
                 next start. A server that runs has ended them already",
            )
            .conflicts_with("checkpoint"),
        )
}

fn alone(matches: &ArgMatches, config: &Config, console: &mut dyn Console) -> Result<Exit, Failure> {
    let leave_unfinished = matches.get_flag("no-cleanup");
    let options = StoreOptions { leave_unfinished, ..store_options(config) };
    let (services, report) = Services::open_as(config, options, None)?;
    let said = report.unfinished.iter().try_for_each(|line| console.out(line));
    let done = online(matches, &services, console);
    let closed = services.close();
    leave(services);
    said.map_err(|problem| Failure::new(Exit::Io, problem))?;
    closed.and(done)
}

fn online(matches: &ArgMatches, services: &Services, _: &mut dyn Console) -> Result<Exit, Failure> {
    // To have opened them, here or when the server started, is to have recovered them.
    if matches.get_flag("checkpoint") {
        let copied = checkpoint(&services.store, &*services.directory);
        copied.map_err(|problem| Failure::new(problem.exit(), problem))?;
    }
    Ok(Exit::Ok)
}
