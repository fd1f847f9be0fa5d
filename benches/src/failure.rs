//! Why a run has no figures.

use std::io;

/// What ended a run.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The connection failed or ended.
    #[error("connection: {0}")]
    Connection(#[from] io::Error),
    /// An answer was wrong, missing or doubled.
    #[error("wrong answer: {0}")]
    Wrong(String),
    /// The server's processes cannot be looked at.
    #[error("process {pid}: {cause}")]
    Process {
        /// Which.
        pid: u32,
        /// What the system said.
        cause: io::Error,
    },
    /// The run as a whole took longer than it may.
    #[error("the run did not end within {0} s")]
    TooLong(u64),
    /// The generator was asked for what it does not do.
    #[error("{0}")]
    Refused(String),
}

impl Failure {
    /// A wrong answer, with what it says (as much of it as helps).
    pub(crate) fn wrong(what: &str, answer: &[u8]) -> Self {
        /// Enough to see which answer it is.
        const SHOWN: usize = 300;
        Self::Wrong(format!("{what}: {}", answer[..answer.len().min(SHOWN)].escape_ascii()))
    }
}
