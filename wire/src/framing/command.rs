//! IMAP commands as fragments: text up to a literal announcement, the literal, more text.
//!
//! The session sees a literal's announcement before any of its octets are read and chooses: take it whole
//! ([`CommandFramer::literal_whole`]), in pieces ([`CommandFramer::literal_piece`]), or not at all
//! ([`CommandFramer::refuse_literal`]). What it does not choose is skipped.

use bytes::{Bytes, BytesMut};

use super::http::FirstLine;
use super::literal::{Ending, Skip, announced, ending};
use super::{BadCommand, FrameError, Literal, line};
use crate::limits;
use crate::memory::NoMemory;

/// What one command may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandLimits {
    /// Octets of one line, without CRLF.
    pub line: usize,
    /// Octets of all lines and in-memory literals of a command; literals taken in pieces do not count.
    pub arguments: u64,
    /// Literals of a command.
    pub literals: u32,
    /// Octets of any literal, in memory or not. The session checks its own, smaller ones (message size).
    pub literal: u64,
    /// Octets of any non-synchronizing literal: 4,096 where LITERAL- is offered (RFC 7888, 5).
    pub non_sync_literal: u64,
    /// Octets of a refused command that are read and thrown away before giving up.
    pub discard: u64,
}

impl CommandLimits {
    /// Before login.
    pub const PRE_AUTH: Self = Self {
        line: limits::PRE_AUTH_LINE,
        arguments: 4 * limits::PRE_AUTH_LINE as u64,
        literals: 8,
        literal: limits::PRE_AUTH_LITERAL,
        non_sync_literal: limits::PRE_AUTH_LITERAL,
        discard: limits::PRE_AUTH_DISCARD,
    };
    /// After login, with LITERAL+.
    pub const POST_AUTH: Self = Self {
        line: limits::POST_AUTH_LINE,
        arguments: limits::COMMAND_ARGUMENTS,
        literals: limits::COMMAND_LITERALS,
        literal: i64::MAX.unsigned_abs(),
        non_sync_literal: i64::MAX.unsigned_abs(),
        discard: limits::POST_AUTH_DISCARD,
    };

    /// These limits where only LITERAL- is offered.
    #[must_use]
    pub const fn literal_minus(mut self) -> Self {
        self.non_sync_literal = limits::LITERAL_MINUS;
        self
    }
}

/// A run of command text and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment {
    /// Text without CRLF and without the literal's announcement. The first fragment of a command begins with the tag,
    /// one behind a literal with whatever follows it (often nothing, or `)`).
    pub text: Bytes,
    /// The literal that follows; `None` ends the command.
    pub literal: Option<Literal>,
}

/// A step through a literal that is read in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiteralStep {
    /// Some of its octets, never empty.
    Data(Bytes),
    /// More octets are needed.
    NeedInput,
    /// It was read to its end; the next fragment follows.
    Done,
}

/// Cuts commands off a buffer. One for a connection; it holds no bytes but the first fragment of the current command.
#[derive(Debug)]
pub struct CommandFramer {
    limits: CommandLimits,
    state: State,
    /// The first fragment of the current command, for [`BadCommand::head`].
    first: Option<Bytes>,
    /// The newest fragment is the first of its command.
    began: bool,
    /// Octets at the start of the buffer known to hold no LF.
    scanned: usize,
    literals: u32,
    arguments: u64,
    first_line: FirstLine,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// At a line of a command.
    Line,
    /// A literal was announced and awaits a decision.
    Announced(Literal),
    /// A literal is being read; `left` octets to go.
    Reading { left: u64 },
    /// A refused command is being thrown away.
    Skipping(Skipping),
}

#[derive(Debug, Clone, Copy, Default)]
struct Skipping {
    /// Octets of a literal to go, then lines.
    literal: u64,
    /// Octets thrown away so far.
    total: u64,
    /// Last octets of the unfinished line, to see whether it announces a literal.
    tail: Tail,
}

