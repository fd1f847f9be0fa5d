//! Makes a table of the lines that `angarium-load --json` printed: `table RESULTS [--into DOCUMENT]`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints a table")]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use benches::{Report, table};
use clap::Parser;

/// Prints the table of medians and ratios, and puts it into a document between its markers.
#[derive(Parser)]
struct Arguments {
    /// Lines of JSON
    results: PathBuf,

    /// A document with the lines `<!-- table -->` and `<!-- end of table -->`
    #[arg(long)]
    into: Option<PathBuf>,

    /// A file with what is to stand below the table
    #[arg(long)]
    below: Option<PathBuf>,

    /// Lines to stand above the table: when and where it was measured
    #[arg(long, default_value = "")]
    heading: String,
}

fn main() -> ExitCode {
    match print(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(&arguments.results)?;
    let reports = text.lines().map(serde_json::from_str).collect::<Result<Vec<Report>, _>>()?;
    let below = arguments.below.as_ref().map(fs::read_to_string).transpose()?.unwrap_or_default();
    let text = format!("\n{}\n\n{}\n{below}", arguments.heading, table::print(&reports));
    println!("{text}");
    if let Some(document) = &arguments.into {
        let before = fs::read_to_string(document)?;
        let after = table::insert(&before, &text).map_err(|_| format!("{} has no markers", document.display()))?;
        fs::write(document, after)?;
    }
    Ok(())
}
