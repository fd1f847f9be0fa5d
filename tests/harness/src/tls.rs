//! TLS clients that accept any certificate: what is tested is the server's protocol and what is measured is encryption;
//! servers on loopback have certificates that nobody signed.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ClientConnection};

/// Takes any certificate.
pub fn any_certificate() -> Arc<ClientConfig> {
    cyradm::any_certificate().expect("AWS-LC offers the default protocol versions")
}

/// The same for a client that has a certificate itself, in PEM files, and shows it to whoever asks.
pub fn with_certificate(certificate: &Path, key: &Path) -> Arc<ClientConfig> {
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect).expect("a certificate in PEM");
    let key = PrivateKeyDer::from_pem_file(key).expect("a key in PEM");
    let own = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).expect("a key that fits");
    let mut config = ClientConfig::clone(&any_certificate());
    config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(own));
    Arc::new(config)
}

/// A client side handshake that is about to begin, asking for the server called `name`.
pub(crate) fn client(config: Arc<ClientConfig>, name: &str) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(config, name).map_err(io::Error::other)
}
