//! The server's side: who may call, and a [`Console`] over the socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tools::{Console, Exit, Progress};

use super::protocol::{ControlError, MAX_FRAME, Reply, Request, StdinFrame, VERSION, receive, send};

/// Progress is sent at most ten times a second, whatever the command reports: nobody sees more.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Whether a caller may give commands: root, and the user the server runs as.
pub fn permitted(caller_uid: u32, own_uid: u32) -> bool {
    caller_uid == 0 || caller_uid == own_uid
}

/// Reads one request from `stream` and lets `run` answer it. Blocks for as long as the command takes.
///
/// # Errors
/// [`ControlError`]: the caller is gone or does not speak the protocol. A command that was running has been told so by
/// its console.
pub fn answer<R>(stream: UnixStream, run: R) -> Result<Exit, ControlError>
where
    R: FnOnce(&Request, &mut dyn Console) -> Exit,
{
    let mut from = BufReader::new(stream.try_clone()?);
    let Some(request) = receive::<Request>(&mut from)? else {
        return Err(ControlError::Io(io::ErrorKind::UnexpectedEof.into()));
    };
    let mut console = SocketConsole {
        stdin: SocketStdin { from, left: 0, ended: false },
        to: stream,
        directory: request.directory.clone(),
        progress_sent: None,
    };
    let exit = if request.angarium == VERSION {
        run(&request, &mut console)
    } else {
        let (theirs, ours) = (request.angarium, VERSION);
        console.err(&format!("the server speaks version {ours} of the control protocol, not {theirs}: restart it"))?;
        Exit::Unavailable
    };
    send(&mut console.to, &Reply::Exit(exit.code()))?;
    Ok(exit)
}

struct SocketConsole {
    stdin: SocketStdin,
    to: UnixStream,
    directory: PathBuf,
    progress_sent: Option<Instant>,
}

impl Console for SocketConsole {
    fn out(&mut self, line: &str) -> io::Result<()> {
        send(&mut self.to, &Reply::Out(line.to_owned()))
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        send(&mut self.to, &Reply::Octets(octets.len() as u64))?;
        self.to.write_all(octets)
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        send(&mut self.to, &Reply::Err(line.to_owned()))
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        if self.progress_sent.is_some_and(|sent| sent.elapsed() < PROGRESS_EVERY) {
            return Ok(());
        }
        self.progress_sent = Some(Instant::now());
        send(&mut self.to, &Reply::Progress(progress.clone()))
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.stdin
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Standard input as it comes in frames. Only what the command reads is taken from the socket, so a large input waits on
/// the caller's side.
struct SocketStdin {
    from: BufReader<UnixStream>,
    /// Octets of the current frame not yet read.
    left: u64,
    ended: bool,
}

impl SocketStdin {
    /// Goes to the next frame if this one is used up; whether there is something to read.
    fn next_frame(&mut self) -> io::Result<bool> {
        while self.left == 0 && !self.ended {
            match receive::<StdinFrame>(&mut self.from) {
                Ok(Some(StdinFrame { stdin: 0 })) => self.ended = true,
                Ok(Some(StdinFrame { stdin })) if stdin <= MAX_FRAME => self.left = stdin,
                Ok(Some(_)) => return Err(io::Error::new(io::ErrorKind::InvalidData, "frame too large")),
                // A caller that dies has not ended its input: half a message must not be taken for a whole one.
                Ok(None) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(ControlError::Io(error)) => return Err(error),
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
        Ok(!self.ended)
    }
}

impl Read for SocketStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for SocketStdin {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.next_frame()? {
            return Ok(&[]);
        }
        let buffer = self.from.fill_buf()?;
        if buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        Ok(&buffer[..most])
    }

    fn consume(&mut self, octets: usize) {
        self.left -= octets as u64;
        self.from.consume(octets);
    }
}

impl Drop for SocketConsole {
    fn drop(&mut self) {
        let _ = self.to.flush();
    }
}
