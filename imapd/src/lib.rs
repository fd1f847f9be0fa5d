//! IMAP4rev1 and IMAP4rev2: wire in, wire out.

pub mod reply;
pub mod syntax;
pub mod types;
