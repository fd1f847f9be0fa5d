//! What a reply must look like.
//!
//! A pattern is the reply as the server should send it, in which `...` is any text, `$name` a word to remember (or, once
//! it has a value, that value), `%(a b)` a parenthesized list whose items may stand in any order (with `...` as an item:
//! there may be more), and `{=text}` a string in whatever form - literal, quoted or bare - the server chose to write it.
//! Outside `{=text}` the case of letters does not matter, as it does not for IMAP's keywords.

use super::expand::{Content, Part, Scope, next};

/// A pattern.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// As the script has it.
    pub(super) text: String,
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(Vec<u8>),
    Any,
    /// `$name`: remembers or compares.
    Word(String),
    /// `${...}`
    Value(String),
    Literal(Content),
    List {
        items: Vec<Vec<Piece>>,
        open: bool,
    },
}

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { text: text.to_owned(), pieces: pieces(text)? })
    }

    /// Whether `reply` looks like this; the scope then holds what was remembered on the way.
    pub(super) fn matches(&self, reply: &[u8], scope: &mut Scope) -> bool {
        match step(&self.pieces, reply, scope) {
            Some(after) => {
                *scope = after;
                true
            }
            None => false,
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut out: Vec<Piece> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix("%(") {
            let end = list_end(inner).ok_or("%( without )")?;
            out.push(list(&inner[..end])?);
            rest = &inner[end + 1..];
            continue;
        }
        let (part, after) = next(rest)?;
        match part {
            Part::Byte(byte) => match out.last_mut() {
                Some(Piece::Text(text)) => text.push(byte),
                _ => out.push(Piece::Text(vec![byte])),
            },
            Part::Any => out.push(Piece::Any),
            Part::Value(word) if rest.starts_with("${") => out.push(Piece::Value(word.to_owned())),
            Part::Value(word) => out.push(Piece::Word(word.to_owned())),
            Part::Literal { content, .. } => out.push(Piece::Literal(content)),
        }
        rest = after;
    }
    Ok(out)
}

fn list(inner: &str) -> Result<Piece, String> {
    let mut items = Vec::new();
    let mut open = false;
    for item in split_items(inner.as_bytes()) {
        match std::str::from_utf8(item).map_err(|_| "not UTF-8")? {
            "..." => open = true,
            item => items.push(pieces(item)?),
        }
    }
    Ok(Piece::List { items, open })
}

/// Matches all of `pieces` against all of `input`; returns the scope with what was remembered.
fn step(pieces: &[Piece], input: &[u8], scope: &Scope) -> Option<Scope> {
    let Some((first, rest)) = pieces.split_first() else {
        return input.is_empty().then(|| scope.clone());
    };
    let fixed = |bytes: &[u8]| input.strip_prefix(bytes).and_then(|input| step(rest, input, scope));
    match first {
        Piece::Text(text) => {
            let (start, after) = input.split_at_checked(text.len())?;
            if start.eq_ignore_ascii_case(text) { step(rest, after, scope) } else { None }
        }
        Piece::Value(expression) => fixed(&scope.value(expression).ok()?),
        Piece::Any => (0..=input.len()).find_map(|skipped| step(rest, &input[skipped..], scope)),
        Piece::Word(name) => match scope.variables.get(name) {
            Some(value) => fixed(value),
            None => remember_word(name, rest, input, scope),
        },
        Piece::Literal(content) => literal(content, rest, input, scope),
        Piece::List { items, open } => {
            let inner = input.strip_prefix(b"(")?;
            let end = byte_list_end(inner)?;
            let actual = split_items(&inner[..end]);
            if actual.len() < items.len() || (!open && actual.len() > items.len()) {
                return None;
            }
            let scope = assign(items, &actual, scope)?;
            step(rest, &inner[end + 1..], &scope)
        }
    }
}

/// Words end at spaces, parentheses, brackets and quotes.
fn remember_word(name: &str, rest: &[Piece], input: &[u8], scope: &Scope) -> Option<Scope> {
    let longest = input.iter().position(|byte| b" ()[]\"\r\n".contains(byte)).unwrap_or(input.len());
    (1..=longest).rev().find_map(|size| {
        let mut scope = scope.clone();
        scope.variables.insert(name.to_owned(), input[..size].to_vec());
        step(rest, &input[size..], &scope)
    })
}

fn literal(content: &Content, rest: &[Piece], input: &[u8], scope: &Scope) -> Option<Scope> {
    let (value, after) = string(input)?;
    match content {
        Content::Any => step(rest, after, scope),
        Content::Capture(name) => {
            let mut scope = scope.clone();
            match scope.variables.get(name) {
                Some(expected) if *expected != value => return None,
                Some(_) => {}
                None => {
                    scope.variables.insert(name.clone(), value);
                }
            }
            step(rest, after, &scope)
        }
        Content::Text(_) | Content::Message(_) => {
            (scope.literal(content).ok()? == value).then(|| step(rest, after, scope)).flatten()
        }
    }
}

/// The string at the beginning of `input`, whatever its form, and what follows it.
fn string(input: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    if let Some(quoted) = input.strip_prefix(b"\"") {
        let mut value = Vec::new();
        let mut at = 0;
        while *quoted.get(at)? != b'"' {
            at += usize::from(quoted[at] == b'\\');
            value.push(*quoted.get(at)?);
            at += 1;
        }
        return Some((value, &quoted[at + 1..]));
    }
    if let Some((start, size)) = literal_at(input) {
        return Some((input.get(start..start + size)?.to_vec(), &input[start + size..]));
    }
    let end = input.iter().position(|byte| b" ()\r\n".contains(byte)).unwrap_or(input.len());
    (end > 0).then(|| (input[..end].to_vec(), &input[end..]))
}

