//! What can be written as an option's value, and how it is read and shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::Value;
use toml::de::DeValue;

/// A type an option can have.
pub(crate) trait Setting: Sized {
    /// What is expected, to follow "expected ".
    const EXPECTED: &'static str;
    /// A value as it is written.
    const EXAMPLE: &'static str;
    /// Whether it is a number, with or without a unit, and so must have bounds.
    const IS_NUMBER: bool = false;

    /// Reads a value; `None` when it is of another TOML type.
    ///
    /// # Errors
    /// What is wrong with a value of the right type.
    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>>;

    /// The value in TOML, `None` when unset.
    fn show(&self) -> Option<Value>;

    /// The number that it is, in its smallest unit; `None` when unset, and for what is none.
    fn number(&self) -> Option<u64> {
        None
    }

    /// A number as it is written, without quotes.
    fn bound(_: &str) -> Option<u64> {
        None
    }

    /// Reads a value.
    ///
    /// # Errors
    /// What was expected and what was found.
    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match Self::parse(value) {
            Some(Ok(read)) => Ok(read),
            Some(Err(problem)) => Err(format!("{problem}; expected {}, for example {}", Self::EXPECTED, Self::EXAMPLE)),
            None => {
                let found = value.type_str();
                Err(format!("found {found}, expected {}, for example {}", Self::EXPECTED, Self::EXAMPLE))
            }
        }
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false without quotes";
    const EXAMPLE: &'static str = "true";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        value.as_bool().map(Ok)
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Boolean(*self))
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number";
    const EXAMPLE: &'static str = "50";
    const IS_NUMBER: bool = true;

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        let number = value.as_integer()?;
        let text = number.as_str();
        let size = if text.starts_with('-') { "small" } else { "large" };
        Some(Self::from_str_radix(text, number.radix()).map_err(|_| format!("{text} is too {size}")))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Integer((*self).into()))
    }

    fn number(&self) -> Option<u64> {
        Some((*self).into())
    }

    fn bound(text: &str) -> Option<u64> {
        text.parse().ok()
    }
}

impl Setting for String {
    const EXPECTED: &'static str = "a string in quotes";
    const EXAMPLE: &'static str = "\"text\"";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        value.as_str().map(|text| Ok(text.to_owned()))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "a path in quotes";
    const EXAMPLE: &'static str = "\"/var/imap\"";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        Some(match value.as_str()? {
            "" => Err("the path is empty".to_owned()),
            path => Ok(path.into()),
        })
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.display().to_string()))
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str = "an IP address and port in quotes";
    const EXAMPLE: &'static str = "\"127.0.0.1:1143\" or \"[::]:143\"";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        let text = value.as_str()?;
        Some(text.parse().map_err(|_| format!("{text:?} is not an address with a port")))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.to_string()))
    }
}

impl Setting for wire::Network {
    const EXPECTED: &'static str = "a network in quotes";
    const EXAMPLE: &'static str = "\"192.0.2.0/24\"";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        let text = value.as_str()?;
        Some(text.parse().map_err(|_| format!("{text:?} is not a network with no bits set behind its prefix")))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.to_string()))
    }
}

impl Setting for pop3d::UidlFormat {
    const EXPECTED: &'static str = "\"cyrus\", \"uidonly\", \"dovecot\", \"courier\", \"uw\" or a form with %u";
    const EXAMPLE: &'static str = "\"%v.%u\"";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        let text = value.as_str()?;
        Some(text.parse().map_err(|problem| format!("{text:?} cannot name messages: {problem}")))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(self.to_string()))
    }
}

impl<T: Setting> Setting for Vec<T> {
    const EXPECTED: &'static str = "a list in square brackets";
    const EXAMPLE: &'static str = "[]";

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        let items = value.as_array()?;
        Some(items.iter().map(|item| T::read(item.get_ref())).collect())
    }

    fn show(&self) -> Option<Value> {
        Some(Value::Array(self.iter().filter_map(T::show).collect()))
    }

    fn read(value: &DeValue<'_>) -> Result<Self, String> {
        match Self::parse(value) {
            Some(read) => read,
            None => {
                let (found, example) = (value.type_str(), T::EXAMPLE.split(" or ").next().unwrap_or_default());
                Err(format!("found {found}, expected {}, for example [{example}]", Self::EXPECTED))
            }
        }
    }
}

impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const EXAMPLE: &'static str = T::EXAMPLE;
    const IS_NUMBER: bool = T::IS_NUMBER;

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        T::parse(value).map(|read| read.map(Some))
    }

    fn show(&self) -> Option<Value> {
        self.as_ref().and_then(T::show)
    }

    fn number(&self) -> Option<u64> {
        self.as_ref().and_then(T::number)
    }

    fn bound(text: &str) -> Option<u64> {
        T::bound(text)
    }
}

/// A size in octets, written with a unit: `"50 MiB"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Size {
    /// Reads a size as it is written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of(text: &str) -> Result<Self, String> {
        with_unit(text, SIZE_UNITS).map(Self)
    }
}

const SIZE_UNITS: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl Setting for Size {
    const EXPECTED: &'static str = "a size in quotes, a number of B, KiB, MiB or GiB";
    const EXAMPLE: &'static str = "\"50 MiB\"";
    const IS_NUMBER: bool = true;

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        Some(Self::of(value.as_str()?))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(in_largest_unit(self.0, SIZE_UNITS, " ")))
    }

    fn number(&self) -> Option<u64> {
        Some(self.0)
    }

    fn bound(text: &str) -> Option<u64> {
        with_unit(text, SIZE_UNITS).ok()
    }
}