/// The last octets of a line seen in pieces: as many as `{`, 20 digits, `+}` and CR take, and some.
#[derive(Debug, Clone, Copy, Default)]
struct Tail {
    bytes: [u8; Tail::SIZE],
    len: usize,
}

impl Tail {
    const SIZE: usize = 32;

    fn push(&mut self, piece: &[u8]) {
        let piece = &piece[piece.len().saturating_sub(Self::SIZE)..];
        let keep = self.len.min(Self::SIZE - piece.len());
        self.bytes.copy_within(self.len - keep..self.len, 0);
        self.bytes[keep..keep + piece.len()].copy_from_slice(piece);
        self.len = keep + piece.len();
    }

    fn announced(&self) -> Skip {
        announced(&self.bytes[..self.len])
    }
}

impl CommandFramer {
    /// A framer at the start of a command.
    pub fn new(limits: CommandLimits) -> Self {
        Self {
            limits,
            state: State::Line,
            first: None,
            began: false,
            scanned: 0,
            literals: 0,
            arguments: 0,
            first_line: FirstLine::default(),
        }
    }

    /// Changes the limits, from the next line or literal on (after login).
    pub fn set_limits(&mut self, limits: CommandLimits) {
        self.limits = limits;
    }

    /// Whether a command has begun and not ended, as far as its fragments were handed out.
    pub fn mid_command(&self) -> bool {
        self.first.is_some() || !matches!(self.state, State::Line)
    }

    /// Whether the fragment handed out last begins a command. What went before it may have ended by any way: at its last line,
    /// or refused, given up and skipped.
    pub fn began_command(&self) -> bool {
        self.began
    }

