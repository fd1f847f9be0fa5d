//! The commands of the program: one table, a file for each.

mod alias;
mod api_token;
mod apply;
mod backup;
mod check;
mod chk_cyrus;
mod completion;
mod config;
mod ctl_cyrusdb;
mod ctl_deliver;
mod ctl_mboxlist;
mod cyr_dbtool;
mod cyr_df;
mod cyr_expire;
mod cyr_info;
mod cyradm;
mod deliver;
mod directory;
mod domain;
mod group;
mod ipurge;
mod kick;
mod listing;
mod lockout;
mod man;
mod mbexamine;
mod mbpath;
mod metrics;
mod mkimap;
mod motd;
mod msg;
pub(crate) mod names;
mod privileges;
mod quota;
mod reconstruct;
mod restore;
mod scrub;
mod serve;
mod status;
mod subs;
mod trace;
#[cfg(test)]
mod trial;
mod unexpunge;
mod user;
mod who;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use admin::control::{Input, Request};
use clap::{Arg, ArgMatches};
use tools::{Console, Exit};

use crate::config::Config;
use crate::failure::Failure;
use crate::owner;
use crate::services::Services;

/// A command.
pub(crate) struct Command {
    /// `angarium NAME`, and what it says of itself.
    pub(crate) spec: fn() -> clap::Command,
    /// Names it answers to when the program is called by them, besides its own.
    pub(crate) links: &'static [&'static str],
    /// Where and how it runs.
    pub(crate) run: Run,
}

/// Where a command runs.
pub(crate) enum Run {
    /// In this process.
    Here(fn(&ArgMatches, &Caller) -> Result<Exit, Failure>),
    /// Where the store is owned: in the server, or here if there is none.
    Store(StoreCommand),
    /// The same; what it writes goes into a file that is made where it was called, if the function names one.
    Export(StoreCommand, fn(&ArgMatches) -> Option<PathBuf>),
    /// As `Store`; but without a server it opens the store by itself, which may be in no state to be opened as usual.
    Repair(StoreCommand, Alone),
}

/// What a command does without a server, before anything is opened.
pub(crate) type Alone = fn(&ArgMatches, &Config, &mut dyn Console) -> Result<Exit, Failure>;

/// A command that needs the store.
pub(crate) struct StoreCommand {
    /// What it will read on standard input. Asked here, where the terminal is, before anything runs.
    pub(crate) input: fn(&ArgMatches) -> Result<Input, Failure>,
    /// What it does.
    pub(crate) run: fn(&ArgMatches, &Services, &mut dyn Console) -> Result<Exit, Failure>,
}

/// How the program was called.
#[derive(Clone)]
pub(crate) struct Caller {
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// The command line behind the program's name.
    pub(crate) args: Vec<OsString>,
}

impl Caller {
    /// Reads the configuration.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        Ok(Config::find(self.config.as_deref())?)
    }
}

/// Every command, in the order of the help text.
pub(crate) const TABLE: &[Command] = &[
    serve::COMMAND,
    status::COMMAND,
    who::COMMAND,
    kick::COMMAND,
    lockout::COMMAND,
    motd::COMMAND,
    trace::COMMAND,
    metrics::COMMAND,
    config::COMMAND,
    domain::COMMAND,
    user::COMMAND,
    alias::COMMAND,
    group::COMMAND,
    privileges::COMMAND,
    apply::COMMAND,
    api_token::COMMAND,
    directory::COMMAND,
    deliver::COMMAND,
    check::COMMAND,
    backup::COMMAND,
    restore::COMMAND,
    quota::COMMAND,
    ctl_mboxlist::COMMAND,
    reconstruct::COMMAND,
    scrub::COMMAND,
    mbexamine::COMMAND,
    chk_cyrus::COMMAND,
    unexpunge::COMMAND,
    ipurge::COMMAND,
    cyr_expire::COMMAND,
    cyradm::COMMAND,
    subs::COMMAND,
    mbpath::COMMAND,
    ctl_cyrusdb::COMMAND,
    ctl_deliver::COMMAND,
    cyr_dbtool::COMMAND,
    cyr_df::COMMAND,
    cyr_info::COMMAND,
    mkimap::COMMAND,
    msg::DOMAIN_CREATE,
    msg::DOMAIN_DELETE,
    msg::DOMAIN_LIST,
    msg::DOMAIN_MOVE,
    msg::USER_CREATE,
    msg::USER_MOD,
    msg::USER_DELETE,
    msg::USER_LIST,
    msg::USER_PASSWD,
    msg::ALIAS_CREATE,
    msg::ALIAS_ADD,
    msg::ALIAS_REMOVE,
    msg::ALIAS_MOD,
    msg::ALIAS_DELETE,
    msg::ALIAS_LIST,
    msg::ACL_SET,
    msg::ACL_SHOW,
    completion::COMMAND,
    man::COMMAND,
];

