//! What a row looks like as an entry, and an entry as a row. Every field that has an attribute of a standard is in it; what
//! an attribute can't say (a telephone number with a word in it, what a newer version has written) is in a JSON object
//! beside, so that nothing is lost on the way there and back.

mod alias;
mod password;
mod user;

use directory::{Domain, Error, Privileges, Result, Revision};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::link::{Attributes, Entry};
use crate::schema;

pub(crate) use alias::{alias_attributes, alias_from, member_keys};
pub(crate) use password::{credentials_attributes, credentials_from, credentials_strictly};
pub(crate) use user::{address_from, user_attributes, user_from};

/// Writes a domain.
pub(crate) fn domain_attributes(domain: &Domain) -> Result<Attributes> {
    let mut rest = fields(domain)?;
    ["name", "description", "primary", "deleting", "revision"].iter().for_each(|field| drop(rest.remove(*field)));
    let state = if domain.deleting { "deleting" } else { "active" };
    Ok(vec![
        (schema::DESCRIPTION, text(&domain.description)),
        (schema::PRIMARY, vec![boolean(domain.primary)]),
        (schema::STATE, vec![state.to_owned()]),
        (schema::REVISION, vec![domain.revision.to_string()]),
        (schema::EXTRA, extra(rest)?),
    ])
}

/// Reads a domain.
pub(crate) fn domain_from(entry: &Entry) -> Result<Domain> {
    let mut row = extra_of(entry)?;
    put(&mut row, "name", entry.one(schema::CN));
    put(&mut row, "description", entry.one(schema::DESCRIPTION).or(Some("")));
    row.insert("primary".into(), (entry.one(schema::PRIMARY) == Some("TRUE")).into());
    row.insert("deleting".into(), (entry.one(schema::STATE) == Some("deleting")).into());
    row.insert("revision".into(), revision_of(entry)?);
    row_of(entry, row)
}

/// Writes the global record.
pub(crate) fn privileges_attributes(privileges: &Privileges) -> Result<Attributes> {
    let json = serde_json::to_string(privileges).map_err(|error| unwritable(&error))?;
    Ok(vec![(schema::SETTINGS, vec![json]), (schema::REVISION, vec![privileges.revision.to_string()])])
}

/// Reads the global record.
pub(crate) fn privileges_from(entry: &Entry) -> Result<Privileges> {
    match entry.one(schema::SETTINGS) {
        Some(json) => parse(&entry.dn, json),
        None => Ok(Privileges::default()),
    }
}

/// A JSON value of an entry.
pub(crate) fn parse<T: DeserializeOwned>(dn: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| corrupt(dn, &error))
}

pub(crate) fn corrupt(dn: &str, what: &dyn std::fmt::Display) -> Error {
    Error::Corrupt { key: dn.to_owned(), what: what.to_string() }
}

pub(crate) fn unwritable(what: &dyn std::fmt::Display) -> Error {
    Error::Unavailable(format!("a row can't be written: {what}"))
}

fn fields(row: &impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(row) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(unwritable(&"it is no object")),
        Err(error) => Err(unwritable(&error)),
    }
}

fn extra(rest: Map<String, Value>) -> Result<Vec<String>> {
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::to_string(&rest).map(|json| vec![json]).map_err(|error| unwritable(&error))
}

fn extra_of(entry: &Entry) -> Result<Map<String, Value>> {
    entry.one(schema::EXTRA).map_or_else(|| Ok(Map::new()), |json| parse(&entry.dn, json))
}

fn row_of<T: DeserializeOwned>(entry: &Entry, row: Map<String, Value>) -> Result<T> {
    serde_json::from_value(Value::Object(row)).map_err(|error| corrupt(&entry.dn, &error))
}

fn revision_of(entry: &Entry) -> Result<Value> {
    let revision = entry.one(schema::REVISION).map_or(Ok(Revision::NONE), str::parse::<Revision>);
    revision.map(|revision| revision.0.into()).map_err(|error| corrupt(&entry.dn, &error))
}

fn put(row: &mut Map<String, Value>, field: &str, text: Option<&str>) {
    if let Some(text) = text {
        row.insert(field.to_owned(), text.into());
    }
}

/// The value of a text; an attribute can't be empty.
fn text(text: &str) -> Vec<String> {
    if text.is_empty() { Vec::new() } else { vec![text.to_owned()] }
}

fn boolean(value: bool) -> String {
    (if value { "TRUE" } else { "FALSE" }).to_owned()
}
