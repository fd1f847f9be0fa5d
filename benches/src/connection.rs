//! One client connection: bytes out, whole answers in. An IMAP answer with its literals is one answer.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::Range;

use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::{Failure, Secure};

/// What a connection has room for at first: a thousand of them may idle.
const ROOM: usize = 4 << 10;

/// The largest answer taken: twice the largest message that a server takes by default.
const LARGEST_ANSWER: usize = 100 << 20;

/// How much of a buffer is filled with one read once answers are large.
const CHUNK: usize = 256 << 10;

/// A client's end of a connection.
pub(crate) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    /// What of the buffer is received and not handed out yet.
    unread: Range<usize>,
    /// Whether something was read since the last command: then more is expected, and the peer may be waiting for our
    /// acknowledgement before it sends it (Nagle's algorithm).
    expects_more: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    /// Connects; with `tls`, encryption begins with the first byte.
    pub(crate) async fn open(address: SocketAddr, tls: Option<&Secure>) -> Result<Self, Failure> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        set_tcp_quickack(&socket, true).map_err(io::Error::from)?;
        let stream = match tls {
            Some(secure) => Stream::Tls(Box::new(secure.connect(socket).await?)),
            None => Stream::Plain(socket),
        };
        // Tickets came, or will: the greeting waits behind them until they are acknowledged.
        Ok(Self { stream, buffer: vec![0; ROOM], unread: 0..0, expects_more: tls.is_some() })
    }

    /// Sends the parts, one after the other, with as few system calls as possible.
    pub(crate) async fn send(&mut self, parts: &[&[u8]]) -> Result<(), Failure> {
        self.expects_more = false;
        match &mut self.stream {
            Stream::Plain(socket) => {
                let mut slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
                let mut rest = slices.as_mut_slice();
                IoSlice::advance_slices(&mut rest, 0);
                while !rest.is_empty() {
                    let sent = socket.write_vectored(rest).await?;
                    if sent == 0 {
                        return Err(io::Error::from(io::ErrorKind::WriteZero).into());
                    }
                    IoSlice::advance_slices(&mut rest, sent);
                }
            }
            Stream::Tls(tls) => {
                for part in parts {
                    tls.write_all(part).await?;
                }
                tls.flush().await?;
            }
        }
        Ok(())
    }

    /// The next line without its CRLF; `literals` says that `{n}` at the end of a line announces n bytes and another line
    /// that belong to it (IMAP).
    pub(crate) async fn answer(&mut self, literals: bool) -> Result<&[u8], Failure> {
        // Where, from the beginning of the answer, its last line begins, and from where on no end of it was sought.
        let (mut line, mut sought) = (0, 0);
        loop {
            let received = &self.buffer[self.unread.clone()];
            let found = received.get(sought..).and_then(|rest| memchr::memchr(b'\n', rest));
            let Some(end) = found.map(|at| sought + at) else {
                sought = received.len().max(sought);
                self.fill(sought + 1).await?;
                continue;
            };
            if end == line || received[end - 1] != b'\r' {
                return Err(Failure::wrong("a line that does not end in CRLF", &received[line..=end]));
            }
            if let Some(size) = literals.then(|| announced(&received[line..end - 1])).flatten() {
                line = end + 1 + size;
                sought = line;
                if line > LARGEST_ANSWER {
                    return Err(Failure::wrong("too large", &received[..end]));
                }
                continue;
            }
            let begin = self.unread.start;
            self.unread.start += end + 1;
            return Ok(&self.buffer[begin..begin + end - 1]);
        }
    }

    /// What comes up to the line that holds a dot alone, which is taken off (RFC 1939, 3).
    pub(crate) async fn body(&mut self) -> Result<&[u8], Failure> {
        const END: &[u8] = b"\r\n.\r\n";
        let mut sought = 0;
        loop {
            let received = &self.buffer[self.unread.clone()];
            let begin = self.unread.start;
            if received.starts_with(&END[2..]) {
                self.unread.start += END.len() - 2;
                return Ok(&[]);
            }
            if let Some(at) = received.get(sought..).and_then(|rest| memchr::memmem::find(rest, END)) {
                let end = sought + at + 2;
                self.unread.start += sought + at + END.len();
                return Ok(&self.buffer[begin..begin + end]);
            }
            let size = received.len();
            sought = size.saturating_sub(END.len() - 1);
            if size > LARGEST_ANSWER {
                return Err(Failure::wrong("too large", &received[..100]));
            }
            self.fill(size + 1).await?;
        }
    }

    /// Fails unless the peer closes the connection, in good order and without another word.
    pub(crate) async fn closed(&mut self) -> Result<(), Failure> {
        let mut byte = [0; 1];
        let more = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut byte).await?,
            Stream::Tls(tls) => {
                // close_notify may wait for the acknowledgement of what came before it.
                set_tcp_quickack(tls.get_ref().0, true).map_err(io::Error::from)?;
                // Many servers close without it.
                tls.read(&mut byte).await.unwrap_or(0)
            }
        };
        if more > 0 || !self.unread.is_empty() {
            return Err(Failure::wrong("more than was asked for", &byte));
        }
        Ok(())
    }

    /// Whether something was received that nobody has asked for yet.
    pub(crate) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Receives something, in a buffer with room for an answer of `size` bytes.
    async fn fill(&mut self, size: usize) -> Result<(), Failure> {
        if self.unread.is_empty() {
            self.unread = 0..0;
        }
        if self.unread.start + size > self.buffer.len() || self.unread.end == self.buffer.len() {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            if size > self.buffer.len() || self.unread.end == self.buffer.len() {
                let room = (self.buffer.len() * 4).min(self.buffer.len() + CHUNK).max(size);
                self.buffer.resize(room, 0);
            }
        }
        let room = &mut self.buffer[self.unread.end..];
        let received = match &mut self.stream {
            Stream::Plain(socket) => {
                if self.expects_more {
                    // Sends a delayed acknowledgement now. The kernel forgets the option, so each time anew.
                    set_tcp_quickack(&*socket, true).map_err(io::Error::from)?;
                }
                socket.read(room).await?
            }
            Stream::Tls(tls) => {
                if self.expects_more {
                    set_tcp_quickack(tls.get_ref().0, true).map_err(io::Error::from)?;
                }
                tls.read(room).await?
            }
        };
        if received == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.expects_more = true;
        self.unread.end += received;
        Ok(())
    }
}

