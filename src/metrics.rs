//! What the running server counts, as a monitoring system reads it: `GET /metrics` and `angarium metrics`.
//!
//! Nothing is counted here. The store, the listeners and the protocols keep plain atomics; they are read when somebody asks.
//! [`FAMILIES`] is the one list of what there is; docs/metrics.md explains it and a test compares the two.

mod families;
mod http;
mod render;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use imapd::Imap;
use ldap::Ldap;
use lmtpd::Lmtp;
use mailstore::Store;
use pop3d::Pop3;
use rest::Rest;
use tokio::runtime::Handle;
use wire::listen::Gate;
use wire::meter::Commands;

use crate::services::Services;

#[cfg(test)]
use families::FAMILIES;
pub(crate) use http::{BUSY, CONNECTIONS, serve};

/// Everything that counts.
pub(crate) struct Metrics {
    store: Arc<Store>,
    gate: Arc<Gate>,
    lmtp: Arc<Lmtp>,
    /// The LDAP server, if one keeps the directory.
    ldap: Option<Arc<Ldap>>,
    /// The commands of each protocol.
    commands: Vec<(&'static str, Arc<Commands>)>,
    runtime: Handle,
    /// Unix seconds.
    started: u64,
}

impl Metrics {
    /// Of these services, from now on. Called in the runtime that serves them.
    pub(crate) fn new(
        services: &Services,
        gate: &Arc<Gate>,
        imap: &Imap,
        pop3: &Pop3,
        lmtp: &Arc<Lmtp>,
        rest: &Rest,
    ) -> Self {
        Self {
            store: Arc::clone(&services.store),
            gate: Arc::clone(gate),
            lmtp: Arc::clone(lmtp),
            ldap: services.ldap.clone(),
            commands: vec![
                ("imap", Arc::clone(&imap.commands)),
                ("pop3", Arc::clone(&pop3.commands)),
                ("lmtp", Arc::clone(&lmtp.meters().commands)),
                ("http", Arc::clone(&rest.commands)),
            ],
            runtime: Handle::current(),
            started: now(),
        }
    }

    /// All figures in the OpenMetrics text format, which Prometheus reads.
    pub(crate) fn text(self: &Arc<Self>) -> String {
        render::text(self)
    }

    /// All figures as a JSON object: family name to a list of samples.
    pub(crate) fn json(&self) -> serde_json::Value {
        render::json(self)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("started", &self.started).finish_non_exhaustive()
    }
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of docs/metrics.md: name as on the wire, type, labels.
    fn documented() -> Vec<(String, String, Vec<String>)> {
        let rows = include_str!("../docs/metrics.md").lines().filter(|line| line.starts_with("| `"));
        rows.map(|row| {
            let cells: Vec<_> = row.split('|').map(|cell| cell.trim().to_owned()).collect();
            let name = cells[1].trim_matches('`').to_owned();
            let labels = cells[3].split(", ").map(|label| label.split(' ').next().unwrap_or_default());
            (name, cells[2].clone(), labels.map(|label| label.trim_matches('`').to_owned()).collect())
        })
        .collect()
    }

    #[test]
    fn the_page_lists_every_family() {
        let ours: Vec<_> = FAMILIES
            .iter()
            .map(|family| {
                let labels = family.labels.iter().map(|label| (*label).to_owned());
                let labels: Vec<_> = if family.labels.is_empty() { vec![String::new()] } else { labels.collect() };
                (family.wire_name(), family.kind.name().to_owned(), labels)
            })
            .collect();
        assert_eq!(ours, documented());
    }

    #[test]
    fn names_follow_the_conventions() {
        for family in FAMILIES {
            assert!(family.name.starts_with("angarium_"), "{}", family.name);
            assert!(!family.name.ends_with("_total"), "{}: the encoder adds that", family.name);
            assert!(family.help.ends_with(|last: char| last != '.'), "{}: the encoder adds the stop", family.name);
        }
    }
}
