//! Content-Type, Content-Disposition and Content-Transfer-Encoding values (RFC 2045, 5 and 6; RFC 2183; RFC 2231).

use crate::lexer::{Lexer, is_blank, is_token};

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
    if kind.is_empty() {
        return None;
    }
    Some((kind.to_vec(), parameters(&mut lexer, limit)))
}

/// The first token of a value such as that of Content-Transfer-Encoding; `None` if there is none.
pub(crate) fn first_token(value: &[u8]) -> Option<&[u8]> {
    let mut lexer = Lexer::new(value);
    lexer.skip_cfws();
    Some(lexer.token()).filter(|token| !token.is_empty())
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
/// A parameter without `=` is passed over, one without a value is empty, and a value that is neither token nor quoted
/// string (`boundary=a=b`, `name=a/b.txt`) reaches to the next white space or semicolon.
fn parameters(lexer: &mut Lexer<'_>, limit: usize) -> Vec<Parameter> {
    let mut found = Vec::new();
    while found.len() < limit {
        // Whatever else stands before the semicolon is junk.
        loop {
            lexer.skip_cfws();
            lexer.take_while(|byte| !matches!(byte, b';' | b'(' | b'"') && !is_blank(byte));
            match lexer.bump() {
                None => return rfc2231::join(found),
                Some(b';') => break,
                Some(b'"') => _ = lexer.quoted_string(&mut Vec::new()),
                Some(_) => (),
            }
        }
        lexer.skip_cfws();
        // RFC 2231 puts `*` into names, which is a token character.
        let name = lexer.take_while(is_token);
        lexer.skip_cfws();
        if name.is_empty() || !lexer.eat(b'=') {
            continue;
        }
        lexer.skip_cfws();
        let mut value = Vec::new();
        if lexer.eat(b'"') {
            lexer.quoted_string(&mut value);
        } else {
            value.extend_from_slice(lexer.take_while(|byte| byte != b';' && !is_blank(byte)));
        }
        found.push(Parameter { name: name.to_vec(), value });
    }
    rfc2231::join(found)
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
        check("text/plain; name=two words; a=b", Some(("text/plain", &[("name", "two"), ("a", "b")])));
        check("text/plain charset=utf-8; a=b", Some(("text/plain", &[("a", "b")])));
        check("text/plain", Some(("text/plain", &[])));
        for invalid in ["", "text", "/plain", "text/", "text/;charset=x", "=?utf-8?q?x?=", "(", "\0"] {
            check(invalid, None);
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
        assert_eq!(disposition(b"; filename=x", 10), None);
        assert_eq!(first_token(b" (x) Base64 (y)"), Some(&b"Base64"[..]));
        assert_eq!(first_token(b"\"x\""), None);
        assert_eq!(token_list(b"en, (x) de ,, fr-ca;", 10), [&b"en"[..], b"de", b"fr-ca"]);
        assert_eq!(token_list(b"", 10), [&b""[..]; 0]);
    }
}
