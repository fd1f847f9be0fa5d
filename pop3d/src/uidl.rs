//! How UIDL names messages (RFC 1939, 7: 1 to 70 characters from `!` to `~`, the same for ever). A site that moves here from
//! another server keeps that server's form, or every client fetches everything again.

use std::fmt;
use std::str::FromStr;

use mailstore::UidValidity;

/// A form of unique ids, written as in Dovecot's `pop3_uidl_format`.
///
/// ```abnf
/// format   = known / 1*(literal / variable)
/// known    = "cyrus" / "uidonly" / "dovecot" / "courier" / "uw"
/// literal  = %x21-24 / %x26-7E / "%%"
/// variable = "%" ["0" 1*2DIGIT] ["X" / "x"] ("u" / "v")
/// ```
/// `u` is the UID, `v` UIDVALIDITY, `X` and `x` write hexadecimal digits, `08` fills up to eight of them. The UID must be
/// there, or ids would not be unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UidlFormat {
    /// As it was written.
    text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Number { which: Which, width: usize, base: Base },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Uid,
    Validity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Decimal,
    Lower,
    Upper,
}

/// The forms of other servers: Cyrus since 2.1.4; Cyrus before; Dovecot; Courier (version 2); UW's ipop3d.
const KNOWN: &[(&str, &str)] =
    &[("cyrus", "%v.%u"), ("uidonly", "%u"), ("dovecot", "%08Xu%08Xv"), ("courier", "%v-%u"), ("uw", "%08Xv%08Xu")];

/// Longest unique id (RFC 1939, 7).
const MAX_ID: usize = 70;

/// Why a form cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UidlFormatError {
    /// `%` with something else behind it.
    #[error("% stands before u or v, with a width such as 08 and X or x in between, or before another %")]
    Variable,
    /// A blank, a control character, or one outside of ASCII.
    #[error("only printable ASCII characters without blanks are allowed")]
    Character,
    /// No `%u`.
    #[error("the UID (%u) must be in it, or ids would not be unique")]
    NoUid,
    /// An id could have more than 70 characters.
    #[error("ids would be longer than 70 characters")]
    TooLong,
    /// Two numbers without a fixed width, with no literal in between: `%v%u` of 1 and 12, and of 11 and 2, would be the same.
    #[error("two numbers need a literal between them, or a fixed width")]
    Ambiguous,
}

impl UidlFormat {
    /// Writes a message's unique id.
    pub(crate) fn id(&self, uid: u32, validity: UidValidity) -> Id<'_> {
        Id { format: self, uid, validity: validity.get() }
    }
}

impl Default for UidlFormat {
    /// Cyrus's.
    fn default() -> Self {
        let number = |which| Piece::Number { which, width: 0, base: Base::Decimal };
        let pieces = vec![number(Which::Validity), Piece::Literal(".".into()), number(Which::Uid)];
        UidlFormat { text: "cyrus".into(), pieces }
    }
}

impl FromStr for UidlFormat {
    type Err = UidlFormatError;

    fn from_str(text: &str) -> Result<Self, UidlFormatError> {
        let known = KNOWN.iter().find(|(name, _)| *name == text);
        let format = known.map_or(text, |(_, format)| format);
        if !format.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(UidlFormatError::Character);
        }
        let pieces = pieces(format)?;
        if !pieces.iter().any(|piece| matches!(piece, Piece::Number { which: Which::Uid, .. })) {
            return Err(UidlFormatError::NoUid);
        }
        // A form may ask for any width.
        if pieces.iter().map(Piece::longest).fold(0, usize::saturating_add) > MAX_ID {
            return Err(UidlFormatError::TooLong);
        }
        let loose =
            |pair: &[Piece]| pair.iter().all(|piece| !matches!(piece, Piece::Literal(_))) && !pair[0].is_fixed();
        if pieces.windows(2).any(loose) {
            return Err(UidlFormatError::Ambiguous);
        }
        Ok(UidlFormat { text: text.to_owned(), pieces })
    }
}

