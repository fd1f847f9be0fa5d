//! TLS for listeners and STARTTLS: the certificate, reloadable while connections live, and the handshake.

mod binding;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig, version};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use binding::ChannelBinding;

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

/// The server side of TLS: configuration, certificate and session tickets. Clones share the certificate.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    pub(crate) certificate: Arc<Certificate>,
}

impl Tls {
    /// Reads a certificate chain and its key, both PEM.
    ///
    /// TLS 1.2 and 1.3; sessions are resumed by tickets whose key lives and dies with the process.
    ///
    /// # Errors
    /// [`TlsError`], naming the file that is wrong.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let certificate = Arc::new(Certificate::load(certificate, key)?);
        // Named, not taken from a process-wide default: with two providers linked in, that default panics.
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        config.ticketer = ring::Ticketer::new()?;
        Ok(Self { config: Arc::new(config), certificate })
    }

    /// The same certificate for one protocol, by its ALPN name (`imap`, `pop3`). A client that names other protocols
    /// only is refused, which keeps a browser's request for another service from being replayed here (ALPACA).
    #[must_use]
    pub fn for_protocol(&self, alpn: &str) -> Self {
        let mut config = ServerConfig::clone(&self.config);
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Self { config: Arc::new(config), certificate: Arc::clone(&self.certificate) }
    }

    /// Reads certificate and key again; new handshakes use them, connections stay as they are.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate in use is then kept.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read_pair(&self.certificate.certificate, &self.certificate.key)?;
        self.certificate.current.store(fresh);
        Ok(())
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
        f.debug_struct("Tls").field("certificate", &self.certificate.certificate).finish_non_exhaustive()
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

/// One certificate for every name: what the client calls us is neither looked up nor kept.
pub(crate) struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<CertifiedKey>,
}

impl Certificate {
    fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = ArcSwap::new(read_pair(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// The one that handshakes are made with now.
    pub(crate) fn current(&self) -> Arc<CertifiedKey> {
        self.current.load_full()
    }

    #[cfg(test)]
    pub(crate) fn current_der(&self) -> Vec<u8> {
        self.current.load().end_entity_cert().unwrap().to_vec()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.load_full())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn read_pair(certificate: &Path, key: &Path) -> Result<Arc<CertifiedKey>, TlsError> {
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |problem| TlsError::Pem { path, problem }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.to_owned()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(wrong(key))?;
    let pair = CertifiedKey::from_der(chain, secret, &ring::default_provider());
    pair.map(Arc::new).map_err(|problem| TlsError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        problem,
    })
}
