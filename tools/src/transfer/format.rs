//! The two kinds of files.

use std::io::{self, BufRead};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON, an object a line (docs/formats/transfer.md).
    Json,
    /// LDIF (RFC 2849), with entries as an LDAP server keeps them for us (docs/ldap.md).
    Ldif,
}

impl Format {
    /// The one that a file of this name has, if its name tells.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Format> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "ldif" => Some(Format::Ldif),
            "json" | "jsonl" | "ndjson" => Some(Format::Json),
            _ => None,
        }
    }

    /// The one that a file begins like.
    ///
    /// # Errors
    /// Those of the stream.
    pub(super) fn of_content(stream: &mut dyn BufRead) -> io::Result<Format> {
        let begin = stream.fill_buf()?;
        let begin = begin.strip_prefix("\u{feff}".as_bytes()).unwrap_or(begin).trim_ascii_start();
        // An entry begins with a letter, a comment with another sign.
        let is_ldif = begin.first().is_some_and(|octet| octet.is_ascii_alphabetic() || *octet == b'#');
        Ok(if is_ldif { Format::Ldif } else { Format::Json })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_tell_what_they_are() {
        for (name, format) in
            [("a.ldif", Some(Format::Ldif)), ("/b.c/A.JSONL", Some(Format::Json)), ("-", None), ("a.b/c", None)]
        {
            assert_eq!(Format::of_name(name), format, "{name}");
        }
        for (text, format) in [
            ("version: 1\n", Format::Ldif),
            ("\n# x\n", Format::Ldif),
            ("dn: x", Format::Ldif),
            ("{\"user\":", Format::Json),
            ("\u{feff} {", Format::Json),
            ("", Format::Json),
            ("[]", Format::Json),
        ] {
            assert_eq!(Format::of_content(&mut text.as_bytes()).unwrap(), format, "{text}");
        }
    }
}
