//! The messages of the control socket, and how they are cut off the stream.

use std::io::{self, BufRead, Read, Write};
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tools::Progress;

/// The version of the protocol, in [`Request::angarium`]. Client and server are the same program, but one of them may have
/// been updated while the other runs.
pub(super) const VERSION: u32 = 1;
/// Longest line: 1 MiB. Arguments are limited by the kernel to a little more, lines of output are far shorter.
const MAX_LINE: u64 = 1024 * 1024;
/// Most octets of standard input in one frame: 1 MiB.
pub(super) const MAX_FRAME: u64 = 1024 * 1024;

/// Why a command could not be passed to the server, or its answer not read.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The other side is gone.
    #[error("control connection lost: {0}")]
    Io(#[from] io::Error),
    /// What came is not this protocol, or another version of it.
    #[error("control protocol error: {0}; is the running server another version?")]
    Protocol(String),
}

/// A command to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The protocol's version.
    pub angarium: u32,
    /// The command's name, as in the table of commands.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// The caller's working directory, where relative paths begin.
    pub directory: PathBuf,
}

impl Request {
    /// A request of this version.
    pub fn new(command: &str, args: Vec<String>, directory: PathBuf) -> Self {
        Self { angarium: VERSION, command: command.to_owned(), args, directory }
    }
}

/// From the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reply {
    Out(String),
    /// That many octets for standard output follow, as they are.
    Octets(u64),
    Err(String),
    Progress(Progress),
    Exit(u8),
}

/// Announces octets of standard input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StdinFrame {
    pub(super) stdin: u64,
}

pub(super) fn send<T: Serialize>(to: &mut impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// The next message; `None` at the end of the stream.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> Result<Option<T>, ControlError> {
    let mut line = Vec::new();
    from.take(MAX_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') {
        return Err(ControlError::Protocol("unfinished or endless line".to_owned()));
    }
    serde_json::from_slice(&line).map(Some).map_err(|error| ControlError::Protocol(error.to_string()))
}
