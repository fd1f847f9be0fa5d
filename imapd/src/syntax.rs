//! Bytes to values and back: one parser and one printer for every rule, each parser carrying its ABNF.
//!
//! Input is a framed command: `wire` has split lines and literals, checked their sizes and stripped the final CRLF. A
//! command is one contiguous buffer in which literals stand as on the wire, `{n}` CRLF and the octets, so a grammar sees
//! the whole of it. Only the message of an APPEND is absent: it is streamed, see [`parse_append_prefix`].
//!
//! Nothing here recurses deeper than [`MAX_DEPTH`], and every list has a named limit. Deviations from the grammar that we
//! accept are collected in [`quirks`].

mod access;
mod append;
mod authenticate;
mod command;
mod date;
mod error;
mod fetch;
mod flag;
mod id;
mod list;
mod mailbox;
mod modified_utf7;
mod number;
mod quirks;
mod search;
mod section;
mod select;
mod sequence_set;
mod status;
mod store;
mod text;

#[cfg(test)]
mod round_trip;

pub use append::{
    LiteralRole, literal_role, parse_append_next, parse_append_prefix, print_append_item, print_append_prefix,
};
pub use command::{parse, print, salvage_tag};
pub use error::{Problem, SyntaxError};

pub(crate) use date::print_date_time;
pub(crate) use mailbox::print_mailbox;
pub(crate) use section::print_section;
pub(crate) use text::{print_astring, print_string};

use error::{Fault, Parsed, expect};

/// Nesting of parentheses and NOT in search criteria, the only rule that refers to itself: deeper is an attack on the
/// stack, and real searches stay below ten.
pub const MAX_DEPTH: u32 = 32;

/// What every parser reads.
type Input<'a> = &'a [u8];