impl fmt::Display for UidlFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes a form apart.
fn pieces(mut rest: &str) -> Result<Vec<Piece>, UidlFormatError> {
    let mut pieces = Vec::new();
    let mut literal = String::new();
    while let Some(at) = rest.find('%') {
        literal.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            literal.push('%');
            rest = after;
            continue;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        let (number, after) = variable(rest)?;
        pieces.push(number);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// A variable behind its `%`.
fn variable(text: &str) -> Result<(Piece, &str), UidlFormatError> {
    let mut width = 0;
    let mut rest = text;
    if let Some(digits) = rest.strip_prefix('0') {
        let end = digits.bytes().take_while(u8::is_ascii_digit).count();
        width = digits[..end].parse().map_err(|_| UidlFormatError::Variable)?;
        rest = &digits[end..];
    }
    let base = match rest.as_bytes().first() {
        Some(b'X') => Base::Upper,
        Some(b'x') => Base::Lower,
        _ => Base::Decimal,
    };
    if base != Base::Decimal {
        rest = &rest[1..];
    }
    let which = match rest.as_bytes().first() {
        Some(b'u') => Which::Uid,
        Some(b'v') => Which::Validity,
        _ => return Err(UidlFormatError::Variable),
    };
    Ok((Piece::Number { which, width, base }, &rest[1..]))
}

impl Piece {
    fn longest(&self) -> usize {
        match self {
            Piece::Literal(text) => text.len(),
            Piece::Number { width, base, .. } => (*width).max(base.digits()),
        }
    }

    /// Whether it always takes as many characters.
    fn is_fixed(&self) -> bool {
        match self {
            Piece::Literal(_) => true,
            Piece::Number { width, base, .. } => *width >= base.digits(),
        }
    }
}

impl Base {
    /// Digits of the largest number.
    fn digits(self) -> usize {
        if self == Base::Decimal { 10 } else { 8 }
    }
}

/// A unique id, to be printed.
pub(crate) struct Id<'a> {
    format: &'a UidlFormat,
    uid: u32,
    validity: u32,
}

impl fmt::Display for Id<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.format.pieces {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Number { which, width, base } => {
                    let (number, width) = (if *which == Which::Uid { self.uid } else { self.validity }, *width);
                    match base {
                        Base::Decimal => write!(f, "{number:0width$}")?,
                        Base::Lower => write!(f, "{number:0width$x}")?,
                        Base::Upper => write!(f, "{number:0width$X}")?,
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let validity = UidValidity::new(1_234_567_890).unwrap();
        let check = |format: &str, expected: &str| {
            let parsed: UidlFormat = format.parse().unwrap();
            assert_eq!(parsed.id(255, validity).to_string(), expected, "{format}");
            assert_eq!(parsed.to_string(), format);
        };
        check("cyrus", "1234567890.255");
        check("uidonly", "255");
        check("dovecot", "000000FF499602D2");
        check("courier", "1234567890-255");
        check("uw", "499602D2000000FF");
        check("%08xu%08xv", "000000ff499602d2");
        check("UID%u-%v", "UID255-1234567890");
        check("%05u%%", "00255%");
        assert_eq!("%v.%u".parse::<UidlFormat>().unwrap().pieces, UidlFormat::default().pieces);
    }

    #[test]
    fn forms_that_are_none() {
        let check = |format: &str, expected| assert_eq!(format.parse::<UidlFormat>(), Err(expected), "{format}");
        check("%f", UidlFormatError::Variable);
        check("%0u", UidlFormatError::Variable);
        check("%0999999999999999999999u", UidlFormatError::Variable);
        check("%", UidlFormatError::Variable);
        check("%8Xu", UidlFormatError::Variable);
        check("%u ", UidlFormatError::Character);
        check("%u\u{e9}", UidlFormatError::Character);
        check("%v", UidlFormatError::NoUid);
        check("", UidlFormatError::NoUid);
        check(&format!("%u{}", "x".repeat(61)), UidlFormatError::TooLong);
        check("%099u", UidlFormatError::TooLong);
        check("%018446744073709551615u%018446744073709551615v", UidlFormatError::TooLong);
        check("%v%u", UidlFormatError::Ambiguous);
        check("%04v%u", UidlFormatError::Ambiguous);
    }
}