    /// The next fragment, `None` when more octets are needed. An announced literal nobody decided about is refused.
    ///
    /// # Errors
    /// [`BadCommand`]; unless fatal, the following calls skip the rest of that command and go on behind it.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Fragment>, BadCommand> {
        loop {
            match self.state {
                State::Line => return self.line(buffer),
                State::Announced(_) => self.refuse_literal()?,
                State::Reading { left } => self.skip(left),
                State::Skipping(skipping) => {
                    if !self.skip_on(skipping, buffer)? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// The literal that awaits a decision.
    pub fn announced(&self) -> Option<Literal> {
        match self.state {
            State::Announced(literal) => Some(literal),
            _ => None,
        }
    }

    /// Takes the announced literal whole, `None` until the buffer holds all of it. The caller has sent the continuation
    /// request if it is synchronizing.
    ///
    /// # Errors
    /// [`FrameError::ArgumentsTooBig`] before anything is read, when it would exceed the command's total; the literal is
    /// then refused.
    pub fn literal_whole(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, BadCommand> {
        if let State::Announced(literal) = self.state {
            self.check_whole(literal)?;
            self.arguments += literal.len;
            self.state = State::Reading { left: literal.len };
        }
        let State::Reading { left } = self.state else {
            return Ok(Some(Bytes::new()));
        };
        // check_whole has kept `left` below the limit on arguments.
        let len = left as usize;
        if buffer.len() < len {
            return Ok(None);
        }
        self.state = State::Line;
        self.scanned = 0;
        Ok(Some(buffer.split_to(len).freeze()))
    }

    /// Whether the announced literal can be taken whole, to be asked before a continuation request is sent.
    ///
    /// # Errors
    /// As [`CommandFramer::literal_whole`].
    pub fn check_whole(&mut self, literal: Literal) -> Result<(), BadCommand> {
        let limit = self.limits.arguments;
        if literal.len <= limit.saturating_sub(self.arguments) {
            return Ok(());
        }
        Err(self.refuse(FrameError::ArgumentsTooBig { limit }, literal))
    }

    /// Takes the next octets of the announced literal. The caller has sent the continuation request if it is
    /// synchronizing.
    pub fn literal_piece(&mut self, buffer: &mut BytesMut) -> LiteralStep {
        let left = match self.state {
            State::Announced(literal) => literal.len,
            State::Reading { left } => left,
            State::Line | State::Skipping(_) => return LiteralStep::Done,
        };
        self.scanned = 0;
        if left == 0 {
            self.state = State::Line;
            return LiteralStep::Done;
        }
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        self.state = State::Reading { left: left - take as u64 };
        match take {
            0 => LiteralStep::NeedInput,
            _ => LiteralStep::Data(buffer.split_to(take).freeze()),
        }
    }

    /// Octets of the literal being read that are still to come.
    pub fn literal_left(&self) -> u64 {
        match self.state {
            State::Reading { left } => left,
            State::Announced(literal) => literal.len,
            _ => 0,
        }
    }

    /// Refuses the announced literal and with it the rest of the command. A peer that waits for a continuation request
    /// sends neither; a non-synchronizing literal is skipped by the next read, with what follows it.
    ///
    /// # Errors
    /// A fatal [`BadCommand`] when it is too long to skip: say so and close.
    pub fn refuse_literal(&mut self) -> Result<(), BadCommand> {
        let State::Announced(literal) = self.state else {
            return Ok(());
        };
        let bad = self.refuse(FrameError::DiscardTooBig, literal);
        if bad.fatal { Err(bad) } else { Ok(()) }
    }

    /// Refuses the announced literal, and with it the command, for want of memory. Nothing where none is announced.
    ///
    /// # Errors
    /// Always, then: what the client is to be told.
    pub fn refuse_for_memory(&mut self, why: NoMemory) -> Result<(), BadCommand> {
        match self.state {
            State::Announced(literal) => Err(self.refuse(FrameError::NoMemory(why), literal)),
            _ => Ok(()),
        }
    }

    /// Gives the current command up: what is left of it is skipped by the next read. No effect between commands.
    ///
    /// # Errors
    /// As [`CommandFramer::refuse_literal`].
    pub fn abandon(&mut self) -> Result<(), BadCommand> {
        match self.state {
            State::Announced(_) => self.refuse_literal(),
            State::Reading { left } => {
                self.skip(left);
                Ok(())
            }
            State::Line if self.first.is_some() => {
                self.skip(0);
                Ok(())
            }
            State::Line | State::Skipping(_) => Ok(()),
        }
    }

    fn line(&mut self, buffer: &mut BytesMut) -> Result<Option<Fragment>, BadCommand> {
        let limit = self.limits.line;
        let from = self.scanned.min(buffer.len());
        let Some(lf) = memchr::memchr(b'\n', &buffer[from..]).map(|at| from + at) else {
            self.scanned = buffer.len();
            if buffer.len() > limit + 1 {
                let http = self.first_line.is_request(buffer);
                let error = if http { FrameError::HttpRequest } else { FrameError::LineTooLong { limit } };
                let bad = self.bad(error, buffer, http);
                self.skip(0);
                return Err(bad);
            }
            return Ok(None);
        };
        self.scanned = 0;
        let line = buffer.split_to(lf + 1).freeze();
        if self.first_line.is_request(&line) {
            return Err(self.bad(FrameError::HttpRequest, &line, true));
        }
        match line::check_line(line.clone(), limit) {
            Ok(text) => self.fragment(text).map(Some),
            Err(error) => Err(self.bad_line(error, &line[..lf], announced(&line[..lf]))),
        }
    }

    /// Turns a whole line (without CRLF) into a fragment.
    fn fragment(&mut self, mut text: Bytes) -> Result<Fragment, BadCommand> {
        let (literal, header) = match ending(&text) {
            Ending::Plain => (None, 0),
            Ending::Literal { literal, header } => (Some(literal), header),
            Ending::Wrong { error, skip } => return Err(self.bad_line(error, &text, skip)),
        };
        self.began = self.first.is_none();
        self.first.get_or_insert_with(|| text.clone());
        self.arguments += text.len() as u64;
        self.literals += u32::from(literal.is_some());
        if let Some(error) = self.exceeded(literal) {
            return Err(match literal {
                Some(literal) => self.refuse(error, literal),
                None => self.bad_line(error, &text, Skip::Nothing),
            });
        }
        match literal {
            Some(literal) => self.state = State::Announced(literal),
            None => self.command_ended(),
        }
        text.truncate(text.len() - header);
        Ok(Fragment { text, literal })
    }

    /// The limit the command has exceeded with its newest line.
    fn exceeded(&self, literal: Option<Literal>) -> Option<FrameError> {
        let limits = &self.limits;
        if self.arguments > limits.arguments {
            return Some(FrameError::ArgumentsTooBig { limit: limits.arguments });
        }
        if self.literals > limits.literals {
            return Some(FrameError::TooManyLiterals { limit: limits.literals });
        }
        let literal = literal?;
        if literal.len > limits.literal {
            return Some(FrameError::LiteralTooBig { limit: limits.literal });
        }
        if !literal.sync && literal.len > limits.non_sync_literal {
            return Some(FrameError::NonSyncTooBig);
        }
        None
    }

    /// Refuses a command at the announcement of `literal`.
    fn refuse(&mut self, error: FrameError, literal: Literal) -> BadCommand {
        let fatal = !literal.sync && literal.len > self.limits.discard;
        let bad = self.bad(error, b"", fatal);
        if literal.sync {
            self.command_ended();
        } else {
            self.skip(literal.len);
        }
        bad
    }

    /// Refuses a command at a whole line of it, behind which `skip` follows.
    fn bad_line(&mut self, error: FrameError, line: &[u8], skip: Skip) -> BadCommand {
        let fatal = match skip {
            Skip::Nothing => false,
            Skip::Octets(octets) => octets > self.limits.discard,
            Skip::Unbounded => true,
        };
        let bad = self.bad(error, line, fatal);
        match skip {
            Skip::Octets(octets) => self.skip(octets),
            Skip::Nothing | Skip::Unbounded => self.command_ended(),
        }
        bad
    }

    fn bad(&self, error: FrameError, line: &[u8], fatal: bool) -> BadCommand {
        BadCommand::new(error, self.first.as_deref().unwrap_or(line), fatal)
    }

    fn skip(&mut self, literal: u64) {
        self.state = State::Skipping(Skipping { literal, ..Skipping::default() });
        self.scanned = 0;
    }

    /// Throws away what the buffer holds of a refused command; whether its end was reached.
    fn skip_on(&mut self, mut skipping: Skipping, buffer: &mut BytesMut) -> Result<bool, BadCommand> {
        let ended = loop {
            if buffer.is_empty() {
                break false;
            }
            if skipping.literal > 0 {
                let take = usize::try_from(skipping.literal).unwrap_or(usize::MAX).min(buffer.len());
                bytes::Buf::advance(buffer, take);
                skipping.literal -= take as u64;
                skipping.total += take as u64;
                continue;
            }
            let lf = memchr::memchr(b'\n', buffer);
            let line = buffer.split_to(lf.map_or(buffer.len(), |lf| lf + 1));
            skipping.total += line.len() as u64;
            skipping.tail.push(line.strip_suffix(b"\n").unwrap_or(&line));
            if lf.is_some() {
                let tail = std::mem::take(&mut skipping.tail);
                match tail.announced() {
                    Skip::Nothing => break true,
                    Skip::Octets(octets) => skipping.literal = octets,
                    Skip::Unbounded => skipping.literal = u64::MAX,
                }
            }
        };
        if skipping.total.saturating_add(skipping.literal) > self.limits.discard {
            return Err(self.bad(FrameError::DiscardTooBig, b"", true));
        }
        if ended {
            self.command_ended();
        } else {
            self.state = State::Skipping(skipping);
        }
        Ok(ended)
    }

    fn command_ended(&mut self) {
        self.state = State::Line;
        self.first = None;
        self.scanned = 0;
        self.literals = 0;
        self.arguments = 0;
    }
}

#[cfg(test)]
mod tests;
