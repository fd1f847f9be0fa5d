//! Where the words of a command go. A command runs in the server, against the live store, or in a process of its own
//! when there is no server; what it reads and says passes through a [`Console`], so it is one function either way.

use std::io::{self, BufRead};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// How a command ended: the codes of sysexits(3), which mail programs have used since sendmail and MTAs act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Exit {
    /// It did what it was asked to.
    Ok = 0,
    /// It did, and found something wrong (a check that fails).
    Found = 1,
    /// It was called wrongly.
    Usage = 64,
    /// What it was given to read is wrong.
    Data = 65,
    /// There is no such file, mailbox or domain.
    NoInput = 66,
    /// There is no such user.
    NoUser = 67,
    /// A service it needs is not there.
    Unavailable = 69,
    /// A defect of ours.
    Software = 70,
    /// The system refused something basic.
    Os = 71,
    /// Something cannot be created.
    CantCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// It may work later.
    TempFail = 75,
    /// It is not allowed.
    NoPermission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl Exit {
    /// The number a process exits with.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// How far a command is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being worked on now, for a person.
    pub what: String,
    /// How many are done.
    pub done: u64,
    /// How many there are, if that is known.
    pub total: Option<u64>,
}

/// Prints many lines that are all known already, gathered to pieces: a write for each of a million lines takes longer than
/// everything else.
pub struct Lines<'a> {
    console: &'a mut dyn Console,
    piece: String,
}

/// A piece goes out when it has grown to this many octets: far below what one frame of the control socket takes.
const PIECE: usize = 64 << 10;

impl<'a> Lines<'a> {
    /// Lines for `console`.
    pub fn new(console: &'a mut dyn Console) -> Self {
        Self { console, piece: String::with_capacity(PIECE + 1024) }
    }

    /// Adds a line, which `write` appends to the text it is given.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub fn line(&mut self, write: impl FnOnce(&mut String)) -> io::Result<()> {
        if !self.piece.is_empty() {
            self.piece.push('\n');
        }
        write(&mut self.piece);
        if self.piece.len() < PIECE { Ok(()) } else { self.flush() }
    }

    /// Shows progress.
    pub(crate) fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        self.console.progress(progress)
    }

    /// Prints what is left.
    ///
    /// # Errors
    /// Nobody reads it any more.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let printed = self.console.out(&self.piece);
        self.piece.clear();
        printed
    }
}

/// A command's surroundings. Methods that fail mean that whoever started the command is gone; the command should stop at
/// the next point where stopping leaves nothing half-done.
pub trait Console {
    /// Prints a line of the result on standard output, or several with line breaks between them ([`Lines`]).
    ///
    /// # Errors
    /// Nobody reads it any more.
    fn out(&mut self, line: &str) -> io::Result<()>;

    /// Writes octets of a file to standard output, as they are.
    ///
    /// # Errors
    /// Nobody reads them any more.
    fn octets(&mut self, octets: &[u8]) -> io::Result<()>;

    /// Prints a line about a problem on standard error.
    ///
    /// # Errors
    /// Nobody reads it any more.
    fn err(&mut self, line: &str) -> io::Result<()>;

    /// Shows how far the command is, where somebody looks. Cheap enough to call for every message.
    ///
    /// # Errors
    /// Nobody looks any more.
    fn progress(&mut self, progress: &Progress) -> io::Result<()>;

    /// Standard input.
    fn stdin(&mut self) -> &mut dyn BufRead;

    /// The directory relative paths in arguments begin at: that of whoever started the command.
    fn directory(&self) -> &Path;
}
