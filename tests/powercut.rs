//! Power cuts. kill -9 proves little about durability, because the kernel keeps what a killed process wrote; so here the
//! store lies on a file system of its own in an image file, the server is frozen under load, the image is copied - which
//! is what a disk would hold after a power cut - and a server is started on the copy.
//!
//! Needs root and loop devices; without them the test says that it is skipped.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::load::Tally;
use harness::trial::Trial;
use harness::{Home, Server};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

const ROUNDS: usize = 40;

/// Large enough for forty rounds of mail, small enough to be copied in no time.
const IMAGE_SIZE: u64 = 256 << 20;

/// How often a copy is taken again because something was written to the disk meanwhile.
const COPIES: usize = 50;

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    let directory = TempDir::with_prefix("angarium-powercut-").expect("a temporary directory");
    let Some(mut disk) = Disk::create(directory.path()) else {
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

/// A file system in a file.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
    device: String,
    is_mounted: bool,
}

impl Disk {
    fn create(directory: &Path) -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let image = directory.join("disk-0");
        fs::File::create(&image).and_then(|file| file.set_len(IMAGE_SIZE)).expect("the image can be written");
        let made = run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", text(&image)]);
        made.ok()?;
        let mounted = directory.join("mounted");
        fs::create_dir(&mounted).expect("a mount point");
        Self::mount(image, mounted)
    }

    fn mount(image: PathBuf, mounted: PathBuf) -> Option<Self> {
        let device = run("losetup", &["--find", "--show", text(&image)]).ok()?.trim().to_owned();
        let mut disk = Self { image, mounted, device, is_mounted: false };
        run("mount", &["-t", "ext4", &disk.device, text(&disk.mounted)]).ok()?;
        disk.is_mounted = true;
        Some(disk)
    }

    /// A copy of the image as it was at one moment: taken again when the kernel wrote to it meanwhile.
    fn copy(&self) -> PathBuf {
        let copy = self.image.with_file_name(if self.image.ends_with("disk-0") { "disk-1" } else { "disk-0" });
        for _ in 0..COPIES {
            let before = self.writes();
            run("cp", &["--sparse=always", text(&self.image), text(&copy)]).expect("the image can be copied");
            if self.writes() == before {
                return copy;
            }
        }
        panic!("the disk does not come to rest although the server is stopped");
    }

    fn replace_by(&mut self, copy: &Path) {
        self.unmount();
        fs::remove_file(&self.image).expect("the old image can go");
        let mounted = Self::mount(copy.to_owned(), self.mounted.clone());
        *self = mounted.expect("the copy can be mounted: its journal is replayed");
    }

    /// How many writes the device has seen, and how many are on their way.
    fn writes(&self) -> (String, String) {
        let name = self.device.trim_start_matches("/dev/");
        let stat = fs::read_to_string(format!("/sys/block/{name}/stat")).expect("the kernel counts");
        let field = |index: usize| stat.split_whitespace().nth(index).unwrap_or_default().to_owned();
        (field(4), field(8))
    }

    fn unmount(&mut self) {
        if std::mem::take(&mut self.is_mounted) {
            run("umount", &[text(&self.mounted)]).expect("nothing uses the disk any more");
        }
        if !self.device.is_empty() {
            let _ = run("losetup", &["--detach", &std::mem::take(&mut self.device)]);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // A failing test may still have its server running there.
            let _ = run("umount", &["--lazy", text(&self.mounted)]);
        }
        if !self.device.is_empty() {
            let _ = run("losetup", &["--detach", &self.device]);
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(arguments).env("PATH", path).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(format!("{program} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)))
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of this test are ASCII")
}
