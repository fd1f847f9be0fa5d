//! Quota roots.

use crate::error::Result;

/// What a quota root has to say about an append.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum QuotaCheck {
    /// Refused if usage would exceed the limit.
    #[default]
    Enforce,
    /// Refused only if usage exceeds the limit already: a delivery may overshoot once.
    EnforceAfter,
    /// Never refused.
    Ignore,
}

/// A quota root.
#[derive(Debug)]
pub struct QuotaRoot {
    name: String,
}

impl QuotaRoot {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn charge(&self, _bytes: u64, _messages: u64, _check: QuotaCheck) -> Result<()> {
        Ok(())
    }
    pub(crate) fn credit(&self, _bytes: u64, _messages: u64) {}
    pub(crate) fn correct(&self, _bytes_before: u64, _bytes: u64, _messages: u32) {}
}
