//! The arguments of AUTH (RFC 4954, 4 and 8).

use wire::Secret;

use super::SyntaxError;

/// Longest name of a mechanism (RFC 4422, 3.1).
const MECHANISM: usize = 20;

/// What AUTH says.
#[derive(Debug)]
pub(crate) struct AuthArguments {
    /// The mechanism's name, as it was written.
    pub(crate) mechanism: String,
    /// The initial response in base64, `=` for an empty one. Whether it is base64 is looked at with the rest of the exchange.
    pub(crate) initial: Option<Secret<String>>,
}

/// ```abnf
/// auth-command     = "AUTH" SP sasl-mech [SP initial-response]
/// initial-response = base64 / "="
/// sasl-mech        = 1*20mech-char
/// mech-char        = %x41-5A / DIGIT / "-" / "_"
/// ```
/// Small letters are taken too.
pub(crate) fn auth_arguments(text: &str) -> Result<AuthArguments, SyntaxError> {
    let mut words = text.split(' ');
    let (mechanism, initial) = (words.next().unwrap_or_default(), words.next());
    let is_name = (1..=MECHANISM).contains(&mechanism.len())
        && mechanism.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
    if !is_name || initial == Some("") || words.next().is_some() {
        return Err(SyntaxError::Auth);
    }
    Ok(AuthArguments { mechanism: mechanism.to_owned(), initial: initial.map(|text| Secret::new(text.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments() {
        let check = |text: &str, expected: Result<(&str, Option<&str>), SyntaxError>| {
            let found = auth_arguments(text);
            let found = found.as_ref().map(|found| {
                (found.mechanism.as_str(), found.initial.as_ref().map(|initial| initial.expose().as_str()))
            });
            assert_eq!(found.map_err(Clone::clone), expected, "{text:?}");
        };
        check("PLAIN", Ok(("PLAIN", None)));
        check("plain AGpvZQBzZWNyZXQ=", Ok(("plain", Some("AGpvZQBzZWNyZXQ="))));
        check("SCRAM-SHA-256 =", Ok(("SCRAM-SHA-256", Some("="))));
        check("PLAIN no-base64!", Ok(("PLAIN", Some("no-base64!"))));
        for wrong in ["", " PLAIN", "PLAIN  =", "PLAIN a b", "PLAIN\t=", "PLÄIN", "PL.AIN", &"X".repeat(21)] {
            check(wrong, Err(SyntaxError::Auth));
        }
    }
}
