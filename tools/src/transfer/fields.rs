//! The fields of an object in a file, until they are taken out.

use directory::Error;
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::user_fields::Object;

/// What an object has.
pub(super) struct Fields<'p> {
    pub(super) line: usize,
    left: Map<String, Value>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Fields<'p> {
    pub(super) fn new(line: usize, left: Map<String, Value>, problems: &'p mut Vec<Problem>) -> Self {
        Self { line, left, problems }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.remove(name)
    }

    /// Notes that a field is not what it must be. Its value is not repeated: what is no text is long.
    pub(super) fn wrong<T>(&mut self, name: &str, rule: &str) -> Option<T> {
        self.problems.push(Problem::new(self.line, name, rule));
        None
    }

    pub(super) fn refused<T>(&mut self, name: &'static str, error: Error) -> Option<T> {
        self.problems.push(Problem::of(self.line, &error.of_field(name)));
        None
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => self.wrong(name, "a text"),
        }
    }

    /// A text, or `null` for none.
    pub(super) fn optional_text(&mut self, name: &str) -> Option<Option<String>> {
        match self.take(name)? {
            Value::String(text) => Some(Some(text)),
            Value::Null => Some(None),
            _ => self.wrong(name, "a text, or null"),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.wrong(name, "true or false"),
        }
    }

    /// A number, or `null` for none.
    pub(super) fn number(&mut self, name: &str) -> Option<Option<u64>> {
        match self.take(name)? {
            Value::Null => Some(None),
            value => match value.as_u64() {
                Some(number) => Some(Some(number)),
                None => self.wrong(name, "a number of megabytes, or null"),
            },
        }
    }

    /// Notes what a rule of the directory says, which names the field itself.
    pub(super) fn broken<T>(&mut self, error: &Error) -> Option<T> {
        self.problems.push(Problem::of(self.line, error));
        None
    }

    pub(super) fn object(&mut self, name: &str) -> Option<Map<String, Value>> {
        match self.take(name)? {
            Value::Object(object) => Some(object),
            _ => self.wrong(name, "an object"),
        }
    }

    /// An object, or `null` for none.
    pub(super) fn optional_object(&mut self, name: &str) -> Option<Option<Map<String, Value>>> {
        match self.take(name)? {
            Value::Object(object) => Some(Some(object)),
            Value::Null => Some(None),
            _ => self.wrong(name, "an object, or null"),
        }
    }

    /// The fields of an object within this one.
    pub(super) fn inner(&mut self, object: Map<String, Value>) -> Fields<'_> {
        Fields { line: self.line, left: object, problems: self.problems }
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.list(name, |text| Ok(text.to_owned()))
    }

    pub(super) fn parsed<T>(&mut self, name: &'static str, parse: fn(&str) -> directory::Result<T>) -> Option<T> {
        let text = self.text(name)?;
        parse(&text).map_or_else(|error| self.refused(name, error), Some)
    }

    pub(super) fn required<T>(&mut self, name: &'static str, parse: fn(&str) -> directory::Result<T>) -> Option<T> {
        if !self.left.contains_key(name) {
            return self.wrong(name, "it must be given");
        }
        self.parsed(name, parse)
    }

    /// A list of texts that mean something; every one that does not is noted.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> directory::Result<T>,
    ) -> Option<Vec<T>> {
        let Value::Array(list) = self.take(name)? else { return self.wrong(name, "a list of texts") };
        let mut values = Vec::with_capacity(list.len());
        for value in list {
            let Value::String(text) = value else { return self.wrong(name, "a list of texts") };
            match parse(&text) {
                Ok(value) => values.push(value),
                Err(error) => drop(self.refused::<()>(name, error)),
            }
        }
        Some(values)
    }

    /// Whatever is left is not known.
    pub(super) fn finish(self, what: &str) {
        for name in self.left.keys() {
            // The name alone: who has written a password into the wrong place must not find it in a log.
            let name: String = name.chars().take(64).collect();
            self.problems.push(Problem::new(self.line, &name, format!("{what} has no such field")));
        }
    }
}

impl Object for Fields<'_> {
    fn text(&mut self, name: &str) -> Option<String> {
        Fields::text(self, name)
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        Fields::flag(self, name)
    }

    fn number(&mut self, name: &str, rule: &str) -> Option<u64> {
        let value = self.take(name)?;
        value.as_u64().or_else(|| self.wrong(name, rule))
    }

    fn objects(&mut self, name: &str, each: &mut dyn FnMut(usize, &mut dyn Object)) -> bool {
        const RULE: &str = "a list of objects";
        let list = match self.take(name) {
            None => return false,
            Some(Value::Array(list)) => list,
            Some(_) => return self.wrong::<()>(name, RULE).is_some(),
        };
        for (index, value) in list.into_iter().enumerate() {
            match value {
                Value::Object(object) => {
                    let mut inner = self.inner(object);
                    each(index, &mut inner);
                    inner.finish(name);
                }
                _ => drop(self.wrong::<()>(name, RULE)),
            }
        }
        true
    }

    fn refuse(&mut self, error: Error) {
        self.broken::<()>(&error);
    }
}
