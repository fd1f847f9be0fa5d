//! What a connection runs over: TCP, a Unix socket, memory (in tests), and TLS over any of them.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use crate::tls::{self, ClientNames, HandshakeError, Tls, TlsInfo};

/// A byte stream without encryption.
#[derive(Debug)]
pub enum Plain {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
    /// A pipe inside the process, so that sessions can be tested without a socket.
    Memory(DuplexStream),
}

/// A connection's byte stream, which STARTTLS may turn from plain to encrypted.
#[derive(Debug)]
pub enum Stream {
    /// As it came.
    Plain(Plain),
    /// Encrypted.
    Tls(Box<TlsStream<Plain>>),
    /// Neither any more: a handshake failed, or was given up.
    Closed,
}

impl Stream {
    /// Starts TLS as the server. The plain stream is gone whatever happens: nobody goes on in clear text after a
    /// handshake that failed.
    ///
    /// # Errors
    /// [`HandshakeError`].
    pub async fn upgrade(&mut self, tls: &Tls, within: Duration) -> Result<(), HandshakeError> {
        match std::mem::replace(self, Self::Closed) {
            Self::Plain(plain) => {
                *self = Self::Tls(tls.accept(plain, within).await?);
                Ok(())
            }
            Self::Tls(_) | Self::Closed => Err(HandshakeError::Io(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Encrypts octets without sending them: they go out with whatever is written next, in one system call. Takes as much
    /// as the session has room for, and nothing where there is no TLS.
    pub(crate) fn encrypt(&mut self, octets: &[u8]) -> usize {
        match self {
            Self::Tls(stream) => stream.get_mut().1.writer().write(octets).unwrap_or(0),
            Self::Plain(_) | Self::Closed => 0,
        }
    }

    /// Whether the TLS session is one that began with an earlier connection.
    pub(crate) fn is_resumed(&self) -> bool {
        match self {
            Self::Tls(stream) => stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed),
            Self::Plain(_) | Self::Closed => false,
        }
    }

    /// What the client calls us (SNI), if it says so.
    pub(crate) fn server_name(&self) -> Option<&str> {
        match self {
            Self::Tls(stream) => stream.get_ref().1.server_name(),
            Self::Plain(_) | Self::Closed => None,
        }
    }

    /// Whom the client's certificate is made out to, if it has shown one.
    pub(crate) fn client_names(&self) -> Option<ClientNames> {
        match self {
            Self::Tls(stream) => tls::client_names(stream),
            Self::Plain(_) | Self::Closed => None,
        }
    }

    /// What was negotiated, `None` without TLS.
    pub fn tls(&self) -> Option<TlsInfo> {
        match self {
            Self::Tls(stream) => tls::info(stream),
            Self::Plain(_) | Self::Closed => None,
        }
    }
}

/// Runs `$call` on whichever stream there is.
macro_rules! each {
    ($self:expr, $stream:ident => $call:expr, closed => $closed:expr) => {
        match $self.get_mut() {
            Stream::Plain(Plain::Tcp($stream)) => $call,
            Stream::Plain(Plain::Unix($stream)) => $call,
            Stream::Plain(Plain::Memory($stream)) => $call,
            Stream::Tls($stream) => $call,
            Stream::Closed => $closed,
        }
    };
}

fn gone<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buf), closed => gone())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, buf), closed => gone())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx), closed => gone())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx), closed => gone())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices), closed => gone())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

// TlsStream<Plain> needs Plain itself to be a stream.
macro_rules! each_plain {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Plain::Tcp($stream) => $call,
            Plain::Unix($stream) => $call,
            Plain::Memory($stream) => $call,
        }
    };
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each_plain!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each_plain!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_plain!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each_plain!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each_plain!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