/// The command line: `angarium [--config FILE] COMMAND ...`.
pub(crate) fn line() -> clap::Command {
    clap::Command::new("angarium")
        .about("A Cyrus-style mail store server")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            Arg::new("config")
                .long("config")
                .short('C')
                .value_name("FILE")
                .global(true)
                .value_parser(clap::value_parser!(PathBuf))
                .help("The configuration file")
                .long_help(
                    "The configuration file. Without it: $ANGARIUM_CONFIG, ./angarium.toml, \
                     /etc/angarium/angarium.toml, or defaults.",
                ),
        )
        .subcommands(TABLE.iter().map(|command| (command.spec)()))
}

/// What the command line says, with the command's own name put in when the program was called by it.
pub(crate) fn arguments(mut args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let called = args.next().unwrap_or_default();
    let name = PathBuf::from(&called).file_name().unwrap_or(&called).to_owned();
    let mut line = vec![OsString::from("angarium")];
    line.extend(called_by(&name).map(OsString::from));
    line.extend(args);
    line
}

/// The command that answers to `name`.
fn called_by(name: &OsStr) -> Option<String> {
    TABLE.iter().find_map(|command| {
        let own = (command.spec)().get_name().to_owned();
        (name == own.as_str() || command.links.iter().any(|link| name == *link)).then_some(own)
    })
}

/// Runs what the command line says. Returns the code to exit with.
pub(crate) fn run(args: Vec<OsString>) -> Result<u8, Failure> {
    let matches = match line().try_get_matches_from(&args) {
        Ok(matches) => matches,
        Err(problem) => {
            // Help and version are no mistakes.
            let exit = if problem.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = problem.print();
            return Ok(exit.code());
        }
    };
    let config = matches.get_one::<PathBuf>("config").cloned();
    let caller = Caller { config, args: args.into_iter().skip(1).collect() };
    let (name, matches) = matches.subcommand().unwrap_or(("", &matches));
    match &find(name)?.run {
        Run::Here(run) => run(matches, &caller).map(Exit::code),
        Run::Store(command) => owner::run(name, command, None, None, matches, &caller),
        Run::Export(command, to) => owner::run(name, command, None, to(matches), matches, &caller),
        Run::Repair(command, alone) => owner::run(name, command, Some(*alone), None, matches, &caller),
    }
}

/// Runs a command that another process sent, with that process's words in and ours out.
pub(crate) fn run_in_server(request: &Request, services: &Services, console: &mut dyn Console) -> Exit {
    let line = line().try_get_matches_from(["angarium"].into_iter().chain(request.args.iter().map(String::as_str)));
    let done = match &line {
        Ok(matches) => match matches.subcommand() {
            Some((name, matches)) => find(name).and_then(|command| match &command.run {
                Run::Store(command) | Run::Export(command, _) | Run::Repair(command, _) => {
                    (command.run)(matches, services, console)
                }
                Run::Here(_) => Err(Failure::new(Exit::Usage, format!("{name} does not run in the server"))),
            }),
            None => Err(Failure::new(Exit::Usage, "no command")),
        },
        Err(problem) => Err(Failure::new(Exit::Usage, problem)),
    };
    done.unwrap_or_else(|failure| {
        // Whoever started it may be gone; then nobody reads this.
        let _ = console.err(&format!("angarium: {failure}"));
        failure.exit
    })
}

/// For commands that read nothing on standard input.
#[expect(clippy::unnecessary_wraps, reason = "the signature of StoreCommand::input")]
fn no_input(_: &ArgMatches) -> Result<Input, Failure> {
    Ok(Input::None)
}

fn find(name: &str) -> Result<&'static Command, Failure> {
    let found = TABLE.iter().find(|command| (command.spec)().get_name() == name);
    found.ok_or_else(|| Failure::new(Exit::Usage, format!("no command {name:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_consistent() {
        line().debug_assert();
    }

    #[test]
    fn links_name_their_command() {
        let check = |args: &[&str], expected: &[&str]| {
            assert_eq!(arguments(args.iter().map(OsString::from)), expected, "{args:?}");
        };
        check(&["./target/debug/angarium", "config", "show"], &["angarium", "config", "show"]);
        check(&["/usr/sbin/config", "show"], &["angarium", "config", "show"]);
        check(&[], &["angarium"]);
    }
}
