//! Forwarding: all mail of a user goes elsewhere, with or without a copy here.

use serde::{Deserialize, Serialize};

use crate::remote::RemoteAddress;

/// Most addresses that a user's mail is forwarded to; more is a matter for an alias.
pub const MAX_FORWARDS: usize = 10;

/// Where a user's mail goes instead, or too.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Forwarding {
    /// The addresses, here or elsewhere; at least one.
    pub to: Vec<RemoteAddress>,
    /// Whether the user's INBOX gets it too.
    #[serde(default)]
    pub keep_copy: bool,
}
