//! Commands that need the store run in the process that owns it: the server if there is one, else this one. Either way it
//! is the same function; only where its words go differs.

use std::ffi::OsString;
use std::path::PathBuf;

use admin::control::{Called, Client, Request};
use clap::ArgMatches;
use tools::Exit;

use crate::commands::{Alone, Caller, StoreCommand};
use crate::config::{Config, Log};
use crate::failure::Failure;
use crate::logging::Logging;
use crate::output::Output;
use crate::privileges;
use crate::server::raise_descriptor_limit;
use crate::services::{Services, leave};
use crate::terminal::Terminal;

/// Runs `command`, whose command line is `args`, in whichever process owns the store. What it writes goes into the file `to`,
/// if there is one. Returns its exit code.
pub(crate) fn run(
    name: &str,
    command: &StoreCommand,
    alone: Option<Alone>,
    to: Option<PathBuf>,
    matches: &ArgMatches,
    caller: &Caller,
) -> Result<u8, Failure> {
    let config = caller.config()?;
    let input = (command.input)(matches)?;
    let socket = config.control_socket();
    let called = Client::call(&socket).map_err(|problem| {
        Failure::new(Exit::NoPermission, format!("cannot call the server at {}: {problem}", socket.display()))
    })?;
    // As whoever called: the service user may not write there.
    let output = to.map(Output::create).transpose()?;
    let terminal = |input| match &output {
        Some(output) => output.terminal(input),
        None => Ok(Terminal::new(input)),
    };
    let exit = match called {
        Called::Server(client) => {
            let directory = std::env::current_dir().unwrap_or_else(|_| "/".into());
            let request = Request::new(name, text_of(&caller.args)?, directory);
            let mut console = terminal(admin::control::Input::None)?;
            let exit = client.run(&request, input, &mut console);
            let said = console.finish();
            let exit = exit.map_err(|problem| Failure::new(Exit::TempFail, problem))?;
            said.map_err(unsaid)?;
            exit
        }
        Called::Nobody => {
            let uid = rustix::process::geteuid().as_raw();
            privileges::become_user(&config)?;
            privileges::check_owner(&config)?;
            raise_descriptor_limit();
            // On a terminal what goes well is not worth a line.
            Logging::start(&Log { level: "warn".to_owned(), ..config.log.clone() })?;
            let mut console = terminal(input)?;
            match alone {
                Some(alone) => {
                    let exit = alone(matches, &config, &mut console);
                    let said = console.finish();
                    let exit = exit?;
                    said.map_err(unsaid)?;
                    exit.code()
                }
                None => run_here(&config, uid, command, matches, console)?,
            }
        }
    };
    match output {
        Some(output) => output.finish(exit),
        None => Ok(exit),
    }
}

/// Owns the store for the time of the command, which the user `uid` gave.
fn run_here(
    config: &Config,
    uid: u32,
    command: &StoreCommand,
    matches: &ArgMatches,
    mut console: Terminal,
) -> Result<u8, Failure> {
    let services = Services::open(config, None)?.called_by(uid);
    let exit = (command.run)(matches, &services, &mut console);
    let closed = services.close();
    leave(services);
    let said = console.finish();
    let exit = exit?;
    closed?;
    said.map_err(unsaid)?;
    Ok(exit.code())
}

/// The command is done; what it said is not all there.
fn unsaid(problem: std::io::Error) -> Failure {
    Failure::new(Exit::Io, format!("cannot write the output: {problem}"))
}

fn text_of(args: &[OsString]) -> Result<Vec<String>, Failure> {
    args.iter()
        .map(|arg| {
            let text = arg.to_str().map(str::to_owned);
            text.ok_or_else(|| Failure::new(Exit::Usage, format!("{} is not UTF-8", arg.display())))
        })
        .collect()
}
