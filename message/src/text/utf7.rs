//! UTF-7 (RFC 2152), which encoding_rs leaves out on purpose and mail of the nineties still holds.

/// Decodes UTF-7; what is malformed becomes U+FFFD, bytes above ASCII are taken as Latin-1.
pub(super) fn decode(bytes: &[u8]) -> String {
    let mut decoded = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        decoded.extend(rest[..plus].iter().map(|&byte| char::from(byte)));
        rest = &rest[plus + 1..];
        let length = rest.iter().position(|&byte| base64_value(byte).is_none()).unwrap_or(rest.len());
        let shifted = &rest[..length];
        rest = &rest[length..];
        let explicit_end = rest.first() == Some(&b'-');
        rest = &rest[usize::from(explicit_end)..];
        if shifted.is_empty() {
            // `+-` stands for a plus sign; a lone one is most likely meant as one.
            decoded.push('+');
        } else {
            decoded.extend(char::decode_utf16(units(shifted)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
    }
    decoded.extend(rest.iter().map(|&byte| char::from(byte)));
    decoded
}

/// The UTF-16 units that a run of base64 characters holds; bits left over are padding.
fn units(shifted: &[u8]) -> impl Iterator<Item = u16> {
    let (mut bits, mut count) = (0_u32, 0_u32);
    shifted.iter().filter_map(|&byte| base64_value(byte)).filter_map(move |value| {
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count < 16 {
            return None;
        }
        count -= 16;
        let unit = (bits >> count) as u16;
        bits &= (1 << count) - 1;
        Some(unit)
    })
}

fn base64_value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes() {
        for (input, expected) in [
            ("Hi Mom -+Jjo--!", "Hi Mom -\u{263a}-!"),
            ("A+ImIDkQ.", "A\u{2262}\u{391}."),
            ("+ZeVnLIqe-", "\u{65e5}\u{672c}\u{8a9e}"),
            ("+ZeVnLIqe", "\u{65e5}\u{672c}\u{8a9e}"),
            ("1 +- 1 = 2", "1 + 1 = 2"),
            ("+2D3eAA-", "\u{1f600}"),
            ("+2D0-x", "\u{fffd}x"),
            ("+", "+"),
            ("", ""),
        ] {
            assert_eq!(decode(input.as_bytes()), expected, "{input:?}");
        }
    }
}
