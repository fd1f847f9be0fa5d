//! The caller's side: pass a command to the server and play back what comes.

use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use tools::Console;

use super::protocol::{ControlError, MAX_FRAME, Reply, Request, StdinFrame, receive, send};

/// Octets of standard input or output that are passed on at a time: 64 KiB.
const CHUNK: u64 = 64 * 1024;

/// What a command reads on its standard input.
pub enum Input {
    /// Nothing.
    None,
    /// These octets (a password asked for on the terminal).
    Octets(Vec<u8>),
    /// What this reads.
    Stream(Box<dyn Read + Send>),
}

/// Whether there was a server to call.
#[derive(Debug)]
pub enum Called {
    /// There was.
    Server(Client),
    /// Nobody listens; the caller may run the command itself.
    Nobody,
}

/// A connection to the server.
#[derive(Debug)]
pub struct Client {
    pub(super) stream: UnixStream,
}

impl Client {
    /// Calls the server at `socket`.
    ///
    /// # Errors
    /// Anything but that nobody listens there; most of all, that we may not.
    pub fn call(socket: &Path) -> io::Result<Called> {
        match UnixStream::connect(socket) {
            Ok(stream) => Ok(Called::Server(Self { stream })),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                Ok(Called::Nobody)
            }
            Err(error) => Err(error),
        }
    }

    /// Runs `request` in the server; what it says goes to `console`. Returns its exit code.
    ///
    /// # Errors
    /// [`ControlError`]; whether the command did its work is then not known.
    pub fn run(mut self, request: &Request, input: Input, console: &mut dyn Console) -> Result<u8, ControlError> {
        send(&mut self.stream, request)?;
        let mut replies = BufReader::new(self.stream.try_clone()?);
        // A thread of its own, because the command may talk before it has read everything, or never read it. When the
        // command is done nobody waits for the thread: it may be reading a terminal.
        let stream = self.stream;
        thread::spawn(move || send_input(stream, input));
        while let Some(reply) = receive(&mut replies)? {
            match reply {
                Reply::Out(line) => console.out(&line)?,
                Reply::Octets(count) => pass_on(&mut replies, count, console)?,
                Reply::Err(line) => console.err(&line)?,
                Reply::Progress(progress) => console.progress(&progress)?,
                Reply::Exit(code) => return Ok(code),
            }
        }
        Err(ControlError::Io(io::ErrorKind::UnexpectedEof.into()))
    }
}

/// Passes octets on as they come.
fn pass_on(replies: &mut impl Read, count: u64, console: &mut dyn Console) -> io::Result<()> {
    let (mut left, mut chunk) = (count, Vec::new());
    while left > 0 {
        chunk.resize(CHUNK.min(left) as usize, 0);
        replies.read_exact(&mut chunk)?;
        console.octets(&chunk)?;
        left -= chunk.len() as u64;
    }
    Ok(())
}

/// Sends standard input to its end. Errors mean that the server wants no more of it.
fn send_input(mut stream: UnixStream, input: Input) {
    let _ = match input {
        Input::None => end(&mut stream),
        Input::Octets(octets) => send_frames(&mut stream, octets.as_slice()),
        Input::Stream(from) => send_frames(&mut stream, from),
    };
}

fn send_frames(stream: &mut UnixStream, mut from: impl Read) -> io::Result<()> {
    let mut chunk = Vec::new();
    loop {
        chunk.clear();
        // read, not read_exact: a person's line goes out when it is entered.
        chunk.resize(CHUNK.min(MAX_FRAME) as usize, 0);
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return end(stream);
        }
        send(stream, &StdinFrame { stdin: read as u64 })?;
        stream.write_all(&chunk[..read])?;
    }
}

fn end(stream: &mut UnixStream) -> io::Result<()> {
    send(stream, &StdinFrame { stdin: 0 })
}
