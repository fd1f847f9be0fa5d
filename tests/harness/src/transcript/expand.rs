//! What a script's text stands for: variables, expressions, byte escapes and literals.
//!
//! ```abnf
//! variable   = "$" name / "${" expression "}"
//! expression = name [("+" / "-") number] / "size" 1*(SP message) / "raw" SP message / "stuffed" SP message
//!            / "base64" SP text / "repeat" SP number SP text
//! literal    = "{" ["+"] ("=" text / "@" message) "}"
//! escape     = "\x" 2HEXDIG        ; and, within a literal, \r \n \t \\
//! ```

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::lmtp::stuffed;

/// The values a script's names have by now.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Bound by `$name` in a reply, or before the script began.
    pub(super) variables: BTreeMap<String, Vec<u8>>,
    /// The script's messages.
    pub(super) messages: BTreeMap<String, Vec<u8>>,
}

/// A piece of what a step sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Bytes to send.
    Bytes(Vec<u8>),
    /// A synchronizing literal: go on when the server has sent `+`.
    Consent,
}

impl Scope {
    /// The value of an expression.
    pub(super) fn value(&self, expression: &str) -> Result<Vec<u8>, String> {
        let (word, rest) = expression.split_once(' ').unwrap_or((expression, ""));
        match word {
            "size" => {
                let sizes = rest.split_whitespace().map(|message| Ok(self.message(message)?.len()));
                Ok(sizes.sum::<Result<usize, String>>()?.to_string().into_bytes())
            }
            "raw" => Ok(self.message(rest)?.to_vec()),
            "stuffed" => Ok(stuffed(self.message(rest)?)),
            "base64" => Ok(STANDARD.encode(self.text(rest)?).into_bytes()),
            "repeat" => {
                let (count, text) = rest.split_once(' ').ok_or("repeat wants a number and a text")?;
                let count: usize = count.parse().map_err(|_| "repeat wants a number")?;
                Ok(self.text(text)?.repeat(count))
            }
            _ => self.arithmetic(word),
        }
    }

    fn arithmetic(&self, expression: &str) -> Result<Vec<u8>, String> {
        let Some(at) = expression.find(['+', '-']) else { return Ok(self.variable(expression)?.to_vec()) };
        let number = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<i64>().ok());
        let base = number(self.variable(&expression[..at])?);
        let step = number(&expression.as_bytes()[at..]);
        match (base, step) {
            (Some(base), Some(step)) => Ok((base + step).to_string().into_bytes()),
            _ => Err(format!("{expression} is not a sum of numbers")),
        }
    }

    pub(super) fn variable(&self, name: &str) -> Result<&[u8], String> {
        self.variables.get(name).map(Vec::as_slice).ok_or_else(|| format!("${name} has no value"))
    }

    pub(super) fn message(&self, name: &str) -> Result<&[u8], String> {
        self.messages.get(name).map(Vec::as_slice).ok_or_else(|| format!("there is no message {name}"))
    }

    /// Text without literals.
    fn text(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        for chunk in self.send(text)? {
            match chunk {
                Chunk::Bytes(bytes) => out.extend(bytes),
                Chunk::Consent => return Err("a literal has no place here".to_owned()),
            }
        }
        Ok(out)
    }

    /// What a `C:` line sends.
    pub(super) fn send(&self, text: &str) -> Result<Vec<Chunk>, String> {
        let mut chunks = Vec::new();
        let mut bytes = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = next(rest)?;
            match part {
                Part::Byte(byte) => bytes.push(byte),
                Part::Value(expression) => bytes.extend(self.value(expression)?),
                Part::Any => bytes.extend_from_slice(b"..."),
                Part::Literal { waits, content } => {
                    let content = self.literal(&content)?;
                    let plus = if waits { "" } else { "+" };
                    bytes.extend(format!("{{{}{plus}}}\r\n", content.len()).into_bytes());
                    if waits {
                        chunks.push(Chunk::Bytes(std::mem::take(&mut bytes)));
                        chunks.push(Chunk::Consent);
                    }
                    bytes.extend(content);
                }
            }
            rest = after;
        }
        chunks.push(Chunk::Bytes(bytes));
        Ok(chunks)
    }

    /// The bytes of a literal.
    pub(super) fn literal(&self, content: &Content) -> Result<Vec<u8>, String> {
        match content {
            Content::Message(name) => Ok(self.message(name)?.to_vec()),
            Content::Text(text) => self.text(text),
            Content::Any | Content::Capture(_) => Err("only an expected reply can leave a literal open".to_owned()),
        }
    }
}

/// The first thing in a script's text.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// A byte that stands for itself.
    Byte(u8),
    /// `$name` or `${...}`.
    Value(&'a str),
    /// `...`
    Any,
    /// `{=...}` and its kin.
    Literal {
        /// Whether it waits for the server's consent.
        waits: bool,
        /// What is in it.
        content: Content,
    },
}

