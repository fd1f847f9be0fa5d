//! Everything the store keeps about a message, from one look at it.

use std::borrow::Cow;

use memchr::memchr_iter;

use crate::Limits;
use crate::collation::normalise;
use crate::forms::address::{Address, each_address};
use crate::forms::{BodyForms, envelope};
use crate::header::{CachedHeaders, Known, MailDate, first_message_id, parse_date, received_date};
use crate::sections::Sections;
use crate::structure::Structure;
use crate::text::decode_header_value;

/// What index and cache keep of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// Bytes of the header, the empty line that ends it included: where `BODY[TEXT]` begins.
    pub header_size: usize,
    /// What the lines of the message are like.
    pub lines: Lines,
    /// The first Date field, if it can be understood.
    pub sent_date: Option<MailDate>,
    /// When the message arrived, by its topmost Received field; for messages whose internal date is lost.
    pub received_date: Option<MailDate>,
    /// The first valid identifier of the first Message-ID field, angle brackets included.
    pub message_id: Option<Vec<u8>>,
    /// ENVELOPE as FETCH sends it, parentheses included.
    pub envelope: Vec<u8>,
    /// BODYSTRUCTURE as FETCH sends it, parentheses included.
    pub bodystructure: Vec<u8>,
    /// BODY as FETCH sends it, parentheses included.
    pub body: Vec<u8>,
    /// The section table: [`Sections::decode`] reads it.
    pub sections: Vec<u8>,
    /// The cached header fields: [`CachedHeaders::open`] reads them.
    pub headers: Vec<u8>,
    /// What SEARCH compares with.
    pub searchable: Searchable,
}

/// What the lines of a message are like: what an MTA or a client may trip over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lines {
    /// Line ends in the whole message.
    pub count: usize,
    /// Bytes of the longest line, its line end not counted.
    pub longest: usize,
    /// Some line ends in LF without CR.
    pub bare_lf: bool,
    /// There is a NUL, which IMAP can send in a literal8 only.
    pub nul: bool,
    /// There are bytes above ASCII.
    pub eight_bit: bool,
}

/// Decoded and [normalised](normalise) text for SEARCH FROM, TO, CC, BCC and SUBJECT. Addresses stand as
/// `name <local@host>`, groups as `name: ...;`, so that any part of what a client shows is found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Searchable {
    /// From.
    pub from: String,
    /// To.
    pub to: String,
    /// Cc.
    pub cc: String,
    /// Bcc.
    pub bcc: String,
    /// Subject.
    pub subject: String,
}

/// Reads a message.
///
/// Never fails and never panics, whatever the bytes; takes time and memory linear in their number.
#[must_use]
pub fn analyse(raw: &[u8], limits: &Limits) -> Analysis {
    let structure = Structure::scan(raw, limits);
    let header = structure.parts().first().map(|root| root.header.clone()).unwrap_or_default();
    let value = |known| structure.value(raw, 0, known);
    let mut envelope_form = Vec::with_capacity(512);
    envelope(&mut envelope_form, raw, &structure, 0);
    let BodyForms { bodystructure, body } = BodyForms::of(raw, &structure, limits.parameters);
    let addresses = |known| searchable_addresses(raw, &structure, known);
    Analysis {
        header_size: header.len(),
        lines: Lines::of(raw),
        sent_date: value(Known::Date).and_then(parse_date),
        received_date: value(Known::Received).and_then(received_date),
        message_id: value(Known::MessageId).and_then(first_message_id).map(<[u8]>::to_vec),
        envelope: envelope_form,
        bodystructure,
        body,
        sections: Sections::of(&structure).encode(),
        headers: CachedHeaders::build(&raw[header], limits.header_bytes),
        searchable: Searchable {
            from: addresses(Known::From),
            to: addresses(Known::To),
            cc: addresses(Known::Cc),
            bcc: addresses(Known::Bcc),
            subject: value(Known::Subject)
                .map(|subject| owned_normal(decode_header_value(subject)))
                .unwrap_or_default(),
        },
    }
}

