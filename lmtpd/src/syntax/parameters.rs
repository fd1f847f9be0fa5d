//! Parameters of MAIL and RCPT, and the arguments of BDAT.

use nom::bytes::complete::{take_while, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{all_consuming, opt, recognize};
use nom::multi::many0;
use nom::sequence::preceded;
use nom::{IResult, Parser};

use super::SyntaxError;

/// What MAIL may say beside the sender.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MailParameters {
    /// `SIZE=`: the message's size as the client knows it (RFC 1870); 0 when not given.
    pub(crate) size: u64,
    /// `SMTPUTF8` (RFC 6531).
    pub(crate) utf8: bool,
    /// `AUTH=`: who submitted the message (RFC 4954, 5), if the client says. An empty text is `AUTH=<>`.
    pub(crate) submitter: Option<String>,
}

/// What RCPT may say beside the recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RcptParameters {
    /// `IGNOREQUOTA`: an extension of Cyrus; deliver although the mailbox is full.
    pub(crate) ignore_quota: bool,
}

/// What BDAT says (RFC 3030, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BdatArguments {
    /// Octets that follow the command's line.
    pub(crate) size: u64,
    /// Whether the message ends with them.
    pub(crate) last: bool,
}

impl MailParameters {
    /// Reads what follows the reverse path.
    ///
    /// ```abnf
    /// mail-parameter = "SIZE=" 1*20DIGIT / "BODY=" ("7BIT" / "8BITMIME") / "SMTPUTF8" / "AUTH=" (xtext / "<>")
    /// ```
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parameters = Self::default();
        let (mut size, mut body) = (None, None);
        for (keyword, value) in list(text)? {
            match (keyword.to_ascii_uppercase().as_str(), value) {
                ("SIZE", value) => {
                    let number = value.and_then(number).ok_or(SyntaxError::ParameterValue("SIZE"))?;
                    once("SIZE", &mut size, number)?;
                }
                ("BODY", Some(value)) if ["7BIT", "8BITMIME"].iter().any(|known| known.eq_ignore_ascii_case(value)) => {
                    once("BODY", &mut body, ())?;
                }
                ("BODY", _) => return Err(SyntaxError::ParameterValue("BODY")),
                ("SMTPUTF8", None) if !parameters.utf8 => parameters.utf8 = true,
                ("SMTPUTF8", _) => return Err(SyntaxError::ParameterValue("SMTPUTF8")),
                ("AUTH", value) => {
                    let text = value.and_then(submitter).ok_or(SyntaxError::ParameterValue("AUTH"))?;
                    once("AUTH", &mut parameters.submitter, text)?;
                }
                (unknown, _) => return Err(SyntaxError::UnknownParameter(unknown.to_owned())),
            }
        }
        parameters.size = size.unwrap_or(0);
        Ok(parameters)
    }
}

impl RcptParameters {
    /// Reads what follows the forward path.
    ///
    /// ```abnf
    /// rcpt-parameter = "IGNOREQUOTA"
    /// ```
    pub(crate) fn parse(text: &str) -> Result<Self, SyntaxError> {
        let mut parameters = Self::default();
        for (keyword, value) in list(text)? {
            match (keyword.to_ascii_uppercase().as_str(), value) {
                ("IGNOREQUOTA", None) if !parameters.ignore_quota => parameters.ignore_quota = true,
                ("IGNOREQUOTA", _) => return Err(SyntaxError::ParameterValue("IGNOREQUOTA")),
                (unknown, _) => return Err(SyntaxError::UnknownParameter(unknown.to_owned())),
            }
        }
        Ok(parameters)
    }
}

/// ```abnf
/// bdat-cmd   = "BDAT" SP chunk-size [ SP end-marker ] CRLF
/// chunk-size = 1*DIGIT
/// end-marker = "LAST"
/// ```
pub(crate) fn bdat_arguments(text: &str) -> Result<BdatArguments, SyntaxError> {
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let size = words.next().and_then(number).ok_or(SyntaxError::Bdat)?;
    let last = match words.next() {
        None => false,
        Some(word) if word.eq_ignore_ascii_case("LAST") => true,
        Some(_) => return Err(SyntaxError::Bdat),
    };
    if words.next().is_some() { Err(SyntaxError::Bdat) } else { Ok(BdatArguments { size, last }) }
}

/// ```abnf
/// parameters    = *(1*SP esmtp-param) *SP
/// esmtp-param   = esmtp-keyword ["=" esmtp-value]
/// esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// esmtp-value   = 1*(%d33-60 / %d62-126 / UTF8-non-ascii)
/// ```
fn list(text: &str) -> Result<Vec<(&str, Option<&str>)>, SyntaxError> {
    let blanks = take_while1(|c| c == ' ');
    let result: IResult<&str, _> = all_consuming(many0(preceded(blanks, parameter))).parse(text.trim_end_matches(' '));
    result.map(|(_, list)| list).map_err(|_| SyntaxError::Parameters)
}

