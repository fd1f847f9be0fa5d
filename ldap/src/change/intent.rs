//! A change that is written down: one entry, or several where a server would not take it at once. The entry `cn=intent` says
//! that there is one; parts without it are nothing.

use directory::{Entry as AuditEntry, Result, Revision};
use ldap3::Scope;
use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::Ldap;
use crate::filter::Filter;
use crate::link::{Search, Trouble, code};
use crate::rows;
use crate::schema::{self, class};

/// Octets of a part: a request with it is well below the 262,143 that slapd takes of anybody.
const PART: usize = 128 * 1024;

/// A change that is being made.
#[derive(Serialize, Deserialize)]
pub(super) struct Intent {
    /// The revision that its rows get, which no other has.
    pub(super) revision: Revision,
    pub(super) steps: Vec<Step>,
    /// What the audit log says about it.
    pub(super) entries: Vec<AuditEntry>,
    /// In how many parts it is written down; none if it is whole.
    #[serde(skip)]
    pub(super) parts: usize,
}

/// What `cn=intent` has in it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    /// So many parts in entries beside it, from 1.
    Parts {
        parts: usize,
    },
    Whole(Intent),
}

impl Ldap {
    /// Writes a change down. The parts come first, and may be left from one that was never begun.
    pub(super) fn write_intent(&self, intent: &mut Intent) -> Result<(), Trouble> {
        let unwritable =
            |error: serde_json::Error| Trouble::Refused { code: 0, text: rows::unwritable(&error).to_string() };
        let json = serde_json::to_string(intent).map_err(unwritable)?;
        if json.len() <= PART {
            return self.add_record(&self.places.intent, "intent", json);
        }
        let parts = split(&json);
        for (number, part) in (1..).zip(&parts) {
            let (name, dn) = (part_name(number), self.places.part(number));
            match self.add_record(&dn, &name, (*part).to_owned()) {
                Err(Trouble::Refused { code: code::ENTRY_ALREADY_EXISTS, .. }) => {
                    self.links.replace(&dn, &vec![(schema::INTENT, vec![(*part).to_owned()])])?;
                }
                done => done?,
            }
        }
        intent.parts = parts.len();
        let parts = serde_json::to_string(&Written::Parts { parts: parts.len() }).map_err(unwritable)?;
        self.add_record(&self.places.intent, "intent", parts)
    }

    /// The change that is written down, if there is one.
    pub(super) fn read_intent(&self) -> Result<Option<Intent>> {
        let dn = &self.places.intent;
        let Some(json) = self.read_record(dn)? else { return Ok(None) };
        let parts = match rows::parse(dn, &json)? {
            Written::Whole(intent) => return Ok(Some(intent)),
            Written::Parts { parts } => parts,
        };
        let mut whole = String::new();
        for number in 1..=parts {
            let dn = self.places.part(number);
            whole += &self.read_record(&dn)?.ok_or_else(|| rows::corrupt(&dn, &"a part of a change is not there"))?;
        }
        Ok(Some(Intent { parts, ..rows::parse(dn, &whole)? }))
    }

    /// Removes what is written down, the parts last.
    pub(super) fn cross_out(&self, parts: usize) -> Result<(), Trouble> {
        self.remove_record(&self.places.intent)?;
        (1..=parts).try_for_each(|number| self.remove_record(&self.places.part(number)))
    }

    fn add_record(&self, dn: &str, name: &str, json: String) -> Result<(), Trouble> {
        let attributes = vec![
            ("objectClass", vec!["top".to_owned(), class::RECORD.to_owned()]),
            (schema::CN, vec![name.to_owned()]),
            (schema::INTENT, vec![json]),
        ];
        self.links.add(dn, &attributes)
    }

    fn read_record(&self, dn: &str) -> Result<Option<String>> {
        let search = Search {
            base: dn.to_owned(),
            scope: Scope::Base,
            filter: Filter::class(class::RECORD, None),
            attributes: None,
        };
        let found = match self.links.find(&search) {
            Ok(found) => found,
            Err(Trouble::Refused { code: code::NO_SUCH_OBJECT, .. }) => return Ok(None),
            Err(trouble) => return Err(trouble.into()),
        };
        let Some(entry) = found.first() else { return Ok(None) };
        match entry.one(schema::INTENT) {
            Some(json) => Ok(Some(json.to_owned())),
            None => Err(rows::corrupt(dn, &"there is nothing in it; may we read it?")),
        }
    }

    fn remove_record(&self, dn: &str) -> Result<(), Trouble> {
        match self.links.delete(dn) {
            Err(Trouble::Refused { code: code::NO_SUCH_OBJECT, .. }) => Ok(()),
            done => done,
        }
    }
}

/// The name of a part's entry.
pub(crate) fn part_name(number: usize) -> String {
    format!("intent-{number}")
}

/// Pieces of at most [`PART`] octets, between characters.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let (part, more) = rest.split_at(rest.floor_char_boundary(PART));
        parts.push(part);
        rest = more;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_small_and_whole_together() {
        for text in [String::new(), "x".repeat(PART), "x".repeat(PART + 1), format!("x{}", "ö".repeat(PART))] {
            let parts = split(&text);
            assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= PART));
            assert_eq!(parts.concat(), text);
        }
    }
}
