//! A server's processes as the kernel counts them: CPU time and memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;

use crate::Failure;

/// A process with all its descendants. A server of many processes is named by its master; children that the master has
/// waited for are in its own account already.
#[derive(Debug, Clone, Copy)]
pub struct Tree {
    root: u32,
}

/// The parts of `/proc/PID/stat` (proc_pid_stat(5)) that matter here.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    /// Own and waited-for children's user and system time, in clock ticks.
    ticks: u64,
}

impl Tree {
    /// The tree below process `root`.
    #[must_use]
    pub fn new(root: u32) -> Self {
        Self { root }
    }

    /// CPU seconds used so far, by the user and by the system.
    ///
    /// # Errors
    /// [`Failure::Process`] when the process is gone.
    pub fn cpu_seconds(self) -> Result<f64, Failure> {
        let ticks: u64 = self.processes()?.values().map(|stat| stat.ticks).sum();
        Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
    }

    /// Memory in KiB, what is shared by n processes counted as an n-th in each (PSS).
    ///
    /// # Errors
    /// [`Failure::Process`] when the process is gone or the kernel does not tell us.
    pub fn pss_kib(self) -> Result<u64, Failure> {
        self.memory_kib("Pss:")
    }

    /// Of that memory, what is no file's: heap and stacks.
    ///
    /// # Errors
    /// As [`Tree::pss_kib`].
    pub fn anonymous_kib(self) -> Result<u64, Failure> {
        self.memory_kib("Pss_Anon:")
    }

    fn memory_kib(self, field: &str) -> Result<u64, Failure> {
        let mut sum = 0;
        for pid in self.processes()?.into_keys() {
            match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
                Ok(text) => sum += kib(&text, field).unwrap_or(0),
                // A child may end while we look.
                Err(cause) if pid == self.root => return Err(Failure::Process { pid, cause }),
                Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(Failure::Process { pid, cause });
                }
                Err(_) => {}
            }
        }
        Ok(sum)
    }

    fn processes(self) -> Result<BTreeMap<u32, Stat>, Failure> {
        let failed = |cause| Failure::Process { pid: self.root, cause };
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc").map_err(failed)? {
            let Some(pid) = entry.ok().and_then(|entry| entry.file_name().to_str()?.parse().ok()) else { continue };
            if let Some(stat) = fs::read_to_string(format!("/proc/{pid}/stat")).ok().and_then(|text| stat(&text)) {
                all.insert(pid, stat);
            }
        }
        if !all.contains_key(&self.root) {
            return Err(failed(io::ErrorKind::NotFound.into()));
        }
        let members = descendants(self.root, &all);
        all.retain(|pid, _| members.contains(pid));
        Ok(all)
    }
}

/// CPU seconds that this process has used.
pub(crate) fn own_cpu_seconds() -> Result<f64, Failure> {
    Tree::new(std::process::id()).cpu_seconds()
}

fn descendants(root: u32, all: &BTreeMap<u32, Stat>) -> BTreeSet<u32> {
    let mut members = BTreeSet::from([root]);
    let mut latest = vec![root];
    while let Some(parent) = latest.pop() {
        for (&pid, stat) in all {
            if stat.parent == parent && members.insert(pid) {
                latest.push(pid);
            }
        }
    }
    members
}

fn stat(text: &str) -> Option<Stat> {
    // The second field is the program's name in parentheses, which may contain anything.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace().skip(1);
    let parent = fields.next()?.parse().ok()?;
    let ticks = fields.skip(9).take(4).map_while(|field| field.parse::<u64>().ok());
    Some(Stat { parent, ticks: ticks.sum() })
}

fn kib(smaps: &str, field: &str) -> Option<u64> {
    smaps.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 100 0 0 0 11 22 300 4000 20 0 1 0 5 6 7";
        assert_eq!(stat(line), Some(Stat { parent: 7, ticks: 4333 }));
        assert_eq!(stat("nonsense"), None);
        let smaps = "Rss:   10 kB\nPss:     1234 kB\nPss_Anon: 3 kB\n";
        assert_eq!((kib(smaps, "Pss:"), kib(smaps, "Pss_Anon:"), kib(smaps, "Swap:")), (Some(1234), Some(3), None));
    }

    #[test]
    fn descendants_of_descendants_count() {
        let all = [(1, 0), (5, 1), (6, 5), (7, 6), (8, 1)];
        let all = all.into_iter().map(|(pid, parent)| (pid, Stat { parent, ticks: 0 })).collect();
        assert_eq!(descendants(5, &all), BTreeSet::from([5, 6, 7]));
    }

    #[test]
    fn own_time_and_memory_are_there() {
        assert!(own_cpu_seconds().is_ok());
        assert!(Tree::new(std::process::id()).pss_kib().unwrap() > 100);
    }
}
