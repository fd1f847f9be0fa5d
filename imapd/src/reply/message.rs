//! What the server says of messages (RFC 9051, 7.3.4, 7.5; RFC 7162).

use bytes::{BufMut, Bytes, BytesMut};

use super::{put, put_list, put_number, put_words};
use crate::syntax::{print_date_time, print_section};
use crate::types::{DateTime, Encoding, NumberSet, PartPath, Partial, Section, Tag};

/// `* n EXPUNGE`
pub fn expunge(out: &mut BytesMut, sequence: u32) {
    out.put_slice(b"* ");
    put_number(out, sequence);
    out.put_slice(b" EXPUNGE\r\n");
}

/// ```abnf
/// expunged-resp = "VANISHED" [SP "(EARLIER)"] SP known-uids
/// ```
/// Nothing is printed for no UIDs.
pub fn vanished(out: &mut BytesMut, uids: &NumberSet, earlier: bool) {
    if !uids.is_empty() {
        let earlier = if earlier { "(EARLIER) " } else { "" };
        put(out, format_args!("* VANISHED {earlier}{uids}\r\n"));
    }
}

/// ```abnf
/// mailbox-data        =/ "SEARCH" [SP nz-number *(SP nz-number)] [SP search-sort-mod-seq]
/// search-sort-mod-seq = "(" "MODSEQ" SP mod-sequence-value ")"
/// ```
/// The rev1 reply.
pub fn search(out: &mut BytesMut, numbers: impl IntoIterator<Item = u32>, mod_seq: Option<u64>) {
    out.put_slice(b"* SEARCH");
    for number in numbers {
        out.put_u8(b' ');
        put_number(out, number);
    }
    if let Some(mod_seq) = mod_seq {
        put(out, format_args!(" (MODSEQ {mod_seq})"));
    }
    out.put_slice(b"\r\n");
}

/// What an `ESEARCH` reply tells; absent fields are not printed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Esearch<'a> {
    /// Numbers are UIDs.
    pub uid: bool,
    /// `MIN`
    pub min: Option<u32>,
    /// `MAX`
    pub max: Option<u32>,
    /// `COUNT`
    pub count: Option<u64>,
    /// `ALL`; not printed if empty.
    pub all: Option<&'a NumberSet>,
    /// `MODSEQ`: the highest of the messages told of (RFC 7162, 3.1.5).
    pub mod_seq: Option<u64>,
}

/// ```abnf
/// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
/// search-correlator = SP "(" "TAG" SP tag-string ")"
/// ```
pub fn esearch(out: &mut BytesMut, tag: &Tag, result: &Esearch<'_>) {
    put(out, format_args!("* ESEARCH (TAG \"{tag}\")"));
    put_words(out, result.uid.then_some("UID"));
    let mut number = |name: &str, value: Option<u64>| {
        if let Some(value) = value {
            put(out, format_args!(" {name} {value}"));
        }
    };
    number("MIN", result.min.map(u64::from));
    number("MAX", result.max.map(u64::from));
    number("COUNT", result.count);
    number("MODSEQ", result.mod_seq);
    if let Some(all) = result.all.filter(|all| !all.is_empty()) {
        put(out, format_args!(" ALL {all}"));
    }
    out.put_slice(b"\r\n");
}

/// `* n FETCH (`
pub fn fetch_start(out: &mut BytesMut, sequence: u32) -> FetchItems {
    out.put_slice(b"* ");
    put_number(out, sequence);
    out.put_slice(b" FETCH (");
    FetchItems { any: false }
}

/// The end of a FETCH reply.
pub fn fetch_end(out: &mut BytesMut) {
    out.put_slice(b")\r\n");
}

/// The items between [`fetch_start`] and [`fetch_end`]: puts spaces between them. Some ten thousand of them make one
/// reply to a client that lists a mailbox, so nothing here goes through the formatting machinery.
///
/// ```abnf
/// msg-att = "(" (msg-att-dynamic / msg-att-static) *(SP (msg-att-dynamic / msg-att-static)) ")"
/// ```
#[derive(Debug)]
pub struct FetchItems {
    any: bool,
}

impl FetchItems {
    /// `UID n`
    pub fn uid(&mut self, out: &mut BytesMut, uid: u32) {
        self.name(out, b"UID ");
        put_number(out, uid);
    }

