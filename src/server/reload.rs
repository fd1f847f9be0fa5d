//! SIGHUP: certificates, notices and configuration are read again. What can change under a running server does; what cannot is
//! named in the log, so that nobody believes it has.

use std::sync::Arc;

use arc_swap::ArcSwap;
use ldap::Ldap;
use tracing::{error, info, warn};
use wire::listen::Gate;
use wire::{Limits, Sessions};

use crate::backend;
use crate::certificate;
use crate::commands::Caller;
use crate::config::{Config, Directory, SectionValues, Tls};
use crate::failure::Failure;
use crate::logging::Logging;
use crate::tokens::Tokens;

/// Options that take effect at once: new connections get new limits, new handshakes new certificates.
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
    "tls.certificate",
    "tls.key",
    "tls.others",
    "tls.min_version",
    "tls.client_certificates",
    "tls.client_ca",
    "tls.client_crl",
    "directory.url",
    "directory.starttls",
    "directory.authorities",
    "directory.bind_dn",
    "directory.bind_password_file",
    "directory.connections",
    "directory.connect_timeout",
    "directory.timeout",
    "directory.retry",
];

/// Sections of which all options are like that.
const LIVE_SECTIONS: &[&str] = &["oauth"];

/// What can change.
pub(super) struct Live {
    pub(super) config: Config,
    pub(super) caller: Caller,
    pub(super) logging: Logging,
    pub(super) tls: wire::Tls,
    pub(super) tokens: Arc<Tokens>,
    /// The LDAP server, if one keeps the directory.
    pub(super) ldap: Option<Arc<Ldap>>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
    pub(super) gate: Arc<Gate>,
    pub(super) sessions: Arc<Sessions>,
}

impl Live {
    /// Reads everything again. An error leaves what is in effect as it is: all of the configuration, or all certificates.
    pub(super) fn reload(&mut self) {
        login::notices::read_again(&self.sessions, &self.config.config_dir());
        let taken = self.caller.config().and_then(|config| self.take(config));
        if let Err(problem) = taken {
            error!(event = "config.kept", error = %problem);
            // Certificates run out whatever the configuration is like.
            self.read_certificates();
        }
    }

    /// Puts a configuration in effect, as far as it can be while the server runs.
    ///
    /// # Errors
    /// What is wrong with it; nothing has changed then.
    fn take(&mut self, config: Config) -> Result<(), Failure> {
        // All that may fail comes before anything that can be seen.
        Logging::check(&config.log)?;
        let successor = self.tokens.successor(&config)?;
        let connections = self.connections(&config)?;
        if config.tls == self.config.tls {
            self.read_certificates();
        } else {
            self.tls.replace(certificate::setup(&config)?)?;
            info!(event = "tls.certificate.reloaded");
        }
        if let Some(successor) = successor {
            self.tokens.hand_over(successor);
        }
        if let (Some(ldap), Some(connections)) = (&self.ldap, connections) {
            ldap.hand_over(connections);
            info!(event = "directory.ldap.reconnected");
        }
        self.logging.reload(&config.log)?;
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
        self.note(config);
        Ok(())
    }

    /// Connections to the LDAP server by this configuration. Files of passwords and certificates change without a word, so
    /// they are always new.
    fn connections(&self, config: &Config) -> Result<Option<ldap::Successor>, Failure> {
        let settings = backend::ldap_settings(config)?;
        let (Some(ldap), Some(settings)) = (&self.ldap, settings) else { return Ok(None) };
        ldap.successor(&settings).map(Some).map_err(backend::unusable)
    }

    /// The files of the configuration in effect.
    fn read_certificates(&self) {
        match self.tls.reload() {
            Ok(()) => info!(event = "tls.certificate.reloaded"),
            Err(problem) => error!(event = "tls.certificate.kept", error = %problem),
        }
    }

    /// Options that wait for a restart keep being compared with what is in effect.
    fn note(&mut self, config: Config) {
        let in_effect = std::mem::replace(&mut self.config.limits, config.limits);
        self.config.limits.message_size = in_effect.message_size;
        self.config.limits.mailboxes_per_user = in_effect.mailboxes_per_user;
        self.config.limits.login_history = in_effect.login_history;
        let client_name = self.config.tls.client_name;
        self.config.tls = Tls { client_name, ..config.tls };
        self.config.oauth = config.oauth;
        let Directory { backend, base, check, cache_entries, cache_fresh, cache_stale, .. } =
            self.config.directory.clone();
        self.config.directory =
            Directory { backend, base, check, cache_entries, cache_fresh, cache_stale, ..config.directory };
        self.config.log.level = config.log.level;
        self.config.imap.idle_timeout = config.imap.idle_timeout;
        self.config.server.shutdown_wait = config.server.shutdown_wait;
        self.config.server.proxies = config.server.proxies;
    }
}

fn is_live(option: &str) -> bool {
    LIVE.contains(&option) || option.split_once('.').is_some_and(|(section, _)| LIVE_SECTIONS.contains(&section))
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
        assert!(is_live("oauth.jwks") && is_live("tls.client_crl") && !is_live("tls.client_name") && !is_live("oauth"));
        assert!(is_live("directory.url") && !is_live("directory.base") && !is_live("directory.backend"));
    }
}
