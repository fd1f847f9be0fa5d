//! `angarium mkimap`: the directories of a new store. Cyrus' `mkimap`.

use clap::ArgMatches;
use durable::disk::RealDisk;
use tools::mkimap::make_directories;
use tools::{Console, Exit};

use super::{Caller, Command, Run};
use crate::backend;
use crate::config::options::Backend;
use crate::failure::Failure;
use crate::privileges;
use crate::services::store_options;
use crate::terminal::Terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

fn spec() -> clap::Command {
    clap::Command::new("mkimap")
        .about("Make the directories of a new store")
        .long_about(
            "Make the configuration directory and the partitions that the configuration names, with what belongs into them. \
             What is there already stays as it is. Not needed before a first start, which does the same; it is there for \
             scripts, and to see where everything will lie. Where an LDAP server is to keep the directory, the entries that \
             everything is kept below, and the primary domain, are made there too: do so before users are moved into it.",
        )
        .after_long_help("EXIT STATUS\n  0   done\n  73  a directory cannot be made\n  75  the LDAP server does not answer\n  77  it may not be made by this user")
}

fn run(_: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    let config = caller.config()?;
    let mut console = Terminal::new(admin::control::Input::None);
    let unsaid = |problem: std::io::Error| Failure::new(Exit::Io, problem);
    if let Some(file) = &config.file {
        console.out(&format!("reading configure file {}", file.display())).map_err(unsaid)?;
    }
    make_directories(&RealDisk, &store_options(&config).layout, &mut console)
        .map_err(|problem| Failure::new(problem.exit(), problem))?;
    if config.directory.backend == Backend::Ldap {
        privileges::become_user(&config)?;
        backend::found(&config)?;
        console.out("the LDAP server has the primary domain").map_err(unsaid)?;
    }
    console.out("done").map_err(unsaid)?;
    Ok(Exit::Ok)
}
