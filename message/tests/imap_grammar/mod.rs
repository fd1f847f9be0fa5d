//! A strict reader of the grammars of ENVELOPE and BODYSTRUCTURE (RFC 9051, 9), which knows nothing of how we write them.

#![allow(dead_code, reason = "each test program uses its part of it")]

/// What a list is made of.
#[derive(Debug, PartialEq, Eq)]
enum Value {
    Nil,
    Text(Vec<u8>),
    Number(u64),
    List(Vec<Value>),
}

type Checked = Result<(), String>;

/// Checks that `bytes` are one envelope and nothing else.
pub(crate) fn check_envelope(bytes: &[u8]) -> Checked {
    envelope(&parse(bytes)?)
}

/// Checks that `bytes` are one body, with all or without any extension data.
pub(crate) fn check_body(bytes: &[u8]) -> Checked {
    let value = parse(bytes)?;
    // Bodies nest as deep as messages; a list of what is still to be checked needs no stack.
    let mut pending = vec![&value];
    while let Some(value) = pending.pop() {
        body(value, &mut pending)?;
    }
    Ok(())
}

fn envelope(value: &Value) -> Checked {
    let Value::List(items) = value else { return Err(format!("envelope {value:?}")) };
    if items.len() != 10 {
        return Err(format!("{} items in an envelope", items.len()));
    }
    for (place, item) in items.iter().enumerate() {
        if !(2..8).contains(&place) {
            nstring(item)?;
            continue;
        }
        match item {
            Value::Nil => (),
            Value::List(addresses) if !addresses.is_empty() => address_list(addresses)?,
            other => return Err(format!("address list {other:?}")),
        }
    }
    Ok(())
}

/// Every address has four nstrings; groups open and close in turn.
fn address_list(addresses: &[Value]) -> Checked {
    let mut in_group = false;
    for address in addresses {
        let Value::List(parts) = address else { return Err(format!("address {address:?}")) };
        let [name, route, mailbox, host] = parts.as_slice() else { return Err(format!("address {address:?}")) };
        for part in parts {
            nstring(part)?;
        }
        if *host != Value::Nil {
            if *mailbox == Value::Nil {
                return Err(format!("host without mailbox {address:?}"));
            }
            continue;
        }
        if (name, route) != (&Value::Nil, &Value::Nil) || in_group != (*mailbox == Value::Nil) {
            return Err(format!("group marker {address:?}"));
        }
        in_group = !in_group;
    }
    if in_group { Err("group without end".to_owned()) } else { Ok(()) }
}

fn body<'a>(value: &'a Value, pending: &mut Vec<&'a Value>) -> Checked {
    let Value::List(items) = value else { return Err(format!("body {value:?}")) };
    let children = items.iter().take_while(|item| matches!(item, Value::List(_))).count();
    if children > 0 {
        pending.extend(&items[..children]);
        return multipart_rest(&items[children..]);
    }
    let [kind, subtype, parameters, id, description, encoding, octets, rest @ ..] = items.as_slice() else {
        return Err(format!("{} items in a body", items.len()));
    };
    string(kind)?;
    string(subtype)?;
    pairs(parameters)?;
    nstring(id)?;
    nstring(description)?;
    string(encoding)?;
    number(octets)?;
    let is =
        |value: &Value, text: &str| matches!(value, Value::Text(bytes) if bytes.eq_ignore_ascii_case(text.as_bytes()));
    let rest = if is(kind, "message") && (is(subtype, "rfc822") || is(subtype, "global")) {
        let [inner_envelope, inner_body, lines, rest @ ..] = rest else {
            return Err("message without body".to_owned());
        };
        envelope(inner_envelope)?;
        pending.push(inner_body);
        number(lines)?;
        rest
    } else if is(kind, "text") {
        let [lines, rest @ ..] = rest else { return Err("text without lines".to_owned()) };
        number(lines)?;
        rest
    } else {
        rest
    };
    match rest {
        [] => Ok(()),
        [md5, rest @ ..] => {
            nstring(md5)?;
            extension(rest)
        }
    }
}

fn multipart_rest(rest: &[Value]) -> Checked {
    match rest {
        [subtype] => string(subtype),
        [subtype, parameters, rest @ ..] => {
            string(subtype)?;
            pairs(parameters)?;
            extension(rest)
        }
        [] => Err("multipart without subtype".to_owned()),
    }
}

