//! How much memory connections may have for their buffers.

use std::fs;
use std::path::Path;

use wire::listen::Gate;

use crate::config::Config;

/// The share of all memory that connections may have: a quarter. The rest is for the store's maps and caches, the page cache,
/// and whatever else runs on the machine.
const SHARE: u64 = 4;
/// However little is configured: 1 MiB for all, so that somebody can log in, and 512 KiB for each, so that a message can be
/// received ([`mailstore::StageWriter::IN_MEMORY`]).
const LEAST: (u64, u64) = (1 << 20, 512 << 10);
/// Where control groups are (cgroups(7), version 2).
const CONTROL_GROUPS: &str = "/sys/fs/cgroup";

/// Holds connections to what the configuration says.
pub(super) fn limit(gate: &Gate, config: &Config) {
    let all = config.limits.memory.map_or_else(|| available() / SHARE, |size| size.0);
    gate.memory().set_limits(all.max(LEAST.0), config.limits.connection_memory.0.max(LEAST.1));
}

/// The memory that this process may use: the machine's, or less if its control group or one above has less.
fn available() -> u64 {
    let system = rustix::system::sysinfo();
    let machine = (system.totalram as u64).saturating_mul(u64::from(system.mem_unit));
    let own = fs::read_to_string("/proc/self/cgroup").ok();
    let group = own.as_deref().and_then(|own| own.lines().find_map(|line| line.strip_prefix("0::/")));
    let group = Path::new(CONTROL_GROUPS).join(group.unwrap_or_default());
    let groups = group.ancestors().take_while(|group| group.starts_with(CONTROL_GROUPS));
    let limits = groups.filter_map(|group| limit_of(&fs::read_to_string(group.join("memory.max")).ok()?));
    limits.min().unwrap_or(machine).min(machine)
}

/// What `memory.max` says; nothing for `max`.
fn limit_of(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_some() {
        let octets = available();
        assert!(octets > 32 << 20, "{octets}");
        assert_eq!(limit_of("max\n"), None);
        assert_eq!(limit_of("1073741824\n"), Some(1 << 30));
    }
}
