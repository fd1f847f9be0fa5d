//! PLAIN (RFC 4616).

use super::{Credentials, Mechanism, SaslError, Step, field};
use crate::Secret;

/// One message, and done.
///
/// ```abnf
/// message = [authzid] UTF8NUL authcid UTF8NUL passwd
/// authcid = 1*SAFE  ; MUST accept up to 255 octets
/// authzid = 1*SAFE  ; MUST accept up to 255 octets
/// passwd  = 1*SAFE  ; MUST accept up to 255 octets
/// ```
pub(super) struct Plain;

impl Mechanism for Plain {
    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError> {
        let mut parts = response.split(|&octet| octet == 0);
        let (Some(authorization), Some(authentication), Some(password), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SaslError::Malformed);
        };
        let authorization_id = match authorization {
            b"" => None,
            id => Some(field(id)?.to_owned()),
        };
        Ok(Step::Verify(Credentials {
            authorization_id,
            authentication_id: field(authentication)?.to_owned(),
            password: Secret::new(field(password)?.to_owned()),
        }))
    }
}
