//! SEARCH (RFC 9051, 6.4.4; RFC 4731, 5032, 5182, 7162).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Fault, Input, MAX_DEPTH, Parsed,
    date::{date, print_date},
    expect,
    flag::flag_keyword,
    number::{number64, nz_number},
    sequence_set::{print_sequence_set, sequence_set},
    text::{astring, keyword, parenthesised, parenthesised1, print_astring, print_parenthesised, quoted, sp, word},
};
use crate::types::{
    AString, DateKind, Encoding, EnvelopeField, Flag, MAX_SEARCH_KEYS, Numbering, Relation, ReturnOptions, Search,
    SearchKey,
};

/// ```abnf
/// search         = "SEARCH" [search-return-opts] SP search-program
/// search-program = ["CHARSET" SP charset SP] search-key *(SP search-key)
/// charset        = atom / quoted
/// ```
/// The input starts behind the first space.
pub(super) fn search<'a>(numbering: Numbering) -> impl FnMut(Input<'a>) -> Parsed<'a, Search> {
    move |input| {
        let (mut rest, mut returns) = (input, None);
        if let Ok((after, ())) = keyword("RETURN")(rest) {
            let (after, ((), options, ())) = (sp, return_options, sp).parse(after)?;
            (rest, returns) = (after, Some(options));
        }
        let mut charset = None;
        if let Ok((after, ())) = keyword("CHARSET")(rest) {
            let (after, ((), name, ())) = (sp, expect("a charset", astring), sp).parse(after)?;
            (rest, charset) = (after, Some(name));
        }
        let (mut after, first) = search_key(rest, MAX_DEPTH)?;
        let mut keys = vec![first];
        while let Some(next) = after.strip_prefix(b" ").filter(|next| !next.iter().all(|&octet| octet == b' ')) {
            let (behind, key) = search_key(next, MAX_DEPTH)?;
            keys.push(key);
            after = behind;
        }
        let key = SearchKey::and(keys);
        match key.count() > MAX_SEARCH_KEYS {
            true => Err(Fault::too_many(rest, "search criteria")),
            false => Ok((after, Search { numbering, returns, charset, key })),
        }
    }
}

/// ```abnf
/// search-return-opts = SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"
/// search-return-opt  = "MIN" / "MAX" / "ALL" / "COUNT" / "SAVE"
/// ```
/// None at all asks for ALL (RFC 9051, 6.4.4).
fn return_options(input: Input<'_>) -> Parsed<'_, ReturnOptions> {
    let mut options = ReturnOptions::default();
    let option = |input| {
        let (rest, name) = word("MIN, MAX, ALL, COUNT or SAVE")(input)?;
        match name.to_ascii_uppercase().as_str() {
            "MIN" => options.min = true,
            "MAX" => options.max = true,
            "ALL" => options.all = true,
            "COUNT" => options.count = true,
            "SAVE" => options.save = true,
            _ => return Err(Fault::expected(input, "MIN, MAX, ALL, COUNT or SAVE")),
        }
        Ok((rest, ()))
    };
    let (rest, listed) = parenthesised(option, 16, "search return options")(input)?;
    options.all |= listed.is_empty();
    Ok((rest, options))
}

/// ```abnf
/// search-key = "NOT" SP search-key / "OR" SP search-key SP search-key / "(" search-key *(SP search-key) ")" / ...
/// ```
/// `depth` counts what may still nest. A run of NOT, and alternatives of alternatives (`OR a OR b OR c d`, as clients write
/// long lists), are taken in a loop and cost no depth.
fn search_key(input: Input<'_>, depth: u32) -> Parsed<'_, SearchKey> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(Fault::too_many(input, "nested search criteria"));
    };
    let (mut rest, mut negated) = (input, false);
    while let Ok((after, ())) = keyword("NOT")(rest) {
        (rest, _) = sp(after)?;
        negated = !negated;
    }
    let (rest, key) = if rest.first() == Some(&b'(') {
        let nested = |input| search_key(input, depth);
        parenthesised1(nested, MAX_SEARCH_KEYS, "search criteria")(rest)
            .map(|(rest, keys)| (rest, SearchKey::and(keys)))?
    } else if let Ok((after, ())) = keyword("OR")(rest) {
        alternatives(after, depth)?
    } else {
        single_key(rest)?
    };
    Ok((rest, if negated { SearchKey::not(key) } else { key }))
}

