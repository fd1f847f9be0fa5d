//! The certificates of a server: the first is for whoever asks for nothing in particular, each other one for the names that
//! it is made out to.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::warn;

use super::TlsError;

/// Largest OCSP response that is stapled: 64 KiB; they have two or three.
const OCSP_LONGEST: u64 = 64 * 1024;

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The chain, the server's own certificate first, in PEM. A file beside it with the extension `ocsp` holds an OCSP
    /// response (DER) for it, which is stapled to handshakes (RFC 6066, 8).
    pub certificate: PathBuf,
    /// Its private key, in PEM; the file may be the same.
    pub key: PathBuf,
}

/// All certificates; never none.
pub(crate) struct Certificates {
    current: ArcSwap<Vec<Arc<CertifiedKey>>>,
    /// They were read again since the start.
    replaced: AtomicBool,
}

impl Certificates {
    pub(super) fn load(pairs: &[Pair]) -> Result<Self, TlsError> {
        Ok(Self { current: ArcSwap::from_pointee(read(pairs)?), replaced: AtomicBool::new(false) })
    }

    /// Shows others from now on.
    pub(super) fn replace(&self, read: Vec<Arc<CertifiedKey>>) {
        self.current.store(Arc::new(read));
        self.replaced.store(true, Ordering::Release);
    }

    /// Whether a session that is resumed may be one that began with a certificate before these.
    pub(crate) fn were_replaced(&self) -> bool {
        self.replaced.load(Ordering::Acquire)
    }

    /// All that there are now.
    pub(crate) fn all(&self) -> Arc<Vec<Arc<CertifiedKey>>> {
        self.current.load_full()
    }

    /// The one for a client that calls us `name`.
    pub(crate) fn for_name(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let all = self.current.load();
        // Most servers have one, and then there is nothing to look up.
        let named = name.filter(|_| all.len() > 1).and_then(|name| ServerName::try_from(name).ok());
        let found = named.and_then(|name| all.iter().find(|pair| is_made_out_to(pair, &name)));
        found.or(all.first()).cloned()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.for_name(hello.server_name())
    }
}

impl std::fmt::Debug for Certificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificates").field("certificates", &self.current.load().len()).finish_non_exhaustive()
    }
}

fn is_made_out_to(pair: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = pair.end_entity_cert().and_then(ParsedCertificate::try_from);
    parsed.is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok())
}

/// Reads all of them, or none.
pub(super) fn read(pairs: &[Pair]) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    pairs.iter().map(read_pair).collect()
}

fn read_pair(pair: &Pair) -> Result<Arc<CertifiedKey>, TlsError> {
    let Pair { certificate, key } = pair;
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |problem| TlsError::Pem { path, problem }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(certificate))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.clone()));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(wrong(key))?;
    let unusable = |problem| TlsError::Unusable { certificate: certificate.clone(), key: key.clone(), problem };
    let mut read = CertifiedKey::from_der(chain, secret, &aws_lc_rs::default_provider()).map_err(unusable)?;
    read.ocsp = ocsp(&certificate.with_extension("ocsp"), certificate)?;
    Ok(Arc::new(read))
}

/// The response to staple, if there is one. A response that is older than the certificate was for the one before: clients
/// refuse a server that staples it.
fn ocsp(path: &Path, certificate: &Path) -> Result<Option<Vec<u8>>, TlsError> {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified()).ok();
    let wrong = |problem: String| TlsError::Ocsp { path: path.to_owned(), problem };
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error.to_string())),
        Ok(found) if found.len() == 0 || found.len() > OCSP_LONGEST => {
            Err(wrong(format!("{} octets are no OCSP response", found.len())))
        }
        Ok(_) if written(path) < written(certificate) => {
            warn!(event = "tls.ocsp.stale", file = %path.display(), "older than its certificate: not stapled");
            Ok(None)
        }
        Ok(_) => fs::read(path).map(Some).map_err(|error| wrong(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(dir: &Path, file: &str, names: &[&str]) -> Pair {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let (certificate, key) = (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        Pair { certificate, key }
    }

    #[test]
    fn each_name_has_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let pairs = vec![
            make(dir.path(), "first", &["mail.example.org"]),
            make(dir.path(), "second", &["mail.example.com", "*.example.net"]),
        ];
        let certificates = Certificates::load(&pairs).unwrap();
        let of = |name: Option<&str>| certificates.for_name(name).unwrap().end_entity_cert().unwrap().to_vec();
        let (first, second) = (of(Some("mail.example.org")), of(Some("mail.example.com")));
        assert_ne!(first, second);
        for (name, expected) in [
            (None, &first),
            (Some("elsewhere.example"), &first),
            (Some("imap.example.net"), &second),
            (Some("MAIL.example.COM"), &second),
            (Some("example.net"), &first),
            (Some("..."), &first),
        ] {
            assert_eq!(&of(name), expected, "{name:?}");
        }
        // All or nothing.
        make(dir.path(), "first", &["mail.example.org"]);
        fs::write(&pairs[1].key, "nonsense").unwrap();
        assert!(read(&pairs).unwrap_err().to_string().contains("second.key"));
        assert_eq!(of(None), first);
        make(dir.path(), "second", &["mail.example.com"]);
        certificates.replace(read(&pairs).unwrap());
        assert_ne!(of(None), first);
    }

    #[test]
    fn a_response_is_stapled() {
        let dir = tempfile::tempdir().unwrap();
        let pair = make(dir.path(), "first", &["mail.example.org"]);
        let certificates = Certificates::load(std::slice::from_ref(&pair)).unwrap();
        assert_eq!(certificates.for_name(None).unwrap().ocsp, None);
        fs::write(dir.path().join("first.ocsp"), b"response").unwrap();
        certificates.replace(read(std::slice::from_ref(&pair)).unwrap());
        assert_eq!(certificates.for_name(None).unwrap().ocsp.as_deref(), Some(&b"response"[..]));
        // Renewed: the response was for the certificate before.
        let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        fs::File::options().write(true).open(dir.path().join("first.ocsp")).unwrap().set_modified(old).unwrap();
        certificates.replace(read(std::slice::from_ref(&pair)).unwrap());
        assert_eq!(certificates.for_name(None).unwrap().ocsp, None);
        fs::write(dir.path().join("first.ocsp"), b"").unwrap();
        assert!(read(&[pair]).unwrap_err().to_string().contains("first.ocsp"));
    }
}
