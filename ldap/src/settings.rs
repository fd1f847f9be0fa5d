//! Which server, who we are to it, and how long we wait.

use std::path::PathBuf;
use std::time::Duration;

use directory::{DomainName, HashCost, ScramCost, Secret, UserId};

use crate::link::tls;
use crate::url::{Scheme, Url};

/// How users' own passwords are checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Check {
    /// Against the hash in `userPassword`, which is read for it: fast, and the answer of a moment ago can be remembered.
    #[default]
    Hash,
    /// By a bind as the user: the LDAP server decides, with its password policy, and need not let us read `userPassword`.
    Bind,
}

/// Who we are to the server.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The name.
    pub dn: String,
    /// The password.
    pub password: Secret,
}

/// How the directory in an LDAP server is reached, and how it behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server is.
    pub url: Url,
    /// StartTLS before anything else is said (RFC 4511, 4.14); for `ldap://` only.
    pub starttls: bool,
    /// Certificates of authorities in PEM; `None`: those that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// The entry below which everything is kept.
    pub base: String,
    /// Who we are; `None`: over a Unix socket whoever the kernel says (SASL EXTERNAL), else nobody (an anonymous bind).
    pub identity: Option<Identity>,
    /// How users' own passwords are checked.
    pub check: Check,
    /// Connections that all work is spread over.
    pub connections: usize,
    /// Longest wait for a connection, TLS and bind among it.
    pub connect_timeout: Duration,
    /// Longest wait for an answer.
    pub operation_timeout: Duration,
    /// Longest time for which nobody asks a server that did not answer. It begins with a tenth of a second and doubles.
    pub retry_at_most: Duration,
    /// Most rows that are remembered.
    pub cache_size: usize,
    /// How long what the server said is good without asking again.
    pub cache_fresh: Duration,
    /// How long what the server said still serves look-ups when it does not answer.
    pub cache_stale: Duration,
    /// The server's own domain; made at the first start.
    pub primary_domain: DomainName,
    /// Users who administer the server whatever their entries say.
    pub admins: Vec<UserId>,
    /// What a password hash costs.
    pub hash_cost: HashCost,
    /// What SCRAM verifiers are made of, for the day when another directory keeps the users.
    pub scram: ScramCost,
}

impl Settings {
    /// A server that lets anybody do anything, waits and sizes that suit most.
    #[must_use]
    pub fn new(url: Url, base: &str, primary_domain: DomainName) -> Settings {
        Settings {
            url,
            starttls: false,
            ca_file: None,
            base: base.to_owned(),
            identity: None,
            check: Check::default(),
            connections: 4,
            connect_timeout: Duration::from_secs(5),
            operation_timeout: Duration::from_secs(10),
            retry_at_most: Duration::from_secs(10),
            cache_size: 10_000,
            cache_fresh: Duration::from_secs(10),
            cache_stale: Duration::from_secs(600),
            primary_domain,
            admins: Vec::new(),
            hash_cost: HashCost::default(),
            scram: ScramCost::default(),
        }
    }
    /// Reads the files that are named, to see whether they can be used.
    ///
    /// # Errors
    /// [`Error::Unavailable`](directory::Error::Unavailable), naming the file.
    pub fn check(&self) -> directory::Result<()> {
        tls::config(self).map(drop)
    }

    /// Whether what is said is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.starttls || self.url.scheme() == Scheme::Ldaps
    }
}
