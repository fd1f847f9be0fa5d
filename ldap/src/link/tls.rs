//! Whom we believe to be the server.

use std::sync::Arc;

use directory::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::settings::Settings;

/// What TLS needs, if there is to be TLS: a server must have a certificate of an authority that we know, for its name.
pub(crate) fn config(settings: &Settings) -> Result<Option<Arc<ClientConfig>>> {
    if !settings.is_tls() {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    if let Some(path) = &settings.ca_file {
        let wrong = |what: &dyn std::fmt::Display| Error::Unavailable(format!("{}: {what}", path.display()));
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(&error))?;
            roots.add(certificate).map_err(|error| wrong(&error))?;
        }
        if roots.is_empty() {
            return Err(wrong(&"there is no certificate in it"));
        }
    } else {
        // One that can't be read is one that nobody is believed for.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
}
