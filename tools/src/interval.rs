//! Stretches of time as administrators write them: `7`, `7d`, `12h`, `30m`, `90s`, `2w`; bare numbers are days.

use crate::error::CommandError;

/// Seconds of a stretch of time.
///
/// # Errors
/// [`CommandError::Usage`] for anything else.
pub fn seconds(text: &str) -> Result<i64, CommandError> {
    let wrong = || CommandError::Usage(format!("{text:?} is no time: write 7d, 12h, 30m or 90s"));
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = match unit {
        "" | "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        "h" => 3600,
        "m" => 60,
        "s" => 1,
        _ => return Err(wrong()),
    };
    number.parse::<i64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

/// The time so long before `now` (Unix seconds).
pub(crate) fn before(now: i64, seconds: i64) -> i64 {
    now.saturating_sub(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        for (text, expected) in
            [("0", 0), ("7", 604_800), ("7d", 604_800), ("1w", 604_800), ("12h", 43_200), ("90s", 90)]
        {
            assert_eq!(seconds(text).ok(), Some(expected), "{text}");
        }
        for text in ["", "d", "-1", "1y", "1.5", "99999999999999999999", "9999999999999999d"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
