//! Flags (RFC 9051, 9).

use bytes::{BufMut, BytesMut};
use nom::{Parser, bytes::complete::take_while1};

use super::{
    Fault, Input, Parsed,
    text::{backslash_atom, parenthesised, print_parenthesised},
};
use crate::types::{Flag, Keyword, MAX_FLAGS, is_atom_char};

/// ```abnf
/// flag           = "\Answered" / "\Flagged" / "\Deleted" / "\Seen" / "\Draft" / flag-keyword / flag-extension
/// flag-keyword   = "$MDNSent" / "$Forwarded" / "$Junk" / "$NotJunk" / "$Phishing" / atom
/// flag-extension = "\" atom
/// ```
/// We know no extension, so each is refused; so is `\Recent`, which no client may set (RFC 3501, 2.3.2).
pub(super) fn flag(input: Input<'_>) -> Parsed<'_, Flag> {
    if input.first() != Some(&b'\\') {
        return flag_keyword(input).map(|(rest, keyword)| (rest, Flag::Keyword(keyword)));
    }
    let (rest, name) = backslash_atom(input)?;
    match Flag::system(name.as_str()) {
        Some(flag) => Ok((rest, flag)),
        None => Err(Fault::refused(input, "There is no such system flag")),
    }
}

/// `flag-keyword`, at most [`Keyword::MAX`] octets.
pub(super) fn flag_keyword(input: Input<'_>) -> Parsed<'_, Keyword> {
    let (rest, text) =
        take_while1(is_atom_char).parse(input).map_err(|_: nom::Err<Fault<'_>>| Fault::expected(input, "a flag"))?;
    match Keyword::new(text) {
        Some(keyword) => Ok((rest, keyword)),
        None => Err(Fault::refused(input, "Keyword is longer than 128 octets")),
    }
}

/// ```abnf
/// flag-list = "(" [flag *(SP flag)] ")"
/// ```
/// Repeated flags count once.
pub(super) fn flag_list(input: Input<'_>) -> Parsed<'_, Vec<Flag>> {
    let (rest, flags) = parenthesised(flag, MAX_FLAGS, "flags")(input)?;
    Ok((rest, distinct(flags)))
}

/// `flag *(SP flag)`, the list that STORE allows without parentheses.
pub(super) fn bare_flags(input: Input<'_>) -> Parsed<'_, Vec<Flag>> {
    let (mut rest, first) = flag(input)?;
    let mut flags = vec![first];
    while let Some(after) = rest.strip_prefix(b" ").filter(|after| !after.is_empty()) {
        if flags.len() == MAX_FLAGS {
            return Err(Fault::too_many(after, "flags"));
        }
        let (after, next) = flag(after)?;
        flags.push(next);
        rest = after;
    }
    Ok((rest, distinct(flags)))
}

pub(super) fn print_flag_list(out: &mut BytesMut, flags: &[Flag]) {
    print_parenthesised(out, flags, |out, flag| out.put_slice(flag.name().as_bytes()));
}

fn distinct(flags: Vec<Flag>) -> Vec<Flag> {
    let mut seen = Vec::with_capacity(flags.len());
    for flag in flags {
        if !seen.contains(&flag) {
            seen.push(flag);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = flag_list(input.as_bytes()).ok().map(|(_, flags)| {
                let mut out = BytesMut::new();
                print_flag_list(&mut out, &flags);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(parsed.as_deref(), expected, "{input}");
        };
        check("()", Some("()"));
        check(r"(\seen \DELETED $Junk)", Some(r"(\Seen \Deleted $Junk)"));
        check(r"(a \Seen A \seen)", Some(r"(a \Seen)"));
        check(r"(\Recent \Seen)", None);
        check(r"(\*)", None);
        check(r"(\Foo)", None);
        check(r"(a]b)", None);
        check(&format!("({})", "k".repeat(129)), None);
        check(&format!("({})", vec!["k"; 257].join(" ")), None);
    }
}
