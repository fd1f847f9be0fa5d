//! The date of a message (RFC 5322, 3.3 and 4.3) as software really writes it.

use jiff::civil;

use super::unfold;
use crate::lexer::{Lexer, is_blank};

/// A longer value is no date; looking further would only cost time.
const MAX_DATE_BYTES: usize = 256;

/// A point in time and the zone it was written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailDate {
    /// Seconds since 1970-01-01 00:00:00 UTC.
    pub seconds: i64,
    /// Minutes east of UTC. SEARCH SENTON and its kin compare the day as the sender wrote it: `seconds + 60 * zone`.
    pub zone: i16,
}

/// Reads a Date value.
///
/// ```abnf
/// date-time   = [ day-of-week "," ] date time [CFWS]
/// date        = day month year
/// time        = time-of-day zone
/// time-of-day = hour ":" minute [ ":" second ]
/// zone        = (FWS ( "+" / "-" ) 4DIGIT) / obs-zone
/// ```
///
/// Beyond that grammar and its obsolete forms (comments anywhere, years of two and three digits, named zones) it takes a
/// missing zone as UTC, `asctime` order (`Tue Apr  6 12:00:00 2021`), dashes (`6-Apr-2021`), full month names, zones
/// like `+02:00` and `GMT+2`, and a leap second. mail-parser would make a date of nearly any words (`1 Foo 2021`), which
/// SEARCH SENTSINCE would then believe; that is why this is our own.
#[must_use]
pub fn parse_date(value: &[u8]) -> Option<MailDate> {
    let value = unfold(value);
    let value = &value[..value.len().min(MAX_DATE_BYTES)];
    Parts::read(&without_comments(value)).and_then(Parts::date)
}

/// Reads the date behind the last semicolon of a Received value (RFC 5322, 3.6.7).
#[must_use]
pub fn received_date(value: &[u8]) -> Option<MailDate> {
    parse_date(&value[memchr::memrchr(b';', value)? + 1..])
}

/// What the words of a date turned out to be.
#[derive(Debug, Default)]
struct Parts {
    day: Option<i8>,
    month: Option<i8>,
    year: Option<i16>,
    time: Option<(i8, i8, i8)>,
    zone: Option<i16>,
}

impl Parts {
    /// Sorts the words by their look instead of their place, so that one loop reads all orders.
    fn read(value: &[u8]) -> Option<Self> {
        let mut parts = Self::default();
        let words = value.split(|&byte| matches!(byte, b' ' | b','));
        for word in words.flat_map(split_dashes) {
            parts.word(word)?;
        }
        Some(parts)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        match word.first() {
            None => (),
            Some(b'0'..=b'9') if word.contains(&b':') => {
                let (time, zone) = time_of_day(word)?;
                self.time = Some(time);
                self.zone = self.zone.or(zone);
            }
            Some(b'0'..=b'9') => self.number(word)?,
            Some(b'+' | b'-') => self.zone = self.zone.or(Some(numeric_zone(word)?)),
            Some(_) => self.name(word)?,
        }
        Some(())
    }

    /// A day or a year: the first small number is the day, the next number the year.
    fn number(&mut self, word: &[u8]) -> Option<()> {
        let value = decimal(word)?;
        if self.day.is_none() && word.len() <= 2 {
            self.day = Some(i8::try_from(value).ok()?);
        } else if self.year.is_none() {
            self.year = Some(match (word.len(), value) {
                // RFC 5322, 4.3: two digits are of 1950 to 2049, three count from 1900.
                (..=2, 0..=49) => value + 2000,
                (..=3, _) => value + 1900,
                _ => value,
            });
        }
        Some(())
    }

    fn name(&mut self, word: &[u8]) -> Option<()> {
        if self.month.is_none()
            && let Some(month) = month(word)
        {
            self.month = Some(month);
        } else if is_weekday(word) && self.time.is_none() {
            // The weekday is often wrong and never needed.
        } else if self.time.is_some() {
            self.zone = self.zone.or(Some(named_zone(word)));
        } else {
            return None;
        }
        Some(())
    }

