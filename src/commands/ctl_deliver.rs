//! `angarium ctl_deliver`: the duplicate delivery database. Cyrus' `ctl_deliver`.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, value_parser};
use tools::deliveries::{dump_deliveries, prune_deliveries};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

fn spec() -> clap::Command {
    clap::Command::new("ctl_deliver")
        .about("Show or prune the memory of recent deliveries")
        .long_about(
            "Show or prune the database that keeps a message from being delivered twice. The server forgets deliveries of more \
             than three days ago once a day.",
        )
        .after_long_help(
            "EXAMPLES\n  ctl_deliver -d\n      every delivery: message id, mailbox, Unix time\n  ctl_deliver -E 3\n      forget \
             deliveries of more than three days ago\n\nEXIT STATUS\n  0   done\n  64  wrong options\n  75  the store cannot be \
             used now",
        )
        .arg(Arg::new("dump").long("dump").short('d').action(ArgAction::SetTrue).help("Print every delivery"))
        .arg(
            Arg::new("expire")
                .long("expire")
                .short('E')
                .value_name("DAYS")
                .value_parser(value_parser!(u32))
                .help("Forget deliveries of more than so many days ago"),
        )
        .arg(
            Arg::new("recover")
                .long("recover")
                .short('r')
                .action(ArgAction::SetTrue)
                .help("Accepted for Cyrus' sake: a damaged database is put aside and begun anew when it is opened"),
        )
        .group(ArgGroup::new("what").args(["dump", "expire", "recover"]).required(true))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let store = &services.store;
    let done = if matches.get_flag("dump") {
        dump_deliveries(store, console)
    } else if let Some(days) = matches.get_one::<u32>("expire") {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        prune_deliveries(store, *days, i64::try_from(now).unwrap_or(i64::MAX), console)
    } else {
        Ok(Exit::Ok)
    };
    done.map_err(|problem| Failure::new(problem.exit(), problem))
}