/// What follows OR: as many criteria as there are ORs, and one more.
fn alternatives(input: Input<'_>, depth: u32) -> Parsed<'_, SearchKey> {
    let (mut rest, mut keys, mut missing) = (input, Vec::new(), 2_usize);
    while missing > 0 {
        let (after, ()) = sp(rest)?;
        if let Ok((after, ())) = keyword("OR")(after) {
            missing += 1;
            rest = after;
            continue;
        }
        if keys.len() == MAX_SEARCH_KEYS {
            return Err(Fault::too_many(after, "search criteria"));
        }
        let (after, key) = search_key(after, depth)?;
        keys.push(key);
        missing -= 1;
        rest = after;
    }
    Ok((rest, SearchKey::or(keys)))
}

/// ```abnf
/// search-key =/ "ALL" / "ANSWERED" / "BCC" SP astring / "BEFORE" SP date / "BODY" SP astring / "CC" SP astring /
///               "DELETED" / "DRAFT" / "FLAGGED" / "FROM" SP astring / "HEADER" SP header-fld-name SP astring /
///               "KEYWORD" SP flag-keyword / "LARGER" SP number64 / "MODSEQ" [search-modseq-ext] SP mod-sequence-valzer /
///               "NEW" / "OLD" / "OLDER" SP nz-number / "ON" SP date / "RECENT" / "SEEN" / "SENTBEFORE" SP date /
///               "SENTON" SP date / "SENTSINCE" SP date / "SINCE" SP date / "SMALLER" SP number64 / "SUBJECT" SP astring /
///               "TEXT" SP astring / "TO" SP astring / "UID" SP sequence-set / "UNANSWERED" / "UNDELETED" / "UNDRAFT" /
///               "UNFLAGGED" / "UNKEYWORD" SP flag-keyword / "UNSEEN" / "YOUNGER" SP nz-number / sequence-set
/// ```
fn single_key(input: Input<'_>) -> Parsed<'_, SearchKey> {
    if input.first().is_some_and(|octet| octet.is_ascii_digit() || matches!(octet, b'*' | b'$')) {
        return sequence_set(input).map(|(rest, set)| (rest, SearchKey::Sequence(set)));
    }
    let (rest, name) = word("a search criterion")(input)?;
    let name = name.to_ascii_uppercase();
    if let Some(key) = bare_key(&name) {
        return Ok((rest, key));
    }
    if let Some((kind, relation)) = date_key(&name) {
        let (rest, ((), date)) = (sp, expect("a date", date)).parse(rest)?;
        return Ok((rest, SearchKey::Date { kind, relation, date }));
    }
    if let Some(field) = EnvelopeField::ALL.into_iter().find(|field| field.name() == name) {
        let (rest, ((), text)) = (sp, astring).parse(rest)?;
        return Ok((rest, SearchKey::Envelope(field, text)));
    }
    match name.as_str() {
        "BODY" => argument(rest, astring, SearchKey::Body),
        "TEXT" => argument(rest, astring, SearchKey::Text),
        "UID" => argument(rest, sequence_set, SearchKey::Uid),
        "KEYWORD" => argument(rest, flag_keyword, |keyword| SearchKey::keyword(keyword, true)),
        "UNKEYWORD" => argument(rest, flag_keyword, |keyword| SearchKey::keyword(keyword, false)),
        "LARGER" => argument(rest, number64, SearchKey::Larger),
        "SMALLER" => argument(rest, number64, SearchKey::Smaller),
        "OLDER" => argument(rest, nz_number, |seconds| SearchKey::Older(seconds.get())),
        "YOUNGER" => argument(rest, nz_number, |seconds| SearchKey::Younger(seconds.get())),
        "HEADER" => {
            let (rest, ((), field, (), text)) = (sp, astring, sp, astring).parse(rest)?;
            Ok((rest, SearchKey::Header(field, text)))
        }
        "MODSEQ" => mod_seq(rest),
        _ => Err(Fault::expected(input, "a search criterion")),
    }
}

fn argument<'a, T>(
    input: Input<'a>,
    parser: impl Parser<Input<'a>, Output = T, Error = Fault<'a>>,
    key: impl FnOnce(T) -> SearchKey,
) -> Parsed<'a, SearchKey> {
    let (rest, ((), value)) = (sp, parser).parse(input)?;
    Ok((rest, key(value)))
}

fn bare_key(name: &str) -> Option<SearchKey> {
    Some(match name {
        "ALL" => SearchKey::All,
        "NEW" => SearchKey::New,
        "OLD" => SearchKey::Old,
        "RECENT" => SearchKey::Recent,
        _ => match name.strip_prefix("UN") {
            Some(name) => SearchKey::Lacks(Flag::system(name)?),
            None => SearchKey::Has(Flag::system(name)?),
        },
    })
}

fn date_key(name: &str) -> Option<(DateKind, Relation)> {
    let (kind, name) = match name.strip_prefix("SENT") {
        Some(name) => (DateKind::Sent, name),
        None => (DateKind::Internal, name),
    };
    let relation = match name {
        "BEFORE" => Relation::Before,
        "ON" => Relation::On,
        "SINCE" => Relation::Since,
        _ => return None,
    };
    Some((kind, relation))
}

