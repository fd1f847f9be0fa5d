//! TOML and JSON as the same tree, in which everything knows where it stands.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;

/// How deep a document goes: table, list, entry, table, list, table, text. One more shows what is too deep.
const MAX_DEPTH: usize = 8;

/// A value and where it begins, in octets.
#[derive(Debug, PartialEq)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) value: Value,
}

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Bool(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// Nothing that a document can have.
    Other,
}

/// Reads a document: JSON if it begins with a brace, else TOML.
pub(super) fn parse(text: &str) -> Result<Node, Vec<Problem>> {
    if text.trim_start().starts_with('{') { json(text) } else { toml(text) }
}

fn toml(text: &str) -> Result<Node, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Node { at: 0, value: table(document.get_ref(), 1) });
    }
    let problem = |error: &toml::de::Error| {
        Problem::new(error.span().map_or(0, |span| span.start), format!("not TOML: {}", error.message()))
    };
    Err(errors.iter().map(problem).collect())
}

fn table(table: &DeTable<'_>, depth: usize) -> Value {
    let entries = table.iter().map(|(name, value)| (name.get_ref().to_string(), from_toml(value, depth)));
    Value::Table(entries.collect())
}

fn from_toml(node: &Spanned<DeValue<'_>>, depth: usize) -> Node {
    let value = match node.get_ref() {
        _ if depth >= MAX_DEPTH => Value::Other,
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = u64::from_str_radix(&number.as_str().replace('_', ""), number.radix());
            parsed.map_or(Value::Other, Value::Number)
        }
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Array(list) => Value::List(list.iter().map(|node| from_toml(node, depth + 1)).collect()),
        DeValue::Table(inner) => table(inner, depth + 1),
        DeValue::Float(_) | DeValue::Datetime(_) => Value::Other,
    };
    Node { at: node.span().start, value }
}

fn json(text: &str) -> Result<Node, Vec<Problem>> {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) => Ok(from_json(text, raw, 0)),
        Err(error) => {
            let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
            Err(vec![Problem::new(before + error.column().saturating_sub(1), format!("not JSON: {error}"))])
        }
    }
}

/// Each level is read by itself, and what is below it is a piece of the text: where that lies is where it stands.
fn from_json(text: &str, raw: &RawValue, depth: usize) -> Node {
    let at = (raw.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let below = |inner: &RawValue| from_json(text, inner, depth + 1);
    let raw = raw.get();
    let value = match raw.as_bytes().first() {
        _ if depth >= MAX_DEPTH => None,
        Some(b'{') => serde_json::from_str::<Pairs<'_>>(raw)
            .ok()
            .map(|pairs| Value::Table(pairs.0.into_iter().map(|(name, inner)| (name, below(inner))).collect())),
        Some(b'[') => serde_json::from_str::<Vec<&RawValue>>(raw)
            .ok()
            .map(|list| Value::List(list.into_iter().map(below).collect())),
        Some(b'"') => serde_json::from_str(raw).ok().map(Value::Text),
        Some(b't' | b'f') => serde_json::from_str(raw).ok().map(Value::Bool),
        _ => serde_json::from_str(raw).ok().map(Value::Number),
    };
    Node { at, value: value.unwrap_or(Value::Other) }
}

/// An object's names and values, also those that are there twice.
struct Pairs<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for Pairs<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object<'t>(PhantomData<&'t ()>);
        impl<'de: 't, 't> Visitor<'de> for Object<'t> {
            type Value = Pairs<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'t>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Object(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_the_same_tree() {
        fn shape(node: &Node) -> String {
            match &node.value {
                Value::Table(entries) => {
                    let mut entries: Vec<_> = entries.iter().map(|(k, v)| format!("{k}={}", shape(v))).collect();
                    entries.sort();
                    format!("{{{}}}", entries.join(","))
                }
                Value::List(list) => format!("[{}]", list.iter().map(shape).collect::<Vec<_>>().join(",")),
                other => format!("{other:?}"),
            }
        }
        let toml = parse("[[user]]\nuid = \"joe\"\nquota = 1_000\nadmin = true\ngroups = [\"a\"]\nx = 1.5\n").unwrap();
        let json = parse(r#" {"user": [{"uid": "joe", "quota": 1000, "admin": true, "groups": ["a"], "x": 1.5}]}"#);
        assert_eq!(shape(&toml), shape(&json.unwrap()));
    }

    #[test]
    fn places() {
        let check = |text: &str| {
            let Value::Table(table) = parse(text).unwrap().value else { panic!("{text}") };
            assert_eq!(&text[table[0].1.at..][..5], "\"here", "{text}");
        };
        check("a = \"here\"");
        check("\n{\n \"a\": \"here\"}");
        for (text, line) in [("a = ", 1), ("\na = 1\nb = = 2", 3), ("{\n\"a\": 1,\n}", 3), ("{\"a\": 1} x", 1)] {
            let problems = parse(text).unwrap_err();
            assert_eq!(super::super::line_of(text, problems[0].at), line, "{text}: {problems:?}");
        }
    }

    /// Nobody's stack is used up: JSON is skipped without recursion and cut at a depth, TOML has a limit of its own.
    #[test]
    fn depth_is_bounded() {
        fn depth(node: &Node) -> usize {
            match &node.value {
                Value::List(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
                Value::Table(table) => 1 + table.iter().map(|(_, node)| depth(node)).max().unwrap_or_default(),
                _ => 0,
            }
        }
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        for levels in [MAX_DEPTH, 100, 100_000] {
            let node = parse(&format!("{{\"a\": {}}}", nested(levels))).unwrap();
            assert_eq!(depth(&node), MAX_DEPTH, "{levels}");
        }
        assert!(parse(&format!("a = {}", nested(100_000))).is_err());
    }
}