    /// `FLAGS (...)`
    pub fn flags<'a>(&mut self, out: &mut BytesMut, flags: impl IntoIterator<Item = &'a str>) {
        self.name(out, b"FLAGS ");
        put_list(out, flags);
    }

    /// `INTERNALDATE "..."`
    pub fn internal_date(&mut self, out: &mut BytesMut, date: DateTime) {
        self.name(out, b"INTERNALDATE ");
        print_date_time(out, date);
    }

    /// `RFC822.SIZE n`
    pub fn size(&mut self, out: &mut BytesMut, octets: u64) {
        self.name(out, b"RFC822.SIZE ");
        put_number(out, octets);
    }

    /// `MODSEQ (n)`
    pub fn mod_seq(&mut self, out: &mut BytesMut, mod_seq: u64) {
        self.name(out, b"MODSEQ (");
        put_number(out, mod_seq);
        out.put_u8(b')');
    }

    /// The name of an item whose ready-made value the caller appends: ENVELOPE, BODY, BODYSTRUCTURE, RFC822 and its kin.
    pub fn ready_made(&mut self, out: &mut BytesMut, name: &str) {
        self.name(out, name.as_bytes());
        out.put_u8(b' ');
    }

    /// The label of a section ([`body_label`], [`binary_label`]); [`FetchItems::literal`], [`FetchItems::literal8`] or
    /// [`FetchItems::nil`] follows.
    pub fn labelled(&mut self, out: &mut BytesMut, label: &[u8]) {
        self.name(out, label);
    }

    /// `BINARY.SIZE[...] n`
    pub fn binary_size(&mut self, out: &mut BytesMut, part: &PartPath, octets: u64) {
        self.name(out, b"BINARY.SIZE");
        print_section(out, &Section { part: part.clone(), text: None }, Encoding::Utf8);
        out.put_u8(b' ');
        put_number(out, octets);
    }

    /// Announces octets that the caller appends.
    pub fn literal(out: &mut BytesMut, octets: u64) {
        out.put_u8(b'{');
        put_number(out, octets);
        out.put_slice(b"}\r\n");
    }

    /// Announces octets that may hold NUL (RFC 9051, 4.3.1).
    pub fn literal8(out: &mut BytesMut, octets: u64) {
        out.put_u8(b'~');
        Self::literal(out, octets);
    }

    /// There is no such part.
    pub fn nil(out: &mut BytesMut) {
        out.put_slice(b"NIL");
    }

    fn name(&mut self, out: &mut BytesMut, name: &[u8]) {
        if self.any {
            out.put_u8(b' ');
        }
        self.any = true;
        out.put_slice(name);
    }
}

/// `BODY[...] ` or `BODY[...]<offset> `, made once for all messages of a FETCH.
pub fn body_label(section: &Section, partial: Option<Partial>, encoding: Encoding) -> Bytes {
    label("BODY", section, partial, encoding)
}

/// `BINARY[...] ` or `BINARY[...]<offset> `.
pub fn binary_label(part: &PartPath, partial: Option<Partial>) -> Bytes {
    label("BINARY", &Section { part: part.clone(), text: None }, partial, Encoding::Utf8)
}

/// A reply names only where a partial begins.
fn label(name: &str, section: &Section, partial: Option<Partial>, encoding: Encoding) -> Bytes {
    let mut out = BytesMut::from(name);
    print_section(&mut out, section, encoding);
    if let Some(partial) = partial {
        put(&mut out, format_args!("<{}>", partial.offset));
    }
    out.put_u8(b' ');
    out.freeze()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::super::tests::printed;
    use super::*;
    use crate::types::SectionText;

    #[test]
    fn searches() {
        assert_eq!(printed(|out| search(out, [2, 84, 882], None)), "* SEARCH 2 84 882\r\n");
        assert_eq!(printed(|out| search(out, [], None)), "* SEARCH\r\n");
        assert_eq!(printed(|out| search(out, [2], Some(917_162_500))), "* SEARCH 2 (MODSEQ 917162500)\r\n");
        let tag = Tag::new(b"A282").unwrap();
        let all: NumberSet = [2, 10, 11].into_iter().collect();
        let full =
            Esearch { uid: true, min: Some(2), max: Some(11), count: Some(3), all: Some(&all), mod_seq: Some(9) };
        assert_eq!(
            printed(|out| esearch(out, &tag, &full)),
            "* ESEARCH (TAG \"A282\") UID MIN 2 MAX 11 COUNT 3 MODSEQ 9 ALL 2,10:11\r\n"
        );
        let none = Esearch { count: Some(0), all: Some(&NumberSet::new()), ..Esearch::default() };
        assert_eq!(printed(|out| esearch(out, &tag, &none)), "* ESEARCH (TAG \"A282\") COUNT 0\r\n");
    }

    #[test]
    fn removals() {
        let uids: NumberSet = [405, 407, 410, 425].into_iter().collect();
        assert_eq!(printed(|out| vanished(out, &uids, false)), "* VANISHED 405,407,410,425\r\n");
        assert_eq!(printed(|out| vanished(out, &uids, true)), "* VANISHED (EARLIER) 405,407,410,425\r\n");
        assert_eq!(printed(|out| vanished(out, &NumberSet::new(), true)), "");
        assert_eq!(printed(|out| expunge(out, 44)), "* 44 EXPUNGE\r\n");
    }

    #[test]
    fn fetches() {
        let section = Section { part: [NonZeroU32::MIN].into(), text: Some(SectionText::Mime) };
        let line = printed(|out| {
            let mut items = fetch_start(out, 23);
            items.uid(out, 4827);
            items.flags(out, ["\\Seen"]);
            items.mod_seq(out, 7);
            items.size(out, 44827);
            items.internal_date(out, DateTime::from_seconds(0).unwrap());
            items.labelled(out, &body_label(&section, Some(Partial { offset: 5, length: 9 }), Encoding::Utf8));
            FetchItems::literal(out, 3);
            out.put_slice(b"abc");
            items.labelled(out, &binary_label(&section.part, None));
            FetchItems::nil(out);
            items.binary_size(out, &section.part, 12);
            fetch_end(out);
        });
        assert_eq!(
            line,
            "* 23 FETCH (UID 4827 FLAGS (\\Seen) MODSEQ (7) RFC822.SIZE 44827 INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" \
             BODY[1.MIME]<5> {3}\r\nabc BINARY[1] NIL BINARY.SIZE[1] 12)\r\n"
        );
    }
}
