//! One client connection: bytes out, whole replies in (an IMAP reply with its literals is one reply).

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::tls;

/// How long a reply may take before the test says it is missing. Only a failing test ever waits this long.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a server sent: one line without its CRLF, or for IMAP a line with the literals it announces.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply(pub Vec<u8>);

/// What ties a SASL exchange to the TLS connection under it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelBindings {
    /// `tls-exporter` (RFC 9266), with TLS 1.3.
    pub exporter: Option<[u8; 32]>,
    /// The server's certificate (DER), whose hash is `tls-server-end-point` (RFC 5929, 4).
    pub certificate: Option<Vec<u8>>,
}

/// A client's end of a connection.
pub struct Connection {
    stream: Stream,
    /// Received and not yet handed out.
    buffer: Vec<u8>,
    literals: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// Only while a handshake takes the plain stream over.
    Nothing,
}

impl Connection {
    /// Connects; `literals` says that `{n}` at the end of a line announces n bytes more of it (IMAP).
    ///
    /// # Errors
    /// Whatever the connection attempt says.
    pub fn open(address: SocketAddr, literals: bool) -> io::Result<Self> {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE)?, literals)
    }

    /// Takes a socket over that is connected already.
    ///
    /// # Errors
    /// When the socket refuses its options.
    pub fn over(stream: TcpStream, literals: bool) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream: Stream::Plain(stream), buffer: Vec::new(), literals })
    }

    /// Changes how long a read or a write may take before it is an error.
    ///
    /// # Errors
    /// When the socket refuses.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        self.socket()?.set_read_timeout(Some(patience))?;
        self.socket()?.set_write_timeout(Some(patience))
    }

    /// Begins TLS on this connection; what was received and not read yet is forgotten, as RFC 9051, 6.2.1 wants.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn start_tls(&mut self) -> io::Result<()> {
        self.handshake(tls::any_certificate(), "localhost")
    }

    /// [`Connection::start_tls`], asking for the server called `name` (SNI).
    ///
    /// # Errors
    /// When the name is none, or the handshake fails.
    pub fn start_tls_as(&mut self, name: &str) -> io::Result<()> {
        self.handshake(tls::any_certificate(), name)
    }

    /// [`Connection::start_tls`], as a client that is set up like this.
    ///
    /// # Errors
    /// When the handshake fails.
    pub fn start_tls_with(&mut self, config: Arc<ClientConfig>) -> io::Result<()> {
        self.handshake(config, "localhost")
    }

    fn handshake(&mut self, config: Arc<ClientConfig>, name: &str) -> io::Result<()> {
        let Stream::Plain(socket) = std::mem::replace(&mut self.stream, Stream::Nothing) else {
            return Err(io::Error::other("TLS is already on"));
        };
        self.buffer.clear();
        let mut tls = StreamOwned::new(tls::client(config, name)?, socket);
        tls.conn.complete_io(&mut tls.sock)?;
        self.stream = Stream::Tls(Box::new(tls));
        Ok(())
    }

    /// What a SASL exchange can be bound to; nothing without TLS.
    #[must_use]
    pub fn channel_bindings(&self) -> ChannelBindings {
        let Stream::Tls(tls) = &self.stream else { return ChannelBindings::default() };
        let is_newest = tls.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        let exporter = tls.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        let shown = tls.conn.peer_certificates().and_then(<[_]>::first);
        ChannelBindings {
            exporter: exporter.ok().filter(|_| is_newest),
            certificate: shown.map(|certificate| certificate.to_vec()),
        }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the peer is gone or takes nothing for [`PATIENCE`].
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()),
            Stream::Nothing => Err(closed()),
        }
    }

    /// The next reply; `None` when the server closed the connection in good order.
    ///
    /// # Errors
    /// A timeout, a reset, or a connection that ends within a reply.
    pub fn reply(&mut self) -> io::Result<Option<Reply>> {
        let mut end = 0;
        loop {
            let Some(line_end) = self.line_end(end)? else {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            };
            let announced = if self.literals { literal_size(&self.buffer[end..line_end]) } else { None };
            match announced {
                Some(size) => {
                    end = line_end + 2 + size;
                    while self.buffer.len() < end {
                        if self.fill()? == 0 {
                            return Err(io::ErrorKind::UnexpectedEof.into());
                        }
                    }
                }
                None => {
                    let reply = self.buffer[..line_end].to_vec();
                    self.buffer.drain(..line_end + 2);
                    return Ok(Some(Reply(reply)));
                }
            }
        }
    }

    /// Ends the sending half, leaving the other open.
    ///
    /// # Errors
    /// When the socket is gone already.
    pub fn half_close(&self) -> io::Result<()> {
        self.socket()?.shutdown(Shutdown::Write)
    }

    /// The place of the CRLF that ends the line beginning at `from`; `None` when the connection ends first.
    fn line_end(&mut self, from: usize) -> io::Result<Option<usize>> {
        let mut searched = from;
        loop {
            if let Some(at) = self.buffer[searched..].windows(2).position(|pair| pair == b"\r\n") {
                return Ok(Some(searched + at));
            }
            searched = self.buffer.len().saturating_sub(1).max(from);
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let size = match &mut self.stream {
            Stream::Plain(socket) => socket.read(&mut chunk)?,
            Stream::Tls(tls) => match tls.read(&mut chunk) {
                // Many servers close without close_notify; for a test that is a close like any other.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                other => other?,
            },
            Stream::Nothing => return Err(closed()),
        };
        self.buffer.extend_from_slice(&chunk[..size]);
        Ok(size)
    }

    fn socket(&self) -> io::Result<&TcpStream> {
        match &self.stream {
            Stream::Plain(socket) => Ok(socket),
            Stream::Tls(tls) => Ok(&tls.sock),
            Stream::Nothing => Err(closed()),
        }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0.escape_ascii())
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The size that a line ending in `{n}` announces (RFC 9051, 4.3).
fn literal_size(line: &[u8]) -> Option<usize> {
    let digits = line.strip_suffix(b"}")?;
    let open = digits.iter().rposition(|&byte| byte == b'{')?;
    std::str::from_utf8(&digits[open + 1..]).ok()?.parse().ok()
}

fn closed() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_sizes() {
        for (line, size) in [
            (&b"* 1 FETCH (BODY[] {12}"[..], Some(12)),
            (b"* LIST () \"/\" ~{3}", Some(3)),
            (b"a OK done", None),
            (b"* OK {x}", None),
            (b"}", None),
        ] {
            assert_eq!(literal_size(line), size, "{}", line.escape_ascii());
        }
    }
}