    fn date(self) -> Option<MailDate> {
        let (hour, minute, second) = self.time?;
        civil_date(self.year?, self.month?, self.day?, (hour, minute, second), self.zone.unwrap_or(0))
    }
}

/// The words of a value with one space between them, and none around colons, where RFC 5322, 4.3 allows it.
fn without_comments(value: &[u8]) -> Vec<u8> {
    let mut words = Vec::with_capacity(value.len());
    let mut lexer = Lexer::new(value);
    loop {
        lexer.skip_cfws();
        let word = lexer.take_while(|byte| byte != b'(' && !is_blank(byte));
        if word.is_empty() {
            return words;
        }
        if !word.starts_with(b":") && !words.ends_with(b":") {
            words.push(b' ');
        }
        words.extend_from_slice(word);
    }
}

/// `6-Apr-2021` as three words; words that begin with the sign of a zone stay whole.
fn split_dashes(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = !word.first().is_some_and(u8::is_ascii_digit) || word.contains(&b':');
    word.split(move |&byte| byte == b'-' && !whole)
}

/// `hh:mm[:ss[.fraction]]`, perhaps with a zone glued on.
fn time_of_day(word: &[u8]) -> Option<((i8, i8, i8), Option<i16>)> {
    let zone_at = word.iter().position(|byte| matches!(byte, b'+' | b'-') || byte.is_ascii_alphabetic());
    let (clock, zone) = word.split_at(zone_at.unwrap_or(word.len()));
    let zone = match zone.first() {
        None => None,
        Some(b'+' | b'-') => Some(numeric_zone(zone)?),
        Some(_) => Some(named_zone(zone)),
    };
    let clock = clock.split(|&byte| byte == b'.').next()?;
    let mut numbers = clock.split(|&byte| byte == b':').map(decimal);
    let mut next = |default| numbers.next().unwrap_or(default).and_then(|value| i8::try_from(value).ok());
    // A leap second is the last one of its minute for all our purposes.
    Some(((next(None)?, next(None)?, next(Some(0))?.min(59)), zone))
}

/// `+hhmm`, `+hh:mm` or `+hh`, in minutes.
fn numeric_zone(word: &[u8]) -> Option<i16> {
    let digits: Vec<u8> = word[1..].iter().copied().filter(|&byte| byte != b':').collect();
    let (hours, minutes) = match digits.len() {
        1 | 2 => (decimal(&digits)?, 0),
        4 => (decimal(&digits[..2])?, decimal(&digits[2..])?),
        _ => return None,
    };
    // No place on Earth is further off than 14 hours; `+9999` is a spammer's idea, and the time is then as if in UTC.
    let east = if hours > 24 || minutes > 59 { 0 } else { hours * 60 + minutes };
    Some(if word[0] == b'-' { -east } else { east })
}

/// A named zone, in minutes; all but those of RFC 5322, 4.3 count as `-0000`, which is UTC.
fn named_zone(word: &[u8]) -> i16 {
    let hours = match word.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        other => {
            let offset = other.strip_prefix(b"GMT").or_else(|| other.strip_prefix(b"UTC")).unwrap_or_default();
            return if matches!(offset.first(), Some(b'+' | b'-')) { numeric_zone(offset).unwrap_or(0) } else { 0 };
        }
    };
    hours * 60
}

/// A month by its first three letters.
fn month(word: &[u8]) -> Option<i8> {
    const MONTHS: &[u8] = b"janfebmaraprmayjunjulaugsepoctnovdec";
    let start = word.get(..3)?.to_ascii_lowercase();
    let position = MONTHS.chunks_exact(3).position(|month| month == start)?;
    word.iter().all(u8::is_ascii_alphabetic).then_some(position as i8 + 1)
}

fn is_weekday(word: &[u8]) -> bool {
    word.get(..3).is_some_and(|start| {
        [b"mon", b"tue", b"wed", b"thu", b"fri", b"sat", b"sun"].iter().any(|day| start.eq_ignore_ascii_case(*day))
    })
}

