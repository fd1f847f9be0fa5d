//! Revisions of rows, so that two administrators do not undo each other's work.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Which state of a row one has seen. Every change gives a row another one; nothing else can be told from it. Interfaces
/// hand it out (as an ETag) and get it back with the change.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

impl Revision {
    /// A row that was written before there were revisions.
    pub const NONE: Revision = Revision(0);

    pub(crate) fn is_none(&self) -> bool {
        *self == Revision::NONE
    }

    /// Refuses if `expected` is given and another one.
    ///
    /// # Errors
    /// [`Error::Conflict`].
    pub fn require(self, expected: Option<Revision>, kind: &'static str, name: &dyn fmt::Display) -> Result<()> {
        match expected {
            Some(expected) if expected != self => Err(Error::Conflict { kind, name: name.to_string() }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl std::str::FromStr for Revision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Revision> {
        u64::from_str_radix(text, 16).map(Revision).map_err(|_| Error::rule("revision", text, "it is no revision"))
    }
}
