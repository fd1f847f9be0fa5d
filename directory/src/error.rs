//! What can go wrong in a directory.

/// The result of a directory operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the directory. The text is for the administrator who asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks a rule; the text names it.
    #[error("{0}")]
    Invalid(String),
    /// The user ID, address or domain is taken; the text says by whom.
    #[error("{0}")]
    Exists(String),
    /// No such user.
    #[error("there is no user {0}")]
    NoUser(String),
    /// No such domain.
    #[error("there is no domain {0} on this server; create it first")]
    NoDomain(String),
    /// Something that must not be deleted, renamed or disabled.
    #[error("{0}")]
    Protected(String),
    /// A row that this version can't read.
    #[error("row {key} of the directory can't be read: {what}")]
    Corrupt {
        /// The row's key.
        key: String,
        /// What is wrong with it.
        what: String,
    },
    /// The ledger below refuses.
    #[error("the directory is not available: {0}")]
    Unavailable(String),
}
