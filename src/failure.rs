//! Why the program ends otherwise than asked: a text for people and an exit code for whatever started it.

use std::fmt;

use tools::Exit;

use crate::config::ConfigError;

/// An error that ends the program.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The code to exit with.
    pub(crate) exit: Exit,
    /// What went wrong, naming the file, address or user concerned.
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: text.to_string() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = match &error {
            ConfigError::Unreadable { .. } => Exit::NoInput,
            ConfigError::Wrong { .. } => Exit::Config,
        };
        Self::new(exit, error)
    }
}

impl From<tools::CommandError> for Failure {
    fn from(error: tools::CommandError) -> Self {
        Self::new(error.exit(), error)
    }
}

impl From<directory::Error> for Failure {
    fn from(error: directory::Error) -> Self {
        tools::CommandError::from(error).into()
    }
}

impl From<wire::listen::BindError> for Failure {
    fn from(error: wire::listen::BindError) -> Self {
        use wire::listen::BindError;
        let (exit, advice) = match &error {
            BindError::InUse(_) => (Exit::Unavailable, " (is a server running already?)"),
            BindError::Permission(_) => (Exit::NoPermission, " (ports below 1024 need privilege)"),
            BindError::NotASocket(_) | BindError::PathTooLong(_) => (Exit::Config, ""),
            BindError::Io { .. } => (Exit::Os, ""),
        };
        Self::new(exit, format!("cannot listen: {error}{advice}"))
    }
}

impl From<wire::TlsError> for Failure {
    fn from(error: wire::TlsError) -> Self {
        Self::new(Exit::Config, format!("cannot use the TLS certificate: {error}"))
    }
}
