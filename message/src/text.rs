//! From bytes to text: transfer encodings, charsets and encoded words, for SEARCH and everything else that compares.
//!
//! Nothing here can fail: what cannot be decoded is kept as it is, since a search that skips broken mail is worse than
//! one that finds too much.

mod charset;
mod encoded_word;
mod search;
mod transfer;
mod utf7;

pub use charset::{decode_charset, is_known_charset};
pub use encoded_word::decode_header_value;
pub use search::{leaf_text, matches_body, matches_text};
pub use transfer::{TransferEncoding, decode_transfer};