/// Disposition, language and location: we always write all three.
fn extension(rest: &[Value]) -> Checked {
    let [disposition, language, location] = rest else { return Err(format!("extension data {rest:?}")) };
    match disposition {
        Value::Nil => (),
        Value::List(items) if items.len() == 2 => {
            string(&items[0])?;
            pairs(&items[1])?;
        }
        other => return Err(format!("disposition {other:?}")),
    }
    match language {
        Value::List(tags) if !tags.is_empty() => tags.iter().try_for_each(string)?,
        other => nstring(other)?,
    }
    nstring(location)
}

fn pairs(value: &Value) -> Checked {
    match value {
        Value::Nil => Ok(()),
        Value::List(items) if !items.is_empty() && items.len() % 2 == 0 => items.iter().try_for_each(string),
        other => Err(format!("parameters {other:?}")),
    }
}

fn nstring(value: &Value) -> Checked {
    if *value == Value::Nil { Ok(()) } else { string(value) }
}

fn string(value: &Value) -> Checked {
    if matches!(value, Value::Text(_)) { Ok(()) } else { Err(format!("{value:?} instead of a string")) }
}

fn number(value: &Value) -> Checked {
    if matches!(value, Value::Number(_)) { Ok(()) } else { Err(format!("{value:?} instead of a number")) }
}

/// Reads one value, which must be all of `bytes`. Single spaces stand between items, except that none may stand between
/// addresses and between the bodies of a multipart.
fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        match first {
            b'(' => {
                open.push(Vec::new());
                rest = &rest[1..];
                continue;
            }
            b')' => {
                let list = Value::List(open.pop().ok_or("too many closing parentheses")?);
                open.last_mut().ok_or("too many closing parentheses")?.push(list);
                rest = &rest[1..];
            }
            _ => {
                let (value, length) = item(rest)?;
                open.last_mut().ok_or("text behind the end")?.push(value);
                rest = &rest[length..];
            }
        }
        rest = match rest {
            [b' ', after @ ..] if !matches!(after, [] | [b' ' | b')', ..]) => after,
            [] | [b')' | b'(', ..] => rest,
            _ => return Err(format!("{:?} behind a value", String::from_utf8_lossy(&rest[..rest.len().min(20)]))),
        };
    }
    let mut values = open.pop().unwrap_or_default();
    match (values.pop(), values.is_empty() && open.is_empty()) {
        (Some(value), true) => Ok(value),
        _ => Err("not exactly one value".to_owned()),
    }
}

fn item(rest: &[u8]) -> Result<(Value, usize), String> {
    match rest[0] {
        b'"' => quoted(rest),
        b'{' => literal(rest),
        b'0'..=b'9' => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let number = std::str::from_utf8(&rest[..digits]).ok().and_then(|digits| digits.parse().ok());
            Ok((Value::Number(number.ok_or("number too large")?), digits))
        }
        _ if rest.starts_with(b"NIL") => Ok((Value::Nil, 3)),
        _ => Err(format!("unknown value {:?}", String::from_utf8_lossy(&rest[..rest.len().min(20)]))),
    }
}

fn quoted(rest: &[u8]) -> Result<(Value, usize), String> {
    let mut text = Vec::new();
    let mut at = 1;
    loop {
        match rest.get(at) {
            Some(b'"') => return Ok((Value::Text(text), at + 1)),
            Some(b'\\') => match rest.get(at + 1) {
                Some(&byte @ (b'"' | b'\\')) => {
                    text.push(byte);
                    at += 2;
                }
                other => return Err(format!("{other:?} behind a backslash")),
            },
            Some(&byte @ 1..=0x7f) if !matches!(byte, b'\r' | b'\n') => {
                text.push(byte);
                at += 1;
            }
            other => return Err(format!("{other:?} in a quoted string")),
        }
    }
}

fn literal(rest: &[u8]) -> Result<(Value, usize), String> {
    let end = rest.iter().position(|&byte| byte == b'}').ok_or("literal without size")?;
    let size: usize =
        std::str::from_utf8(&rest[1..end]).ok().and_then(|size| size.parse().ok()).ok_or("literal size")?;
    let text = rest.get(end + 1..).and_then(|rest| rest.strip_prefix(b"\r\n")).ok_or("literal without CRLF")?;
    let text = text.get(..size).ok_or("literal cut off")?;
    if text.contains(&0) {
        return Err("NUL in a literal".to_owned());
    }
    Ok((Value::Text(text.to_vec()), end + 3 + size))
}
