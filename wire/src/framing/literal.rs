//! The literal announcement at the end of an IMAP line, and the quoted strings that may hide one.

use super::FrameError;

/// A literal the peer announced and the session has not yet accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Literal {
    /// Octets announced; up to 2^63-1.
    pub len: u64,
    /// The peer waits for a continuation request before it sends them (`{n}`, not `{n+}`).
    pub sync: bool,
    /// A literal8, `~{n}`: the octets may include NUL (RFC 9051, 4.3).
    pub binary: bool,
}

/// Most digits of a 63-bit number.
const MAX_DIGITS: usize = 19;

/// How an IMAP line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the end of the command.
    Plain,
    /// With a well-formed announcement; `header` octets of the line are the announcement itself.
    Literal { literal: Literal, header: usize },
    /// With something that is wrong. `skip`: octets that follow as a non-synchronizing literal for all that.
    Wrong { error: FrameError, skip: Skip },
}

/// What follows a line that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// The next command.
    Nothing,
    /// So many literal octets, then the rest of the command.
    Octets(u64),
    /// More literal octets than a number can say.
    Unbounded,
}

/// Reads how `line` (without CRLF) ends.
///
/// ```abnf
/// literal  = "{" number64 ["+"] "}" CRLF *CHAR8
/// literal8 = "~{" number64 ["+"] "}" CRLF *OCTET
/// number64 = 1*DIGIT        ; 0 <= n <= 2^63-1
/// quoted   = DQUOTE *QUOTED-CHAR DQUOTE
/// ```
pub(super) fn ending(line: &[u8]) -> Ending {
    let quotes = scan_quotes(line);
    if quotes.open {
        return Ending::Wrong { error: FrameError::UnterminatedQuote, skip: announced(line) };
    }
    let Some(brace) = quotes.last_brace.filter(|_| line.ends_with(b"}")) else {
        return Ending::Plain;
    };
    let inside = &line[brace + 1..line.len() - 1];
    let (digits, sync) = match inside.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inside, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Ending::Wrong { error: FrameError::LiteralSyntax, skip: Skip::Nothing };
    }
    let Some(len) = number64(digits) else {
        let skip = if sync { Skip::Nothing } else { Skip::Unbounded };
        return Ending::Wrong { error: FrameError::LiteralOverflow, skip };
    };
    if digits.len() > 1 && digits[0] == b'0' {
        let skip = if sync { Skip::Nothing } else { Skip::Octets(len) };
        return Ending::Wrong { error: FrameError::LiteralLeadingZero, skip };
    }
    let binary = brace > 0 && line[brace - 1] == b'~';
    let header = line.len() - brace + usize::from(binary);
    Ending::Literal { literal: Literal { len, sync, binary }, header }
}

/// What a line that is being thrown away announces, read from its last octets alone (without LF): quoting is not
/// considered, because taking literal octets for a command is worse than skipping too much.
pub(super) fn announced(tail: &[u8]) -> Skip {
    let tail = tail.strip_suffix(b"\r").unwrap_or(tail);
    let Some(rest) = tail.strip_suffix(b"+}") else {
        return Skip::Nothing;
    };
    let digits = rest.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let (before, digits) = rest.split_at(rest.len() - digits);
    match (before.last(), digits.is_empty()) {
        (_, true) => Skip::Nothing,
        (Some(b'{'), false) => number64(digits).map_or(Skip::Unbounded, Skip::Octets),
        (Some(_), false) => Skip::Nothing,
        // Nothing but digits as far back as we kept.
        (None, false) => Skip::Unbounded,
    }
}

fn number64(digits: &[u8]) -> Option<u64> {
    let significant = digits.iter().position(|&b| b != b'0').unwrap_or(digits.len());
    let digits = &digits[significant..];
    if digits.len() > MAX_DIGITS {
        return None;
    }
    // 19 digits fit u64 without overflow.
    let value = digits.iter().fold(0u64, |n, b| n * 10 + u64::from(b - b'0'));
    (value <= i64::MAX.unsigned_abs()).then_some(value)
}

