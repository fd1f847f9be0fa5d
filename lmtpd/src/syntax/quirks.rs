//! Each deviation from the grammar that is accepted, and whom it is for.

use nom::bytes::complete::{tag, take_while1};
use nom::combinator::{opt, verify};
use nom::{IResult, Parser};

/// White space between `FROM:` or `TO:` and the path, which RFC 5321, 3.3 forbids and hand-written clients send.
pub(crate) fn quirk_space_after_colon(input: &str) -> IResult<&str, ()> {
    opt(tag(" ")).map(|_| ()).parse(input)
}

/// Dots at either end of an unquoted local part or next to one another: addresses of Japanese mobile carriers were handed
/// out like that, and a bounce helps nobody.
///
/// ```abnf
/// quirk-dot-string = 1*(atext / ".")
/// ```
pub(crate) fn quirk_dot_string(input: &str) -> IResult<&str, &str> {
    take_while1(|c| super::path::is_atext(c) || c == '.').parse(input)
}

/// An address without a domain: `<postmaster>` is legal (RFC 5321, 4.1.1.3), and delivering to a bare user ID is what
/// LMTP clients on the same host do.
pub(crate) fn quirk_no_domain(input: &str) -> IResult<&str, ()> {
    verify(nom::combinator::rest, |rest: &str| rest.starts_with('>')).map(|_| ()).parse(input).map(|_| (input, ()))
}
