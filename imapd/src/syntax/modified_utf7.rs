//! Modified UTF-7, how IMAP4rev1 writes mailbox names (RFC 3501, 5.1.3). Strict: a name has exactly one spelling, so that
//! no two spellings can pass a check and then mean the same mailbox.

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Utf7Error {
    /// An octet that is not printable ASCII.
    NotPrintable,
    /// `&` without closing `-`.
    Unterminated,
    /// Between them, something that is not modified base64.
    Alphabet,
    /// A lone surrogate.
    NotUtf16,
    /// An encoded NUL.
    Nul,
    /// Another spelling of what [`encode`] writes.
    NotCanonical,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Decodes a name.
///
/// Printable ASCII stands for itself except `&`, which is `&-`; all else is UTF-16 in base64 (with `,` for `/`, no padding)
/// between `&` and `-`. Whatever [`encode`] would write differently is refused: encoded printable ASCII, two adjacent
/// encoded runs, set padding bits.
pub(crate) fn decode(name: &[u8]) -> Result<String, Utf7Error> {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = memchr::memchr(b'&', rest) {
        push_printable(&mut decoded, &rest[..at])?;
        let run = &rest[at + 1..];
        let end = memchr::memchr(b'-', run).ok_or(Utf7Error::Unterminated)?;
        match &run[..end] {
            [] => decoded.push('&'),
            base64 => push_run(&mut decoded, base64)?,
        }
        rest = &run[end + 1..];
    }
    push_printable(&mut decoded, rest)?;
    match encode(&decoded).as_bytes() == name {
        true => Ok(decoded),
        false => Err(Utf7Error::NotCanonical),
    }
}

/// Encodes a name.
pub(crate) fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut run: Vec<u16> = Vec::new();
    for character in name.chars() {
        if !matches!(character, ' '..='~') {
            run.extend_from_slice(character.encode_utf16(&mut [0; 2]));
            continue;
        }
        flush(&mut encoded, &mut run);
        encoded.push(character);
        if character == '&' {
            encoded.push('-');
        }
    }
    flush(&mut encoded, &mut run);
    encoded
}

fn push_printable(decoded: &mut String, octets: &[u8]) -> Result<(), Utf7Error> {
    for &octet in octets {
        if !matches!(octet, b' '..=b'~') {
            return Err(Utf7Error::NotPrintable);
        }
        decoded.push(char::from(octet));
    }
    Ok(())
}

/// Decodes what stands between `&` and `-`.
fn push_run(decoded: &mut String, base64: &[u8]) -> Result<(), Utf7Error> {
    let mut units = Vec::with_capacity(base64.len() * 6 / 16);
    let (mut bits, mut pending): (u32, u32) = (0, 0);
    for octet in base64 {
        let sextet = ALPHABET.iter().position(|letter| letter == octet).ok_or(Utf7Error::Alphabet)?;
        bits = (bits << 6) | sextet as u32;
        pending += 6;
        if pending >= 16 {
            pending -= 16;
            units.push((bits >> pending) as u16);
            bits &= (1 << pending) - 1;
        }
    }
    for character in char::decode_utf16(units) {
        match character {
            Ok('\0') => return Err(Utf7Error::Nul),
            Ok(character) => decoded.push(character),
            Err(_) => return Err(Utf7Error::NotUtf16),
        }
    }
    Ok(())
}

/// Writes the collected UTF-16 as one encoded run.
fn flush(encoded: &mut String, run: &mut Vec<u16>) {
    if run.is_empty() {
        return;
    }
    encoded.push('&');
    let (mut bits, mut pending): (u32, u32) = (0, 0);
    for unit in run.drain(..) {
        bits = (bits << 16) | u32::from(unit);
        pending += 16;
        while pending >= 6 {
            pending -= 6;
            encoded.push(char::from(ALPHABET[(bits >> pending) as usize & 63]));
            bits &= (1 << pending) - 1;
        }
    }
    if pending > 0 {
        encoded.push(char::from(ALPHABET[(bits << (6 - pending)) as usize & 63]));
    }
    encoded.push('-');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_decode() {
        let check = |name: &str, expected: Result<&str, Utf7Error>| {
            assert_eq!(decode(name.as_bytes()).as_deref(), expected.as_ref().copied(), "{name}");
        };
        check("", Ok(""));
        check("INBOX", Ok("INBOX"));
        check("Entw&APw-rfe", Ok("Entwürfe"));
        check("~peter/mail/&U,BTFw-/&ZeVnLIqe-", Ok("~peter/mail/台北/日本語"));
        check("a&-b", Ok("a&b"));
        check("&-&-", Ok("&&"));
        check("&-&APw-", Ok("&ü"));
        check("&2D3eAA-", Ok("\u{1f600}"));
        check("&AAk-", Ok("\t"));
        check("a-b", Ok("a-b"));
        use Utf7Error::{Alphabet, NotCanonical, NotPrintable, NotUtf16, Nul, Unterminated};
        check("&AAA-", Err(Nul));
        check("&AGE-", Err(NotCanonical)); // a
        check("&AC8-..&AC8-", Err(NotCanonical)); // /../
        check("&AC4AL-", Err(NotCanonical)); // .. with half a character
        check("&ACY-", Err(NotCanonical)); // & itself
        check("&APw-&APw-", Err(NotCanonical)); // two runs for one
        check("&APx-", Err(NotCanonical)); // padding bits set
        check("&APwA-", Err(NotCanonical)); // six bits too many
        check("&A-", Err(NotCanonical)); // not one whole character
        check("&U,", Err(Unterminated));
        check("a&", Err(Unterminated));
        check("&AP w-", Err(Alphabet));
        check("&AP/w-", Err(Alphabet));
        check("&APw=-", Err(Alphabet));
        check("&2AA-", Err(NotUtf16)); // a lone high surrogate
        check("&3AA-", Err(NotUtf16)); // a lone low surrogate
        check("a\u{7f}", Err(NotPrintable));
        check("ü", Err(NotPrintable));
        check("a\tb", Err(NotPrintable));
    }

    proptest! {
        #[test]
        fn every_name_survives(name in "[^\u{0}]{0,40}") {
            prop_assert_eq!(decode(encode(&name).as_bytes()), Ok(name));
        }

        #[test]
        fn every_spelling_is_unique(name in "[ -~&&[^&]]{0,4}(&[A-Za-z0-9+,]{0,8}-?[a-z]{0,2}){0,4}") {
            if let Ok(decoded) = decode(name.as_bytes()) {
                prop_assert_eq!(encode(&decoded), name);
            }
        }
    }
}
