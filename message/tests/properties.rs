//! Whatever the bytes: no panic, parts that nest, tables that come back, and answers an IMAP client can read.

use message::sections::Sections;
use message::structure::{PartKind, Structure};
use message::text::{decode_charset, decode_header_value};
use message::{CachedHeaders, FieldSelection, FieldSet, Limits, SectionText, analyse};
use proptest::prelude::*;

mod imap_grammar;

/// Pieces that mail breaks on; random bytes alone hardly ever make a multipart.
const PIECES: &[&str] = &[
    "\r\n",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    " ",
    "\t",
    "\0",
    "--",
    "--a",
    "--a--",
    "--ab",
    "\r\n--a\r\n",
    "\n--ab--\n",
    "\r\n--a--\r\n",
    "Content-Type: multipart/mixed; boundary=a\r\n",
    "Content-Type: multipart/digest; boundary=ab\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: text/html; charset=\"utf-8\"; name*0*=''%41; name*1=b\r\n",
    "Content-Type: x",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Disposition: attachment; filename=\"a\\\"b",
    "Content-Language: en, de\r\n",
    "Content-ID: <x>\r\n",
    "Subject: ",
    "From: ",
    "To: ",
    "Cc: ",
    "Date: Mon, 1 Jun 2026 10:00:00 +0200\r\n",
    "Message-ID: <a@b>\r\n",
    "Received: x; ",
    "a@b",
    "<a@b>",
    "\"",
    "\\",
    "(",
    ")",
    "<",
    ">",
    "@",
    ",",
    ";",
    ":",
    "=?utf-8?q?=C3?=",
    "=?utf-8?b?",
    "?=",
    "G: a@b, c@d;",
    "\u{e4}",
    "x",
    "text",
    "{5}\r\n",
    "NIL",
];

fn mail() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn limits() -> impl Strategy<Value = Limits> {
    prop_oneof![
        Just(Limits::default()),
        (0..4_usize, 1..6_usize, 0..200_usize, 0..4_usize)
            .prop_map(|(depth, parts, header_bytes, parameters)| Limits { depth, parts, header_bytes, parameters }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_nest(raw in mail(), limits in limits()) {
        let structure = Structure::scan(&raw, &limits);
        let parts = structure.parts();
        prop_assert_eq!(parts[0].header.start, 0);
        prop_assert_eq!(parts[0].body.end, raw.len());
        // The message inside the last message/rfc822 is one more than the limit when that was cut off.
        prop_assert!(parts.len() <= limits.parts + 1);
        let mut free = vec![0; parts.len()];
        for (at, part) in parts.iter().enumerate() {
            prop_assert!(part.header.start <= part.header.end);
            prop_assert_eq!(part.header.end, part.body.start);
            prop_assert!(part.body.start <= part.body.end);
            prop_assert_eq!(part.body_lines, raw[part.body.clone()].iter().filter(|&&byte| byte == b'\n').count());
            free[at] = part.body.start;
            let Some(parent) = part.parent else {
                prop_assert_eq!(at, 0);
                continue;
            };
            prop_assert!(parent < at);
            prop_assert!(matches!(parts[parent].kind, PartKind::Multipart | PartKind::Message));
            prop_assert!(part.header.start >= free[parent] && part.body.end <= parts[parent].body.end);
            free[parent] = part.body.end;
        }
        for (at, part) in parts.iter().enumerate() {
            if part.kind == PartKind::Message {
                prop_assert_eq!(parts.iter().filter(|child| child.parent == Some(at)).count(), 1);
            }
        }
    }

    #[test]
    fn answers_are_readable(raw in mail(), limits in limits()) {
        let analysis = analyse(&raw, &limits);
        prop_assert_eq!(imap_grammar::check_envelope(&analysis.envelope), Ok(()));
        prop_assert_eq!(imap_grammar::check_body(&analysis.bodystructure), Ok(()));
        prop_assert_eq!(imap_grammar::check_body(&analysis.body), Ok(()));
    }

    #[test]
    fn sections_come_back(raw in mail(), limits in limits(), path in prop::collection::vec(0..4_u32, 0..5)) {
        let sections = Sections::of(&Structure::scan(&raw, &limits));
        let encoded = sections.encode();
        prop_assert_eq!(Sections::decode(&encoded), Ok(sections.clone()));
        for text in [SectionText::Content, SectionText::Header, SectionText::Text, SectionText::Mime] {
            let range = sections.find(&path, text);
            prop_assert!(range.is_none_or(|range| raw.get(range).is_some()));
        }
        for part in sections.leaves() {
            let _ = message::text::leaf_text(&raw, part);
        }
    }

    #[test]
    fn damaged_sections_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), raw in mail(), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let _ = Sections::decode(&bytes);
        let mut encoded = Sections::of(&Structure::scan(&raw, &Limits::default())).encode();
        for (at, byte) in flips {
            *at.get_mut(&mut encoded) = byte;
        }
        if let Ok(sections) = Sections::decode(&encoded) {
            // Ranges may lie outside of the message, but asking for them must be safe.
            for path in [&[][..], &[1], &[1, 1], &[2, 1, 1]] {
                let _ = sections.find(path, SectionText::Content).map(|range| raw.get(range));
            }
            let _ = message::text::matches_text(&raw, &sections, &message::collation::Needle::new("x"));
        }
    }

    #[test]
    fn selected_fields_are_lines_of_the_header(raw in mail(), names in prop::collection::vec("(?i)(from|to|subject|x|content-type)", 0..4)) {
        let set = FieldSet::new(&names);
        let header = &raw[..message::header::header_size(&raw)];
        let only = FieldSelection::Only(set.clone());
        let except = FieldSelection::Except(set.clone());
        let size = |selection: &FieldSelection| selection.ranges(header).iter().map(|range| range.len()).sum::<usize>();
        let all = size(&FieldSelection::Except(FieldSet::new([""; 0])));
        prop_assert_eq!(size(&only) + size(&except), all);
        prop_assert!(only.bytes(header).ends_with(b"\r\n"));
        let built = CachedHeaders::build(header, usize::MAX);
        let cached = CachedHeaders::open(&built).unwrap();
        if let Some(chosen) = cached.choose(&only) {
            let answer: Vec<u8> = chosen.pieces().flatten().copied().collect();
            prop_assert_eq!(answer.len(), chosen.size());
            prop_assert_eq!(answer, only.bytes(header));
        }
    }

    #[test]
    fn text_never_panics(raw in mail(), bytes in prop::collection::vec(any::<u8>(), 0..300), charset in "[a-zA-Z0-9-]{0,12}|utf-7|utf-16|iso-2022-jp|big5|gb18030|koi8-r|ibm850") {
        let _ = decode_header_value(&raw);
        let _ = decode_charset(&bytes, Some(&charset));
        let _ = message::header::parse_date(&bytes);
        let _: Vec<_> = message::header::message_ids(&bytes).collect();
        let text = String::from_utf8_lossy(&raw);
        let normal = message::collation::normalise(&text);
        prop_assert!(message::collation::normalise(&normal) == normal);
    }
}
