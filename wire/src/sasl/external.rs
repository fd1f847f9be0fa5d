//! EXTERNAL (RFC 4422, appendix A): TLS has shown who the client is.

use super::{Mechanism, SaslError, Step, field};

/// One message, and done.
///
/// ```abnf
/// initial-response = [ UTF8-char-no-nul-string ]  ; the authorization identity
/// ```
pub(super) struct External;

impl Mechanism for External {
    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError> {
        let authorization_id = match response {
            b"" => None,
            id => Some(field(id)?.to_owned()),
        };
        Ok(Step::External(authorization_id))
    }
}
