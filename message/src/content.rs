//! Content-Type, Content-Disposition and Content-Transfer-Encoding values (RFC 2045, 5 and 6; RFC 2183; RFC 2231).

use std::borrow::Cow;

use crate::lexer::{Lexer, is_blank};

mod rfc2231;

/// A media type or a disposition with its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ContentType {
    pub(crate) kind: Vec<u8>,
    pub(crate) subtype: Vec<u8>,
    pub(crate) parameters: Vec<Parameter>,
}

/// One parameter, its value without quoting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

impl ContentType {
    /// Reads a Content-Type value.
    ///
    /// ```abnf
    /// content := "Content-Type" ":" type "/" subtype *(";" parameter)
    /// ```
    ///
    /// `None` if type or subtype is missing: the default then applies (RFC 2045, 5.2).
    pub(crate) fn parse(value: &[u8], limit: usize) -> Option<Self> {
        let mut lexer = Lexer::new(value);
        lexer.skip_cfws();
        let kind = lexer.token();
        lexer.skip_cfws();
        if kind.is_empty() || !lexer.eat(b'/') {
            return None;
        }
        lexer.skip_cfws();
        let subtype = lexer.token();
        if subtype.is_empty() {
            return None;
        }
        Some(Self { kind: kind.to_vec(), subtype: subtype.to_vec(), parameters: parameters(&mut lexer, limit) })
    }

    /// Whether this is `kind/subtype`, in any case.
    pub(crate) fn is(&self, kind: &str, subtype: &str) -> bool {
        self.is_kind(kind) && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }

    /// Whether the type is `kind`, in any case.
    pub(crate) fn is_kind(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind.as_bytes())
    }

    /// The value of the first parameter of this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&[u8]> {
        parameter(&self.parameters, name)
    }

    /// The value of a parameter that may also be written as RFC 2231 has it, without its percent signs.
    pub(crate) fn decoded_parameter(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let extended =
            || parameter(&self.parameters, &format!("{name}*")).map(|value| Cow::Owned(extended_value(value)));
        self.parameter(name).map(Cow::Borrowed).or_else(extended)
    }
}

/// The percent signs of an extended value undone, its charset and language left out.
///
/// ```abnf
/// extended-parameter-value := [charset] "'" [language] "'" *(ext-octet / attribute-char)
/// ```
fn extended_value(value: &[u8]) -> Vec<u8> {
    let mut quotes = memchr::memchr_iter(b'\'', value);
    let mut rest = quotes.nth(1).map_or(value, |second| &value[second + 1..]);
    let mut decoded = Vec::with_capacity(rest.len());
    let digit = |byte: u8| char::from(byte).to_digit(16);
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if let (b'%', [high, low, after @ ..]) = (byte, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            decoded.push((high << 4 | low) as u8);
            rest = after;
        } else {
            decoded.push(byte);
        }
    }
    decoded
}

/// Reads a Content-Disposition value: its type and parameters.
///
/// ```abnf
/// disposition := "Content-Disposition" ":" disposition-type *(";" disposition-parm)
/// ```
pub(crate) fn disposition(value: &[u8], limit: usize) -> Option<(Vec<u8>, Vec<Parameter>)> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let kind = lexer.token();
    let parameters = parameters(&mut lexer, limit);
    // `; filename=x` has no type, but a name to save it under.
    (!kind.is_empty() || !parameters.is_empty()).then(|| (kind.to_vec(), parameters))
}

/// The one token of a value such as that of Content-Transfer-Encoding. `None` if there is none, or if more follows
/// (`8 bit`), since the default then applies; parameters, which some software adds, are no harm.
pub(crate) fn sole_token(value: &[u8]) -> Option<&[u8]> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    let token = lexer.token();
    lexer.skip_cfws();
    Some(token).filter(|token| !token.is_empty() && matches!(lexer.peek(), None | Some(b';')))
}

/// The tokens of a comma-separated list such as Content-Language (RFC 3282).
pub(crate) fn token_list(value: &[u8], limit: usize) -> Vec<&[u8]> {
    let mut lexer = Lexer::new(value);
    let mut tokens = Vec::new();
    while tokens.len() < limit {
        lexer.skip_cfws();
        let token = lexer.token();
        if !token.is_empty() {
            tokens.push(token);
        } else if lexer.bump().is_none() {
            break;
        }
    }
    tokens
}

fn parameter<'a>(parameters: &'a [Parameter], name: &str) -> Option<&'a [u8]> {
    let found = parameters.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name.as_bytes()))?;
    Some(&found.value)
}

/// The parameters from here to the end of the value, pieces of RFC 2231 put together.
///
/// ```abnf
/// parameter := attribute "=" value
/// value     := token / quoted-string
/// ```
///
/// A parameter without `=` is passed over, one without a value is empty. An unquoted value may hold any characters and
/// even spaces (`name=a/b c.txt`), as Cyrus has it, up to a semicolon, or to a word that begins a parameter whose
/// semicolon is missing (`charset=utf-8 format=flowed`).
fn parameters(lexer: &mut Lexer<'_>, limit: usize) -> Vec<Parameter> {
    let mut found = Vec::new();
    let mut at_parameter = skip_to_parameter(lexer);
    while at_parameter && found.len() < limit {
        lexer.skip_cfws();
        // RFC 2231 puts `*` into names, which is a token character.
        let name = lexer.token();
        lexer.skip_cfws();
        if name.is_empty() || !lexer.eat(b'=') {
            at_parameter = skip_to_parameter(lexer);
            continue;
        }
        lexer.skip_cfws();
        let mut value = Vec::new();
        if lexer.eat(b'"') {
            lexer.quoted_string(&mut value);
        } else {
            unquoted_value(lexer, &mut value);
        }
        found.push(Parameter { name: name.to_vec(), value });
        at_parameter = begins_parameter(lexer) || skip_to_parameter(lexer);
    }
    rfc2231::join(found)
}

