//! The program: one binary whose first argument, or the name it was called by, says which command runs.
//!
//! Start reading at [`commands`], the table of commands. `server` is what `angarium serve` runs, `owner` decides in which
//! process a command runs, `config/options.rs` is every option there is. Nothing here knows a protocol or a file of the
//! store.

mod backend;
mod certificate;
mod commands;
mod config;
mod failure;
mod logging;
mod metrics;
mod notify;
mod output;
mod owner;
mod privileges;
mod server;
mod services;
mod terminal;
mod tokens;
mod trace;

use std::process::ExitCode;

use rustix::fs::Mode;

fn main() -> ExitCode {
    // Mail is private: whatever any command creates is readable by the server's user only, unless it says otherwise.
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
    match commands::run(commands::arguments(std::env::args_os())) {
        Ok(code) => code.into(),
        Err(failure) => {
            let _ = terminal::err(&format!("angarium: {failure}"));
            failure.exit.code().into()
        }
    }
}
