//! TLS clients that accept any certificate: what is tested is the server's protocol and what is measured is encryption;
//! servers on loopback have certificates that nobody signed.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// Takes any certificate.
pub fn any_certificate() -> Arc<ClientConfig> {
    cyradm::any_certificate().expect("ring offers the default protocol versions")
}

/// A client side handshake that is about to begin, asking for the name `localhost`.
pub(crate) fn client() -> ClientConnection {
    let name = ServerName::try_from("localhost").expect("localhost is a name");
    ClientConnection::new(any_certificate(), name).expect("a client configuration without surprises")
}
