//! What the server says of itself (RFC 9051, 7.2; RFC 2971).

use bytes::{BufMut, BytesMut};

use super::put_words;
use crate::syntax::print_string;
use crate::types::Encoding;

/// ```abnf
/// capability-data = "CAPABILITY" *(SP capability) SP "IMAP4rev2" *(SP capability)
/// ```
pub fn capability<'a>(out: &mut BytesMut, capabilities: impl IntoIterator<Item = &'a str>) {
    out.put_slice(b"* CAPABILITY");
    put_words(out, capabilities);
    out.put_slice(b"\r\n");
}

/// ```abnf
/// enable-data = "ENABLED" *(SP capability)
/// ```
pub fn enabled<'a>(out: &mut BytesMut, capabilities: impl IntoIterator<Item = &'a str>) {
    out.put_slice(b"* ENABLED");
    put_words(out, capabilities);
    out.put_slice(b"\r\n");
}

/// ```abnf
/// id-response = "ID" SP id-params-list
/// ```
/// NIL for no fields.
pub fn id(out: &mut BytesMut, fields: &[(&str, &str)]) {
    out.put_slice(b"* ID ");
    if fields.is_empty() {
        out.put_slice(b"NIL\r\n");
        return;
    }
    for (at, (name, value)) in fields.iter().enumerate() {
        out.put_u8(if at == 0 { b'(' } else { b' ' });
        print_string(out, name.as_bytes(), Encoding::ModifiedUtf7);
        out.put_u8(b' ');
        print_string(out, value.as_bytes(), Encoding::ModifiedUtf7);
    }
    out.put_slice(b")\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::tests::printed;
    use super::*;

    #[test]
    fn lines() {
        assert_eq!(printed(|out| capability(out, ["IMAP4rev2", "ID"])), "* CAPABILITY IMAP4rev2 ID\r\n");
        assert_eq!(printed(|out| enabled(out, [])), "* ENABLED\r\n");
        assert_eq!(printed(|out| enabled(out, ["CONDSTORE"])), "* ENABLED CONDSTORE\r\n");
        assert_eq!(printed(|out| id(out, &[])), "* ID NIL\r\n");
        assert_eq!(
            printed(|out| id(out, &[("name", "Angarium"), ("version", "0.1")])),
            "* ID (\"name\" \"Angarium\" \"version\" \"0.1\")\r\n"
        );
    }
}
