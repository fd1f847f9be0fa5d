//! Measures a store of a million mailboxes and prints a table in Markdown.
#![expect(clippy::print_stderr, clippy::print_stdout, reason = "a program for the terminal")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use benches::scale::{Settings, list, quota, reconstruct, table};
use clap::Parser;

/// Measures a store of a million mailboxes and prints a table in Markdown. Needs 3 GB below --directory for the list, and
/// with the defaults 2 GB each for the others.
#[derive(Parser)]
struct Arguments {
    /// The server's program
    #[arg(long, default_value = "target/release/angarium")]
    program: PathBuf,

    /// Where the stores are made; nothing is left there
    #[arg(long, default_value = "/var/tmp")]
    directory: PathBuf,

    /// Mailboxes in the list; 0 leaves this part out
    #[arg(long, default_value_t = 1_000_000)]
    mailboxes: usize,

    /// Mailboxes with directories, for `quota -f`; 0 leaves this part out
    #[arg(long, default_value_t = 100_000)]
    counted: usize,

    /// Messages to rebuild the indexes of; 0 leaves this part out
    #[arg(long, default_value_t = 200_000)]
    messages: usize,

    /// Mailboxes they lie in
    #[arg(long, default_value_t = 100)]
    folders: usize,

    /// How often starts are measured
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scale: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let program = fs::canonicalize(&arguments.program)?;
    let settings = Settings { program, directory: arguments.directory.clone(), rounds: arguments.rounds.max(1) };
    let mut figures = Vec::new();
    if arguments.mailboxes > 0 {
        figures.extend(list(&settings, arguments.mailboxes)?);
    }
    if arguments.counted > 0 {
        figures.extend(quota(&settings, arguments.counted)?);
    }
    if arguments.messages > 0 {
        figures.extend(reconstruct(&settings, arguments.messages, arguments.folders.max(1))?);
    }
    print!("{}", table(&figures));
    Ok(())
}
