//! The line that begins a message in an mbox file (RFC 4155, appendix A), as programs have written it for fifty years.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use mailstore::Timestamp;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Zones that stand in the line by name. Others count as UTC, which is what it should have been (RFC 4155).
const ZONES: [(&str, i16); 10] = [
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("MET", 60),
    ("CET", 60),
];

/// The date of a From_ line; nothing if `line` is none. The date is what tells it from a sentence that begins with
/// "From": a message that was not quoted properly must not be cut in two.
///
/// ```abnf
/// from-line = "From " [sender SP] day SP month SP mday SP time [SP zone] SP year [SP zone] [SP "remote from" ...] line-end
/// time      = 1*2DIGIT ":" 2DIGIT [":" 2DIGIT]
/// zone      = ("+" / "-") 4DIGIT / 1*ALPHA
/// ```
pub(crate) fn from_line(line: &[u8]) -> Option<Timestamp> {
    let text = line.strip_prefix(b"From ")?;
    let text = String::from_utf8_lossy(text);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    // From the end: a sender may look like anything.
    (0..words.len()).rev().find_map(|at| date(&words[at..]))
}

fn date(words: &[&str]) -> Option<Timestamp> {
    let [day, month, mday, time, rest @ ..] = words else { return None };
    if !DAYS.contains(&day.trim_end_matches(',')) {
        return None;
    }
    let month = i8::try_from(MONTHS.iter().position(|name| name == month)? + 1).ok()?;
    let mday: i8 = mday.parse().ok()?;
    let (hour, minute, second) = clock(time)?;
    let (year, zone) = match rest {
        [year, zone, ..] if is_year(year) => (year, Some(zone)),
        [year] if is_year(year) => (year, None),
        [zone, year, ..] if is_year(year) => (year, Some(zone)),
        _ => return None,
    };
    let civil = DateTime::new(year.parse().ok()?, month, mday, hour, minute, second, 0).ok()?;
    let zone_minutes = zone.map_or(0, |zone| minutes(zone));
    let seconds = civil.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second() - i64::from(zone_minutes) * 60;
    Some(Timestamp { seconds, zone_minutes })
}

fn is_year(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn clock(word: &str) -> Option<(i8, i8, i8)> {
    let mut parts = word.split(':').map(|part| part.parse::<i8>().ok().filter(|_| (1..=2).contains(&part.len())));
    let time = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    // A leap second is the second before it.
    parts.next().is_none().then_some((time.0, time.1, time.2.min(59)))
}

fn minutes(zone: &str) -> i16 {
    let numeric = || {
        let (sign, digits) = zone.split_at_checked(1)?;
        let number: i16 = digits.parse().ok().filter(|_| digits.len() == 4)?;
        let minutes = (number / 100) * 60 + number % 100;
        match sign {
            "+" if minutes < 24 * 60 => Some(minutes),
            "-" if minutes < 24 * 60 => Some(-minutes),
            _ => None,
        }
    };
    let named = || ZONES.iter().find(|(name, _)| *name == zone).map(|(_, minutes)| *minutes);
    numeric().or_else(named).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_lines() {
        let rows: [(&str, Option<(i64, i16)>); 22] = [
            ("From joe@example.com Sun Nov 22 20:34:06 2026", Some((1_795_379_646, 0))),
            ("From joe@example.com Sun Nov 22 20:34:06 2026\r\n", Some((1_795_379_646, 0))),
            ("From joe@example.com  Sun Nov  1 20:34 2026", Some((1_793_565_240, 0))),
            ("From joe Sun Nov 22 21:34:06 2026 +0100", Some((1_795_379_646, 60))),
            ("From joe Sun Nov 22 21:34:06 +0100 2026", Some((1_795_379_646, 60))),
            ("From joe Sun Nov 22 15:34:06 EST 2026", Some((1_795_379_646, -300))),
            ("From joe Sun Nov 22 20:34:06 2026 remote from uunet", Some((1_795_379_646, 0))),
            ("From - Sun Nov 22 20:34:06 2026", Some((1_795_379_646, 0))),
            ("From \"joe smith\"@example.com Sun Nov 22 20:34:06 2026", Some((1_795_379_646, 0))),
            ("From MAILER-DAEMON Thu Jan  1 00:00:00 1970", Some((0, 0))),
            ("From Sun Nov 22 20:34:06 2026", Some((1_795_379_646, 0))),
            ("From joe Sat Dec 31 23:59:60 2016", Some((1_483_228_799, 0))),
            ("From here on it gets worse.", None),
            ("From joe@example.com", None),
            ("From joe Sun Nov 32 20:34:06 2026", None),
            ("From joe Sun Feb 30 20:34:06 2026", None),
            ("From joe Sun Nov 22 25:34:06 2026", None),
            ("From joe Sun Nov 22 20:34:06:01 2026", None),
            ("From joe Sun Nov 22 20:34:06 26", None),
            ("From: joe Sun Nov 22 20:34:06 2026", None),
            (">From joe Sun Nov 22 20:34:06 2026", None),
            ("", None),
        ];
        for (line, expected) in rows {
            let got = from_line(line.as_bytes()).map(|date| (date.seconds, date.zone_minutes));
            assert_eq!(got, expected, "{line}");
        }
    }
}
