//! How long it takes to analyse message files.
//!
//! ```text
//! cargo run --release -p message --example speed -- FILE...
//! ```
//!
//! One line for each file: its size and the best time of many runs, for everything and for the structure alone.

use std::hint::black_box;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use message::structure::Structure;
use message::{Limits, analyse};

fn main() -> io::Result<()> {
    let limits = Limits::default();
    let mut out = io::stdout().lock();
    for file in std::env::args_os().skip(1) {
        let raw = std::fs::read(&file)?;
        let whole = best_of_many(|| drop(black_box(analyse(&raw, &limits))));
        let structure = best_of_many(|| drop(black_box(Structure::scan(&raw, &limits))));
        writeln!(out, "{:>10} bytes {whole:>12.2?} structure {structure:>12.2?}  {}", raw.len(), file.display())?;
    }
    Ok(())
}

fn best_of_many(run: impl Fn()) -> Duration {
    let deadline = Instant::now() + Duration::from_millis(200);
    let mut best = Duration::MAX;
    while Instant::now() < deadline {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed());
    }
    best
}
