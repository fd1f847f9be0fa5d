//! What functions that commands share say, where there is no terminal.

use std::io::{self, BufRead, Cursor};
use std::path::Path;

use hyper::body::Bytes;
use tokio::sync::mpsc::Sender;
use tools::{Console, Progress};
use zeroize::Zeroizing;

/// A console for what is said to nobody but the client, at the end.
pub(super) struct Gathered {
    /// Wiped in the end: there may be passwords in it.
    input: Cursor<Zeroizing<Vec<u8>>>,
    /// What would be on standard output.
    pub(super) lines: Vec<String>,
    /// What would be on standard error.
    pub(super) problems: Vec<String>,
}

impl Gathered {
    /// With this on its standard input.
    pub(super) fn reading(input: Zeroizing<Vec<u8>>) -> Gathered {
        Gathered { input: Cursor::new(input), lines: Vec::new(), problems: Vec::new() }
    }
}

impl Console for Gathered {
    fn out(&mut self, text: &str) -> io::Result<()> {
        // There may be several in it.
        self.lines.extend(text.lines().map(str::to_owned));
        Ok(())
    }

    fn octets(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.problems.push(line.to_owned());
        Ok(())
    }

    fn progress(&mut self, _: &Progress) -> io::Result<()> {
        Ok(())
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.input
    }

    fn directory(&self) -> &Path {
        Path::new("/")
    }
}

/// A console for octets that are sent as they come. Whoever reads slowly is waited for, whoever goes away ends it.
pub(super) struct Sent {
    to: Sender<io::Result<Bytes>>,
    input: io::Empty,
}

impl Sent {
    pub(super) fn new(to: Sender<io::Result<Bytes>>) -> Sent {
        Sent { to, input: io::empty() }
    }
}

impl Console for Sent {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.octets(format!("{line}\n").as_bytes())
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        let sent = self.to.blocking_send(Ok(Bytes::copy_from_slice(octets)));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn err(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: &Progress) -> io::Result<()> {
        Ok(())
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.input
    }

    fn directory(&self) -> &Path {
        Path::new("/")
    }
}
