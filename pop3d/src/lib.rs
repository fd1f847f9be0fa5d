//! POP3: wire in, wire out (RFC 1939, with the extensions of RFC 2449, 2595, 3206, 5034 and 6856).
//!
//! - [`serve`] runs one connection, [`Pop3`] is what all of them share, [`Options`] what an administrator can set.
//! - `session` has the states and the loop, `commands` the table of commands and a file for each.
//! - `maildrop` is one session's numbering of the messages, `ahead` reads those that come next, `lock` keeps others out.
//! - `syntax` turns lines into words and numbers, `reply` prints what the server says.
//!
//! Decisions:
//! - **No APOP**: it needs passwords that can be read, and the directory keeps none. The greeting has no timestamp, so no
//!   client tries.
//! - **RETR sets no \Seen**, unless the site wants it ([`Options::mark_seen`]): a client that fetches in the background
//!   would make everything read in everybody's IMAP client. Cyrus decides the same way.
//! - **A bare LF leaves as CRLF.** Lines end in CRLF here (RFC 1939, 3), and a client that ends them at LF must not find the
//!   response's end inside a message. Sizes are those of the messages as they lie in the store, which is what they are on
//!   the wire too, but for such messages; IMAP's APPEND and an administrator's `cp` can bring them in, LMTP cannot.
//! - **Silence ends a session without a word** and without deleting anything (RFC 1939, 3).
//!
//! Invariants:
//! - What is deleted is deleted by QUIT and nothing else.
//! - Message numbers are given out at login and never move, whatever happens in the mailbox meanwhile.
//! - Nothing waits for a client, or for a sync, while it holds a lock of the store; what can block leaves the reactor.

mod ahead;
mod commands;
mod context;
#[cfg(fuzzing)]
pub mod fuzzing;
mod lock;
mod maildrop;
mod options;
mod outcome;
mod pace;
mod reply;
mod session;
mod syntax;
mod uidl;

pub use context::Pop3;
pub use options::{Deletion, Options};
pub use session::serve;
pub use uidl::{UidlFormat, UidlFormatError};
