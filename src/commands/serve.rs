//! `angarium serve`: the server.

use clap::ArgMatches;
use tools::Exit;

use super::{Caller, Command, Run};
use crate::failure::Failure;
use crate::server;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

fn spec() -> clap::Command {
    clap::Command::new("serve").about("Run the server").long_about(
        "Run the server in the foreground. Without a configuration it keeps everything below ./var and listens on \
         unprivileged ports of this machine only. SIGTERM or SIGINT ends it in order, SIGHUP makes it read certificates \
         and configuration again.",
    )
}

fn run(_: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    server::run(caller.config()?, caller.clone())
}
