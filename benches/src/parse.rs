//! The parts of answers that are checked.
//!
//! Enough of the grammar of RFC 9051, 9 to find the items of a FETCH answer whatever they contain, and no more: what a
//! value means is the business of the workload that asked for it.

use crate::Failure;

/// A FETCH item's name and value.
pub(crate) type Item<'a> = (&'a [u8], &'a [u8]);

/// `* 12 EXISTS`, without the `* `, as (12, `EXISTS`).
pub(crate) fn numbered(answer: &[u8]) -> Option<(usize, &[u8])> {
    let digits = answer.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(&answer[..digits]).ok()?.parse().ok()?;
    Some((number, answer[digits..].strip_prefix(b" ")?))
}

/// The items of `12 FETCH (...)`: the sequence number, and each item's name and value as they stand there.
pub(crate) fn fetch(answer: &[u8]) -> Result<(usize, Vec<Item<'_>>), Failure> {
    let wrong = || Failure::wrong("not a FETCH answer", answer);
    let (number, rest) = numbered(answer).ok_or_else(wrong)?;
    let mut rest = rest.strip_prefix(b"FETCH (").ok_or_else(wrong)?;
    let mut items = Vec::new();
    loop {
        let name = name_length(rest).ok_or_else(wrong)?;
        let after = rest.get(name + 1..).ok_or_else(wrong)?;
        let value = value_length(after).ok_or_else(wrong)?;
        items.push((&rest[..name], &after[..value]));
        rest = match &after[value..] {
            [b' ', more @ ..] => more,
            b")" => return Ok((number, items)),
            _ => return Err(wrong()),
        };
    }
}

/// The value of the item `name`, which must be there exactly once.
pub(crate) fn item<'a>(items: &[Item<'a>], name: &[u8]) -> Result<&'a [u8], Failure> {
    let mut values = items.iter().filter(|item| item.0.eq_ignore_ascii_case(name)).map(|item| item.1);
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        (None, _) => Err(Failure::wrong("an item is missing", name)),
        (_, Some(_)) => Err(Failure::wrong("an item is there twice", name)),
    }
}

/// The text of a literal or a quoted string without escapes.
pub(crate) fn string(value: &[u8]) -> Option<&[u8]> {
    if let Some(quoted) = value.strip_prefix(b"\"") {
        return quoted.strip_suffix(b"\"");
    }
    let at = memchr::memchr(b'\n', value)?;
    Some(&value[at + 1..])
}

/// A number.
pub(crate) fn number(value: &[u8]) -> Option<usize> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The words of a response code, `[APPENDUID 1 2]` as `1 2`.
pub(crate) fn code<'a>(answer: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(answer).ok()?;
    let (_, rest) = text.split_once(&format!("[{name} "))?;
    Some(rest.split_once(']')?.0)
}

/// The number after `name` in `STATUS mailbox (name 1 ...)`.
pub(crate) fn status(answer: &[u8], name: &str) -> Option<usize> {
    let text = std::str::from_utf8(answer.strip_prefix(b"STATUS ")?).ok()?;
    let (_, items) = text.rsplit_once('(')?;
    let mut words = items.trim_end_matches(')').split(' ');
    words.find(|word| word.eq_ignore_ascii_case(name))?;
    words.next()?.parse().ok()
}

/// The numbers of `SEARCH 1 2 3`.
pub(crate) fn search(answer: &[u8]) -> Option<Vec<usize>> {
    let text = std::str::from_utf8(answer.strip_prefix(b"SEARCH")?).ok()?;
    text.split_ascii_whitespace().map(|word| word.parse().ok()).collect()
}

/// Whether the flag list `value` has `flag`.
pub(crate) fn has_flag(value: &[u8], flag: &[u8]) -> bool {
    let inside = value.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")")).unwrap_or(value);
    inside.split(|&byte| byte == b' ').any(|word| word.eq_ignore_ascii_case(flag))
}