/// Where the content of the literal at the beginning of `input` starts, and its size.
fn literal_at(input: &[u8]) -> Option<(usize, usize)> {
    let head = input.strip_prefix(b"~").unwrap_or(input).strip_prefix(b"{")?;
    let close = head.iter().position(|&byte| byte == b'}')?;
    let size = std::str::from_utf8(&head[..close]).ok()?.parse().ok()?;
    head[close..].starts_with(b"}\r\n").then(|| (input.len() - head.len() + close + 3, size))
}

/// Gives every item of the pattern an item of its own among the actual ones.
fn assign(items: &[Vec<Piece>], actual: &[&[u8]], scope: &Scope) -> Option<Scope> {
    let Some((first, others)) = items.split_first() else { return Some(scope.clone()) };
    (0..actual.len()).find_map(|index| {
        let scope = step(first, actual[index], scope)?;
        let mut left = actual.to_vec();
        left.remove(index);
        assign(others, &left, &scope)
    })
}

fn list_end(text: &str) -> Option<usize> {
    byte_list_end(text.as_bytes())
}

/// Where the `)` is that closes the list whose inside begins at `input`.
fn byte_list_end(input: &[u8]) -> Option<usize> {
    let mut depth = 0;
    let mut at = 0;
    while at < input.len() {
        match input[at] {
            b')' if depth == 0 => return Some(at),
            b')' => depth -= 1,
            b'(' => depth += 1,
            _ => {}
        }
        at += token_size(&input[at..]);
    }
    None
}

/// Splits the inside of a list at its spaces, leaving nested lists, brackets and strings whole.
fn split_items(input: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    let (mut depth, mut start, mut at) = (0, 0, 0);
    while at < input.len() {
        match input[at] {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b' ' if depth == 0 => {
                items.push(&input[start..at]);
                start = at + 1;
            }
            _ => {}
        }
        at += token_size(&input[at..]);
    }
    if start < input.len() {
        items.push(&input[start..]);
    }
    items
}

/// How many bytes belong together at the beginning of `input`: a quoted string, a literal, or one byte.
fn token_size(input: &[u8]) -> usize {
    match input[0] {
        b'"' => string(input).map_or(1, |(_, after)| input.len() - after.len()),
        b'{' => match literal_at(input) {
            Some((start, size)) => (start + size).min(input.len()),
            // In a pattern: `{=text}` or the rest of `${expression}`.
            None => input.iter().position(|&byte| byte == b'}').map_or(1, |close| close + 1),
        },
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, reply: &str, expected: bool) {
        let mut scope = Scope::default();
        scope.variables.insert("known".to_owned(), b"7".to_vec());
        let matched = Pattern::parse(pattern).unwrap().matches(reply.as_bytes(), &mut scope);
        assert_eq!(matched, expected, "{pattern} against {reply}");
    }

    #[test]
    fn patterns() {
        for (pattern, reply, expected) in [
            ("* 3 EXISTS", "* 3 EXISTS", true),
            ("* 3 EXISTS", "* 33 EXISTS", false),
            ("a OK ...", "a OK [X] done", true),
            ("a OK ...", "a NO done", false),
            ("* LIST (\\noselect)", "* LIST (\\Noselect)", true),
            ("{=INBOX}", "inbox", false),
            ("* $known EXISTS", "* 7 EXISTS", true),
            ("* $known EXISTS", "* 8 EXISTS", false),
            ("* ${known+1} EXISTS", "* 8 EXISTS", true),
            ("$n $n", "a a", true),
            ("$n $n", "a b", false),
            ("(%(\\Seen \\Draft))", "((\\Draft \\Seen))", true),
            ("%(\\Seen \\Draft)", "(\\Seen)", false),
            ("%(\\Seen)", "(\\Seen \\Draft)", false),
            ("%(\\Seen ...)", "(\\Draft \\Seen)", true),
            ("%(UID $u FLAGS %(\\Seen ...))", "(FLAGS (\\Recent \\Seen) UID 7)", true),
            ("(BODY[TEXT] {=hi})", "(BODY[TEXT] {2}\r\nhi)", true),
            ("(BODY[TEXT] {=hi})", "(BODY[TEXT] \"hi\")", true),
            ("(BODY[TEXT] {=hi})", "(BODY[TEXT] {3}\r\nhi )", false),
            ("{=a\"b}", "\"a\\\"b\"", true),
            ("* LIST () \"/\" {=INBOX}", "* LIST () \"/\" INBOX", true),
            ("%(BODY[HEADER.FIELDS (A B)] {...} UID 3)", "(UID 3 BODY[HEADER.FIELDS (A B)] {3}\r\n) (", false),
            ("%(BODY[HEADER.FIELDS (A B)] {...} UID 3)", "(UID 3 BODY[HEADER.FIELDS (A B)] {3}\r\n) ()", true),
            ("$$known", "$known", true),
            ("%(SIZE ${known} X {=a b})", "(X \"a b\" SIZE 7)", true),
        ] {
            check(pattern, reply, expected);
        }
    }

    #[test]
    fn words_are_remembered() {
        let mut scope = Scope::default();
        assert!(
            Pattern::parse("a OK [APPENDUID $v $u] ...").unwrap().matches(b"a OK [APPENDUID 12 3] done", &mut scope)
        );
        assert_eq!(scope.variables["v"], b"12");
        assert_eq!(scope.variables["u"], b"3");
    }
}
