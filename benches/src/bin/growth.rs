//! Measures how costs grow with the number of messages, mailboxes and connections, and draws the curves.
#![expect(clippy::print_stderr, reason = "a program for the terminal")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use benches::growth::{Figures, Settings, chapter, measure, picture};
use benches::table;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors wanted: ten thousand connections, in this process and in the server.
const DESCRIPTORS: u64 = 30_000;

/// Measures how costs grow and draws the curves: figures.json and a picture for each subject.
#[derive(Parser)]
struct Arguments {
    /// Where figures and pictures are kept
    #[arg(long, default_value = "docs/growth")]
    into: PathBuf,

    /// A document whose tables are replaced, between the lines `<!-- table -->` and `<!-- end of table -->`
    #[arg(long, value_name = "DOCUMENT")]
    document: Option<PathBuf>,

    /// Draw what was measured before
    #[arg(long)]
    draw: bool,

    /// The server's program
    #[arg(long, default_value = "target/release/angarium")]
    program: PathBuf,

    /// Where the server keeps its mail while it is measured: on a file system that keeps what is synced
    #[arg(long, default_value = "/var/tmp")]
    directory: PathBuf,

    /// Messages in a mailbox
    #[arg(long, value_delimiter = ',', default_value = "1000,50000,1000000")]
    messages: Vec<usize>,

    /// Mailboxes in the store
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000")]
    mailboxes: Vec<usize>,

    /// Connections that idle
    #[arg(long, value_delimiter = ',', default_value = "1,100,1000,10000")]
    connections: Vec<usize>,

    /// How often each command is measured in a round
    #[arg(long, default_value_t = 40)]
    steps: usize,

    /// Rounds over all sizes
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// One sentence on the day, the machine and its load, for the document
    #[arg(long, default_value = "")]
    measured: String,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("growth: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let file = arguments.into.join("figures.json");
    if !arguments.draw {
        let figures = measured(arguments)?;
        fs::create_dir_all(&arguments.into)?;
        fs::write(&file, serde_json::to_string_pretty(&figures)? + "\n")?;
    }
    let figures = serde_json::from_str(&fs::read_to_string(&file)?)?;
    draw(&figures, &arguments.into)?;
    if let Some(document) = &arguments.document {
        let before = fs::read_to_string(document)?;
        let after = table::insert(&before, &chapter::write(&figures))
            .map_err(|_| format!("{} has no markers", document.display()))?;
        fs::write(document, after)?;
    }
    Ok(())
}

fn measured(arguments: &Arguments) -> Result<Figures, Box<dyn Error>> {
    let ascending = |sizes: &[usize]| !sizes.is_empty() && sizes[0] > 0 && sizes.is_sorted();
    if ![&arguments.messages, &arguments.mailboxes, &arguments.connections].into_iter().all(|sizes| ascending(sizes)) {
        return Err("sizes are numbers that ascend".into());
    }
    raise_descriptors()?;
    let settings = Settings {
        program: fs::canonicalize(&arguments.program)?,
        directory: arguments.directory.clone(),
        messages: arguments.messages.clone(),
        mailboxes: arguments.mailboxes.clone(),
        connections: arguments.connections.clone(),
        steps: arguments.steps,
        rounds: arguments.rounds,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let subjects = runtime.block_on(Box::pin(measure(&settings)))?;
    Ok(Figures { measured: arguments.measured.clone(), subjects })
}

fn draw(figures: &Figures, into: &Path) -> Result<(), Box<dyn Error>> {
    for subject in &figures.subjects {
        fs::write(into.join(format!("{}.svg", subject.name)), picture::draw(subject))?;
    }
    Ok(())
}

/// As many descriptors as the system allows, for this process and the server that it starts.
fn raise_descriptors() -> Result<(), Box<dyn Error>> {
    let now = getrlimit(Resource::Nofile);
    let wanted = |maximum| Rlimit { current: maximum, maximum };
    // More than the hard limit is for root.
    if now.maximum.is_some_and(|maximum| maximum < DESCRIPTORS)
        && setrlimit(Resource::Nofile, wanted(Some(DESCRIPTORS))).is_ok()
    {
        return Ok(());
    }
    Ok(setrlimit(Resource::Nofile, wanted(now.maximum))?)
}
