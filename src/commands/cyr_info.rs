//! `angarium cyr_info`: the configuration and the version, under the names that Cyrus has for them.

use clap::{Arg, ArgMatches};
use tools::Exit;

use super::{Caller, Command, Run};
use crate::config::{Config, sample};
use crate::failure::Failure;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

fn spec() -> clap::Command {
    clap::Command::new("cyr_info")
        .about("Show the configuration, or the version")
        .long_about("Show the configuration, or the version, by the names that Cyrus' tool has for them; see also config.")
        .after_long_help(
            "EXIT STATUS\n  0   done\n  64  wrong arguments\n  66  the configuration file cannot be read\n  78  the \
             configuration is wrong",
        )
        .arg(
            Arg::new("WHAT")
                .required(true)
                .value_parser(["conf", "conf-all", "conf-default", "conf-lint", "version"])
                .help(
                    "conf, conf-all: the values in effect; conf-default: every option explained; conf-lint: whether the \
                     configuration makes sense; version",
                ),
        )
}

fn run(matches: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    let text = match matches.get_one::<String>("WHAT").map(String::as_str).unwrap_or_default() {
        "conf" | "conf-all" => super::config::show(&caller.config()?, false),
        "conf-default" => sample().trim_end().to_owned(),
        "conf-lint" => match caller.config()? {
            Config { file: Some(file), .. } => format!("{}: good", file.display()),
            Config { file: None, .. } => "no configuration file; the defaults are in effect".to_owned(),
        },
        _ => format!("angarium {}", env!("CARGO_PKG_VERSION")),
    };
    terminal::out(&text).map_err(|problem| Failure::new(Exit::Io, problem))?;
    Ok(Exit::Ok)
}
