//! Distinguished names (RFC 4514), made of parts like filters.

use std::fmt::Write;

/// The name of the entry that has `value` for `attribute`, below another entry.
pub(crate) fn below(attribute: &str, value: &str, parent: &str) -> String {
    format!("{attribute}={},{parent}", escape(value))
}

/// The first value of the name of an entry directly below `parent`, if its attribute is this one. Names compare as RFC 4514
/// has it for what we write: without regard to case and to blanks around `,` and `=`.
pub(crate) fn value_below(dn: &str, attribute: &str, parent: &str) -> Option<String> {
    let (first, rest) = split(dn);
    let (name, value) = first.split_once('=')?;
    let fits = name.trim().eq_ignore_ascii_case(attribute) && normal(rest?) == normal(parent);
    fits.then(|| unescape(value.trim_start())).flatten()
}

/// The first attribute of a name and its value.
pub(crate) fn first(dn: &str) -> Option<(String, String)> {
    let (name, value) = split(dn).0.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), unescape(value.trim_start())?))
}

/// Whether this is a name, of one part at least:
///
/// ```abnf
/// name      = part *("," part)
/// part      = attribute "=" value        ; RFC 4514, 3, without "+"
/// attribute = ALPHA *(ALPHA / DIGIT / "-") / 1*(DIGIT / ".")
/// ```
#[must_use]
pub fn is_name(dn: &str) -> bool {
    let is_part = |part: &str| {
        let Some((name, value)) = part.split_once('=') else { return false };
        let name = name.trim();
        let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let is_number =
            name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_ascii_digit() || c == '.');
        (is_word || is_number) && unescape(value.trim_start()).is_some_and(|value| !value.is_empty())
    };
    let mut rest = Some(dn);
    while let Some(dn) = rest {
        let (part, more) = split(dn);
        if !is_part(part) {
            return false;
        }
        rest = more;
    }
    true
}

/// The name of the entry above.
pub(crate) fn parent(dn: &str) -> Option<&str> {
    split(dn).1.map(str::trim_start)
}

/// A value as it stands in a name (RFC 4514, 2.4). Every octet that is no letter, no digit and no hyphen is written as
/// `\xx`: more than need be, and nothing to get wrong.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for octet in value.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => text.push(char::from(octet)),
            // Writing into a String can't fail.
            _ => drop(write!(text, "\\{octet:02x}")),
        }
    }
    text
}

/// What `escape`, or a server, has written. Nothing for what is neither text nor a string that a name may have.
fn unescape(value: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.trim_end_matches(' ').as_bytes();
    while let Some((&octet, more)) = rest.split_first() {
        rest = more;
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let digits = rest.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(octet) => {
                octets.push(octet);
                rest = &rest[2..];
            }
            None => {
                let (&escaped, more) = rest.split_first()?;
                octets.push(escaped);
                rest = more;
            }
        }
    }
    String::from_utf8(octets).ok()
}

/// The first part of a name, and what is behind its comma.
fn split(dn: &str) -> (&str, Option<&str>) {
    let mut is_escaped = false;
    for (at, octet) in dn.bytes().enumerate() {
        match octet {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b',' => return (&dn[..at], Some(&dn[at + 1..])),
            _ => {}
        }
    }
    (dn, None)
}

/// A name to compare: parts in lower case, unescaped.
fn normal(dn: &str) -> Vec<(String, Option<String>)> {
    let (mut parts, mut rest) = (Vec::new(), Some(dn));
    while let Some(dn) = rest {
        let (part, more) = split(dn);
        rest = more;
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = unescape(value.trim_start()).map(|value| value.to_lowercase());
        parts.push((name.trim().to_ascii_lowercase(), value));
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_stay_values() {
        for (value, dn) in [
            ("joe", "cn=joe,o=x"),
            ("joe,o=y", r"cn=joe\2co\3dy,o=x"),
            (" #a+b\"\\<>; ", r"cn=\20\23a\2bb\22\5c\3c\3e\3b\20,o=x"),
            ("a\0ö", r"cn=a\00\c3\b6,o=x"),
            ("", "cn=,o=x"),
        ] {
            assert_eq!(below("cn", value, "o=x"), dn);
            assert_eq!(value_below(dn, "cn", "o=x").as_deref(), Some(value));
        }
    }

    #[test]
    fn names_as_servers_write_them() {
        let check = |dn: &str, expected: Option<&str>| {
            assert_eq!(value_below(dn, "uid", "ou=people,dc=example,dc=com").as_deref(), expected, "{dn}");
        };
        check("UID=Joe, OU=People , DC=Example,dc=com", Some("Joe"));
        check(r"uid=a\,b\+,ou=people,dc=example,dc=com", Some("a,b+"));
        check(r"uid=a\2Cb,ou=pe\6fple,dc=example,dc=com", Some("a,b"));
        check("uid=joe,ou=aliases,dc=example,dc=com", None);
        check("uid=joe,ou=x,ou=people,dc=example,dc=com", None);
        check("uid=joe", None);
        check("cn=joe,ou=people,dc=example,dc=com", None);
        check("", None);
        check(r"uid=joe\", None);
        check(r"uid=\ff,ou=people,dc=example,dc=com", None);
        assert_eq!(first("DC = example,dc=com"), Some(("dc".into(), "example".into())));
    }

    #[test]
    fn what_is_a_name() {
        for dn in ["dc=example,dc=com", "o=Example", "CN = Manager , dc=example", r"cn=a\2cb,2.5.4.10=x", "ou=Größe"]
        {
            assert!(is_name(dn), "{dn}");
        }
        for dn in ["", "example.com", "dc=example,", ",dc=com", "dc=", "=x", "1a=x", "dc=a, ,dc=b", r"cn=a\", "d c=x"] {
            assert!(!is_name(dn), "{dn}");
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back(value in any::<String>()) {
            let dn = below("cn", &value, "o=x");
            prop_assert_eq!(value_below(&dn, "cn", "o=x"), Some(value));
        }

        #[test]
        fn no_name_ends_us(dn in any::<String>()) {
            let _ = (value_below(&dn, "cn", &dn), first(&dn));
        }
    }
}
