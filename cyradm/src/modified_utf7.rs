//! Mailbox names on the wire of IMAP4rev1 (RFC 3501, 5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A name as it is sent. What a person types is taken as UTF-8; what is a name in modified UTF-7 already, as scripts of
/// Cyrus have them (`Entw&APw-rfe`), is sent as it is.
pub(crate) fn encode(name: &str) -> String {
    if name.contains('&') && decode(name).is_some() {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    let mut shifted = Vec::new();
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            unshift(&mut shifted, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                shifted.extend([(*unit >> 8) as u8, *unit as u8]);
            }
        }
    }
    unshift(&mut shifted, &mut out);
    out
}

fn unshift(shifted: &mut Vec<u8>, out: &mut String) {
    if !shifted.is_empty() {
        out.push('&');
        BASE64.encode_string(&*shifted, out);
        out.push('-');
        shifted.clear();
    }
}

/// A name as a person reads it; nothing if it is not well-formed.
pub(crate) fn decode(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((plain, shifted)) = rest.split_once('&') {
        out.push_str(plain);
        let (code, after) = shifted.split_once('-')?;
        if code.is_empty() {
            out.push('&');
        } else {
            let octets = BASE64.decode(code).ok()?;
            let (pairs, left) = octets.as_chunks::<2>();
            let units = pairs.iter().map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]));
            let text: String = char::decode_utf16(units).collect::<Result<_, _>>().ok()?;
            if !left.is_empty() || text.chars().any(|c| matches!(c, ' '..='~')) {
                return None;
            }
            out.push_str(&text);
        }
        rest = after;
    }
    out.push_str(rest);
    name.is_ascii().then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_their_wire_form() {
        for (name, wire) in [
            ("user/joe", "user/joe"),
            ("Entwürfe", "Entw&APw-rfe"),
            ("日本語/台北", "&ZeVnLIqe-/&U,BTFw-"),
            ("R&D", "R&-D"),
            ("😀", "&2D3eAA-"),
            ("a & é", "a &- &AOk-"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire).as_deref(), Some(name));
            assert_eq!(encode(wire), wire, "what is encoded already");
        }
    }

    #[test]
    fn malformed_names() {
        for wire in ["R&D", "&AOk", "&YQ-", "&AGE-", "&2D0-", "é"] {
            assert_eq!(decode(wire), None, "{wire}");
        }
    }
}
