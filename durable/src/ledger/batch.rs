//! What is put into a ledger and what comes out: batches of rows, and JSON values.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::Error;
use crate::journal::MAX_LINE;

/// Changes that happen together or not at all. If a key occurs twice the later change counts.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    rows: Vec<Row>,
    octets: usize,
}

/// A key and its new value; `None` removes it.
pub(super) type Row = (String, Option<String>);

impl Batch {
    /// A batch without changes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// [`Error::Value`] if the value cannot be written as JSON or is `null`, which in the journal means "removed".
    pub fn put(&mut self, key: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let json = serde_json::to_string(value).map_err(|error| Error::Value(error.to_string()))?;
        if json == "null" {
            return Err(Error::Value("null stands for a removed row".into()));
        }
        let key = key.into();
        self.octets += key.len() + json.len();
        self.rows.push((key, Some(json)));
        Ok(())
    }

    /// Removes a key; nothing happens if it does not exist.
    pub fn remove(&mut self, key: impl Into<String>) {
        self.rows.push((key.into(), None));
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many changes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// About how many octets the values have, with their keys. What can be split is, long before it is too large for a line of
    /// the journal (64 MiB).
    #[must_use]
    pub fn octets(&self) -> usize {
        self.octets
    }

    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// The payload of a journal line: `[["key",value],["removed",null]]`.
    pub(super) fn payload(&self) -> Result<String, Error> {
        let mut out = String::from("[");
        for (index, (key, value)) in self.rows.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push('[');
            out.push_str(&serde_json::Value::from(key.as_str()).to_string());
            out.push(',');
            out.push_str(value.as_deref().unwrap_or("null"));
            out.push(']');
        }
        out.push(']');
        // The numbers and the checksum in front need less than this.
        if out.len() + 64 > MAX_LINE { Err(Error::Value("the batch is too large".into())) } else { Ok(out) }
    }

    /// Reads a payload back; `None` if it is none.
    pub(super) fn parse(payload: &str) -> Option<Vec<Row>> {
        let rows: Vec<(Cow<'_, str>, &RawValue)> = serde_json::from_str(payload).ok()?;
        let value = |raw: &RawValue| Some(raw.get().to_owned()).filter(|json| json != "null");
        Some(rows.into_iter().map(|(key, raw)| (key.into_owned(), value(raw))).collect())
    }
}

/// A value as it is stored: JSON text on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Json(pub(super) String);

impl Json {
    /// Reads the value as a type of the caller's.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_come_back() {
        let mut batch = Batch::new();
        batch.put("a\n\u{0}\"ü", &serde_json::json!({ "n": 1.5, "line": "x\ny" })).unwrap();
        batch.remove("b");
        batch.put("", "text").unwrap();
        assert_eq!(batch.octets(), 6 + 23 + 6);
        let payload = batch.payload().unwrap();
        assert!(!payload.contains('\n'));
        assert_eq!(Batch::parse(&payload).unwrap(), batch.into_rows());
        assert_eq!(Batch::parse("[]"), Some(vec![]));
        for bad in ["", "{}", "[[1,2]]", r#"[["a"]]"#, r#"[["a",1,2]]"#, "[", r#"[["a",}]]"#] {
            assert_eq!(Batch::parse(bad), None, "{bad}");
        }
        let deep = format!(r#"[["a",{}]]"#, "[".repeat(1_000_000));
        assert_eq!(Batch::parse(&deep), None);
        assert!(Batch::new().put("k", &Option::<u8>::None).is_err());
    }
}
