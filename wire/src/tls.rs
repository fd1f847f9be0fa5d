//! TLS for listeners and STARTTLS: the certificate, reloadable while connections live, clients' certificates, and the
//! handshake.

mod binding;
mod certificates;
mod clients;
mod names;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier};
use rustls::{ProtocolVersion, ServerConfig, SupportedProtocolVersion, version};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use binding::ChannelBinding;
pub(crate) use certificates::Certificates;
pub use certificates::Pair;
pub use clients::ClientAuthorities;
pub use names::ClientNames;

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
    /// What clients' certificates are checked with cannot be used.
    #[error("{}: {problem}", path.display())]
    Clients {
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

static FROM_TLS12: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
static FROM_TLS13: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// What TLS is set up with. Files are read when it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The certificate for whoever asks for nothing in particular.
    pub first: Pair,
    /// Those for other names.
    pub others: Vec<Pair>,
    /// The oldest version spoken.
    pub oldest: MinVersion,
    /// Whom clients' certificates must come from; without it none is asked for.
    pub clients: Option<ClientAuthorities>,
}

/// The server side of TLS: configuration, certificates and session tickets. Clones share all of it.
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
    pub(crate) certificates: Arc<Certificates>,
    /// What this protocol's handshakes are made with: one of [`Shared::protocols`].
    config: Arc<ArcSwap<ServerConfig>>,
}

/// What all protocols have in common.
struct Shared {
    /// One reads files again at a time.
    setup: Mutex<Setup>,
    /// Made anew when what stands in every handshake changes: versions, the names of clients' authorities.
    protocols: Mutex<Vec<Arc<ArcSwap<ServerConfig>>>>,
}

/// What the handshakes of all protocols are made of.
struct Parts {
    versions: &'static [&'static SupportedProtocolVersion],
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// Makes tickets whose key lives and dies with the process. None where clients have certificates: a session that is
    /// resumed repeats what was found out in its first handshake, and the certificate may have expired or been revoked
    /// since.
    tickets: Option<Arc<dyn ProducesTickets>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file that is wrong.
    pub fn load(setup: Setup) -> Result<Self, TlsError> {
        let certificates = Arc::new(Certificates::load(&setup.pairs())?);
        let config = Parts::of(&setup)?.configure(&certificates, Vec::new())?;
        let shared = Shared { setup: Mutex::new(setup), protocols: Mutex::default() };
        Ok(Self { config: shared.add(config), shared: Arc::new(shared), certificates })
    }

    /// The same certificates for one protocol, by its ALPN name (`imap`, `pop3`). A client that names other protocols
    /// only is refused, which keeps a browser's request for another service from being replayed here (ALPACA).
    #[must_use]
    pub fn for_protocol(&self, alpn: &str) -> Self {
        let mut config = ServerConfig::clone(&self.config.load());
        config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
        Self { config: self.shared.add(config), ..self.clone() }
    }

    /// Reads certificates, keys and the authorities of clients again; new handshakes use them, connections stay as they
    /// are.
    ///
    /// # Errors
    /// [`TlsError`]; those in use are then kept, all of them.
    pub fn reload(&self) -> Result<(), TlsError> {
        let setup = self.shared.setup().clone();
        self.replace(setup)
    }

    /// The same with other files, versions or demands on clients.
    ///
    /// # Errors
    /// [`TlsError`]; what is in use is then kept, all of it.
    pub fn replace(&self, setup: Setup) -> Result<(), TlsError> {
        let mut current = self.shared.setup();
        let pairs = certificates::read(&setup.pairs())?;
        // Without authorities nothing but the certificates is read, and the tickets that are out stay good.
        let same = setup.clients.is_none() && current.clients.is_none() && setup.oldest == current.oldest;
        if !same {
            let parts = Parts::of(&setup)?;
            let protocols = self.shared.protocols();
            let configure = |protocol: &Arc<ArcSwap<ServerConfig>>| {
                parts.configure(&self.certificates, protocol.load().alpn_protocols.clone())
            };
            let configs = protocols.iter().map(configure).collect::<Result<Vec<_>, _>>()?;
            protocols.iter().zip(configs).for_each(|(protocol, config)| protocol.store(Arc::new(config)));
        }
        self.certificates.replace(pairs);
        *current = setup;
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
        let handshake = TlsAcceptor::from(self.config.load_full()).accept(stream);
        match tokio::time::timeout(within, handshake).await {
            Ok(stream) => Ok(Box::new(stream?)),
            Err(_) => Err(HandshakeError::Timeout),
        }
    }
}

impl Setup {
    fn pairs(&self) -> Vec<Pair> {
        std::iter::once(&self.first).chain(&self.others).cloned().collect()
    }
}

impl Parts {
    fn of(setup: &Setup) -> Result<Self, TlsError> {
        let versions = match setup.oldest {
            MinVersion::Tls12 => FROM_TLS12,
            MinVersion::Tls13 => FROM_TLS13,
        };
        let verifier = setup.clients.as_ref().map(ClientAuthorities::verifier).transpose()?;
        let tickets = if verifier.is_none() { Some(aws_lc_rs::Ticketer::new()?) } else { None };
        Ok(Self { versions, verifier, tickets })
    }

    fn configure(&self, certificates: &Arc<Certificates>, alpn: Vec<Vec<u8>>) -> Result<ServerConfig, TlsError> {
        let verifier = self.verifier.clone();
        // Named, not taken from a process-wide default: with two providers linked in, that default panics.
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)?
            .with_client_cert_verifier(verifier.unwrap_or_else(WebPkiClientVerifier::no_client_auth))
            .with_cert_resolver(Arc::clone(certificates) as Arc<dyn ResolvesServerCert>);
        match &self.tickets {
            Some(tickets) => config.ticketer = Arc::clone(tickets),
            None => {
                config.session_storage = Arc::new(NoServerSessionStorage {});
                config.send_tls13_tickets = 0;
            }
        }
        config.alpn_protocols = alpn;
        Ok(config)
    }
}

// What these locks guard is whole, whatever panics.
impl Shared {
    fn setup(&self) -> MutexGuard<'_, Setup> {
        self.setup.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn protocols(&self) -> MutexGuard<'_, Vec<Arc<ArcSwap<ServerConfig>>>> {
        self.protocols.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, config: ServerConfig) -> Arc<ArcSwap<ServerConfig>> {
        let config = Arc::new(ArcSwap::from_pointee(config));
        self.protocols().push(Arc::clone(&config));
        config
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

/// The names in the client's certificate, if it has shown one.
pub(crate) fn client_names<S>(stream: &TlsStream<S>) -> Option<ClientNames> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates()?.first().map(|certificate| ClientNames::of(certificate))
}
