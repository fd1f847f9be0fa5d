//! Which server, and how the way to it is protected.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::any_certificate;
use crate::trouble::{Kind, Trouble};

/// Until a server accepts a connection, and until it answers each command before login.
const CONNECT: Duration = Duration::from_secs(30);

/// Silence of a server: reconstruct of a large mailbox, asked for over IMAP, says nothing until it is done.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// Where systems keep the certificates that they trust.
const TRUSTED: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name or address.
    pub host: String,
    /// Its port; by default 143, or 993 with [`Security::Implicit`].
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: Security,
    /// Certificates to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Take any certificate. Those of servers on this machine are taken anyhow.
    pub insecure: bool,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS; to a server on this machine without, if it does not offer it.
    StartTls,
    /// TLS from the first octet.
    Implicit,
    /// None. The password can be read on the way.
    None,
}

/// A connection, plain or encrypted.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Server {
    /// Connects; with [`Security::Implicit`], encryption has begun. Whether the server is on this machine.
    pub(crate) fn connect(&self) -> Result<(Stream, bool), Trouble> {
        let port = self.port.unwrap_or(if self.security == Security::Implicit { 993 } else { 143 });
        let failed = |error: io::Error| Trouble::new(Kind::Unavailable, format!("{}:{port}: {error}", self.host));
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.host.as_str(), port).to_socket_addrs().map_err(failed)? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(socket) => {
                    socket.set_nodelay(true).map_err(failed)?;
                    socket.set_read_timeout(Some(CONNECT)).map_err(failed)?;
                    socket.set_write_timeout(Some(CONNECT)).map_err(failed)?;
                    let here = is_here(address);
                    let stream = Stream::Plain(socket);
                    let stream = if self.security == Security::Implicit { self.encrypt(stream, here)? } else { stream };
                    return Ok((stream, here));
                }
                Err(error) => last = error,
            }
        }
        Err(failed(last))
    }

    /// Begins TLS.
    pub(crate) fn encrypt(&self, stream: Stream, here: bool) -> Result<Stream, Trouble> {
        let Stream::Plain(mut socket) = stream else { return Ok(stream) };
        let failed = |error: &dyn std::fmt::Display| {
            let advice = "; --cafile names the certificates to trust, --insecure takes any";
            Trouble::new(Kind::Unavailable, format!("no encryption with {}: {error}{advice}", self.host))
        };
        let name = ServerName::try_from(self.host.clone()).map_err(|error| failed(&error))?;
        let mut tls = ClientConnection::new(self.config(here)?, name).map_err(|error| failed(&error))?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket).map_err(|error| failed(&error))?;
        }
        Ok(Stream::Tls(Box::new(StreamOwned::new(tls, socket))))
    }

    fn config(&self, here: bool) -> Result<Arc<ClientConfig>, Trouble> {
        let unusable = |error: rustls::Error| Trouble::new(Kind::Unavailable, error);
        if self.insecure || (here && self.ca_file.is_none()) {
            return any_certificate().map_err(unusable);
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        Ok(Arc::new(builder.with_root_certificates(self.roots()?).with_no_client_auth()))
    }

    fn roots(&self) -> Result<RootCertStore, Trouble> {
        let file = match &self.ca_file {
            Some(file) => file.as_path(),
            None => TRUSTED.iter().map(Path::new).find(|file| file.exists()).ok_or_else(|| {
                Trouble::new(Kind::File, "this system has no list of trusted certificates; see --cafile")
            })?,
        };
        let failed = |error: &dyn std::fmt::Display| Trouble::new(Kind::File, format!("{}: {error}", file.display()));
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(&error))? {
            // A system's list may hold what rustls does not take; the others still count.
            roots.add_parsable_certificates([certificate.map_err(|error| failed(&error))?]);
        }
        if roots.is_empty() {
            return Err(failed(&"no certificate in it"));
        }
        Ok(roots)
    }
}

fn is_here(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

impl Stream {
    /// From now on a server may take its time.
    pub(crate) fn be_patient(&self) -> io::Result<()> {
        let socket = match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(tls) => tls.get_ref(),
        };
        socket.set_read_timeout(Some(PATIENCE))
    }

    /// Whether it is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Stream::Tls(_))
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(into),
            // Many servers hang up without a word of TLS.
            Stream::Tls(tls) => match tls.read(into) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Stream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(octets),
            Stream::Tls(tls) => tls.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(tls) => tls.flush(),
        }
    }
}
