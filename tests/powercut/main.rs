//! Power cuts. kill -9 proves little about durability, because the kernel keeps what a killed process wrote; so here the
//! store lies on a file system of its own in an image file, the server is frozen under load, the image is copied - which
//! is what a disk would hold after a power cut - and a server is started on the copy. The same with the tools at work, in
//! the server or without one ([`tools`]).
//!
//! Needs root and loop devices; without them the tests say that they are skipped.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test reports trouble by panicking")]

mod disk;
mod tools;

use harness::load::Tally;
use harness::trial::Trial;
use harness::{Home, Server};
use rustix::process::Signal;
use tempfile::TempDir;

use disk::Disk;

const ROUNDS: usize = 40;

/// Large enough for forty rounds of mail, small enough to be copied in no time.
const IMAGE_SIZE: u64 = 256 << 20;

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let directory = TempDir::with_prefix("angarium-powercut-").expect("a temporary directory");
    let Some(mut disk) = Disk::create(directory.path(), IMAGE_SIZE) else {
        println!("SKIPPED what_was_acknowledged_survives_a_power_cut: needs root and loop devices");
        return;
    };
    let mut trial = Trial::begin(Home::at(env!("CARGO_BIN_EXE_angarium"), &disk.mounted, &[]));
    for round in 0..ROUNDS {
        // Flags are synced within a second, so a cut may take the last ones.
        let flags = false;
        let cut = |server: Server| {
            server.signal(Signal::STOP);
            let after_the_cut = disk.copy();
            server.kill();
            disk.replace_by(&after_the_cut);
        };
        // What was expunged last may come back: nothing promised that it is gone for good.
        trial = trial.round(10 + round * 11 % 60, flags, cut, |tally| Tally { risen: 0, ..tally });
    }
    // What was not promised may be torn: seen state is synced within a second, cache and index are made again from the
    // messages, sled's own files from the journal.
    trial.end(&[
        "mailbox.index.repaired",
        "mailbox.cache.healed",
        "mailbox.seen.damaged",
        "store.recovered",
        "ledger.tail.cut",
        "sled::config",
    ]);
}
