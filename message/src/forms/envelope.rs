//! ENVELOPE.
//!
//! ```abnf
//! envelope = "(" env-date SP env-subject SP env-from SP env-sender SP env-reply-to SP env-to SP env-cc SP env-bcc SP
//!            env-in-reply-to SP env-message-id ")"
//! env-from = "(" 1*address ")" / nil
//! address  = "(" addr-name SP addr-adl SP addr-mailbox SP addr-host ")"
//! ```

use super::address::{Address, MISSING_HOST, MISSING_MAILBOX, each_address};
use super::string::{put_nstring, put_string};
use crate::header::{Known, unfold};
use crate::structure::Structure;

/// Appends the envelope of the message that `part` is.
pub(crate) fn envelope(out: &mut Vec<u8>, raw: &[u8], structure: &Structure, part: usize) {
    let string = |out: &mut Vec<u8>, known| {
        let value = structure.value(raw, part, known).map(unfold);
        put_nstring(out, value.as_deref());
        out.push(b' ');
    };
    out.push(b'(');
    string(out, Known::Date);
    string(out, Known::Subject);
    let from = out.len();
    let has_from = put_addresses(out, raw, structure, part, Known::From);
    let from = from..out.len();
    for known in [Known::Sender, Known::ReplyTo] {
        // RFC 9051, 7.5.2: if there is no such field, or it is empty, the server takes From.
        out.push(b' ');
        let start = out.len();
        if !put_addresses(out, raw, structure, part, known) && has_from {
            out.truncate(start);
            out.extend_from_within(from.clone());
        }
    }
    for known in [Known::To, Known::Cc, Known::Bcc] {
        out.push(b' ');
        put_addresses(out, raw, structure, part, known);
    }
    out.push(b' ');
    string(out, Known::InReplyTo);
    string(out, Known::MessageId);
    out.pop();
    out.push(b')');
}

/// Appends one address list, or NIL if there is no address; tells which. Several fields of a name make one list.
fn put_addresses(out: &mut Vec<u8>, raw: &[u8], structure: &Structure, part: usize, known: Known) -> bool {
    let start = out.len();
    out.push(b'(');
    for value in structure.values(part, known) {
        each_address(&raw[value], |address| put_address(out, address));
    }
    if out.len() == start + 1 {
        out.truncate(start);
        out.extend_from_slice(b"NIL");
        return false;
    }
    out.push(b')');
    true
}

fn put_address(out: &mut Vec<u8>, address: Address<'_>) {
    let (name, route, mailbox, host) = match address {
        Address::Mailbox { name, route, mailbox, host } => {
            let mailbox = if mailbox.is_empty() { MISSING_MAILBOX } else { mailbox };
            (name, route, Some(mailbox), Some(host.unwrap_or(MISSING_HOST)))
        }
        // A group begins with its name for a mailbox and NIL for a host, and ends with NIL for both.
        Address::GroupStart(name) => (None, None, Some(name), None),
        Address::GroupEnd => (None, None, None, None),
    };
    out.push(b'(');
    put_nstring(out, name);
    out.push(b' ');
    put_nstring(out, route);
    out.push(b' ');
    match mailbox {
        Some(mailbox) => put_string(out, mailbox),
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    put_nstring(out, host);
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn check(raw: &str, expected: &str) {
        let mut out = Vec::new();
        envelope(&mut out, raw.as_bytes(), &Structure::scan(raw.as_bytes(), &Limits::default()), 0);
        assert_eq!(String::from_utf8_lossy(&out), expected, "{raw:?}");
    }

    /// The example of RFC 9051, section 8.
    #[test]
    fn example_of_the_rfc() {
        check(
            "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
             From: Terry Gray <gray@cac.washington.edu>\r\n\
             Subject: IMAP4rev2 WG mtg summary and minutes\r\n\
             To: imap@cac.washington.edu\r\n\
             cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
             Message-Id: <B27397-0100000@cac.washington.ed>\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n",
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \
             \"IMAP4rev2 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((NIL NIL \"imap\" \"cac.washington.edu\")) \
             ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
             \"<B27397-0100000@cac.washington.ed>\")",
        );
    }

    #[test]
    fn defaults_and_nil() {
        check("", "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
        check("Subject:\r\nTo:\r\n", "(NIL \"\" NIL NIL NIL NIL NIL NIL NIL NIL)");
        check(
            "From: a@b\r\nReply-To: \r\nSender: c@d\r\n",
            "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)",
        );
    }

    #[test]
    fn groups_merged_fields_and_missing_parts() {
        check(
            "To: G:a@b;\r\nTo: joe\r\nCc: Undisclosed:;\r\n",
            "(NIL NIL NIL NIL NIL ((NIL NIL \"G\" NIL)(NIL NIL \"a\" \"b\")(NIL NIL NIL NIL)(NIL NIL \"joe\" \"MISSING_DOMAIN\")) \
             ((NIL NIL \"Undisclosed\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL)",
        );
    }

    #[test]
    fn raw_text() {
        check(
            "Subject: first\r\nSubject: =?utf-8?q?x?=\r\n folded\r\nIn-Reply-To: <a>\r\n\t<b>\r\nMessage-ID: \u{e4}\r\n",
            "(NIL \"=?utf-8?q?x?= folded\" NIL NIL NIL NIL NIL NIL \"<a>\t<b>\" {2}\r\n\u{e4})",
        );
    }
}
