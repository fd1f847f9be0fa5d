//! The configuration: one TOML file, its defaults, and what is wrong with it in words an administrator can act on.

mod check;
pub(crate) mod options;
mod sample;
pub(crate) mod section;
pub(crate) mod value;

use std::path::{Path, PathBuf};

use thiserror::Error;

pub(crate) use check::Problem;
use options::ClientName;
pub(crate) use options::{
    Directory, Http, Imap, Limits, Lmtp, Log, Login, Metrics, OAuth, Performance, Pop3, Quota, Scrub, Server, Store,
    Tls,
};
use section::Section;

/// Where a configuration is looked for when none is named.
const IN_WORKING_DIRECTORY: &str = "angarium.toml";

/// Room for the Return-Path and Received that LMTP puts above a message: 4 KiB.
pub(crate) const TRACE_HEADER: u64 = 4 * 1024;

/// Where an installed server's configuration is.
const INSTALLED: &str = "/etc/angarium/angarium.toml";
/// The environment variable that names one.
pub(crate) const ENVIRONMENT: &str = "ANGARIUM_CONFIG";

/// The effective configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Config {
    /// The file it was read from; `None`: defaults.
    pub(crate) file: Option<PathBuf>,
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) imap: Imap,
    pub(crate) pop3: Pop3,
    pub(crate) lmtp: Lmtp,
    pub(crate) quota: Quota,
    pub(crate) login: Login,
    pub(crate) tls: Tls,
    pub(crate) oauth: OAuth,
    pub(crate) directory: Directory,
    pub(crate) limits: Limits,
    pub(crate) performance: Performance,
    pub(crate) scrub: Scrub,
    pub(crate) metrics: Metrics,
    pub(crate) http: Http,
    pub(crate) log: Log,
}

/// A section's name and its options with their values; `None` for an option that is unset.
pub(crate) type SectionValues = (&'static str, Vec<(&'static str, Option<toml::Value>)>);

/// Runs `$each!(field)` for every section, in the order of the file.
macro_rules! for_each_section {
    ($each:ident) => {
        $each!(server: crate::config::Server);
        $each!(store: crate::config::Store);
        $each!(imap: crate::config::Imap);
        $each!(pop3: crate::config::Pop3);
        $each!(lmtp: crate::config::Lmtp);
        $each!(quota: crate::config::Quota);
        $each!(login: crate::config::Login);
        $each!(tls: crate::config::Tls);
        $each!(oauth: crate::config::OAuth);
        $each!(directory: crate::config::Directory);
        $each!(limits: crate::config::Limits);
        $each!(performance: crate::config::Performance);
        $each!(scrub: crate::config::Scrub);
        $each!(metrics: crate::config::Metrics);
        $each!(http: crate::config::Http);
        $each!(log: crate::config::Log);
    };
}
pub(crate) use for_each_section;

/// Why there is no configuration.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {problem}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the system said.
        problem: std::io::Error,
    },
    /// The file is wrong. One line for each problem.
    #[error("{}", check::list(file, problems))]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// What is wrong, by line.
        problems: Vec<Problem>,
    },
}