struct Quotes {
    /// The line ends inside a quoted string.
    open: bool,
    /// Place of the last `{` outside quoted strings.
    last_brace: Option<usize>,
}

fn scan_quotes(line: &[u8]) -> Quotes {
    if memchr::memchr(b'"', line).is_none() {
        return Quotes { open: false, last_brace: memchr::memrchr(b'{', line) };
    }
    let mut quotes = Quotes { open: false, last_brace: None };
    let mut bytes = line.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'"' => quotes.open = !quotes.open,
            b'\\' if quotes.open => {
                bytes.next();
            }
            b'{' if !quotes.open => quotes.last_brace = Some(at),
            _ => {}
        }
    }
    quotes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(len: u64, sync: bool, binary: bool, header: usize) -> Ending {
        Ending::Literal { literal: Literal { len, sync, binary }, header }
    }

    fn wrong(error: FrameError, skip: Skip) -> Ending {
        Ending::Wrong { error, skip }
    }

    #[test]
    fn endings() {
        use FrameError::{LiteralLeadingZero, LiteralOverflow, LiteralSyntax, UnterminatedQuote};
        let rows: &[(&str, Ending)] = &[
            ("a NOOP", Ending::Plain),
            ("", Ending::Plain),
            ("a X }", Ending::Plain),
            ("a X {3", Ending::Plain),
            ("a X {3}", literal(3, true, false, 3)),
            ("a X {3+}", literal(3, false, false, 4)),
            ("a X ~{3}", literal(3, true, true, 4)),
            ("a X ~{3+}", literal(3, false, true, 5)),
            ("{0}", literal(0, true, false, 3)),
            ("~{0}", literal(0, true, true, 4)),
            ("a X (BODY[HEADER.FIELDS ({4}", literal(4, true, false, 3)),
            ("a X {9223372036854775807}", literal(i64::MAX as u64, true, false, 21)),
            ("a X {9223372036854775808}", wrong(LiteralOverflow, Skip::Nothing)),
            ("a X {18446744073709551616}", wrong(LiteralOverflow, Skip::Nothing)),
            ("a X {18446744073709551616+}", wrong(LiteralOverflow, Skip::Unbounded)),
            ("a X {00000000001}", wrong(LiteralLeadingZero, Skip::Nothing)),
            ("a X {00000000001+}", wrong(LiteralLeadingZero, Skip::Octets(1))),
            ("a X {-1}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X {1 }", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X { 1}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X {}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X {+}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X {1++}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X {0x10}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a X {1}}", wrong(LiteralSyntax, Skip::Nothing)),
            ("a LOGIN \"abc", wrong(UnterminatedQuote, Skip::Nothing)),
            ("a LOGIN \"abc\\\"", wrong(UnterminatedQuote, Skip::Nothing)),
            ("a LOGIN \"abc\\", wrong(UnterminatedQuote, Skip::Nothing)),
            ("a LOGIN \"abc {5}", wrong(UnterminatedQuote, Skip::Nothing)),
            ("a LOGIN \"abc {5+}", wrong(UnterminatedQuote, Skip::Octets(5))),
            ("a X \"{5}\"", Ending::Plain),
            ("a X \"{5\" b}", Ending::Plain),
            ("a X \"\\\\\" {5}", literal(5, true, false, 3)),
            ("a X \"\\\"\" {5}", literal(5, true, false, 3)),
        ];
        for (line, expected) in rows {
            assert_eq!(ending(line.as_bytes()), *expected, "{line}");
        }
    }

    #[test]
    fn announcements_in_skipped_lines() {
        let rows: &[(&str, Skip)] = &[
            ("...{5+}\r", Skip::Octets(5)),
            ("...{5+}", Skip::Octets(5)),
            ("...{5}\r", Skip::Nothing),
            ("...{+}\r", Skip::Nothing),
            ("...x5+}\r", Skip::Nothing),
            ("...{99999999999999999999+}\r", Skip::Unbounded),
            ("000000005+}\r", Skip::Unbounded),
            ("", Skip::Nothing),
        ];
        for (tail, expected) in rows {
            assert_eq!(announced(tail.as_bytes()), *expected, "{tail}");
        }
    }
}
