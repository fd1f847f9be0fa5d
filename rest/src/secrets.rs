//! Texts that nobody can guess: tokens, session cookies.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

/// Random octets of a secret: more than can ever be tried.
const OCTETS: usize = 32;

/// What a secret is kept as. Secrets are random, so a plain hash does: there is no dictionary to try.
pub(crate) type Hash = blake3::Hash;

/// A new secret that begins with `prefix`.
///
/// # Errors
/// When the kernel gives no random octets.
pub(crate) fn generate(prefix: &str) -> Result<Zeroizing<String>, getrandom::Error> {
    let mut octets = Zeroizing::new([0; OCTETS]);
    getrandom::fill(&mut *octets)?;
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + OCTETS * 2));
    text.push_str(prefix);
    URL_SAFE_NO_PAD.encode_string(octets.as_slice(), &mut text);
    Ok(text)
}

/// What a secret is looked for by.
pub(crate) fn hash(text: &str) -> Hash {
    blake3::hash(text.as_bytes())
}
