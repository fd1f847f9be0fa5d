//! Channel binding: what ties a SASL exchange to the TLS connection under it, so that nobody in the middle can pass one on
//! (RFC 5056).

use aws_lc_rs::digest;
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConnection};

/// What a connection offers for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelBinding {
    /// `tls-exporter` (RFC 9266). With TLS 1.3 only: under TLS 1.2 it is unique to the connection only with an extended
    /// master secret, which a client may leave out.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929, 4): a hash of the certificate that the client was shown.
    pub end_point: Option<Vec<u8>>,
}

impl ChannelBinding {
    /// That of a connection whose client was shown `certificate`.
    pub(crate) fn of(connection: &ServerConnection, certificate: Option<&CertifiedKey>) -> Self {
        let exporter = match connection.protocol_version() {
            // RFC 9266, 2: the context is the zero-length string.
            Some(ProtocolVersion::TLSv1_3) => {
                connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
            }
            _ => None,
        };
        let certificate = certificate.and_then(|pair| pair.end_entity_cert().ok());
        Self { exporter, end_point: certificate.and_then(|der| end_point(der)) }
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_possible(&self) -> bool {
        self.exporter.is_some() || self.end_point.is_some()
    }

    /// The data of the type called `name`; nothing if it is not to be had.
    pub(crate) fn data(&self, name: &str) -> Option<&[u8]> {
        match name {
            "tls-exporter" => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            "tls-server-end-point" => self.end_point.as_deref(),
            _ => None,
        }
    }
}

/// Signature algorithms by their object identifier in DER, with the hash function that RFC 5929, 4.1 takes: the signature's
/// own, but SHA-256 for MD5 and SHA-1. For those without one (Ed25519) nothing is defined.
const SIGNATURES: &[(&[u8], &digest::Algorithm)] = &[
    // md5WithRSAEncryption, sha1WithRSAEncryption, ecdsa-with-SHA1
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04], &digest::SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05], &digest::SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01], &digest::SHA256),
    // sha256WithRSAEncryption, sha384..., sha512...
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], &digest::SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c], &digest::SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d], &digest::SHA512),
    // ecdsa-with-SHA256, -SHA384, -SHA512
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02], &digest::SHA256),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03], &digest::SHA384),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04], &digest::SHA512),
];

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// The hash of a certificate.
///
/// ```asn1
/// Certificate ::= SEQUENCE { tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER ... } ... }
/// ```
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (content, _) = element(certificate, SEQUENCE)?;
    let (_, behind) = element(content, SEQUENCE)?;
    let (algorithm, _) = element(behind, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    let (_, hash) = SIGNATURES.iter().find(|(known, _)| *known == identifier)?;
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

/// The content of the DER element with this tag at the beginning of `octets`, and what stands behind it.
fn element(octets: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = octets.split_first().filter(|(first, _)| **first == tag)?;
    debug_assert_eq!(first, tag);
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        // Up to four octets of length: a certificate is no larger.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short - 0x80))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates() {
        let check = |algorithm, expected: Option<&'static digest::Algorithm>| {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate =
                rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
            let expected = expected.map(|hash| digest::digest(hash, certificate.der()).as_ref().to_vec());
            assert_eq!(end_point(certificate.der()), expected);
        };
        check(&rcgen::PKCS_ECDSA_P256_SHA256, Some(&digest::SHA256));
        check(&rcgen::PKCS_ECDSA_P384_SHA384, Some(&digest::SHA384));
        check(&rcgen::PKCS_ED25519, None);
    }

    #[test]
    fn what_is_no_certificate() {
        let rows: [&[u8]; 8] = [
            b"",
            b"\x30",
            b"\x30\x05\x30",
            b"\x30\x85\x01\x01\x01\x01\x01",
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80\x30\x00",
            b"\x30\x04\x30\x00\x30\x00",
            b"\x31\x00",
        ];
        for octets in rows {
            assert_eq!(end_point(octets), None, "{octets:x?}");
        }
    }
}