fn decimal(digits: &[u8]) -> Option<i16> {
    if digits.is_empty() || digits.len() > 4 {
        return None;
    }
    digits.iter().try_fold(0_i16, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i16::from(digit - b'0')))
}

fn civil_date(year: i16, month: i8, day: i8, (hour, minute, second): (i8, i8, i8), zone: i16) -> Option<MailDate> {
    let written = civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    let seconds = written.duration_since(civil::date(1970, 1, 1).at(0, 0, 0, 0)).as_secs();
    Some(MailDate { seconds: seconds - 60 * i64::from(zone), zone })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &str, expected: Option<(i64, i16)>) {
        let found = parse_date(value.as_bytes()).map(|date| (date.seconds, date.zone));
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn standard_forms() {
        check("Fri, 21 Nov 1997 09:55:06 -0600", Some((880_127_706, -360)));
        check("Thu, 13 Feb 1969 23:32:54 -0330", Some((-27_723_426, -210)));
        check("1 Jan 1970 00:00:00 +0000", Some((0, 0)));
        check("Tue, 1 Jul 2003 10:52 +0200", Some((1_057_049_520, 120)));
        check(
            "Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)",
            Some((-27_723_480, -210)),
        );
    }

    #[test]
    fn obsolete_forms() {
        check("21 Nov 97 09:55:06 GMT", Some((880_106_106, 0)));
        check("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", Some((880_127_706, -360)));
        check("21 Nov 97 09:55:06 EST", Some((880_124_106, -300)));
        check("21 Nov 102 09:55:06 Z", Some((1_037_872_506, 0)));
        check("1 Jan 49 00:00:00 UT", Some((2_493_072_000, 0)));
        check("(a) Fri (b), (c) 21 (d) Nov (e) 1997 (f) 09:55:06 (g) -0600 (h)", Some((880_127_706, -360)));
    }

    #[test]
    fn forms_of_the_wild() {
        check("Tue Apr  6 12:00:00 2021", Some((1_617_710_400, 0)));
        check("Tue Apr  6 12:00:00 EDT 2021", Some((1_617_724_800, -240)));
        check("6-Apr-2021 12:00:00 +0000", Some((1_617_710_400, 0)));
        check("Tuesday, 6 April 2021 12:00:00 +02:00", Some((1_617_703_200, 120)));
        check("Tue, 6 Apr 2021 12:00:00 GMT+2", Some((1_617_703_200, 120)));
        check("Tue, 6 Apr 2021 12:00:00.123 +0000", Some((1_617_710_400, 0)));
        check("Tue, 6 Apr 2021 12:00:00+0200", Some((1_617_703_200, 120)));
        check("Tue, 6 Apr 2021 12:00:00", Some((1_617_710_400, 0)));
        check("Wed, 31 Dec 2008 23:59:60 +0000", Some((1_230_767_999, 0)));
        check("Tue, 6 Apr 2021 12:00:00 +9999", Some((1_617_710_400, 0)));
        check("Tue, 6 Apr 2021 12:00:00 \"GMT\"", Some((1_617_710_400, 0)));
        check("Fri, 31 Dec 9999 23:59:59 +0000", Some((253_402_300_799, 0)));
    }

    #[test]
    fn what_is_no_date() {
        for value in [
            "",
            "yesterday",
            "31 Feb 2026 00:00:00 +0000",
            "1 Foo 2021 00:00:00 +0000",
            "6 Apr 2021",
            "(((((",
            "\0",
            "6 Apr 99999 12:00:00 +0000",
        ] {
            check(value, None);
        }
        check(&"9".repeat(1 << 20), None);
    }

    #[test]
    fn received() {
        let value = b" from a (b; c) by d\r\n with SMTP id 1;\r\n Tue, 6 Apr 2021 12:00:00 +0200 (CEST)";
        assert_eq!(received_date(value), Some(MailDate { seconds: 1_617_703_200, zone: 120 }));
        assert_eq!(received_date(b"from a"), None);
    }
}