/// What is in a literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// `{@name}`
    Message(String),
    /// `{=text}`, its `\r` and the like already written as `\x`.
    Text(String),
    /// `{...}`, in a reply only.
    Any,
    /// `{$name}`, in a reply only.
    Capture(String),
}

/// Splits the first part off `text`, which is not empty.
pub(super) fn next(text: &str) -> Result<(Part<'_>, &str), String> {
    if let Some(rest) = text.strip_prefix("...") {
        return Ok((Part::Any, rest));
    }
    if let Some(rest) = text.strip_prefix("$$") {
        return Ok((Part::Byte(b'$'), rest));
    }
    if let Some(rest) = text.strip_prefix("${") {
        let (expression, rest) = rest.split_once('}').ok_or("${ without }")?;
        return Ok((Part::Value(expression), rest));
    }
    if let Some(rest) = text.strip_prefix('$') {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        if end > 0 {
            return Ok((Part::Value(&rest[..end]), &rest[end..]));
        }
    }
    if let Some((byte, rest)) = hex_escape(text) {
        return Ok((Part::Byte(byte), rest));
    }
    if let Some(literal) = literal(text)? {
        return Ok(literal);
    }
    let byte = text.as_bytes()[0];
    if byte.is_ascii() {
        Ok((Part::Byte(byte), &text[1..]))
    } else {
        Err("write bytes beyond ASCII as \\xHH".to_owned())
    }
}

fn literal(text: &str) -> Result<Option<(Part<'_>, &str)>, String> {
    let Some(inner) = text.strip_prefix('{') else { return Ok(None) };
    let (waits, inner) = inner.strip_prefix('+').map_or((true, inner), |inner| (false, inner));
    let Some(kind) = inner.chars().next().filter(|kind| "=@$.".contains(*kind)) else { return Ok(None) };
    let (content, rest) = split_at_brace(&inner[1..]).ok_or("a literal without }")?;
    let content = match kind {
        '=' => Content::Text(
            content.replace("\\\\", "\\x5c").replace("\\r", "\\x0d").replace("\\n", "\\x0a").replace("\\t", "\\x09"),
        ),
        '@' => Content::Message(content.to_owned()),
        '$' => Content::Capture(content.to_owned()),
        _ => Content::Any,
    };
    Ok(Some((Part::Literal { waits, content }, rest)))
}

/// What stands before the `}` that ends a literal, and what follows it; `${...}` may stand in between.
fn split_at_brace(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn hex_escape(text: &str) -> Option<(u8, &str)> {
    let digits = text.strip_prefix("\\x")?;
    let byte = u8::from_str_radix(digits.get(..2)?, 16).ok()?;
    Some((byte, &digits[2..]))
}

/// The bytes of a message's line: byte escapes count, nothing else does.
pub(super) fn unescaped(mut text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(first) = text.chars().next() {
        if let Some((byte, rest)) = hex_escape(text) {
            out.push(byte);
            text = rest;
        } else {
            out.extend_from_slice(&text.as_bytes()[..first.len_utf8()]);
            text = &text[first.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let mut scope = Scope::default();
        scope.variables.insert("uid".to_owned(), b"41".to_vec());
        scope.variables.insert("joe".to_owned(), b"u0001".to_vec());
        scope.messages.insert("m".to_owned(), b"a\r\n.b\r\n".to_vec());
        scope
    }

    #[test]
    fn text_is_expanded() {
        for (text, sent) in [
            ("a FETCH $uid", "a FETCH 41"),
            ("${uid+1}:${uid-1}", "42:40"),
            ("$joe@example.org $$MDNSent", "u0001@example.org $MDNSent"),
            ("(\\Seen \\x41\\x0d) {3}", "(\\Seen A\r) {3}"),
            ("${base64 \\x00$joe}", "AHUwMDAx"),
            ("${size m} ${size m m} ${stuffed m}", "7 14 a\r\n..b\r\n"),
            ("${repeat 3 ab}", "ababab"),
            ("{+=${repeat 2 a}b}", "{3+}\r\naab"),
            ("{+=a\\r\\n} x", "{3+}\r\na\r\n x"),
        ] {
            assert_eq!(scope().send(text), Ok(vec![Chunk::Bytes(sent.as_bytes().to_vec())]), "{text}");
        }
        assert!(scope().send("$sue").is_err());
        assert!(scope().send("é").is_err());
    }

    #[test]
    fn a_synchronizing_literal_waits() {
        let chunks = scope().send("a APPEND x {@m} y").unwrap();
        assert_eq!(
            chunks,
            [Chunk::Bytes(b"a APPEND x {7}\r\n".to_vec()), Chunk::Consent, Chunk::Bytes(b"a\r\n.b\r\n y".to_vec())]
        );
    }
}
