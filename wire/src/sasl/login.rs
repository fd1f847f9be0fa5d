//! LOGIN (draft-murchison-sasl-login): obsolete, and still what some clients and most printers speak.

use super::{Credentials, Mechanism, SaslError, Step, field};
use crate::Secret;

/// Asks for the user name, then for the password, in the words that clients compare with.
#[derive(Default)]
pub(super) struct Login {
    user: Option<String>,
}

impl Mechanism for Login {
    fn begin(&mut self, initial: Option<&[u8]>) -> Result<Step<Vec<u8>>, SaslError> {
        match initial {
            // The draft knows no initial response; clients that send one mean the user name.
            Some(initial) if !initial.is_empty() => self.step(initial),
            _ => Ok(Step::Challenge(b"Username:".to_vec())),
        }
    }

    fn step(&mut self, response: &[u8]) -> Result<Step<Vec<u8>>, SaslError> {
        let response = field(response)?;
        match self.user.take() {
            None => {
                self.user = Some(response.to_owned());
                Ok(Step::Challenge(b"Password:".to_vec()))
            }
            Some(authentication_id) => Ok(Step::Verify(Credentials {
                authorization_id: None,
                authentication_id,
                password: Secret::new(response.to_owned()),
            })),
        }
    }
}
