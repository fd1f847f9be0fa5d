//! Numbers, with their ranges checked (RFC 9051, 9; RFC 7162, 7).

use std::num::NonZeroU32;

use nom::{Parser, bytes::complete::take_while1};

use super::{Fault, Input, Parsed};

/// ```abnf
/// number   = 1*DIGIT ; 0 <= n < 4,294,967,296
/// ```
pub(super) fn number(input: Input<'_>) -> Parsed<'_, u32> {
    let (rest, value) = digits(input)?;
    match value.and_then(|value| u32::try_from(value).ok()) {
        Some(value) => Ok((rest, value)),
        None => Err(Fault::refused(input, "Number is above 4294967295")),
    }
}

/// ```abnf
/// nz-number = digit-nz *DIGIT ; 0 < n < 4,294,967,296
/// ```
pub(super) fn nz_number(input: Input<'_>) -> Parsed<'_, NonZeroU32> {
    let (rest, value) = number(input)?;
    match NonZeroU32::new(value) {
        Some(value) => Ok((rest, value)),
        None => Err(Fault::expected(input, "a number above 0")),
    }
}

/// ```abnf
/// number64           = 1*DIGIT ; 0 <= n <= 9,223,372,036,854,775,807
/// mod-sequence-valzer = "0" / mod-sequence-value
/// ```
pub(super) fn number64(input: Input<'_>) -> Parsed<'_, u64> {
    let (rest, value) = digits(input)?;
    match value.filter(|&value| i64::try_from(value).is_ok()) {
        Some(value) => Ok((rest, value)),
        None => Err(Fault::refused(input, "Number is above 9223372036854775807")),
    }
}

/// ```abnf
/// nz-number64        = digit-nz *DIGIT
/// mod-sequence-value = 1*DIGIT ; 1 <= n <= 9,223,372,036,854,775,807
/// ```
pub(super) fn nz_number64(input: Input<'_>) -> Parsed<'_, u64> {
    match number64(input)? {
        (_, 0) => Err(Fault::expected(input, "a number above 0")),
        parsed => Ok(parsed),
    }
}

/// `1*DIGIT`; no value if it does not fit.
fn digits(input: Input<'_>) -> Parsed<'_, Option<u64>> {
    let (rest, digits) = take_while1(|octet: u8| octet.is_ascii_digit())
        .parse(input)
        .map_err(|_: nom::Err<Fault<'_>>| Fault::expected(input, "a number"))?;
    let add = |value: u64, digit: &u8| value.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
    Ok((rest, digits.iter().try_fold(0, add)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let number = |input: &'static str| number(input.as_bytes()).ok().map(|parsed| parsed.1);
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("0007"), Some(7));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        assert_eq!(number("4294967296"), None);
        assert_eq!(number("99999999999999999999999"), None);
        assert_eq!(number("-1"), None);
        let nz = |input: &'static str| nz_number(input.as_bytes()).is_ok();
        assert!(nz("1") && !nz("0") && !nz("00"));
        let number64 = |input: &'static str| number64(input.as_bytes()).ok().map(|parsed| parsed.1);
        assert_eq!(number64("9223372036854775807"), Some(i64::MAX as u64));
        assert_eq!(number64("9223372036854775808"), None);
        let nz64 = |input: &'static str| nz_number64(input.as_bytes()).is_ok();
        assert!(nz64("1") && !nz64("0"));
    }
}