/// A length of time, written with a unit: `"30m"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

/// In milliseconds.
const SPAN_UNITS: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl Span {
    pub(crate) const fn days(days: u64) -> Self {
        Self(Duration::from_secs(days * 86_400))
    }

    fn millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Setting for Span {
    const EXPECTED: &'static str = "a time in quotes, a number of ms, s, m, h or d";
    const EXAMPLE: &'static str = "\"30m\"";
    const IS_NUMBER: bool = true;

    fn parse(value: &DeValue<'_>) -> Option<Result<Self, String>> {
        Some(with_unit(value.as_str()?, SPAN_UNITS).map(|millis| Self(Duration::from_millis(millis))))
    }

    fn show(&self) -> Option<Value> {
        Some(Value::String(in_largest_unit(self.millis(), SPAN_UNITS, "")))
    }

    fn number(&self) -> Option<u64> {
        Some(self.millis())
    }

    fn bound(text: &str) -> Option<u64> {
        with_unit(text, SPAN_UNITS).ok()
    }
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Result<u64, String> {
    let count = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    if text.strip_prefix('-').is_some_and(|rest| count(rest) > 0) {
        return Err(format!("{text:?} is too small"));
    }
    let (number, unit) = match count(text) {
        0 => return Err(format!("{text:?} does not begin with a number")),
        digits => text.split_at(digits),
    };
    let number: u64 = number.parse().map_err(|_| format!("{text:?} is too large"))?;
    let unit = unit.trim_start();
    let factor = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
    let factor = factor.ok_or_else(|| match unit {
        "" => format!("{text:?} has no unit"),
        unit => format!("unknown unit {unit:?}"),
    })?;
    number.checked_mul(factor).ok_or_else(|| format!("{text:?} is too large"))
}

fn in_largest_unit(value: u64, units: &[(&str, u64)], between: &str) -> String {
    let fits = units.iter().find(|(_, factor)| value > 0 && value.is_multiple_of(*factor));
    let (name, factor) = fits.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{between}{name}", value / factor)
}

/// Defines an option that is one of a few words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident: $expected:literal, $example:literal { $( $(#[$variant_meta:meta])* $variant:ident = $word:literal, )* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $name { $( $(#[$variant_meta])* $variant, )* }

        impl $crate::config::value::Setting for $name {
            const EXPECTED: &'static str = $expected;
            const EXAMPLE: &'static str = $example;

            fn parse(value: &toml::de::DeValue<'_>) -> Option<Result<Self, String>> {
                Some(match value.as_str()? {
                    $( $word => Ok(Self::$variant), )*
                    other => Err(format!("unknown value {other:?}")),
                })
            }

            fn show(&self) -> Option<toml::Value> {
                let word = match self { $( Self::$variant => $word, )* };
                Some(toml::Value::String(word.to_owned()))
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Setting>(text: &str) -> Result<T, String> {
        T::read(DeValue::parse(text).unwrap().get_ref())
    }

    #[test]
    fn sizes_and_times() {
        for (text, expected) in [("\"50 MiB\"", 50 << 20), ("\"1KiB\"", 1024), ("\"7 b\"", 7), ("\"0 B\"", 0)] {
            assert_eq!(read::<Size>(text), Ok(Size(expected)), "{text}");
        }
        for text in ["\"50\"", "\"MiB\"", "\"-1 B\"", "\"1.5 GiB\"", "\"1 TB\"", "\"99999999999999 GiB\"", "50", "\"\""]
        {
            assert!(read::<Size>(text).unwrap_err().contains("expected a size"), "{text}");
        }
        for (text, seconds) in [("\"30m\"", 1800), ("\"3d\"", 259_200), ("\"90 s\"", 90), ("\"1h\"", 3600)] {
            assert_eq!(read::<Span>(text), Ok(Span(Duration::from_secs(seconds))), "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_read() {
        for size in [0, 1, 1023, 1024, 1 << 20, 50 << 20, (1 << 30) + 1] {
            let shown = Size(size).show().unwrap().to_string();
            assert_eq!(read::<Size>(&shown), Ok(Size(size)), "{shown}");
        }
        for millis in [0, 1, 500, 1000, 1500, 59_000, 60_000, 3_600_000, 86_400_000, 90_061_000] {
            let span = Span(Duration::from_millis(millis));
            assert_eq!(read::<Span>(&span.show().unwrap().to_string()), Ok(span));
        }
        let list: Vec<SocketAddr> = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        assert_eq!(read::<Vec<SocketAddr>>(&list.show().unwrap().to_string()), Ok(list));
    }

    #[test]
    fn wrong_values_are_explained() {
        let rows: &[(Result<(), String>, &str)] = &[
            (
                read::<bool>("\"yes\"").map(drop),
                "found string, expected true or false without quotes, for example true",
            ),
            (read::<u32>("-1").map(drop), "-1 is too small; expected a whole number, for example 50"),
            (
                read::<Vec<SocketAddr>>("\"127.0.0.1:1143\"").map(drop),
                "found string, expected a list in square brackets, for example [\"127.0.0.1:1143\"]",
            ),
            (
                read::<Vec<SocketAddr>>("[\"localhost\"]").map(drop),
                "\"localhost\" is not an address with a port; expected an IP address and port in quotes, for example \
                 \"127.0.0.1:1143\" or \"[::]:143\"",
            ),
        ];
        for (found, expected) in rows {
            assert_eq!(found.as_ref().unwrap_err(), expected);
        }
    }
}
