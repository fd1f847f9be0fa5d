//! Search filters (RFC 4515), made of parts and never of texts: what somebody typed can only ever be a value.

use std::fmt;

/// A filter. `Display` writes it as RFC 4515, 3 wants it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Filter {
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// The attribute has this value.
    Is(&'static str, String),
    /// The attribute has a value with this in it.
    Contains(&'static str, String),
    /// The attribute has a value that ends with this.
    EndsWith(&'static str, String),
    /// The attribute is there.
    Present(&'static str),
}

impl Filter {
    /// An entry of this class for which `more` holds.
    pub(crate) fn class(class: &str, more: Option<Filter>) -> Filter {
        let class = Filter::Is("objectClass", class.to_owned());
        match more {
            Some(more) => Filter::And(vec![class, more]),
            None => class,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, sign: char, parts: &[Filter]| {
            write!(f, "({sign}")?;
            parts.iter().try_for_each(|part| part.fmt(f))?;
            f.write_str(")")
        };
        match self {
            Filter::And(parts) => list(f, '&', parts),
            Filter::Or(parts) => list(f, '|', parts),
            Filter::Is(attribute, value) => write!(f, "({attribute}={})", Value(value)),
            // Nothing is in every value, and `**` is no filter.
            Filter::Contains(attribute, value) | Filter::EndsWith(attribute, value) if value.is_empty() => {
                Filter::Present(attribute).fmt(f)
            }
            Filter::Contains(attribute, value) => write!(f, "({attribute}=*{}*)", Value(value)),
            Filter::EndsWith(attribute, value) => write!(f, "({attribute}=*{})", Value(value)),
            Filter::Present(attribute) => write!(f, "({attribute}=*)"),
        }
    }
}

/// A value of an assertion. Every octet that is no letter and no digit is written as `\xx`:
///
/// ```abnf
/// assertionvalue = valueencoding
/// valueencoding  = 0*(normal / escaped)
/// escaped        = ESC HEX HEX
/// ```
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().try_for_each(|octet| match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => write!(f, "{}", char::from(octet)),
            _ => write!(f, "\\{octet:02x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_typed_is_a_value() {
        let check = |value: &str, expected: &str| {
            assert_eq!(Filter::Is("uid", value.into()).to_string(), format!("(uid={expected})"));
        };
        check("joe", "joe");
        check("*", r"\2a");
        check("joe)(uid=*", r"joe\29\28uid\3d\2a");
        check("*)(objectClass=*))(|(a=", r"\2a\29\28objectClass\3d\2a\29\29\28\7c\28a\3d");
        check("\\", r"\5c");
        check("a\0b\n", r"a\00b\0a");
        check("ö", r"\c3\b6");
        check("", "");
        let both = Filter::class("x", Some(Filter::Or(vec![Filter::Contains("a", "*".into()), Filter::Present("b")])));
        assert_eq!(both.to_string(), r"(&(objectClass=x)(|(a=*\2a*)(b=*)))");
        assert_eq!(Filter::Contains("mail", String::new()).to_string(), "(mail=*)");
        assert_eq!(Filter::EndsWith("mail", "@b.c".into()).to_string(), r"(mail=*\40b\2ec)");
    }

    proptest! {
        /// Whatever the value is, the filter has the parentheses and the asterisks that we wrote, and is understood.
        #[test]
        fn no_value_is_a_filter(value in "(?s).+") {
            let text = Filter::And(vec![Filter::Is("uid", value.clone()), Filter::Contains("cn", value)]).to_string();
            prop_assert_eq!(text.matches('(').count(), 3);
            prop_assert_eq!(text.matches(')').count(), 3);
            prop_assert_eq!(text.matches('*').count(), 2);
            prop_assert!(ldap3::parse_filter(&text).is_ok());
        }
    }
}
