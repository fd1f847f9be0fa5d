//! What a mail message is: its MIME structure with exact offsets, its header values, and the IMAP-ready forms of both.
//!
//! Start at [`analyse`], which takes a message apart when it arrives; what it returns is what the store keeps. Reading
//! mail then takes [`Sections`] (which bytes of the file are `BODY[1.2]`), [`CachedHeaders`] and [`FieldSelection`] (HEADER.FIELDS) and
//! [`text`] and [`collation`] (SEARCH). There is no I/O here, and nothing of IMAP but the forms of RFC 9051, 7.5.2.
//!
//! Invariants:
//!
//! - No bytes make this crate fail or panic. Broken mail has a structure too; what cannot be known has a default.
//! - Time and memory are linear in the size of the message. Nothing recurses; depth, parts, header sizes and parameters
//!   have [`Limits`].
//! - Offsets are those of the bytes as they are, whether lines end in CRLF or in LF.
//! - mail-parser never sees a message, only leaf bodies and single values: it has no limits of its own.

mod analysis;
pub mod collation;
mod content;
mod forms;
pub mod header;
mod lexer;
mod limits;
#[cfg(test)]
mod samples;
pub mod sections;
pub mod structure;
pub mod text;

pub use analysis::{Analysis, Lines, Searchable, analyse};
pub use header::{CachedHeaders, Chosen, FieldSelection, FieldSet, MailDate};
pub use limits::Limits;
pub use sections::{SectionText, Sections, SectionsError};
