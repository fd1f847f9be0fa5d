//! Certificates of clients: who may have signed them, and which of them are revoked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use super::TlsError;

/// Who vouches for clients, and whether somebody must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAuthorities {
    /// The certificates of those who sign clients' certificates, in PEM.
    pub authorities: PathBuf,
    /// Lists of revoked certificates (RFC 5280, 5), in PEM: one of each authority that signs clients' certificates, or
    /// whom it has signed is refused. A list that is out of date holds until it is replaced.
    pub revoked: Option<PathBuf>,
    /// Whether a client without a certificate is turned away.
    pub required: bool,
}

impl ClientAuthorities {
    /// Reads the files.
    pub(super) fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let unusable = |path: &Path, problem: &dyn std::fmt::Display| TlsError::Clients {
            path: path.to_owned(),
            problem: problem.to_string(),
        };
        let certificates: Vec<CertificateDer<'static>> = read(&self.authorities)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate(self.authorities.clone()));
        }
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|problem| unusable(&self.authorities, &problem))?;
        }
        // Named, not taken from a process-wide default: with two providers linked in, that default panics.
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::new(aws_lc_rs::default_provider()));
        if let Some(revoked) = &self.revoked {
            let lists: Vec<CertificateRevocationListDer<'static>> = read(revoked)?;
            if lists.is_empty() {
                return Err(unusable(revoked, &"no list of revoked certificates in this file"));
            }
            // Authorities are taken out of their file, not revoked.
            builder = builder.with_crls(lists).only_check_end_entity_revocation();
        }
        if !self.required {
            builder = builder.allow_unauthenticated();
        }
        let file = self.revoked.as_ref().unwrap_or(&self.authorities);
        builder.build().map_err(|problem| unusable(file, &problem))
    }
}

/// All objects of a kind in a PEM file.
fn read<T: PemObject>(path: &Path) -> Result<Vec<T>, TlsError> {
    let objects = T::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    objects.map_err(|problem| TlsError::Pem { path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_that_are_wrong_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let (authorities, revoked) = (dir.path().join("clients.pem"), dir.path().join("revoked.pem"));
        let read = || {
            let revoked = revoked.exists().then(|| revoked.clone());
            let clients = ClientAuthorities { authorities: authorities.clone(), revoked, required: true };
            clients.verifier().map(drop).map_err(|problem| problem.to_string())
        };
        assert!(read().unwrap_err().contains("clients.pem"));
        fs::write(&authorities, "nothing").unwrap();
        assert!(read().unwrap_err().contains("clients.pem: no certificate"));
        fs::write(&authorities, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(read().unwrap_err().contains("clients.pem"));
        let made = rcgen::generate_simple_self_signed(vec!["authority".to_owned()]).unwrap();
        fs::write(&authorities, made.cert.pem()).unwrap();
        read().unwrap();
        fs::write(&revoked, "nothing").unwrap();
        assert!(read().unwrap_err().contains("revoked.pem: no list"));
        fs::write(&revoked, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n").unwrap();
        assert!(read().unwrap_err().contains("revoked.pem"));
    }
}
