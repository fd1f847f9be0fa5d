//! Reading: fragments, literals, lines, bodies; each within its deadline.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};
use tokio::time::Instant;

use super::Connection;
use crate::framing::{BadCommand, DotFramer, DotPiece, Fragment, FrameError, LiteralStep};
use crate::limits;
use crate::output::WriteError;
use crate::trace::Heard;

/// Octets read at a time while waiting for a line, on the stack of the poll: 8 KiB, more than nearly any command.
pub(super) const SCRATCH: usize = 8 * 1024;
/// Octets read at a time inside a body: 64 KiB, so that a large message costs few system calls and few wake-ups.
const BODY_CHUNK: usize = 64 * 1024;
/// The continuation request for a literal (RFC 9051, 7.6).
const CONTINUE: &[u8] = b"+ Ready for literal data\r\n";

/// Why a read returned nothing.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Framing refused a command. Unless fatal, answer `BAD` and read on.
    #[error(transparent)]
    Command(#[from] BadCommand),
    /// Framing refused a line (of [`Connection::read_line`]). Answer it and read on.
    #[error(transparent)]
    Line(#[from] FrameError),
    /// The peer hung up.
    #[error("connection closed by peer")]
    Closed,
    /// Nothing, or not enough, came in time: say so and close.
    #[error("timed out waiting for the peer")]
    Timeout,
    /// The connection broke.
    #[error("read failed: {0}")]
    Io(#[from] io::Error),
    /// What waited to be sent could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An administrator has ended the session: say goodbye with these words, and close.
    #[error("ended by the administrator: {0}")]
    Ended(Arc<str>),
}

impl Connection {
    /// The next run of command text and the literal that follows it, if one does (RFC 9051, 4.3).
    ///
    /// Can be dropped and called again without loss.
    ///
    /// # Errors
    /// [`ReadError`]; after [`ReadError::Command`] that is not fatal, and only then, the connection can be read on.
    pub async fn read_fragment(&mut self) -> Result<Fragment, ReadError> {
        self.relieve().await?;
        self.check_login_deadline()?;
        self.forget_arguments();
        // What is left of a line that `read_line` refused (a SASL response, the DONE of IDLE) is no command.
        while !self.lines.skip_refused(&mut self.input) {
            self.release_input();
            self.fill_line().await?;
        }
        loop {
            let next = self.commands.next(&mut self.input);
            self.release_input();
            match next {
                Ok(Some(fragment)) => {
                    self.line_by = None;
                    self.continued = false;
                    let (text, literal, begins) = (&fragment.text, fragment.literal, self.commands.began_command());
                    self.heard(Heard::Fragment { text, literal, begins });
                    return Ok(fragment);
                }
                Ok(None) => {
                    // A refused command may only now have come to its end.
                    self.forget_arguments();
                    self.fill_line().await?;
                }
                Err(bad) => {
                    self.line_by = None;
                    self.unread |= bad.fatal;
                    self.heard(Heard::Refused);
                    return Err(bad.into());
                }
            }
        }
    }

    /// The announced literal, whole. For arguments, not for messages: it counts against the command's arguments. A
    /// continuation request is sent first if the literal is synchronizing.
    ///
    /// # Errors
    /// [`ReadError::Command`] when it is too large (nothing was asked for then); [`ReadError`].
    pub async fn read_literal(&mut self) -> Result<Bytes, ReadError> {
        if let Some(literal) = self.commands.announced() {
            let asked = self.commands.check_whole(literal);
            // Once: it stays announced until its first octets are looked at, also over dropped reads.
            let held = asked.and_then(|()| if self.continued { Ok(()) } else { self.hold_argument(literal.len) });
            held.inspect_err(|bad| self.unread |= bad.fatal)?;
            if !self.continued {
                self.continued = !literal.sync;
            }
        }
        self.request_literal();
        loop {
            let whole = self.commands.literal_whole(&mut self.input);
            self.release_input();
            if let Some(literal) = whole? {
                self.heard(Heard::Literal(&literal));
                return Ok(literal);
            }
            let wanted = self.commands.literal_left() - self.input.len() as u64;
            self.fill_body(wanted).await?;
        }
    }

    /// The next octets of the announced literal, `None` at its end. For messages: nothing is held but the piece. A
    /// continuation request is sent first if the literal is synchronizing.
    ///
    /// # Errors
    /// [`ReadError`]; the connection is of no more use.
    pub async fn read_literal_piece(&mut self) -> Result<Option<Bytes>, ReadError> {
        self.request_literal();
        loop {
            match self.commands.literal_piece(&mut self.input) {
                LiteralStep::Data(data) => {
                    self.release_input();
                    self.heard(Heard::Body(&data));
                    return Ok(Some(data));
                }
                LiteralStep::Done => return Ok(None),
                LiteralStep::NeedInput => self.fill_body(self.commands.literal_left()).await?,
            }
        }
    }

    /// Refuses the announced literal and the rest of its command; the session answers `NO` or `BAD`. A literal that is on
    /// its way already (`{n+}`) is skipped by the next read.
    ///
    /// # Errors
    /// A fatal [`BadCommand`] when it is too large to skip: say `BYE` and close.
    pub fn refuse_literal(&mut self) -> Result<(), BadCommand> {
        self.commands.refuse_literal().inspect_err(|bad| self.unread |= bad.fatal)
    }

    /// Gives up the command being read: what is left of it is skipped by the next read. No effect between commands.
    ///
    /// # Errors
    /// As [`Connection::refuse_literal`].
    pub fn abandon_command(&mut self) -> Result<(), BadCommand> {
        self.commands.abandon().inspect_err(|bad| self.unread |= bad.fatal)
    }

    /// The next line without its CRLF: LMTP and POP3 commands, SASL responses, the `DONE` of IDLE. Can be dropped and
    /// called again without loss.
    ///
    /// # Errors
    /// [`ReadError::Line`] when the line is over `limit` octets or malformed, after which the connection can be read on;
    /// [`ReadError`].
    pub async fn read_line(&mut self, limit: usize) -> Result<Bytes, ReadError> {
        self.relieve().await?;
        self.check_login_deadline()?;
        loop {
            let next = self.lines.next(&mut self.input, limit);
            self.release_input();
            match next {
                Ok(Some(line)) => {
                    self.line_by = None;
                    self.heard(Heard::Line(&line));
                    return Ok(line);
                }
                Ok(None) => self.fill_line().await?,
                Err(error) => {
                    self.line_by = None;
                    self.heard(Heard::Refused);
                    return Err(error.into());
                }
            }
        }
    }

    /// Some octets, at most `max` of them and at least one: a chunk of known size (BDAT) is read by calling this until
    /// all of it has come.
    ///
    /// # Errors
    /// [`ReadError`]; the connection is of no more use.
    pub async fn read_some(&mut self, max: u64) -> Result<Bytes, ReadError> {
        if self.input.is_empty() && max > 0 {
            self.fill_body(max).await?;
        }
        let take = usize::try_from(max).unwrap_or(usize::MAX).min(self.input.len());
        let data = self.input.split_to(take).freeze();
        self.release_input();
        self.heard(Heard::Body(&data));
        Ok(data)
    }

    /// The next piece of a dot-stuffed body (LMTP's DATA); `body` is a new [`DotFramer`] for each.
    ///
    /// # Errors
    /// [`ReadError`]; the connection is of no more use.
    pub async fn read_dot_piece(&mut self, body: &mut DotFramer) -> Result<DotPiece, ReadError> {
        loop {
            let piece = body.next(&mut self.input);
            self.release_input();
            match piece {
                Some(piece) => {
                    if let DotPiece::Data(data) = &piece {
                        self.heard(Heard::Body(data));
                    }
                    return Ok(piece);
                }
                None => self.fill_body(u64::MAX).await?,
            }
        }
    }

    /// Asks for the announced literal, once, if the peer waits for that.
    fn request_literal(&mut self) {
        if self.commands.announced().is_some_and(|literal| literal.sync) && !self.continued {
            self.output.put(CONTINUE);
            self.continued = true;
        }
    }

    /// Who has not logged in in time is told so even if there is always something to read.
    fn check_login_deadline(&self) -> Result<(), ReadError> {
        match self.login_by {
            Some(login_by) if login_by <= Instant::now() => Err(ReadError::Timeout),
            _ => Ok(()),
        }
    }

    /// Waits for more of a line; its deadline began with the first wait for it.
    async fn fill_line(&mut self) -> Result<(), ReadError> {
        self.flush().await?;
        self.settle();
        let idle = self.times.idle;
        let until = *self.line_by.get_or_insert_with(|| Instant::now() + idle);
        let until = self.login_by.map_or(until, |login| login.min(until));
        let (stream, input) = (&mut self.stream, &mut self.input);
        // The buffer lives on the stack for the time of a poll: a connection that waits holds none.
        let read = std::future::poll_fn(|cx| {
            let mut scratch = [const { MaybeUninit::uninit() }; SCRATCH];
            let mut scratch = ReadBuf::uninit(&mut scratch);
            Pin::new(&mut *stream).poll_read(cx, &mut scratch).map_ok(|()| {
                input.extend_from_slice(scratch.filled());
                scratch.filled().len()
            })
        });
        let entry = self.entry.as_ref();
        let read = tokio::select! {
            biased;
            reason = super::ended(entry) => return Err(ReadError::Ended(reason)),
            read = tokio::time::timeout_at(until, read) => read,
        };
        self.filled(read)
    }

    /// Waits for octets of a body, at most `wanted`, straight into the buffer.
    async fn fill_body(&mut self, wanted: u64) -> Result<(), ReadError> {
        self.flush().await?;
        let until = Instant::now() + self.times.body;
        let until = self.login_by.map_or(until, |login| login.min(until));
        let most = if self.is_tight() { limits::OUTPUT_WHEN_TIGHT } else { BODY_CHUNK };
        let chunk = usize::try_from(wanted).unwrap_or(usize::MAX).min(most);
        self.input.reserve(chunk);
        self.settle();
        let mut space = bytes::BufMut::limit(&mut self.input, chunk);
        let entry = self.entry.as_ref();
        let read = tokio::select! {
            biased;
            reason = super::ended(entry) => return Err(ReadError::Ended(reason)),
            read = tokio::time::timeout_at(until, self.stream.read_buf(&mut space)) => read,
        };
        self.filled(read)
    }

    fn filled(&mut self, read: Result<io::Result<usize>, tokio::time::error::Elapsed>) -> Result<(), ReadError> {
        match read {
            Err(_) => Err(ReadError::Timeout),
            Ok(Ok(0)) => Err(ReadError::Closed),
            Ok(Ok(octets)) => {
                self.octets_in += octets as u64;
                self.show_octets();
                Ok(())
            }
            // A TLS peer that hangs up without close_notify: the same to us as any hang-up.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Err(ReadError::Closed),
            Ok(Err(error)) => Err(ReadError::Io(error)),
        }
    }

    /// Gives an empty buffer's memory back.
    fn release_input(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
    }

    /// Time until which an idle session may wait, for a session that waits for something else besides input.
    pub fn idle_for(&self) -> Duration {
        self.times.idle
    }
}
