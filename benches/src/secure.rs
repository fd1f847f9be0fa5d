//! TLS as the load generator speaks it: the same with every server, and as cheap for the client as it can be, so that what
//! is measured is the server.
//!
//! One configuration serves a whole run. It offers TLS 1.3 with AES-128-GCM and X25519 alone: what every server takes, and
//! what none can choose otherwise. Who the server is does not matter; that it has the key of its certificate is checked
//! until [`Secure::begin_counting`], and taken on trust in the timed run that follows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, Error, HandshakeKind, NamedGroup, SignatureScheme, version,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Failure;

/// Servers whose tickets are kept: a run has one.
const SERVERS: usize = 4;

/// Octets of a signature by an RSA key of 2048 bits.
const RSA_2048: usize = 256;

/// A client's side of TLS, for all connections of a run.
#[derive(Clone)]
pub struct Secure {
    connector: TlsConnector,
    resumes: bool,
    seen: Arc<Seen>,
}

/// What handshakes have shown.
#[derive(Debug, Default)]
struct Seen {
    /// How the server signs.
    key: OnceLock<Key>,
    /// No signature is checked any more.
    trusted: AtomicBool,
    whole: AtomicU64,
    resumed: AtomicU64,
}

/// Kinds of keys that certificates of mail servers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    P256,
    Rsa2048,
    Other,
}

impl Secure {
    /// A client that begins every session anew or, if it `resumes`, keeps the tickets that it is given.
    ///
    /// # Errors
    /// [`Failure::Refused`]: the cryptography linked in lacks what is offered.
    pub fn new(resumes: bool) -> Result<Self, Failure> {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.retain(|suite| suite.suite() == CipherSuite::TLS13_AES_128_GCM_SHA256);
        provider.kx_groups.retain(|group| group.name() == NamedGroup::X25519);
        let provider = Arc::new(provider);
        let seen = Arc::new(Seen::default());
        let verifier = Arc::new(Verifier { seen: Arc::clone(&seen), provider: Arc::clone(&provider) });
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])
            .map_err(|problem| Failure::Refused(problem.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.resumption = if resumes { Resumption::in_memory_sessions(SERVERS) } else { Resumption::disabled() };
        Ok(Self { connector: Arc::new(config).into(), resumes, seen })
    }

    /// Whether tickets are kept.
    pub(crate) fn resumes(&self) -> bool {
        self.resumes
    }

    /// A handshake.
    pub(crate) async fn connect(&self, socket: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let name = ServerName::IpAddress(socket.peer_addr()?.ip().into());
        let stream = self.connector.connect(name, socket).await?;
        let count = match stream.get_ref().1.handshake_kind() {
            Some(HandshakeKind::Resumed) => &self.seen.resumed,
            _ => &self.seen.whole,
        };
        count.fetch_add(1, Ordering::Relaxed);
        Ok(stream)
    }

    /// From here on the server is the one that it was, and handshakes are counted.
    pub(crate) fn begin_counting(&self) {
        self.seen.trusted.store(true, Ordering::Relaxed);
        self.seen.whole.store(0, Ordering::Relaxed);
        self.seen.resumed.store(0, Ordering::Relaxed);
    }

    /// How many of the sessions that were counted had begun with an earlier connection, from 0 to 1.
    pub(crate) fn resumed(&self) -> f64 {
        let [whole, resumed] = [&self.seen.whole, &self.seen.resumed].map(|count| count.load(Ordering::Relaxed) as f64);
        resumed / (whole + resumed).max(1.0)
    }

    /// What handshakes cost a server: `p256`, `rsa2048` by its key, or `resumed`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.seen.key.get() {
            _ if self.resumes => "resumed",
            Some(Key::P256) => "p256",
            Some(Key::Rsa2048) => "rsa2048",
            Some(Key::Other) | None => "other",
        }
    }
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secure").field("resumes", &self.resumes).field("seen", &self.seen).finish_non_exhaustive()
    }
}

/// Takes any certificate.
#[derive(Debug)]
struct Verifier {
    seen: Arc<Seen>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 was not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.seen.key.get_or_init(|| match signed.scheme {
            SignatureScheme::ECDSA_NISTP256_SHA256 => Key::P256,
            _ if signed.signature().len() == RSA_2048 => Key::Rsa2048,
            _ => Key::Other,
        });
        if self.seen.trusted.load(Ordering::Relaxed) {
            return Ok(HandshakeSignatureValid::assertion());
        }
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, SignatureAlgorithm};
    use rustls::ServerConfig;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// Three connections, one after the other, to a server with a key of this kind.
    async fn connect(secure: &Secure, algorithm: &'static SignatureAlgorithm) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            for _ in 0..3 {
                let (socket, _) = listener.accept().await.unwrap();
                let mut stream = acceptor.accept(socket).await.unwrap();
                stream.write_all(b"hello\r\n").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
        for _ in 0..3 {
            let mut stream = secure.connect(TcpStream::connect(address).await.unwrap()).await.unwrap();
            let mut said = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut said).await.unwrap();
            assert_eq!(said, b"hello\r\n");
            let negotiated = stream.get_ref().1.negotiated_cipher_suite().unwrap().suite();
            assert_eq!(negotiated, CipherSuite::TLS13_AES_128_GCM_SHA256);
        }
        server.await.unwrap();
    }

    #[tokio::test]
    async fn tickets_are_kept_if_they_shall_be() {
        for (resumes, algorithm, kind) in [
            (false, &PKCS_ECDSA_P256_SHA256, "p256"),
            (false, &PKCS_ED25519, "other"),
            (true, &PKCS_ECDSA_P256_SHA256, "resumed"),
        ] {
            let secure = Secure::new(resumes).unwrap();
            connect(&secure, algorithm).await;
            assert_eq!(secure.kind(), kind);
            let counted = [&secure.seen.whole, &secure.seen.resumed].map(|count| count.load(Ordering::Relaxed));
            assert_eq!(counted, if resumes { [1, 2] } else { [3, 0] });
            secure.begin_counting();
            assert!(secure.resumed().abs() < 1e-9);
        }
    }
}
