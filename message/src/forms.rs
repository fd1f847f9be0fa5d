//! IMAP-ready forms: the bytes of ENVELOPE, BODYSTRUCTURE and BODY as FETCH sends them (RFC 9051, 7.5.2).
//!
//! They are made once, when a message arrives, and are valid in IMAP4rev1 and rev2 alike: 8-bit text is sent as
//! literals, never in quoted strings.

pub(crate) mod address;
mod bodystructure;
mod envelope;
mod string;

pub(crate) use bodystructure::BodyForms;
pub(crate) use envelope::envelope;
