//! What is other between two rows, for people.

use std::collections::BTreeSet;
use std::hash::Hash;

use serde::Serialize;
use serde_json::Value;

/// Fields that say nothing to people.
const LEFT_OUT: &[&str] = &["revision", "state"];

/// Longest value that is shown, in characters: enough to recognise it, where it may be a letter.
const SHOWN: usize = 300;

/// `field: before -> after` for every field that is other; empty if none is.
pub(crate) fn between<T: Serialize>(old: &T, new: &T) -> String {
    let fields = |row: &T| match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (old, new) = (fields(old), fields(new));
    let names: BTreeSet<&String> =
        old.keys().chain(new.keys()).filter(|name| !LEFT_OUT.contains(&name.as_str())).collect();
    let differ = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let said: Vec<String> =
        differ.map(|name| format!("{name} {} -> {}", shown(old.get(name)), shown(new.get(name)))).collect();
    said.join("; ")
}

fn shown(value: Option<&Value>) -> String {
    let mut text = value.map_or_else(|| "none".to_owned(), Value::to_string);
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push_str("...");
    }
    text
}

/// Makes a list what it should be, unless only the order is another one.
pub(crate) fn replace<T: Clone + Eq + Hash>(list: &mut Vec<T>, wanted: &[T]) {
    let set = |list: &[T]| list.iter().cloned().collect::<std::collections::HashSet<T>>();
    if list.len() != wanted.len() || set(list) != set(wanted) {
        *list = wanted.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_differ_are_named() {
        let row = |a: &str, b: Option<u64>| serde_json::json!({"a": a, "b": b, "revision": 1});
        assert_eq!(between(&row("x", None), &row("x", None)), "");
        assert_eq!(between(&row("x", None), &row("y", Some(2))), r#"a "x" -> "y"; b null -> 2"#);
        let long = between(&row("x", None), &row(&"ö".repeat(1000), None));
        assert_eq!(long, format!("a \"x\" -> \"{}...", "ö".repeat(299)));
    }

    #[test]
    fn order_is_no_difference() {
        let mut list = vec![1, 2];
        replace(&mut list, &[2, 1]);
        assert_eq!(list, [1, 2]);
        replace(&mut list, &[2, 3]);
        assert_eq!(list, [2, 3]);
    }
}
