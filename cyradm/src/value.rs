//! What an untagged response is made of: atoms, strings, lists. One pass, no recursion, so that no server can hang us.

use crate::trouble::Trouble;

/// Lists inside lists: no response that we ask for has more than three.
const MAX_DEPTH: usize = 16;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// NIL
    Nil,
    /// An atom, a number, a quoted string or a literal.
    Text(Vec<u8>),
    /// `(...)`
    List(Vec<Value>),
}

impl Value {
    /// The text, with what is not UTF-8 replaced.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Value::Text(text) => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        }
    }

    /// The values of a list.
    pub(crate) fn list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    /// Whether it is this word, in whatever case.
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Value::Text(text) if text.eq_ignore_ascii_case(word.as_bytes()))
    }
}

/// Takes a response apart, in which literals stand as on the wire.
pub(crate) fn parse(line: &[u8]) -> Result<Vec<Value>, Trouble> {
    let wrong = || Trouble::protocol(format!("{}", line[..line.len().min(200)].escape_ascii()));
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    let mut rest = line;
    while let [first, after @ ..] = rest {
        match first {
            b' ' => rest = after,
            b'(' if open.len() > MAX_DEPTH => return Err(wrong()),
            b'(' => {
                open.push(Vec::new());
                rest = after;
            }
            b')' => {
                let (Some(list), Some(above)) = (open.pop(), open.last_mut()) else { return Err(wrong()) };
                above.push(Value::List(list));
                rest = after;
            }
            _ => {
                let (value, after) = scalar(rest).ok_or_else(wrong)?;
                open.last_mut().ok_or_else(wrong)?.push(value);
                rest = after;
            }
        }
    }
    match open.pop() {
        Some(values) if open.is_empty() => Ok(values),
        _ => Err(wrong()),
    }
}

fn scalar(input: &[u8]) -> Option<(Value, &[u8])> {
    if let Some(rest) = input.strip_prefix(b"\"") {
        return quoted(rest);
    }
    if input.starts_with(b"{") {
        let (head, rest) = input.split_at(input.iter().position(|&octet| octet == b'\n')? + 1);
        let size = announced(head.strip_suffix(b"\r\n")?)?;
        return Some((Value::Text(rest.get(..size)?.to_vec()), &rest[size..]));
    }
    let end = input.iter().position(|octet| matches!(octet, b' ' | b'(' | b')')).unwrap_or(input.len());
    let (atom, rest) = input.split_at(end);
    let value = if atom.eq_ignore_ascii_case(b"NIL") { Value::Nil } else { Value::Text(atom.to_vec()) };
    Some((value, rest))
}

fn quoted(input: &[u8]) -> Option<(Value, &[u8])> {
    let mut text = Vec::new();
    let mut octets = input.iter().enumerate();
    while let Some((at, &octet)) = octets.next() {
        match octet {
            b'"' => return Some((Value::Text(text), &input[at + 1..])),
            b'\\' => text.push(*octets.next()?.1),
            _ => text.push(octet),
        }
    }
    None
}

/// The size that a line announces which ends in `{n}` or `{n+}`.
pub(crate) fn announced(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let digits = &inside[inside.iter().rposition(|&octet| octet == b'{')? + 1..];
    std::str::from_utf8(digits.strip_suffix(b"+").unwrap_or(digits)).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.as_bytes().to_vec())
    }

    #[test]
    fn responses_fall_into_values() {
        for (line, expected) in [
            ("LIST () NIL x", vec![text("LIST"), Value::List(vec![]), Value::Nil, text("x")]),
            (
                "LIST (\\A \\B) \"/\" \"a \\\"b\"",
                vec![text("LIST"), Value::List(vec![text("\\A"), text("\\B")]), text("/"), text("a \"b")],
            ),
            ("ACL {3}\r\na)b x", vec![text("ACL"), text("a)b"), text("x")]),
            ("Q (A (B) 1)", vec![text("Q"), Value::List(vec![text("A"), Value::List(vec![text("B")]), text("1")])]),
            ("\"NIL\"", vec![text("NIL")]),
        ] {
            assert_eq!(parse(line.as_bytes()).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn malformed_responses() {
        let deep = "(".repeat(100_000);
        for line in ["(", ")", "(a))", "\"a", "\"a\\", "{5}\r\nabc", "{x}\r\n", "{3}", &deep] {
            assert!(parse(line.as_bytes()).is_err(), "{:.20}", line);
        }
    }
}