/// ```abnf
/// search-modseq-ext = SP entry-name SP entry-type-req
/// entry-name        = DQUOTE "/flags/" (attr-flag) DQUOTE
/// entry-type-req    = "priv" / "shared" / "all"
/// ```
/// The entry is checked and dropped: see [`SearchKey::ModSeq`].
fn mod_seq(input: Input<'_>) -> Parsed<'_, SearchKey> {
    let (mut rest, ()) = sp(input)?;
    if rest.first() == Some(&b'"') {
        let (after, entry) = quoted(rest)?;
        if !entry.starts_with(b"/flags/") {
            return Err(Fault::expected(rest, "\"/flags/...\""));
        }
        let (after, ()) = sp(after)?;
        let (behind, kind) = word("priv, shared or all")(after)?;
        if !["priv", "shared", "all"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
            return Err(Fault::expected(after, "priv, shared or all"));
        }
        (rest, _) = sp(behind)?;
    }
    expect("a mod-sequence", number64).map(SearchKey::ModSeq).parse(rest)
}

pub(super) fn print_search(out: &mut BytesMut, search: &Search, encoding: Encoding) {
    if let Some(options) = search.returns {
        out.put_slice(b"RETURN ");
        let named: [(bool, &[u8]); 5] = [
            (options.min, b"MIN"),
            (options.max, b"MAX"),
            (options.all, b"ALL"),
            (options.count, b"COUNT"),
            (options.save, b"SAVE"),
        ];
        let wanted = named.iter().filter(|(wanted, _)| *wanted);
        print_parenthesised(out, wanted, |out, (_, name)| out.put_slice(name));
        out.put_u8(b' ');
    }
    if let Some(charset) = &search.charset {
        out.put_slice(b"CHARSET ");
        print_astring(out, charset.as_bytes(), encoding);
        out.put_u8(b' ');
    }
    print_key(out, &search.key, encoding);
}

/// The tree is as deep as the parser lets it be, so printing may recurse.
fn print_key(out: &mut BytesMut, key: &SearchKey, encoding: Encoding) {
    match key {
        SearchKey::And(keys) => print_parenthesised(out, keys, |out, key| print_key(out, key, encoding)),
        SearchKey::Or(keys) => {
            for (at, key) in keys.iter().enumerate() {
                if at + 1 < keys.len() {
                    out.put_slice(b"OR ");
                }
                print_key(out, key, encoding);
                if at + 1 < keys.len() {
                    out.put_u8(b' ');
                }
            }
        }
        SearchKey::Not(key) => {
            out.put_slice(b"NOT ");
            print_key(out, key, encoding);
        }
        SearchKey::Sequence(set) => print_sequence_set(out, set),
        SearchKey::Uid(set) => {
            out.put_slice(b"UID ");
            print_sequence_set(out, set);
        }
        SearchKey::Date { kind, relation, date } => {
            let kind = if *kind == DateKind::Sent { "SENT" } else { "" };
            let relation = match relation {
                Relation::Before => "BEFORE",
                Relation::On => "ON",
                Relation::Since => "SINCE",
            };
            // Writing to a BytesMut cannot fail.
            let _ = write!(out, "{kind}{relation} ");
            print_date(out, *date);
        }
        _ => print_leaf(out, key, encoding),
    }
}

fn print_leaf(out: &mut BytesMut, key: &SearchKey, encoding: Encoding) {
    let mut text = |name: &str, text: &AString| {
        out.put_slice(name.as_bytes());
        out.put_u8(b' ');
        print_astring(out, text.as_bytes(), encoding);
    };
    // Writing to a BytesMut cannot fail.
    let _ = match key {
        SearchKey::Envelope(field, value) => return text(field.name(), value),
        SearchKey::Body(value) => return text("BODY", value),
        SearchKey::Text(value) => return text("TEXT", value),
        SearchKey::Header(field, value) => {
            text("HEADER", field);
            return text("", value);
        }
        SearchKey::Has(Flag::Keyword(keyword)) => write!(out, "KEYWORD {}", keyword.as_str()),
        SearchKey::Lacks(Flag::Keyword(keyword)) => write!(out, "UNKEYWORD {}", keyword.as_str()),
        SearchKey::Has(flag) => write!(out, "{}", flag.name().trim_start_matches('\\').to_ascii_uppercase()),
        SearchKey::Lacks(flag) => write!(out, "UN{}", flag.name().trim_start_matches('\\').to_ascii_uppercase()),
        SearchKey::Older(seconds) => write!(out, "OLDER {seconds}"),
        SearchKey::Younger(seconds) => write!(out, "YOUNGER {seconds}"),
        SearchKey::Larger(octets) => write!(out, "LARGER {octets}"),
        SearchKey::Smaller(octets) => write!(out, "SMALLER {octets}"),
        SearchKey::ModSeq(value) => write!(out, "MODSEQ {value}"),
        SearchKey::New => out.write_str("NEW"),
        SearchKey::Old => out.write_str("OLD"),
        SearchKey::Recent => out.write_str("RECENT"),
        _ => out.write_str("ALL"),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: Option<&str>) {
        let parsed = search(Numbering::Sequence)(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty());
        let printed = parsed.map(|(_, search)| {
            let mut out = BytesMut::new();
            print_search(&mut out, &search, Encoding::Utf8);
            String::from_utf8_lossy(&out).into_owned()
        });
        assert_eq!(printed.as_deref(), expected, "{input}");
    }

    #[test]
    fn every_key() {
        for key in [
            "ALL",
            "ANSWERED",
            "BCC a",
            "BEFORE 1-Feb-1994",
            "BODY a",
            "CC a",
            "DELETED",
            "DRAFT",
            "FLAGGED",
            "FROM a",
            "HEADER a b",
            "KEYWORD a",
            "LARGER 5",
            "MODSEQ 0",
            "NEW",
            "NOT SEEN",
            "OLD",
            "OLDER 5",
            "ON 1-Feb-1994",
            "OR ALL NEW",
            "RECENT",
            "SEEN",
            "SENTBEFORE 1-Feb-1994",
            "SENTON 1-Feb-1994",
            "SENTSINCE 1-Feb-1994",
            "SINCE 1-Feb-1994",
            "SMALLER 5",
            "SUBJECT a",
            "TEXT a",
            "TO a",
            "UID 1:*",
            "UNANSWERED",
            "UNDELETED",
            "UNDRAFT",
            "UNFLAGGED",
            "UNKEYWORD a",
            "UNSEEN",
            "YOUNGER 5",
            "1:5,7",
            "$",
            "*",
        ] {
            check(key, Some(key));
            check(&key.to_ascii_lowercase().replace("feb", "Feb"), Some(key));
        }
    }

    #[test]
    fn programs() {
        check("FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"", Some("(FLAGGED SINCE 1-Feb-1994 NOT FROM Smith)"));
        check("CHARSET UTF-8 TEXT {4}\r\n\u{431}\u{430}", Some("CHARSET UTF-8 TEXT \"\u{431}\u{430}\""));
        check("RETURN () 1", Some("RETURN (ALL) 1"));
        check("RETURN (MIN max SAVE) CHARSET \"us-ascii\" 1", Some("RETURN (MIN MAX SAVE) CHARSET us-ascii 1"));
        check("MODSEQ \"/flags/\\\\draft\" all 620162338", Some("MODSEQ 620162338"));
        check("NOT NOT NOT SEEN", Some("NOT SEEN"));
        check("OR OR ALL NEW OLD", Some("OR ALL OR NEW OLD"));
        check("((ALL (NEW)) OLD)", Some("(ALL NEW OLD)"));
        check("NOT (OR SEEN NEW) HEADER \"\" \"\"", Some("(NOT OR SEEN NEW HEADER \"\" \"\")"));
        for bad in [
            "",
            "FOO",
            "NOT",
            "OR ALL",
            "OR",
            "()",
            "(ALL",
            "ALL)",
            "ALL  NEW",
            "BEFORE",
            "BEFORE 31-Feb-2026",
            "HEADER a",
            "LARGER -1",
            "KEYWORD \\Seen",
            "UID",
            "UID 0",
            "RETURN ALL",
            "RETURN (FOO) ALL",
            "CHARSET",
            "CHARSET UTF-8",
            "UNALL",
            "UNRECENT",
            "MODSEQ \"/x\" all 1",
            "OLDER 0",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| format!("{}ALL{}", "(".repeat(levels), ")".repeat(levels));
        check(&nested(31), Some("ALL"));
        check(&nested(32), None);
        check(&"(".repeat(1_000_000), None);
        check(&"OR NOT ".repeat(100_000), None);
        check(&"OR ".repeat(100_000), None);
    }

    #[test]
    fn long_alternatives_are_flat() {
        let long = format!("{}ALL", "OR NEW ".repeat(4_000));
        check(&long, Some(&long));
        check(&format!("{}ALL", "NOT ".repeat(100_000)), Some("ALL"));
        check(&format!("{}ALL", "OR NEW ".repeat(10_000)), None);
        check(
            &format!("{}{}", "OR ".repeat(1_000), vec!["NEW"; 1_001].join(" ")),
            Some(&format!("{}NEW", "OR NEW ".repeat(1_000))),
        );
        check(&vec!["ALL"; 10_000].join(" "), None);
    }
}
