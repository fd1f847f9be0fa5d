//! TLS clients that accept any certificate: what is tested is the server's protocol and what is measured is encryption;
//! servers on loopback have certificates that nobody signed.

use std::io;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// Takes any certificate.
pub fn any_certificate() -> Arc<ClientConfig> {
    cyradm::any_certificate().expect("ring offers the default protocol versions")
}

/// A client side handshake that is about to begin, asking for the server called `name`.
pub(crate) fn client(name: &str) -> io::Result<ClientConnection> {
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    ClientConnection::new(any_certificate(), name).map_err(io::Error::other)
}
