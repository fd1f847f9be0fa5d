//! Instructions of a path, counted by valgrind's callgrind.
//!
//! [`begin`] and [`end`] are functions only so that valgrind knows them by name: it forgets what it has counted when the
//! one is called, and writes what it has counted since then when the other one is. Start, store, login and the first
//! rounds don't count, what other threads do meanwhile does.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

/// Where glibc would copy and clear with `rep movsb` and `rep stosb`, vector instructions do it: valgrind counts the former
/// by the octet.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

/// Does what is to be counted.
pub(crate) async fn counted<T>(work: impl Future<Output = T>) -> T {
    begin();
    let done = work.await;
    end();
    done
}

// Two bodies that differ: functions of one body may become one.
#[inline(never)]
fn begin() {
    black_box("begin");
}

#[inline(never)]
fn end() {
    black_box("end");
}

/// Instructions for a round, in all threads. The profile goes to `keep`.
pub(crate) fn instructions_per_round(path: &str, rounds: u32, keep: Option<&Path>) -> Result<u64, Box<dyn Error>> {
    let directory = benches::in_process::directory()?;
    let store = directory.path().join("store");
    fs::create_dir(&store)?;
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet"])
        .args(["--zero-before=guard::callgrind::begin", "--dump-before=guard::callgrind::end"])
        .arg(format!("--callgrind-out-file={}", directory.path().join("profile").display()))
        .arg(std::env::current_exe()?)
        .args(["run", path, &rounds.to_string()])
        .arg(store)
        .env("GLIBC_TUNABLES", TUNABLES)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !run.status.success() {
        return Err(format!("{}: {}", run.status, String::from_utf8_lossy(&run.stderr)).into());
    }
    // The first profile; that of the end of the program has no number.
    let profile = fs::read_to_string(directory.path().join("profile.1"))?;
    if let Some(keep) = keep {
        fs::create_dir_all(keep)?;
        fs::write(keep.join(path), without_open_calls(&profile))?;
    }
    let total = total(&profile).ok_or("the profile has no total")?;
    Ok(total / u64::from(rounds))
}

/// A profile as one wants to see it. Calls that had begun before counting did end up as `calls=0` with everything that
/// came after, which would stand above all that was counted.
fn without_open_calls(profile: &str) -> String {
    let mut lines = profile.lines();
    let mut text = String::with_capacity(profile.len());
    while let Some(line) = lines.next() {
        if line.starts_with("calls=0 ") {
            lines.next(); // what they cost
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// `totals: 123`, near the end of a profile ("Callgrind Format Specification", PartDetail's TotalCost).
fn total(profile: &str) -> Option<u64> {
    profile.lines().rev().find_map(|line| line.strip_prefix("totals: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals() {
        assert_eq!(total("events: Ir\n\nfn=(0)\n0 12\ntotals: 12\n"), Some(12));
        assert_eq!(total("events: Ir\n"), None);
        assert_eq!(total("totals: many\n"), None);
    }

    #[test]
    fn calls_of_before_are_left_out() {
        let profile = "fn=(1)\ncfn=(2)\ncalls=0 7\n3 900\n4 1\ncfn=(3)\ncalls=2 7\n3 40\n";
        assert_eq!(without_open_calls(profile), "fn=(1)\ncfn=(2)\n4 1\ncfn=(3)\ncalls=2 7\n3 40\n");
    }
}
