//! What an entry of the audit log says.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Who};

/// One thing that was done: which, to what, and how it changed. Never a password, nor anything made of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// What was done, as `user.create`: docs/formats/audit.md lists them.
    pub action: &'static str,
    /// To what: a user ID, an address, a domain.
    pub object: String,
    /// Fields that changed: name, value before, value after. Empty texts stand for what was or is not there. Of a list:
    /// what went, and what came.
    pub fields: Vec<(&'static str, String, String)>,
}

impl Event {
    /// Something that was done as a whole.
    #[must_use]
    pub fn new(action: &'static str, object: impl ToString) -> Event {
        Event { action, object: object.to_string(), fields: Vec::new() }
    }

    /// A field too, if it changed.
    #[must_use]
    pub fn field(mut self, name: &'static str, before: impl Into<String>, after: impl Into<String>) -> Event {
        let (before, after) = (before.into(), after.into());
        if before != after {
            self.fields.push((name, before, after));
        }
        self
    }

    /// A field too of which it is enough that it changed: what is long, and nobody else's.
    #[must_use]
    pub(crate) fn changed(mut self, name: &'static str, has_changed: bool) -> Event {
        if has_changed {
            self.fields.push((name, String::new(), String::new()));
        }
        self
    }

    /// A list too, if it changed.
    #[must_use]
    pub(crate) fn list<T: ToString>(
        self,
        name: &'static str,
        before: impl IntoIterator<Item = T>,
        after: impl IntoIterator<Item = T>,
    ) -> Event {
        let texts = |items: &mut dyn Iterator<Item = T>| items.map(|item| item.to_string()).collect::<BTreeSet<_>>();
        let (before, after) = (texts(&mut before.into_iter()), texts(&mut after.into_iter()));
        let only = |of: &BTreeSet<String>, other: &BTreeSet<String>| {
            of.difference(other).map(String::as_str).collect::<Vec<_>>().join(" ")
        };
        self.field(name, only(&before, &after), only(&after, &before))
    }
}

/// A line of the log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The number of the entry: one more than that of the entry before.
    pub number: u64,
    /// When, in Unix seconds.
    pub time: u64,
    /// Who: a user ID, or something in parentheses that is none.
    pub who: String,
    /// As what: `server`, `operator`, `administrator`, `user`.
    #[serde(rename = "as")]
    pub role: String,
    /// Through what: `command`, `rest`, `web`, ...
    pub via: String,
    /// From which address, if from another machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<std::net::IpAddr>,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// Field, value before, value after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(String, String, String)>,
}

impl Entry {
    /// The entry of an event that happens now.
    #[must_use]
    pub fn new(number: u64, actor: &Actor, event: &Event) -> Entry {
        let role = match actor.who {
            Who::Server => "server",
            Who::Operator(_) => "operator",
            Who::Administrator(_) => "administrator",
            Who::User(_) => "user",
        };
        let fields = event.fields.iter().map(|(name, a, b)| ((*name).to_owned(), a.clone(), b.clone())).collect();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Entry {
            number,
            time: now.map_or(0, |since| since.as_secs()),
            who: actor.name(),
            role: role.to_owned(),
            via: actor.via.to_owned(),
            from: actor.from,
            action: event.action.to_owned(),
            object: event.object.clone(),
            fields,
        }
    }

    /// The line, with its end. JSON has no line breaks in it, whatever is in the values.
    #[must_use]
    pub fn line(&self) -> String {
        // A struct of texts and numbers has nothing that JSON can't say.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::UserId;

    #[test]
    fn an_entry_is_one_line() {
        let joe = UserId::parse("joe").unwrap();
        let actor = Actor::user(&joe, false, "rest", Some([192, 0, 2, 1].into()));
        let event = Event::new("user.update", "joe").field("title", "", "a\nb\u{1b}[2J\"").field("office", "x", "x");
        let entry = Entry::new(7, &actor, &event);
        let line = entry.line();
        assert_eq!(line.matches('\n').count(), 1);
        assert!(!line.contains('\u{1b}'));
        assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry);
        assert_eq!(entry.fields.len(), 1, "what did not change is not said");
        assert_eq!((entry.who.as_str(), entry.role.as_str(), entry.number), ("joe", "user", 7));
    }
}