impl Config {
    /// Reads the configuration: the file named, else the one `$ANGARIUM_CONFIG` names, else `./angarium.toml`, else
    /// `/etc/angarium/angarium.toml`, else defaults.
    ///
    /// # Errors
    /// [`ConfigError`], naming file and line.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        let named = named.map(Path::to_owned).or_else(|| std::env::var_os(ENVIRONMENT).map(PathBuf::from));
        if let Some(file) = named {
            return Self::read(&file);
        }
        for file in [IN_WORKING_DIRECTORY, INSTALLED] {
            match Self::read(Path::new(file)) {
                Err(ConfigError::Unreadable { problem, .. }) if problem.kind() == std::io::ErrorKind::NotFound => {}
                other => return other,
            }
        }
        Ok(Self::default())
    }

    /// Reads `file`.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn read(file: &Path) -> Result<Self, ConfigError> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                let mut config =
                    check::parse(&text).map_err(|problems| ConfigError::Wrong { file: file.clone(), problems })?;
                config.file = Some(file);
                Ok(config)
            }
            Err(problem) => Err(ConfigError::Unreadable { file, problem }),
        }
    }

    /// The directory of everything but messages.
    pub(crate) fn config_dir(&self) -> PathBuf {
        self.path(self.store.config_dir.as_deref(), "var/imap")
    }

    /// The directory of messages.
    pub(crate) fn spool(&self) -> PathBuf {
        self.path(self.store.spool.as_deref(), "var/spool/imap")
    }

    /// The LMTP socket.
    pub(crate) fn lmtp_socket(&self) -> PathBuf {
        self.lmtp.socket.as_deref().map_or_else(|| self.config_dir().join("socket/lmtp"), |path| self.base().join(path))
    }

    /// The control socket.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.config_dir().join("socket/control")
    }

    /// Certificate and key, and whether they were named (and so must exist).
    pub(crate) fn certificate(&self) -> (PathBuf, PathBuf, bool) {
        let place = |named: &Option<PathBuf>, default: &str| match named {
            Some(path) => self.base().join(path),
            None => self.config_dir().join("tls").join(default),
        };
        let named = self.tls.certificate.is_some() || self.tls.key.is_some();
        (place(&self.tls.certificate, "cert.pem"), place(&self.tls.key, "key.pem"), named)
    }

    /// The name to greet with.
    pub(crate) fn hostname(&self) -> String {
        self.server.hostname.clone().unwrap_or_else(machine_name)
    }

    /// The primary domain to create at the first start.
    pub(crate) fn domain(&self) -> String {
        self.server.domain.clone().unwrap_or_else(machine_name)
    }

    /// The largest message: not more than the store can take, with its trace header.
    pub(crate) fn message_size(&self) -> u64 {
        self.limits.message_size.0.min(mailstore::MAX_MESSAGE - TRACE_HEADER)
    }

    /// The limits of connections.
    pub(crate) fn wire_limits(&self) -> wire::Limits {
        wire::Limits {
            connections_per_address: self.limits.connections_per_address,
            connections_per_minute: self.limits.connections_per_minute,
            connections_per_user: self.limits.connections_per_user,
            connections: self.limits.connections,
            pre_auth: self.limits.login_timeout.0,
            idle: self.imap.idle_timeout.0,
            body_stalled: self.limits.body_stalled.0,
            output_stalled: self.limits.output_stalled.0,
            tls_handshake: self.limits.tls_handshake.0,
            proxies: self.server.proxies.clone(),
        }
    }

    /// When somebody who guesses passwords is turned away.
    pub(crate) fn login_policy(&self) -> wire::attempts::Policy {
        wire::attempts::Policy {
            address: self.limits.failed_logins,
            half_life: self.limits.failed_logins_half_life.0,
            exempt: self.limits.failed_logins_exempt.clone(),
        }
    }

    /// What people are let in by, beside passwords.
    pub(crate) fn login_by(&self) -> login::Policy {
        login::Policy {
            scram_sha1: self.login.scram_sha1,
            anonymous: self.login.anonymous,
            named_by: match self.tls.client_name {
                ClientName::Email => login::NamedBy::Address,
                ClientName::CommonName => login::NamedBy::CommonName,
                ClientName::UserId => login::NamedBy::UserId,
            },
        }
    }

    /// All options with their values, by section.
    pub(crate) fn values(&self) -> Vec<SectionValues> {
        let mut sections: Vec<SectionValues> = Vec::new();
        macro_rules! values {
            ($field:ident: $section:ty) => {
                sections.push((<$section>::TABLE, self.$field.values()));
            };
        }
        for_each_section!(values);
        sections
    }

    fn path(&self, named: Option<&Path>, default: &str) -> PathBuf {
        match named {
            Some(path) => self.base().join(path),
            None if self.is_installed() => Path::new("/").join(default),
            None => self.base().join(default),
        }
    }

    /// Whether the server may write to its own directories only.
    pub(crate) fn confined(&self) -> bool {
        self.server.confine.unwrap_or_else(|| self.is_installed())
    }

    /// A path of the configuration.
    pub(crate) fn absolute(&self, path: &Path) -> PathBuf {
        self.base().join(path)
    }

    fn is_installed(&self) -> bool {
        self.file.as_deref().is_some_and(|file| file.starts_with("/etc"))
    }

    /// Where relative paths begin.
    fn base(&self) -> PathBuf {
        let working = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        self.file.as_deref().and_then(Path::parent).map_or_else(working, Path::to_owned)
    }
}

/// The sample file: every option, documented and commented out.
pub(crate) fn sample() -> String {
    sample::print()
}

/// The machine's name, if a mail domain can be called so.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    directory::DomainName::parse(&name).map_or_else(|_| "localhost".to_owned(), |name| name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_the_file() {
        let at = |file: &str, text: &str| Config { file: Some(file.into()), ..check::parse(text).unwrap() };
        let config = at("/etc/angarium/angarium.toml", "");
        assert_eq!(config.config_dir(), Path::new("/var/imap"));
        assert_eq!(config.spool(), Path::new("/var/spool/imap"));
        let config = at("/home/joe/angarium.toml", "[tls]\ncertificate = 'c.pem'\nkey = '/k.pem'\n");
        assert_eq!(config.config_dir(), Path::new("/home/joe/var/imap"));
        assert_eq!(config.lmtp_socket(), Path::new("/home/joe/var/imap/socket/lmtp"));
        assert_eq!(config.certificate(), ("/home/joe/c.pem".into(), "/k.pem".into(), true));
        let config = at("/home/joe/angarium.toml", "[store]\nconfig_dir = 'x'\nspool = '/s'\n[lmtp]\nsocket = 'l'\n");
        assert_eq!(config.config_dir(), Path::new("/home/joe/x"));
        assert_eq!(config.spool(), Path::new("/s"));
        assert_eq!(config.lmtp_socket(), Path::new("/home/joe/l"));
        assert_eq!(config.certificate(), ("/home/joe/x/tls/cert.pem".into(), "/home/joe/x/tls/key.pem".into(), false));
    }
}
