//! Paths and addresses (RFC 5321, 4.1.2, with the UTF-8 of RFC 6531, 3.3).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use nom::branch::alt;
use nom::bytes::complete::{is_not, tag, tag_no_case, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{map, opt, recognize, value, verify};
use nom::multi::{fold_many0, separated_list1};
use nom::sequence::{delimited, preceded, terminated};
use nom::{IResult, Parser};

use super::SyntaxError;
use super::quirks::{quirk_dot_string, quirk_no_domain, quirk_space_after_colon};
use crate::limits;

/// An address with its quoting resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The local part as meant: without quotes and backslashes. May be empty (`<""@example.com>`).
    pub(crate) local: String,
    /// What follows the `@`, if there was one.
    pub(crate) domain: Option<Domain>,
}

/// The right-hand side of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Domain {
    /// A name, ASCII letters folded to lower case.
    Name(String),
    /// An address literal, brackets included.
    Literal(String),
}

impl Address {
    /// Whether the address can be used without SMTPUTF8.
    pub(crate) fn is_ascii(&self) -> bool {
        self.local.is_ascii()
            && self.domain.as_ref().is_none_or(|domain| match domain {
                Domain::Name(text) | Domain::Literal(text) => text.is_ascii(),
            })
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(text) | Self::Literal(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Address {
    /// The address as it stands in a path or a header field, quoted where it must be.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain =
            !self.local.is_empty() && self.local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext));
        if plain {
            f.write_str(&self.local)?;
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        match &self.domain {
            Some(domain) => write!(f, "@{domain}"),
            None => Ok(()),
        }
    }
}

/// The sender of `MAIL`'s arguments, and what follows it. `None` is the null sender.
///
/// ```abnf
/// mail-arguments = "FROM:" Reverse-path [SP Mail-parameters]
/// Reverse-path   = Path / "<>"
/// ```
pub(crate) fn reverse_path(arguments: &str) -> Result<(Option<Address>, &str), SyntaxError> {
    let (path_on, _) = keyword("FROM:", arguments).map_err(|_| SyntaxError::Mail)?;
    let null = map(tag::<_, _, nom::error::Error<&str>>("<>"), |_| None);
    let (rest, sender) = alt((null, map(path, Some))).parse(path_on).map_err(|_| SyntaxError::Sender)?;
    check_length(path_on, rest)?;
    Ok((sender, rest))
}

/// The recipient of `RCPT`'s arguments, and what follows it.
///
/// ```abnf
/// rcpt-arguments = "TO:" Forward-path [SP Rcpt-parameters]
/// Forward-path   = Path
/// ```
pub(crate) fn forward_path(arguments: &str) -> Result<(Address, &str), SyntaxError> {
    let (path_on, _) = keyword("TO:", arguments).map_err(|_| SyntaxError::Rcpt)?;
    let (rest, recipient) = path(path_on).map_err(|_| SyntaxError::Recipient)?;
    check_length(path_on, rest)?;
    Ok((recipient, rest))
}

/// LHLO's argument.
///
/// ```abnf
/// lhlo-argument = Domain / address-literal
/// ```
pub(crate) fn client_name(argument: &str) -> Option<String> {
    let (rest, name) = alt((domain, literal)).parse(argument.trim_end_matches(' ')).ok()?;
    rest.is_empty().then(|| name.to_string())
}

/// ```abnf
/// atext = ALPHA / DIGIT / "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "/" / "=" / "?" / "^" / "_" / "`" /
///         "{" / "|" / "}" / "~" / UTF8-non-ascii
/// ```
pub(super) fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_printable_utf8(c)
}

fn keyword<'a>(word: &'static str, input: &'a str) -> IResult<&'a str, ()> {
    terminated(value((), tag_no_case(word)), quirk_space_after_colon).parse(input)
}

fn check_length(from: &str, rest: &str) -> Result<(), SyntaxError> {
    if from.len() - rest.len() > limits::PATH { Err(SyntaxError::TooLong) } else { Ok(()) }
}

/// A source route is read and dropped (RFC 5321, 4.1.1.3).
///
/// ```abnf
/// Path      = "<" [ A-d-l ":" ] Mailbox ">"
/// A-d-l     = At-domain *( "," At-domain )
/// At-domain = "@" Domain
/// ```
fn path(input: &str) -> IResult<&str, Address> {
    let route = terminated(separated_list1(char(','), preceded(char('@'), domain)), char(':'));
    delimited(char('<'), preceded(opt(route), mailbox), char('>')).parse(input)
}

