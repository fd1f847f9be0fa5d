//! A password on its way through the program: wiped from memory when it is dropped, and never printed.

use std::fmt;

use zeroize::Zeroizing;

/// A password. There is no way to print it by accident.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over a password; the caller's copy is the caller's to wipe.
    #[must_use]
    pub fn new(password: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(password.into()))
    }

    /// The password's bytes, for hashing or comparing.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no password at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
