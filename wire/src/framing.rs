//! Framing before parsing: a byte stream is cut into lines and literals, within limits, before any grammar runs.
//!
//! A malformed or oversized command is thus discarded to its true end, literal bytes can never be read as a command, and
//! the size limits sit in one place. Everything here is plain state over a buffer, without I/O: [`crate::Connection`]
//! feeds it. Each framer returns `Ok(None)` for "give me more bytes" and never looks at a byte twice.

mod command;
mod dot;
mod http;
mod line;
mod literal;
mod stuff;

use bytes::Bytes;
use thiserror::Error;

pub use command::{CommandFramer, CommandLimits, Fragment, LiteralStep};
pub use dot::{DotFramer, DotPiece};
pub use line::LineFramer;
pub use literal::Literal;
pub use stuff::DotStuffer;

use crate::memory::NoMemory;

/// What is wrong with a line or literal, worded so that it can follow `BAD ` or `500 5.5.2 `.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// No line end within the limit.
    #[error("Line is longer than {limit} octets")]
    LineTooLong {
        /// The limit, octets without CRLF.
        limit: usize,
    },
    /// LF without CR before it. Not taken for a line end: what one server reads as two lines and another as one is how
    /// commands are smuggled past a proxy.
    #[error("Line ends with a bare LF, not CRLF")]
    BareLf,
    /// CR without LF after it.
    #[error("Line contains a bare CR")]
    BareCr,
    /// NUL outside a literal8.
    #[error("Line contains a NUL octet")]
    Nul,
    /// The line ended inside a quoted string.
    #[error("Quoted string is not terminated before the end of the line")]
    UnterminatedQuote,
    /// `{...}` at a line's end that holds no number: `{-1}`, `{1 }`, `{}`, `{+}`.
    #[error("Literal length is not a number")]
    LiteralSyntax,
    /// `{007}`: legal digits, but nobody sends it and parsers disagree on it.
    #[error("Literal length has leading zeros")]
    LiteralLeadingZero,
    /// The length does not fit 63 bits (RFC 9051, 9, number64).
    #[error("Literal length is out of range")]
    LiteralOverflow,
    /// A literal above the limit of this state.
    #[error("Literal is larger than {limit} octets")]
    LiteralTooBig {
        /// The limit, octets.
        limit: u64,
    },
    /// A non-synchronizing literal above 4,096 octets where only LITERAL- is offered (RFC 7888, 5).
    #[error("Non-synchronizing literal is larger than 4096 octets")]
    NonSyncTooBig,
    /// More literals in one command than allowed.
    #[error("Command has more than {limit} literals")]
    TooManyLiterals {
        /// The limit.
        limit: u32,
    },
    /// Lines and literals of one command together exceed the limit.
    #[error("Command arguments are larger than {limit} octets")]
    ArgumentsTooBig {
        /// The limit, octets.
        limit: u64,
    },
    /// There is no memory for the command's arguments.
    #[error(transparent)]
    NoMemory(NoMemory),
    /// The first line of the connection is that of an HTTP request: its body would be taken for commands.
    #[error("This is not an HTTP server")]
    HttpRequest,
    /// A refused command went on for longer than we read for nothing.
    #[error("Refused command is too large to skip")]
    DiscardTooBig,
}

impl FrameError {
    /// Whether the command was refused for its size, so an IMAP reply carries `[TOOBIG]`.
    pub fn is_too_big(&self) -> bool {
        matches!(
            self,
            Self::LineTooLong { .. }
                | Self::LiteralOverflow
                | Self::LiteralTooBig { .. }
                | Self::NonSyncTooBig
                | Self::TooManyLiterals { .. }
                | Self::ArgumentsTooBig { .. }
                | Self::DiscardTooBig
        )
    }
}

/// A command that framing refused. Unless `fatal`, answer it and read on: the rest of it is skipped by the next read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}")]
pub struct BadCommand {
    /// What is wrong.
    pub error: FrameError,
    /// The first octets (at most [`BadCommand::HEAD`]) of the command's first line, to take the tag from.
    pub head: Bytes,
    /// The command's end cannot be found, or not within reason: say so (`* BYE`) and close.
    pub fatal: bool,
}

impl BadCommand {
    /// How much of a refused command's first line is kept.
    pub const HEAD: usize = 128;

    fn new(error: FrameError, first_line: &[u8], fatal: bool) -> Self {
        let head = Bytes::copy_from_slice(&first_line[..first_line.len().min(Self::HEAD)]);
        Self { error, head, fatal }
    }
}
