//! TLS for listeners and STARTTLS: the certificate, reloadable while connections live, and the handshake.

mod binding;
mod certificates;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem;
use rustls::server::ResolvesServerCert;
use rustls::{ProtocolVersion, ServerConfig, version};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use binding::ChannelBinding;
pub(crate) use certificates::Certificates;
pub use certificates::Pair;

/// Why a certificate cannot be used. The text names the file.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A PEM file cannot be read, or holds nothing of the kind looked for.
    #[error("{}: {problem}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: pem::Error,
    },
    /// The certificate file is PEM but holds no certificate.
    #[error("{}: no certificate in this file", .0.display())]
    NoCertificate(PathBuf),
    /// Key and certificate do not belong together, or the key is of a kind we cannot use.
    #[error("{} and {}: {problem}", certificate.display(), key.display())]
    Unusable {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong with them.
        problem: rustls::Error,
    },
    /// The OCSP response beside a certificate cannot be used.
    #[error("{}: {problem}", path.display())]
    Ocsp {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The cryptographic provider refused; not expected with the one built in.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Why a TLS handshake did not complete.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// Not done within the time allowed.
    #[error("TLS handshake timed out")]
    Timeout,
    /// The peer hung up or sent something that is not an acceptable handshake.
    #[error("TLS handshake failed: {0}")]
    Io(#[from] std::io::Error),
}

/// What was negotiated, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsInfo {
    /// Protocol version, as `TLSv1.3`.
    pub version: &'static str,
    /// Cipher suite, as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: &'static str,
}

/// The oldest version that is spoken. 1.0 and 1.1 never are (RFC 8996).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinVersion {
    /// TLS 1.2, for mail clients of the last decade.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// The server side of TLS: configuration, certificates and session tickets. Clones share the certificates.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    pub(crate) certificates: Arc<Certificates>,
}

impl Tls {
    /// Reads a certificate and those for other names.
    ///
    /// Sessions are resumed by tickets whose key lives and dies with the process.
    ///
    /// # Errors
    /// [`TlsError`], naming the file that is wrong.
    pub fn load(first: Pair, others: Vec<Pair>, oldest: MinVersion) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::load([vec![first], others].concat())?);
        let versions: &[_] = match oldest {
            MinVersion::Tls12 => &[&version::TLS13, &version::TLS12],
            MinVersion::Tls13 => &[&version::TLS13],
        };
        // Named, not taken from a process-wide default: with two providers linked in, that default panics.
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificates) as Arc<dyn ResolvesServerCert>);
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self { config: Arc::new(config), certificates })
    }

    /// The same certificates for one protocol, by its ALPN name (`imap`, `pop3`). A client that names other protocols
    /// only is refused, which keeps a browser's request for another service from being replayed here (ALPACA).
    #[must_use]
    pub fn for_protocol(&self, alpn: &str) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Self { config: Arc::new(config), certificates: Arc::clone(&self.certificates) }
    }

    /// Reads certificates and keys again; new handshakes use them, connections stay as they are.
    ///
    /// # Errors
    /// [`TlsError`]; those in use are then kept, all of them.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.certificates.reload()
    }

    /// Takes the server's part in a handshake.
    ///
    /// # Errors
    /// [`HandshakeError`]; the stream is gone then.
    pub async fn accept<S>(&self, stream: S, within: Duration) -> Result<Box<TlsStream<S>>, HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let handshake = TlsAcceptor::from(Arc::clone(&self.config)).accept(stream);
        match tokio::time::timeout(within, handshake).await {
            Ok(stream) => Ok(Box::new(stream?)),
            Err(_) => Err(HandshakeError::Timeout),
        }
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("certificates", &self.certificates).finish_non_exhaustive()
    }
}

/// What was negotiated on `stream`.
pub(crate) fn info<S>(stream: &TlsStream<S>) -> Option<TlsInfo> {
    let (_, connection) = stream.get_ref();
    let version = match connection.protocol_version()? {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => return None,
    };
    let cipher = connection.negotiated_cipher_suite()?.suite().as_str()?;
    Some(TlsInfo { version, cipher })
}
