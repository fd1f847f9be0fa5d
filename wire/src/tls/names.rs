//! Whom a client's certificate is made out to.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_USERID, OID_X509_COMMON_NAME, Oid};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// The names in the certificate of a client, which one of the authorities has signed ([`super::ClientAuthorities`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientNames {
    /// Mail addresses: `rfc822Name` among the alternative names of the subject (RFC 5280, 4.2.1.6). An address in the
    /// subject itself, as certificates had it before, counts nothing.
    pub addresses: Vec<String>,
    /// The subject's `CN`.
    pub common_names: Vec<String>,
    /// The subject's `UID` (RFC 4519, 2.39).
    pub user_ids: Vec<String>,
}

impl ClientNames {
    /// The names in a certificate; none in one that cannot be read to its end, or that has an extension twice.
    pub(super) fn of(certificate: &[u8]) -> Self {
        let Ok(([], certificate)) = X509Certificate::from_der(certificate) else { return Self::default() };
        let Ok(alternatives) = certificate.subject_alternative_name() else { return Self::default() };
        let alternatives = alternatives.iter().flat_map(|extension| &extension.value.general_names);
        let addresses = alternatives.filter_map(|name| match name {
            GeneralName::RFC822Name(address) => Some((*address).to_owned()),
            _ => None,
        });
        Self {
            addresses: addresses.collect(),
            common_names: of_subject(certificate.subject(), &OID_X509_COMMON_NAME),
            user_ids: of_subject(certificate.subject(), &OID_USERID),
        }
    }
}

/// The values of an attribute. Those in character sets of the last century are left out.
fn of_subject(subject: &X509Name<'_>, kind: &Oid<'static>) -> Vec<String> {
    subject.iter_by_oid(kind).filter_map(|attribute| attribute.as_str().ok().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(names: &[(DnType, &str)], addresses: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["host.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, name) in names {
            params.distinguished_name.push(kind.clone(), *name);
        }
        let addresses = addresses.iter().map(|address| SanType::Rfc822Name((*address).try_into().unwrap()));
        params.subject_alt_names.extend(addresses);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn user_id() -> DnType {
        DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1])
    }

    #[test]
    fn names() {
        let found = ClientNames::of(&certificate(
            &[(DnType::CommonName, "Jürgen"), (user_id(), "joe"), (DnType::OrganizationName, "sue")],
            &["joe@example.com", "j.smith@example.org"],
        ));
        let expected = ClientNames {
            addresses: vec!["joe@example.com".into(), "j.smith@example.org".into()],
            common_names: vec!["Jürgen".into()],
            user_ids: vec!["joe".into()],
        };
        assert_eq!(found, expected);
        assert_eq!(ClientNames::of(&certificate(&[], &[])), ClientNames::default());
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        let good = certificate(&[(DnType::CommonName, "joe"), (user_id(), "joe")], &["joe@example.com"]);
        for end in 0..good.len() {
            assert_eq!(ClientNames::of(&good[..end]), ClientNames::default(), "cut at {end}");
        }
        assert_eq!(ClientNames::of(&[&good[..], &[0]].concat()), ClientNames::default());
        // Nothing panics, whatever a single octet becomes.
        for at in 0..good.len() {
            for flip in [1, 0x20, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                let _ = ClientNames::of(&bad);
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(octets in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            proptest::prop_assert_eq!(ClientNames::of(&octets), ClientNames::default());
        }
    }
}
