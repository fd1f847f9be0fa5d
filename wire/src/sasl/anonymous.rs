//! ANONYMOUS (RFC 4505).

use super::{Mechanism, SaslError, Step};

/// Longest trace information: 255 characters (RFC 4505, 2), each of up to four octets.
const MAX_TRACE: usize = 255 * 4;

/// One message, and done.
///
/// ```abnf
/// message = [ email / token ]
/// ```
pub(super) struct Anonymous;

impl Mechanism for Anonymous {
    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError> {
        let trace = str::from_utf8(response).map_err(|_| SaslError::Malformed)?;
        if trace.len() > MAX_TRACE || trace.contains(char::is_control) {
            return Err(SaslError::Malformed);
        }
        Ok(Step::Anonymous(trace.to_owned()))
    }
}
