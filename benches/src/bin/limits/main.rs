//! What this machine can do at best: the deliveries that its file system can make durable, what a copy, a round trip over
//! loopback, a TLS record and a wake-up cost. No mail server does better than these.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints figures")]

mod deliveries;
mod memory;
mod network;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use benches::{Report, sizes};
use clap::Parser;

/// Measures the physical limits of this machine and prints them as a table.
#[derive(Parser)]
struct Arguments {
    /// A directory on the file system to measure
    #[arg(long, default_value = ".")]
    directory: PathBuf,

    /// Only deliveries by so many writers, as a line of JSON for the table
    #[arg(long, value_name = "WRITERS")]
    deliveries: Option<usize>,

    /// Milliseconds for each figure
    #[arg(long, default_value_t = 1000)]
    milliseconds: u64,
}

/// A row of the table: what, how much, of what.
type Row = (String, f64, &'static str);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(rows) if arguments.deliveries.is_some() => {
            for (name, value, _) in rows {
                let report = Report::of_machine(&name, "copies", value);
                println!("{}", serde_json::to_string(&report).unwrap_or_default());
            }
            ExitCode::SUCCESS
        }
        Ok(rows) => {
            println!("| limit of the machine | |\n|---|--:|");
            for (what, value, unit) in rows {
                println!("| {what} | {value:.1} {unit} |");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("limits: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<Vec<Row>, Box<dyn Error>> {
    let time = Duration::from_millis(arguments.milliseconds);
    if let Some(writers) = arguments.deliveries.map(|writers| writers.max(1)) {
        let rate = deliveries::rate(&arguments.directory, writers, &sizes(), time)?;
        return Ok(vec![(format!("deliver-{writers}x1"), rate, "/s")]);
    }
    let mut rows = Vec::new();
    for (sizes, name) in [(vec![10 << 10], "10 KiB"), (sizes(), "70 KB on average")] {
        for writers in [1, 8, 16] {
            let rate = deliveries::rate(&arguments.directory, writers, &sizes, time)?;
            rows.push((format!("durable deliveries without mail, {name}, {writers} writers"), rate, "/s"));
        }
    }
    rows.push(("fdatasync of a grown file".to_owned(), deliveries::sync_time(&arguments.directory, time)?, "us"));
    rows.push(("memcpy, 70 KB (in cache)".to_owned(), memory::copy_rate(70_000, time), "MB/s"));
    rows.push(("memcpy, 64 MiB".to_owned(), memory::copy_rate(64 << 20, time), "MB/s"));
    rows.push(("wake-up of a thread that sleeps".to_owned(), memory::wake_up_time(time), "us"));
    rows.push(("round trip over loopback".to_owned(), network::round_trip(time)?, "us"));
    rows.push(("bytes over loopback".to_owned(), network::throughput(time)?, "MB/s"));
    rows.push(("TLS records (AES-128-GCM), encryption alone".to_owned(), network::encryption_rate(time)?, "MB/s"));
    Ok(rows)
}

/// How often `work` can be done in a second, trying for `time`.
fn rate_of(time: Duration, mut work: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let begin = Instant::now();
    let mut done = 0_u32;
    while begin.elapsed() < time {
        work()?;
        done += 1;
    }
    Ok(f64::from(done) / begin.elapsed().as_secs_f64())
}