fn parameter(input: &str) -> IResult<&str, (&str, Option<&str>)> {
    let first = satisfy(|c| c.is_ascii_alphanumeric());
    let keyword = recognize((first, take_while(|c: char| c.is_ascii_alphanumeric() || c == '-')));
    // A value may hold "=": AUTH=<> and base64 do in practice, whatever the grammar says.
    let value = take_while1(|c: char| c.is_ascii_graphic() || (!c.is_ascii() && !c.is_control()));
    (keyword, opt(preceded(char('='), value))).parse(input)
}

fn once<T>(keyword: &'static str, slot: &mut Option<T>, value: T) -> Result<(), SyntaxError> {
    if slot.replace(value).is_some() { Err(SyntaxError::ParameterValue(keyword)) } else { Ok(()) }
}

/// ```abnf
/// size-value = 1*20DIGIT
/// ```
fn number(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// ```abnf
/// xtext   = *( xchar / hexchar )
/// xchar   = %d33-42 / %d44-60 / %d62-126
/// hexchar = "+" 2(%d48-57 / %d65-70)
/// ```
fn submitter(text: &str) -> Option<String> {
    if text == "<>" {
        return Some(String::new());
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => {
                let (pair, after) = rest.split_at_checked(2)?;
                let hex = std::str::from_utf8(pair)
                    .ok()
                    .filter(|hex| hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')))?;
                decoded.push(u8::from_str_radix(hex, 16).ok()?);
                rest = after;
            }
            b'=' => return None,
            byte => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).ok().filter(|text| !text.is_empty() && !text.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail() {
        let parameters = |size, utf8, submitter: Option<&str>| {
            Ok(MailParameters { size, utf8, submitter: submitter.map(str::to_owned) })
        };
        let unknown = |keyword: &str| Err(SyntaxError::UnknownParameter(keyword.to_owned()));
        let value = |keyword| Err(SyntaxError::ParameterValue(keyword));
        let rows = [
            ("", parameters(0, false, None)),
            ("  ", parameters(0, false, None)),
            (" SIZE=1234", parameters(1234, false, None)),
            (" size=1234  body=8bitmime", parameters(1234, false, None)),
            (" SMTPUTF8 BODY=7BIT", parameters(0, true, None)),
            (" AUTH=<>", parameters(0, false, Some(""))),
            (" AUTH=joe+2Bx+40example.com", parameters(0, false, Some("joe+x@example.com"))),
            (" SIZE=18446744073709551615", parameters(u64::MAX, false, None)),
            (" SIZE=18446744073709551616", value("SIZE")),
            (" SIZE=", Err(SyntaxError::Parameters)),
            (" SIZE", value("SIZE")),
            (" SIZE=-1", value("SIZE")),
            (" SIZE=1 SIZE=1", value("SIZE")),
            (" BODY=BINARYMIME", value("BODY")),
            (" BODY=7BIT BODY=7BIT", value("BODY")),
            (" SMTPUTF8 SMTPUTF8", value("SMTPUTF8")),
            (" SMTPUTF8=1", value("SMTPUTF8")),
            (" AUTH=a+", value("AUTH")),
            (" AUTH=a+2", value("AUTH")),
            (" AUTH=a+zz", value("AUTH")),
            (" AUTH=a+0A", value("AUTH")),
            (" AUTH=+FF", value("AUTH")),
            (" RET=FULL", unknown("RET")),
            (" x-y=1", unknown("X-Y")),
            ("SIZE=1", Err(SyntaxError::Parameters)),
            (" =1", Err(SyntaxError::Parameters)),
            (" a b=\u{7f}", Err(SyntaxError::Parameters)),
        ];
        for (input, expected) in rows {
            assert_eq!(MailParameters::parse(input), expected, "{input}");
        }
    }

    #[test]
    fn rcpt() {
        assert_eq!(RcptParameters::parse(""), Ok(RcptParameters { ignore_quota: false }));
        assert_eq!(RcptParameters::parse(" ignorequota"), Ok(RcptParameters { ignore_quota: true }));
        assert_eq!(RcptParameters::parse(" IGNOREQUOTA=1"), Err(SyntaxError::ParameterValue("IGNOREQUOTA")));
        assert_eq!(RcptParameters::parse(" NOTIFY=NEVER"), Err(SyntaxError::UnknownParameter("NOTIFY".to_owned())));
        assert_eq!(
            RcptParameters::parse(&format!(" IGNOREQUOTA{}", " IGNOREQUOTA".repeat(100_000))),
            Err(SyntaxError::ParameterValue("IGNOREQUOTA"))
        );
    }

    #[test]
    fn bdat() {
        let ok = |size, last| Ok(BdatArguments { size, last });
        let rows = [
            ("0", ok(0, false)),
            ("0 LAST", ok(0, true)),
            ("86 last", ok(86, true)),
            ("4294967296 LAST", ok(4_294_967_296, true)),
            ("", Err(SyntaxError::Bdat)),
            ("LAST", Err(SyntaxError::Bdat)),
            ("-1", Err(SyntaxError::Bdat)),
            ("+1", Err(SyntaxError::Bdat)),
            ("1 FIRST", Err(SyntaxError::Bdat)),
            ("1 LAST LAST", Err(SyntaxError::Bdat)),
            ("99999999999999999999", Err(SyntaxError::Bdat)),
        ];
        for (input, expected) in rows {
            assert_eq!(bdat_arguments(input), expected, "{input:?}");
        }
    }
}