/// The size that a line ending in `{n}` announces (RFC 9051, 4.3).
fn announced(line: &[u8]) -> Option<usize> {
    let digits = line.strip_suffix(b"}")?;
    let open = memchr::memrchr(b'{', digits)?;
    std::str::from_utf8(&digits[open + 1..]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a client reads when a server writes `pieces` one after the other.
    async fn answers(pieces: &'static [&'static [u8]]) -> Vec<Vec<u8>> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.set_nodelay(true).unwrap();
            for piece in pieces {
                socket.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let mut connection = Connection::open(address, None).await.unwrap();
        let mut answers = Vec::new();
        while let Ok(answer) = connection.answer(true).await {
            answers.push(answer.to_vec());
        }
        server.await.unwrap();
        answers
    }

    #[tokio::test]
    async fn answers_are_framed_wherever_they_are_cut() {
        let expected: Vec<Vec<u8>> =
            [&b"* 1 FETCH (BODY[] {6}\r\na\r\nb\r\n {0}\r\n)"[..], b"a OK", b""].iter().map(|a| a.to_vec()).collect();
        const WHOLE: &[&[u8]] = &[b"* 1 FETCH (BODY[] {6}\r\na\r\nb\r\n {0}\r\n)\r\na OK\r\n\r\n"];
        const CUT: &[&[u8]] = &[b"* 1 FETCH (BODY[] {6}\r", b"\na\r\n", b"b\r\n {0}\r\n)\r\na O", b"K\r\n\r", b"\n"];
        for pieces in [WHOLE, CUT] {
            assert_eq!(answers(pieces).await, expected);
        }
    }

    #[test]
    fn literals_announce_their_size() {
        for (line, size) in [(&b"BODY[] {12}"[..], Some(12)), (b"~{3}", Some(3)), (b"OK {x}", None), (b"}", None)] {
            assert_eq!(announced(line), size, "{}", line.escape_ascii());
        }
    }
}