impl Lines {
    /// Looks at all bytes.
    #[must_use]
    pub fn of(raw: &[u8]) -> Self {
        let mut lines = Self { nul: memchr::memchr(0, raw).is_some(), eight_bit: !raw.is_ascii(), ..Self::default() };
        let mut start = 0;
        for end in memchr_iter(b'\n', raw) {
            lines.count += 1;
            let has_cr = end > start && raw[end - 1] == b'\r';
            lines.bare_lf |= !has_cr;
            lines.longest = lines.longest.max(end - start - usize::from(has_cr));
            start = end + 1;
        }
        lines.longest = lines.longest.max(raw.len() - start);
        lines
    }
}

/// The addresses of all fields of a name, as text.
fn searchable_addresses(raw: &[u8], structure: &Structure, known: Known) -> String {
    let mut text = String::new();
    for value in structure.values(0, known) {
        each_address(&raw[value], |address| push_address(&mut text, address));
    }
    owned_normal(text)
}

fn push_address(text: &mut String, address: Address<'_>) {
    if address == Address::GroupEnd {
        text.push(';');
        return;
    }
    if !text.is_empty() {
        text.push_str(if text.ends_with(':') { " " } else { ", " });
    }
    match address {
        Address::Mailbox { name, mailbox, host, .. } => {
            if let Some(name) = name {
                text.push_str(&decode_header_value(name));
                text.push_str(" <");
            }
            text.push_str(&decode_header_value(mailbox));
            if let Some(host) = host {
                text.push('@');
                text.push_str(&decode_header_value(host));
            }
            if name.is_some() {
                text.push('>');
            }
        }
        Address::GroupStart(name) => {
            text.push_str(&decode_header_value(name));
            text.push(':');
        }
        Address::GroupEnd => (),
    }
}

/// [`normalise`], without a copy where the text is normal already.
fn owned_normal(text: String) -> String {
    match normalise(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(normal) => normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sections::SectionText;

    #[test]
    fn everything_at_once() {
        let raw = "Received: from a by b; Tue, 6 Apr 2021 12:00:01 +0000\r\n\
             Received: from c by d; Tue, 6 Apr 2021 11:59:59 +0000\r\n\
             Date: Tue, 6 Apr 2021 14:00:00 +0200\r\nMessage-ID: (x) <1@x>\r\n\
             From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\nTo: \"B, C\" <bc@x>, G: d@e;\r\nTo: f\r\n\
             Subject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n\r\nbody\r\n"
            .as_bytes();
        let analysis = analyse(raw, &Limits::default());
        assert_eq!(&raw[analysis.header_size..], b"body\r\n");
        assert_eq!(analysis.sent_date, Some(MailDate { seconds: 1_617_710_400, zone: 120 }));
        assert_eq!(analysis.received_date, Some(MailDate { seconds: 1_617_710_401, zone: 0 }));
        assert_eq!(analysis.message_id.as_deref(), Some(&b"<1@x>"[..]));
        let sections = Sections::decode(&analysis.sections).unwrap();
        assert_eq!(sections.find(&[1], SectionText::Content), Some(raw.len() - 6..raw.len()));
        assert!(CachedHeaders::open(&analysis.headers).unwrap().is_complete());
        assert_eq!(analysis.searchable.from, normalise("J\u{f6}rg <joerg@example.com>"));
        assert_eq!(analysis.searchable.to, "B, C <BC@X>, G: D@E;, F");
        assert_eq!(analysis.searchable.subject, normalise("Gr\u{fc}\u{df}e"));
        assert_eq!((analysis.searchable.cc.as_str(), analysis.searchable.bcc.as_str()), ("", ""));
    }

    #[test]
    fn lines() {
        for (raw, count, longest, bare_lf, nul, eight_bit) in [
            (&b""[..], 0, 0, false, false, false),
            (b"ab\r\nc\r\n", 2, 2, false, false, false),
            (b"ab\nc\r\n", 2, 2, true, false, false),
            (b"\n\r\nabc", 2, 3, true, false, false),
            (b"\0\xff", 0, 2, false, true, true),
        ] {
            assert_eq!(Lines::of(raw), Lines { count, longest, bare_lf, nul, eight_bit }, "{raw:?}");
        }
    }
}
