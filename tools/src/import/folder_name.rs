//! Folder names of other programs: modified UTF-7 (RFC 3501, 5.1.3), strictly.

/// The name that modified UTF-7 stands for; nothing if `text` is none. A name beyond ASCII is none, and passes as UTF-8.
///
/// ```abnf
/// mUTF7       = *(direct / "&-" / "&" 1*mbase64 "-")   ; base64 of UTF-16, "," for "/", no padding
/// direct      = %x20-25 / %x27-7E
/// ```
pub(crate) fn decode_folder_name(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((direct, shifted)) = rest.split_once('&') {
        if !is_direct(direct) {
            return None;
        }
        name.push_str(direct);
        let (encoded, after) = shifted.split_once('-')?;
        if encoded.is_empty() {
            name.push('&');
        } else {
            let units = utf16(encoded)?;
            let decoded = String::from_utf16(&units).ok()?;
            // What ASCII can say must be said in ASCII: an encoded slash or NUL is somebody trying something.
            if decoded.chars().any(|c| c.is_ascii() || c.is_control()) {
                return None;
            }
            name.push_str(&decoded);
        }
        rest = after;
    }
    name.push_str(rest);
    is_direct(rest).then_some(name)
}

fn is_direct(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn utf16(encoded: &str) -> Option<Vec<u16>> {
    let (mut bits, mut count) = (0u32, 0u32);
    let mut units = Vec::with_capacity(encoded.len() / 2);
    for byte in encoded.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b',' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 16 {
            count -= 16;
            units.push((bits >> count) as u16);
            bits &= (1 << count) - 1;
        }
    }
    (count < 6 && bits == 0).then_some(units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for (text, expected) in [
            ("Sent", Some("Sent")),
            ("Entw&APw-rfe", Some("Entwürfe")),
            ("&ZeVnLIqe-", Some("日本語")),
            ("&2D3eAA-", Some("😀")),
            ("a&-b", Some("a&b")),
            ("", Some("")),
            ("&AC8-", None),
            ("&AAA-", None),
            ("&AGE-", None),
            ("&2D0-", None),
            ("&AP", None),
            ("&AP-", None),
            ("&A-", None),
            ("&APz-", None),
            ("&!-", None),
            ("Entwürfe", None),
        ] {
            assert_eq!(decode_folder_name(text).as_deref(), expected, "{text}");
        }
    }
}
