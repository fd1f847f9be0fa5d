//! cyradm: the shell in which administrators of Cyrus have made mailboxes, given rights and set quotas for twenty years,
//! for any IMAP server.
//!
//! - [`Session`] is the connection, `imap` its client: it knows tags, literals and values, and no command.
//! - `commands` is the table of commands, with the abbreviations that people and scripts are used to.
//! - `words` takes a line apart as a shell does: quotes, `;`, `#`, redirection.
//! - [`Shell`] runs lines and tells what came of them; [`interact`] puts it behind a prompt.
//!
//! Nothing here imports anything of the server's: what it does, it does over the wire. A server is not trusted more than any
//! peer: its answers are bounded, and what it says is printed without control characters.

mod any_certificate;
mod commands;
mod connection;
mod imap;
mod modified_utf7;
mod prompt;
mod session;
mod shell;
mod trouble;
mod value;
mod words;

pub use any_certificate::any_certificate;
pub use commands::summary;
pub use connection::{Security, Server};
pub use prompt::interact;
pub use session::{Account, Mechanism, Session};
pub use shell::{Ask, Shell};
pub use trouble::{Kind, Trouble};