/// An item's name reaches to the first space outside of brackets.
fn name_length(rest: &[u8]) -> Option<usize> {
    let mut depth = 0_u32;
    rest.iter().position(|&byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        byte == b' ' && depth == 0
    })
}

/// The length of one value: an atom, a quoted string, a literal, or a list of these.
fn value_length(rest: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        match *rest.get(at)? {
            b'(' => {
                depth += 1;
                at += 1;
            }
            b')' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b' ' if depth > 0 => at += 1,
            b'"' => at += quoted_length(&rest[at..])?,
            b'{' => {
                let end = at + memchr::memchr(b'\n', &rest[at..])? + 1;
                let size = rest[at + 1..end].strip_suffix(b"}\r\n")?;
                at = end.checked_add(number(size)?)?;
            }
            _ => at += rest[at..].iter().take_while(|byte| !b" ()\"{\r".contains(byte)).count().max(1),
        }
        if at > rest.len() {
            return None;
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

fn quoted_length(rest: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', &rest[at..])?;
        if rest[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
        if at > rest.len() {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetch_answers_fall_into_items() {
        let answer =
            b"3 FETCH (UID 7 FLAGS (\\Seen) ENVELOPE (NIL \"a \\\" (b\" ((\"x\" NIL {3}\r\n)\"( \"h\")) \"\") \
            BODY[HEADER.FIELDS (TO CC)] {4}\r\na) \n BODYSTRUCTURE ((\"TEXT\" (\"A\" \"B\") 7)(NIL) \"MIXED\"))";
        let (number, items) = fetch(answer).unwrap();
        assert_eq!(number, 3);
        let names: Vec<_> = items.iter().map(|item| String::from_utf8_lossy(item.0).into_owned()).collect();
        assert_eq!(names, ["UID", "FLAGS", "ENVELOPE", "BODY[HEADER.FIELDS (TO CC)]", "BODYSTRUCTURE"]);
        assert_eq!(string(item(&items, b"body[header.fields (to cc)]").unwrap()), Some(&b"a) \n"[..]));
        assert_eq!(item(&items, b"UID").unwrap(), b"7");
        assert!(has_flag(item(&items, b"FLAGS").unwrap(), b"\\seen"));
        assert!(item(&items, b"RFC822.SIZE").is_err());
        assert!(item(&[(b"UID", b"1"), (b"UID", b"1")], b"UID").is_err());
    }

    #[test]
    fn what_is_no_fetch_answer_is_refused() {
        for answer in [
            &b"3 EXISTS"[..],
            b"3 FETCH (UID 7",
            b"3 FETCH (UID 7) ",
            b"3 FETCH (UID (7)",
            b"3 FETCH (BODY[] {9}\r\nshort)",
            b"3 FETCH (BODY[] \"open)",
            b"3 FETCH (BODY[] \"open\\",
            b"3 FETCH ()",
            b"FETCH (UID 7)",
        ] {
            assert!(fetch(answer).is_err(), "{}", answer.escape_ascii());
        }
    }

    #[test]
    fn other_answers_are_read() {
        assert_eq!(numbered(b"12 EXISTS"), Some((12, &b"EXISTS"[..])));
        assert_eq!(numbered(b"FLAGS ()"), None);
        assert_eq!(code(b"a OK [APPENDUID 5 6] done", "APPENDUID"), Some("5 6"));
        assert_eq!(code(b"a OK done", "APPENDUID"), None);
        assert_eq!(status(b"STATUS \"a (b\" (UIDNEXT 9 MESSAGES 4)", "MESSAGES"), Some(4));
        assert_eq!(status(b"STATUS a (MESSAGES 4)", "UIDNEXT"), None);
        assert_eq!(search(b"SEARCH 1 20 300"), Some(vec![1, 20, 300]));
        assert_eq!(search(b"SEARCH"), Some(Vec::new()));
        assert_eq!(search(b"SEARCH 1 x"), None);
        assert_eq!(search(b"LIST"), None);
    }
}
