//! The certificate of a server that was given none: self-signed, made once, good for trying things out and for
//! STARTTLS between machines that do not check.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tools::Exit;
use tracing::{info, warn};
use wire::Tls;
use wire::tls::{ClientAuthorities, MinVersion, Pair, Setup};

use crate::config::Config;
use crate::config::options::{ClientCertificates, TlsVersion};
use crate::failure::Failure;

/// Loads the configured certificate; makes one if none is configured and none is there.
///
/// # Errors
/// The certificate cannot be used, or none can be written.
pub(crate) fn load(config: &Config) -> Result<Tls, Failure> {
    Ok(Tls::load(setup(config)?)?)
}

/// What the configuration says of TLS. Makes a certificate if none is configured and none is there.
///
/// # Errors
/// None can be written, or the section makes no sense.
pub(crate) fn setup(config: &Config) -> Result<Setup, Failure> {
    let (certificate, key, named) = config.certificate();
    // A certificate that cannot be looked at is there all the same, and so is its key.
    let missing =
        |path: &Path| fs::symlink_metadata(path).is_err_and(|problem| problem.kind() == std::io::ErrorKind::NotFound);
    if !named && missing(&certificate) {
        make(&certificate, &key, &config.hostname())?;
        info!(event = "tls.certificate.created", file = %certificate.display());
    }
    warn_if_readable(&key);
    let others = config.tls.others.iter().map(|path| {
        let certificate = config.absolute(path);
        // Many tools write both into one file.
        let key = certificate.with_extension("key");
        Pair { key: if key.exists() { key } else { certificate.clone() }, certificate }
    });
    let others: Vec<Pair> = others.inspect(|pair| warn_if_readable(&pair.key)).collect();
    let oldest = match config.tls.min_version {
        TlsVersion::Tls12 => MinVersion::Tls12,
        TlsVersion::Tls13 => MinVersion::Tls13,
    };
    Ok(Setup { first: Pair { certificate, key }, others, oldest, clients: clients(config)? })
}

/// Who vouches for clients, if they are asked for certificates.
fn clients(config: &Config) -> Result<Option<ClientAuthorities>, Failure> {
    let required = match config.tls.client_certificates {
        ClientCertificates::Off => return Ok(None),
        ClientCertificates::Ask => false,
        ClientCertificates::Require => true,
    };
    let Some(authorities) = &config.tls.client_ca else {
        let text = "[tls] client_certificates: client_ca must say whose certificates are good";
        return Err(Failure::new(Exit::Config, text));
    };
    let revoked = config.tls.client_crl.as_deref().map(|path| config.absolute(path));
    Ok(Some(ClientAuthorities { authorities: config.absolute(authorities), revoked, required }))
}

fn make(certificate: &Path, key: &Path, hostname: &str) -> Result<(), Failure> {
    let names = vec![hostname.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)
        .map_err(|problem| Failure::new(Exit::Software, format!("cannot make a certificate: {problem}")))?;
    // The key first: a certificate without it would be taken for a whole pair by the next start.
    write(key, 0o600, &made.signing_key.serialize_pem())?;
    write(certificate, 0o644, &made.cert.pem())
}

fn write(path: &Path, mode: u32, text: &str) -> Result<(), Failure> {
    let written = || -> std::io::Result<()> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    written().map_err(|problem| Failure::new(Exit::CantCreate, format!("{}: {problem}", path.display())))
}

fn warn_if_readable(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(key).map_or(0, |found| found.permissions().mode());
    if mode & 0o007 != 0 {
        warn!(event = "tls.key.exposed", file = %key.display(), mode = format!("{:o}", mode & 0o7777));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("angarium.toml");
        fs::write(&file, "").unwrap();
        let config = Config::read(&file).unwrap();
        load(&config).unwrap();
        let (certificate, key, _) = config.certificate();
        let before = fs::read(&certificate).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&key).unwrap().permissions()) & 0o777, 0o600);
        load(&config).unwrap();
        assert_eq!(fs::read(&certificate).unwrap(), before);
        // Clients are vouched for by somebody, or not at all.
        let asking = Config {
            tls: crate::config::Tls { client_certificates: ClientCertificates::Ask, ..config.tls.clone() },
            ..config.clone()
        };
        assert!(load(&asking).unwrap_err().text.contains("client_ca"));
        let tls = crate::config::Tls { client_ca: Some(certificate.clone()), ..asking.tls.clone() };
        load(&Config { tls, ..asking }).unwrap();
        // Half a pair is an error that names the file, not a reason to make another.
        fs::remove_file(&key).unwrap();
        assert!(load(&config).unwrap_err().text.contains("key.pem"));
    }
}
