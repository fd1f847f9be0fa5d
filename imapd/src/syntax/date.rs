//! Dates and times (RFC 9051, 9).

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use jiff::civil::{self, Date};
use nom::{
    Parser,
    bytes::complete::{tag, take_while_m_n},
    character::complete::one_of,
    combinator::opt,
    sequence::delimited,
};

use super::{Fault, Input, Parsed, expect, quirks};
use crate::types::DateTime;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// ```abnf
/// date       = date-text / DQUOTE date-text DQUOTE
/// date-text  = date-day "-" date-month "-" date-year
/// date-day   = 1*2DIGIT
/// ```
pub(super) fn date(input: Input<'_>) -> Parsed<'_, Date> {
    match input.first() {
        Some(b'"') => delimited(tag("\""), date_text, expect("the closing \"", tag("\""))).parse(input),
        _ => date_text(input),
    }
}

fn date_text(input: Input<'_>) -> Parsed<'_, Date> {
    let (rest, day) = digits(1, 2, "a day").parse(input)?;
    date_after_day(input, rest, day)
}

/// ```abnf
/// date-time      = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
/// date-day-fixed = (SP DIGIT) / 2DIGIT
/// time           = 2DIGIT ":" 2DIGIT ":" 2DIGIT
/// zone           = ("+" / "-") 4DIGIT
/// ```
/// See also [`quirks::UNPADDED_DAY`].
pub(super) fn date_time(input: Input<'_>) -> Parsed<'_, DateTime> {
    let (rest, _) = expect("a date in quotes", tag("\"")).parse(input)?;
    let (rest, padded) = opt(tag(" ")).parse(rest)?;
    let shortest = if padded.is_some() || quirks::UNPADDED_DAY { 1 } else { 2 };
    let longest = if padded.is_some() { 1 } else { 2 };
    let (rest, day) = digits(shortest, longest, "a day").parse(rest)?;
    let (rest, date) = date_after_day(input, rest, day)?;
    let (rest, (_, hour, _, minute, _, second, _)) = (
        expect("a space", tag(" ")),
        digits(2, 2, "two digits of an hour"),
        expect("\":\"", tag(":")),
        digits(2, 2, "two digits of a minute"),
        expect("\":\"", tag(":")),
        digits(2, 2, "two digits of a second"),
        expect("a space", tag(" ")),
    )
        .parse(rest)?;
    let (rest, zone) = zone(rest)?;
    let (rest, _) = expect("the closing \"", tag("\"")).parse(rest)?;
    // A leap second is the last second before it (RFC 9051 takes RFC 5322's time, where 60 is legal).
    let second = if second == 60 { 59 } else { second };
    let time = civil::Time::new(hour as i8, minute as i8, second as i8, 0);
    let when = time.ok().and_then(|time| DateTime::new(date.to_datetime(time), zone));
    match when {
        Some(when) => Ok((rest, when)),
        None => Err(Fault::refused(input, "There is no such time")),
    }
}

/// What follows the day, and whether there is such a day: `31-Feb` is none.
fn date_after_day<'a>(start: Input<'a>, input: Input<'a>, day: u16) -> Parsed<'a, Date> {
    let (rest, _) = expect("\"-\"", tag("-")).parse(input)?;
    let month = rest.get(..3).and_then(|name| MONTHS.iter().position(|m| m.as_bytes().eq_ignore_ascii_case(name)));
    let Some(month) = month else {
        return Err(Fault::expected(rest, "the name of a month"));
    };
    let (rest, _) = expect("\"-\"", tag("-")).parse(&rest[3..])?;
    let (rest, year) = digits(4, 4, "four digits of a year").parse(rest)?;
    match Date::new(year.cast_signed(), month as i8 + 1, day as i8) {
        Ok(date) => Ok((rest, date)),
        Err(_) => Err(Fault::refused(start, "There is no such date")),
    }
}

/// The zone in minutes; hours to 23 and minutes to 59.
fn zone(input: Input<'_>) -> Parsed<'_, i32> {
    let sign_and_digits = (one_of("+-"), digits(2, 2, "two digits"), digits(2, 2, "two digits"));
    let (rest, (sign, hours, minutes)) = expect("a zone", sign_and_digits).parse(input)?;
    if hours > 23 || minutes > 59 {
        return Err(Fault::refused(input, "There is no such zone"));
    }
    let total = i32::from(hours) * 60 + i32::from(minutes);
    Ok((rest, if sign == '-' { -total } else { total }))
}

/// Between `min` and `max` (at most 4) digits.
fn digits<'a>(min: usize, max: usize, what: &'static str) -> impl Parser<Input<'a>, Output = u16, Error = Fault<'a>> {
    let value = |digits: Input<'_>| digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
    expect(what, take_while_m_n(min, max, |octet: u8| octet.is_ascii_digit()).map(value))
}

/// Prints `date-text`.
pub(super) fn print_date(out: &mut BytesMut, date: Date) {
    // Writing to a BytesMut cannot fail.
    let _ = write!(out, "{}-{}-{:04}", date.day(), month(date), date.year());
}

/// Prints `date-time`, with its quotes.
pub(crate) fn print_date_time(out: &mut BytesMut, when: DateTime) {
    let (local, zone) = (when.local(), when.zone_minutes());
    let [century, year] = [local.year() / 100, local.year() % 100].map(two_digits);
    let [day, hour, minute, second] = [local.day(), local.hour(), local.minute(), local.second()].map(two_digits);
    let [zone_hours, zone_minutes] = [zone.unsigned_abs() / 60, zone.unsigned_abs() % 60].map(two_digits);
    // The day is padded with a space: date-day-fixed.
    let day = if day[0] == b'0' { [b' ', day[1]] } else { day };
    out.put_u8(b'"');
    out.put_slice(&day);
    out.put_u8(b'-');
    out.put_slice(month(local.date()).as_bytes());
    out.put_u8(b'-');
    out.put_slice(&century);
    out.put_slice(&year);
    for (before, digits) in [(b' ', hour), (b':', minute), (b':', second)] {
        out.put_slice(&[before, digits[0], digits[1]]);
    }
    out.put_slice(if zone < 0 { b" -" } else { b" +" });
    out.put_slice(&zone_hours);
    out.put_slice(&zone_minutes);
    out.put_u8(b'"');
}

/// A number below 100, which each part of a date and time is.
fn two_digits(number: impl TryInto<u8>) -> [u8; 2] {
    let number: u8 = number.try_into().unwrap_or(0);
    [b'0' + number / 10 % 10, b'0' + number % 10]
}

fn month(date: Date) -> &'static str {
    usize::try_from(date.month() - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("Jan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let check = |input: &str, expected: Option<&str>| {
            let parsed = date(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty()).map(|(_, date)| {
                let mut out = BytesMut::new();
                print_date(&mut out, date);
                String::from_utf8_lossy(&out).into_owned()
            });
            assert_eq!(parsed.as_deref(), expected, "{input}");
        };
        check("1-Feb-1994", Some("1-Feb-1994"));
        check("\"01-feb-1994\"", Some("1-Feb-1994"));
        check("29-Feb-2024", Some("29-Feb-2024"));
        check("31-DEC-9999", Some("31-Dec-9999"));
        for bad in [
            "31-Feb-2026",
            "0-Jan-2026",
            "32-Jan-2026",
            "1-Foo-2026",
            "1-Jan-26",
            "1-Jan-20266",
            "\"1-Jan-2026",
            "1 Jan 2026",
            "",
            "-",
            "1-",
        ] {
            check(bad, None);
        }
    }

    #[test]
    fn date_times() {
        let check = |input: &str, expected: Option<(&str, i64)>| {
            let parsed = date_time(input.as_bytes()).ok().map(|(_, when)| {
                let mut out = BytesMut::new();
                print_date_time(&mut out, when);
                (String::from_utf8_lossy(&out).into_owned(), when.seconds())
            });
            assert_eq!(parsed.as_ref().map(|(text, seconds)| (text.as_str(), *seconds)), expected, "{input}");
        };
        let rfc = "\"17-Jul-1996 02:44:25 -0700\"";
        check(rfc, Some((rfc, 837_596_665)));
        check("\" 1-jan-1970 00:00:00 +0000\"", Some(("\" 1-Jan-1970 00:00:00 +0000\"", 0)));
        check("\"1-Jan-1970 00:00:00 -0000\"", Some(("\" 1-Jan-1970 00:00:00 +0000\"", 0)));
        check("\"31-Dec-1969 23:59:60 +0530\"", Some(("\"31-Dec-1969 23:59:59 +0530\"", -19_801)));
        check("\"19-Jan-2038 03:14:08 +0000\"", Some(("\"19-Jan-2038 03:14:08 +0000\"", 2_147_483_648)));
        for bad in [
            "\"31-Feb-2026 00:00:00 +0000\"",
            "\"01-Jan-2026 24:00:00 +0000\"",
            "\"01-Jan-2026 00:60:00 +0000\"",
            "\"01-Jan-2026 00:00:00 +9999\"",
            "\"01-Jan-2026 00:00:00 +0060\"",
            "\"01-Jan-2026 00:00:00\"",
            "\"01-Jan-2026 0:00:00 +0000\"",
            "01-Jan-2026 00:00:00 +0000",
            "\"01-Jan-2026 00:00:00 +0000",
            "\" 12-Jan-2026 00:00:00 +0000\"",
            "\"01-Jan-2026 00:00:61 +0000\"",
            "\"\"",
        ] {
            check(bad, None);
        }
    }
}