/// ```abnf
/// Mailbox = Local-part "@" ( Domain / address-literal )
/// ```
fn mailbox(input: &str) -> IResult<&str, Address> {
    let right = alt((map(preceded(char('@'), alt((domain, literal))), Some), value(None, quirk_no_domain)));
    map((local_part, right), |(local, domain)| Address { local, domain }).parse(input)
}

/// ```abnf
/// Local-part     = Dot-string / Quoted-string
/// Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
/// QcontentSMTP   = qtextSMTP / quoted-pairSMTP
/// quoted-pairSMTP = %d92 %d32-126
/// qtextSMTP      = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
/// ```
fn local_part(input: &str) -> IResult<&str, String> {
    let qtext = verify(is_not("\"\\"), |text: &str| text.chars().all(is_quotable));
    let pair = recognize(preceded(char('\\'), satisfy(|c| matches!(c, ' '..='~'))));
    let content = fold_many0(alt((qtext, pair)), String::new, |mut text: String, piece: &str| {
        text.push_str(piece.strip_prefix('\\').unwrap_or(piece));
        text
    });
    alt((map(quirk_dot_string, str::to_owned), delimited(char('"'), content, char('"')))).parse(input)
}

/// Underscores are taken too: they stand in host names that exist.
///
/// ```abnf
/// Domain     = sub-domain *("." sub-domain)
/// sub-domain = Let-dig [Ldh-str] / U-label
/// ```
fn domain(input: &str) -> IResult<&str, Domain> {
    let label = verify(
        take_while1(|c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_') || is_printable_utf8(c)),
        |label: &str| !label.starts_with('-') && !label.ends_with('-'),
    );
    let name = verify(recognize(separated_list1(char('.'), label)), |name: &str| name.len() <= limits::DOMAIN);
    map(name, |name: &str| Domain::Name(name.to_ascii_lowercase())).parse(input)
}

/// ```abnf
/// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
/// IPv6-address-literal    = "IPv6:" IPv6-addr
/// General-address-literal = Standardized-tag ":" 1*dcontent
/// ```
fn literal(input: &str) -> IResult<&str, Domain> {
    let dcontent = take_while1(|c: char| c.is_ascii_graphic() && !matches!(c, '[' | ']' | '\\'));
    let inside = verify(dcontent, |text: &str| match text.split_once(':') {
        None => text.parse::<Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => !content.is_empty() && is_tag(tag),
    });
    let bracketed =
        verify(recognize(delimited(char('['), inside, char(']'))), |text: &str| text.len() <= limits::DOMAIN);
    map(bracketed, |text: &str| Domain::Literal(text.to_owned())).parse(input)
}

fn is_tag(tag: &str) -> bool {
    tag.ends_with(|c: char| c.is_ascii_alphanumeric()) && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// C1 controls and the line and paragraph separators look like nothing and end up in header fields and logs.
fn is_printable_utf8(c: char) -> bool {
    !c.is_ascii() && !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn is_quotable(c: char) -> bool {
    matches!(c, ' '..='~') || is_printable_utf8(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipient(path: &str) -> Result<String, SyntaxError> {
        forward_path(&format!("TO:{path}")).map(|(address, rest)| format!("{address}{rest}"))
    }

    #[test]
    fn forward_paths() {
        let long_local = "x".repeat(limits::PATH);
        let rows: &[(&str, Result<&str, SyntaxError>)] = &[
            ("<joe@example.com>", Ok("joe@example.com")),
            ("<Joe@EXAMPLE.com>", Ok("Joe@example.com")),
            (" <joe@example.com>", Ok("joe@example.com")),
            ("<joe@example.com> SIZE=1", Ok("joe@example.com SIZE=1")),
            ("<@a.org,@b.org:joe@example.com>", Ok("joe@example.com")),
            ("<@a.org:joe@example.com>", Ok("joe@example.com")),
            ("<joe>", Ok("joe")),
            ("<Postmaster>", Ok("Postmaster")),
            ("<joe+Lists/rust@example.com>", Ok("joe+Lists/rust@example.com")),
            ("<+team/x@example.com>", Ok("+team/x@example.com")),
            ("<\"joe smith\"@example.com>", Ok("\"joe smith\"@example.com")),
            ("<\"joe\"@example.com>", Ok("joe@example.com")),
            ("<\"a\\\"b\\\\c\"@example.com>", Ok("\"a\\\"b\\\\c\"@example.com")),
            ("<\"a@b>\"@example.com>", Ok("\"a@b>\"@example.com")),
            ("<\"\"@x>", Ok("\"\"@x")),
            ("<a..b@example.com>", Ok("\"a..b\"@example.com")),
            ("<joe@[127.0.0.1]>", Ok("joe@[127.0.0.1]")),
            ("<joe@[IPv6:::1]>", Ok("joe@[IPv6:::1]")),
            ("<joe@[x-tag:anything]>", Ok("joe@[x-tag:anything]")),
            ("<jürgen@bücher.example>", Ok("jürgen@bücher.example")),
            ("<>", Err(SyntaxError::Recipient)),
            ("joe@example.com", Err(SyntaxError::Recipient)),
            ("<joe@example.com", Err(SyntaxError::Recipient)),
            ("<joe@>", Err(SyntaxError::Recipient)),
            ("<@example.com>", Err(SyntaxError::Recipient)),
            ("<joe@example..com>", Err(SyntaxError::Recipient)),
            ("<joe@-example.com>", Err(SyntaxError::Recipient)),
            ("<joe@[127.0.0.256]>", Err(SyntaxError::Recipient)),
            ("<joe@[IPv6:zz]>", Err(SyntaxError::Recipient)),
            ("<joe smith@example.com>", Err(SyntaxError::Recipient)),
            ("<\"joe@example.com>", Err(SyntaxError::Recipient)),
            ("<\"joe\\", Err(SyntaxError::Recipient)),
            ("<\"a\u{7f}\"@example.com>", Err(SyntaxError::Recipient)),
            ("<a\u{85}@example.com>", Err(SyntaxError::Recipient)),
            ("<@a,@b:c@d", Err(SyntaxError::Recipient)),
        ];
        for (input, expected) in rows {
            assert_eq!(recipient(input), expected.clone().map(str::to_owned), "{input}");
        }
        assert_eq!(recipient(&format!("<{long_local}@x>")), Err(SyntaxError::TooLong));
        assert_eq!(forward_path("<joe@example.com>"), Err(SyntaxError::Rcpt));
    }

    #[test]
    fn reverse_paths() {
        let sender = |path: &str| reverse_path(path).map(|(address, _)| address.map(|address| address.to_string()));
        assert_eq!(sender("FROM:<>"), Ok(None));
        assert_eq!(sender("from:<> BODY=8BITMIME"), Ok(None));
        assert_eq!(sender("FROM:<bob@example.org>"), Ok(Some("bob@example.org".to_owned())));
        assert_eq!(sender("FROM:<@a:bob@example.org>"), Ok(Some("bob@example.org".to_owned())));
        assert_eq!(sender("FROM:< >"), Err(SyntaxError::Sender));
        assert_eq!(sender("FORM:<>"), Err(SyntaxError::Mail));
        assert_eq!(sender(""), Err(SyntaxError::Mail));
    }

    #[test]
    fn client_names() {
        for (input, expected) in [
            ("mx.Example.com", Some("mx.example.com")),
            ("localhost ", Some("localhost")),
            ("[127.0.0.1]", Some("[127.0.0.1]")),
            ("", None),
            ("a b", None),
            ("a\tb", None),
            ("(comment)", None),
        ] {
            assert_eq!(client_name(input).as_deref(), expected, "{input}");
        }
    }

    #[test]
    fn long_routes_take_linear_time() {
        let route = |n: usize| format!("TO:<{}@z:x@y>", "@a,".repeat(n));
        assert_eq!(forward_path(&route(100)).map(|(address, _)| address.to_string()), Ok("x@y".to_owned()));
        assert_eq!(forward_path(&route(100_000)), Err(SyntaxError::TooLong));
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_is_read_back(local in "[ -~äß日]{0,40}", name in "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,3}") {
            let address = Address { local, domain: Some(Domain::Name(name)) };
            let line = format!("TO:<{address}>");
            proptest::prop_assert_eq!(forward_path(&line), Ok((address, "")));
        }

        #[test]
        fn nothing_panics(line in "\\PC{0,200}") {
            let _ = forward_path(&line);
            let _ = reverse_path(&line);
            let _ = client_name(&line);
        }
    }
}