fn unquoted_value(lexer: &mut Lexer<'_>, value: &mut Vec<u8>) {
    loop {
        value.extend_from_slice(lexer.take_while(|byte| byte != b';' && !is_blank(byte)));
        lexer.skip_cfws();
        if matches!(lexer.peek(), None | Some(b';')) || begins_parameter(lexer) {
            return;
        }
        value.push(b' ');
    }
}

/// Whether a name and an equals sign are next.
fn begins_parameter(lexer: &Lexer<'_>) -> bool {
    let mut ahead = lexer.clone();
    ahead.skip_cfws();
    !ahead.token().is_empty() && ahead.eat(b'=')
}

/// Skips junk and a semicolon; false if there is none.
fn skip_to_parameter(lexer: &mut Lexer<'_>) -> bool {
    loop {
        lexer.skip_cfws();
        lexer.take_while(|byte| !matches!(byte, b';' | b'(' | b'"') && !is_blank(byte));
        match lexer.bump() {
            None => return false,
            Some(b';') => return true,
            Some(b'"') => _ = lexer.quoted_string(&mut Vec::new()),
            Some(_) => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn check(value: &str, expected: Option<(&str, &[(&str, &str)])>) {
        let found = ContentType::parse(value.as_bytes(), Limits::PARAMETERS).map(|content| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let parameters: Vec<_> = content.parameters.iter().map(|p| (text(&p.name), text(&p.value))).collect();
            (format!("{}/{}", text(&content.kind), text(&content.subtype)), parameters)
        });
        let expected = expected.map(|(kind, parameters)| {
            (kind.to_owned(), parameters.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
        });
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn content_types() {
        check(" text/plain; charset=utf-8", Some(("text/plain", &[("charset", "utf-8")])));
        check(
            "Text / HTML ;CHARSET = \"utf-8\" (comment) ; a=b",
            Some(("Text/HTML", &[("CHARSET", "utf-8"), ("a", "b")])),
        );
        check(
            "text/plain (note); (x) charset (y) = (z) us-ascii (Plain text)",
            Some(("text/plain", &[("charset", "us-ascii")])),
        );
        check("multipart/mixed; boundary=\"a\\\"b;c\"", Some(("multipart/mixed", &[("boundary", "a\"b;c")])));
        check("multipart/mixed;\r\n\tboundary=\"a\r\n b\"", Some(("multipart/mixed", &[("boundary", "a b")])));
        check("image/png; name=a/b=c.png", Some(("image/png", &[("name", "a/b=c.png")])));
        check("text/plain; charset; ;; a=; format=flowed", Some(("text/plain", &[("a", ""), ("format", "flowed")])));
        check("text/plain; name=\"never closed; a=b", Some(("text/plain", &[("name", "never closed; a=b")])));
        check(
            "image/png; name=a file (x) .png; a=b c=\"d\" e",
            Some(("image/png", &[("name", "a file .png"), ("a", "b"), ("c", "d")])),
        );
        check("text/plain charset=utf-8; a=b", Some(("text/plain", &[("a", "b")])));
        check("text/plain", Some(("text/plain", &[])));
        for invalid in ["", "text", "/plain", "text/", "text/;charset=x", "=?utf-8?q?x?=", "(", "\0"] {
            check(invalid, None);
        }
    }

    #[test]
    fn extended_parameters() {
        for (value, expected) in [
            ("a/b; boundary=x", Some("x")),
            ("a/b; boundary*=us-ascii'en'a%20b%3D", Some("a b=")),
            ("a/b; boundary*0*=''a%20; boundary*1=b%", Some("a b%")),
            ("a/b; boundary*=no-quotes%zz", Some("no-quotes%zz")),
            ("a/b; boundary*=x; boundary=y", Some("y")),
            ("a/b", None),
        ] {
            let content = ContentType::parse(value.as_bytes(), Limits::PARAMETERS).unwrap();
            assert_eq!(content.decoded_parameter("boundary").as_deref(), expected.map(str::as_bytes), "{value}");
        }
    }

    #[test]
    fn parameters_are_limited() {
        let value = format!("a/b{}", ";x=y".repeat(5000));
        assert_eq!(ContentType::parse(value.as_bytes(), 1000).unwrap().parameters.len(), 1000);
    }

    #[test]
    fn dispositions_tokens_and_lists() {
        let (kind, parameters) = disposition(b" attachment; filename=\"a b.txt\"; size=3", 10).unwrap();
        assert_eq!(
            (kind.as_slice(), parameters.len(), parameter(&parameters, "FILENAME")),
            (&b"attachment"[..], 2, Some(&b"a b.txt"[..]))
        );
        assert_eq!(
            disposition(b"; filename=x", 10).map(|(kind, parameters)| (kind.len(), parameters.len())),
            Some((0, 1))
        );
        assert_eq!(disposition(b";", 10), None);
        for (value, token) in
            [(" (x) Base64 (y)", Some("Base64")), ("base64;", Some("base64")), ("8 bit", None), ("\"x\"", None)]
        {
            assert_eq!(sole_token(value.as_bytes()), token.map(str::as_bytes), "{value}");
        }
        assert_eq!(token_list(b"en, (x) de ,, fr-ca;", 10), [&b"en"[..], b"de", b"fr-ca"]);
        assert_eq!(token_list(b"", 10), [&b""[..]; 0]);
    }
}
