//! Every reply of the server: printers into a buffer, grouped by what they speak of (RFC 9051, 7).
//!
//! Each function appends whole lines with their CRLF, except those of FETCH, whose bodies are streamed between its items.
//! What comes ready-made from the cache (ENVELOPE, BODYSTRUCTURE) is not printed here at all.

mod access;
mod code;
mod mailbox;
mod message;
mod server;

use std::fmt::{Display, Write};

use bytes::{BufMut, BytesMut};

use crate::types::Tag;

pub use access::{QuotaUsage, acl, list_rights, my_rights, quota, quota_root};
pub use code::Code;
pub use mailbox::{ListLine, exists, flags, list, lsub, namespace, recent, status};
pub use message::{
    Esearch, FetchItems, binary_label, body_label, esearch, expunge, fetch_end, fetch_start, search, vanished,
};
pub use server::{capability, enabled, id};

/// How a command ended, or what the server has to say unasked (RFC 9051, 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done, or information.
    Ok,
    /// Refused or failed, or a warning.
    No,
    /// Not a command, or not now.
    Bad,
    /// The connection is about to close.
    Bye,
    /// Already authenticated, as greeting.
    PreAuth,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::No => "NO",
            Status::Bad => "BAD",
            Status::Bye => "BYE",
            Status::PreAuth => "PREAUTH",
        }
    }
}

/// ```abnf
/// response-tagged = tag SP resp-cond-state CRLF
/// resp-cond-state = ("OK" / "NO" / "BAD") SP resp-text
/// resp-text       = ["[" resp-text-code "]" SP] [text]
/// ```
pub fn tagged(out: &mut BytesMut, tag: &Tag, status: Status, code: Option<&Code>, text: impl Display) {
    put(out, format_args!("{tag} "));
    condition(out, status, code, text);
}

/// ```abnf
/// resp-cond = "*" SP (resp-cond-state / resp-cond-bye) CRLF
/// ```
pub fn untagged(out: &mut BytesMut, status: Status, code: Option<&Code>, text: impl Display) {
    out.put_slice(b"* ");
    condition(out, status, code, text);
}

/// ```abnf
/// continue-req = "+" SP (resp-text / base64) CRLF
/// ```
pub fn continuation(out: &mut BytesMut, text: impl Display) {
    put(out, format_args!("+ "));
    print_text(out, text);
    out.put_slice(b"\r\n");
}

fn condition(out: &mut BytesMut, status: Status, code: Option<&Code>, text: impl Display) {
    out.put_slice(status.name().as_bytes());
    out.put_u8(b' ');
    if let Some(code) = code {
        out.put_u8(b'[');
        code.print(out);
        out.put_slice(b"] ");
    }
    print_text(out, text);
    out.put_slice(b"\r\n");
}

/// Prints `text`: at least one character, none of them CR, LF or NUL. What is not ours (a name in an error) may hold them;
/// they must not end the line.
fn print_text(out: &mut BytesMut, text: impl Display) {
    let start = out.len();
    put(out, format_args!("{text}"));
    for octet in &mut out[start..] {
        if matches!(*octet, b'\r' | b'\n' | 0) {
            *octet = b' ';
        }
    }
    if out.len() == start {
        out.put_slice(b"-");
    }
}

/// Formats into the buffer, which grows as needed, so this cannot fail unless a `Display` of ours does.
fn put(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// Prints a number in decimal.
fn put_number(out: &mut BytesMut, number: impl itoa::Integer) {
    out.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Prints words with a space before each.
fn put_words<'a>(out: &mut BytesMut, words: impl IntoIterator<Item = &'a str>) {
    for word in words {
        out.put_u8(b' ');
        out.put_slice(word.as_bytes());
    }
}

/// Prints words in parentheses.
fn put_list<'a>(out: &mut BytesMut, words: impl IntoIterator<Item = &'a str>) {
    out.put_u8(b'(');
    for (at, word) in words.into_iter().enumerate() {
        if at > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(word.as_bytes());
    }
    out.put_u8(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `print` prints.
    pub(super) fn printed(print: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        print(&mut out);
        out.escape_ascii().to_string().replace("\\r\\n", "\r\n").replace("\\\"", "\"").replace("\\\\", "\\")
    }

    #[test]
    fn conditions() {
        let tag = Tag::new(b"a1").unwrap();
        assert_eq!(printed(|out| tagged(out, &tag, Status::Ok, None, "NOOP completed")), "a1 OK NOOP completed\r\n");
        assert_eq!(
            printed(|out| tagged(out, &tag, Status::No, Some(&Code::TryCreate), "No such mailbox")),
            "a1 NO [TRYCREATE] No such mailbox\r\n"
        );
        assert_eq!(printed(|out| untagged(out, Status::Bye, None, "Bye")), "* BYE Bye\r\n");
        assert_eq!(printed(|out| continuation(out, "idling")), "+ idling\r\n");
    }

    #[test]
    fn text_stays_on_its_line() {
        assert_eq!(printed(|out| untagged(out, Status::No, None, "a\r\n* BYE\0")), "* NO a  * BYE \r\n");
        assert_eq!(printed(|out| untagged(out, Status::Ok, None, "")), "* OK -\r\n");
    }
}
