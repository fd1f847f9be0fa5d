//! SIGHUP: certificates, notices and configuration are read again. What can change under a running server does; what cannot is
//! named in the log, so that nobody believes it has.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing::{error, info, warn};
use wire::listen::Gate;
use wire::{Limits, Sessions, Tls};

use crate::commands::Caller;
use crate::config::{Config, SectionValues};
use crate::logging::Logging;
use crate::notices;

/// Options that take effect at once: new connections get new limits.
const LIVE: &[&str] = &[
    "limits.connections",
    "limits.memory",
    "limits.connection_memory",
    "limits.connections_per_address",
    "limits.connections_per_minute",
    "limits.connections_per_user",
    "limits.login_timeout",
    "limits.failed_logins",
    "limits.failed_logins_half_life",
    "limits.failed_logins_exempt",
    "limits.tls_handshake",
    "limits.body_stalled",
    "limits.output_stalled",
    "log.level",
    "imap.idle_timeout",
    "server.shutdown_wait",
    "server.proxies",
];

/// What can change.
pub(super) struct Live {
    pub(super) config: Config,
    pub(super) caller: Caller,
    pub(super) logging: Logging,
    pub(super) tls: Tls,
    pub(super) limits: Arc<ArcSwap<Limits>>,
    pub(super) gate: Arc<Gate>,
    pub(super) sessions: Arc<Sessions>,
}

impl Live {
    /// Reads everything again. An error leaves what is in effect as it is.
    pub(super) fn reload(&mut self) {
        match self.tls.reload() {
            Ok(()) => info!(event = "tls.certificate.reloaded"),
            Err(problem) => error!(event = "tls.certificate.kept", error = %problem),
        }
        notices::read_again(&self.sessions, &self.config.config_dir());
        let config = match self.caller.config() {
            Ok(config) => config,
            Err(problem) => {
                error!(event = "config.kept", error = %problem);
                return;
            }
        };
        if let Err(problem) = self.logging.reload(&config.log) {
            error!(event = "config.kept", error = %problem);
            return;
        }
        self.limits.store(Arc::new(config.wire_limits()));
        self.gate.attempts().set_policy(config.login_policy());
        super::memory::limit(&self.gate, &config);
        let waiting = changed(&self.config.values(), &config.values());
        let waiting: Vec<_> = waiting.into_iter().filter(|name| !is_live(name)).collect();
        if waiting.is_empty() {
            info!(event = "config.reloaded");
        } else {
            warn!(event = "config.restart.needed", options = waiting.join(" "));
        }
        // Options that wait for a restart keep being compared with what is in effect.
        let in_effect = std::mem::replace(&mut self.config.limits, config.limits);
        self.config.limits.message_size = in_effect.message_size;
        self.config.limits.mailboxes_per_user = in_effect.mailboxes_per_user;
        self.config.log.level = config.log.level;
        self.config.imap.idle_timeout = config.imap.idle_timeout;
        self.config.server.shutdown_wait = config.server.shutdown_wait;
        self.config.server.proxies = config.server.proxies;
    }
}

fn is_live(option: &str) -> bool {
    LIVE.contains(&option)
}

/// Names of the options that differ.
fn changed(before: &[SectionValues], after: &[SectionValues]) -> Vec<String> {
    let mut names = Vec::new();
    for ((section, old), (_, new)) in before.iter().zip(after) {
        for ((option, old), (_, new)) in old.iter().zip(new) {
            if old != new {
                names.push(format!("{section}.{option}"));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_named() {
        let before = Config::default();
        let mut after = Config::default();
        assert!(changed(&before.values(), &after.values()).is_empty());
        after.imap.listen.clear();
        after.log.level = "debug".to_owned();
        after.limits.connections = Some(3);
        let names = changed(&before.values(), &after.values());
        assert_eq!(names, ["imap.listen", "limits.connections", "log.level"]);
        let waiting: Vec<_> = names.iter().filter(|name| !is_live(name)).collect();
        assert_eq!(waiting, ["imap.listen"]);
    }
}
