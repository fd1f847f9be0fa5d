//! Aliases: groups whose members are entries, so that they follow when an address changes.

use std::collections::HashMap;

use directory::{Address, Alias, Result};

use super::{boolean, corrupt, extra, extra_of, fields, put, revision_of, row_of, text};
use crate::dn;
use crate::link::{Attributes, Entry};
use crate::schema::{self, Places};

const FIELDS: &[&str] = &[
    "address",
    "description",
    "owners",
    "users",
    "aliases",
    "remote",
    "groups",
    "file",
    "program",
    "joinable",
    "revision",
];

/// Writes an alias, but for the key, which is the entry's name. `keys` are those of the aliases that it names.
pub(crate) fn alias_attributes(alias: &Alias, keys: &HashMap<Address, String>, places: &Places) -> Result<Attributes> {
    let mut rest = fields(alias)?;
    FIELDS.iter().for_each(|field| drop(rest.remove(*field)));
    let address = alias.address.to_string();
    let users = |users: &[directory::UserId]| users.iter().map(|user| places.user(user.as_str())).collect::<Vec<_>>();
    let mut members = users(&alias.users);
    members.extend(alias.aliases.iter().filter_map(|named| Some(places.alias(keys.get(named)?))));
    Ok(vec![
        (schema::CN, text(&address)),
        (schema::MAIL, if address.is_ascii() { text(&address) } else { Vec::new() }),
        (schema::MAIL_UTF8, if address.is_ascii() { Vec::new() } else { text(&address) }),
        (schema::DESCRIPTION, text(&alias.description)),
        (schema::OWNER, users(&alias.owners)),
        (schema::MEMBER, members),
        (schema::REMOTE, alias.remote.iter().map(ToString::to_string).collect()),
        (schema::MEMBER_GROUP, alias.groups.clone()),
        (schema::FILE, alias.file.iter().cloned().collect()),
        (schema::PROGRAM, alias.program.iter().cloned().collect()),
        (schema::JOINABLE, vec![boolean(alias.joinable)]),
        (schema::REVISION, vec![alias.revision.to_string()]),
        (schema::EXTRA, extra(rest)?),
    ])
}

/// The keys of the aliases that an alias names.
pub(crate) fn member_keys(entry: &Entry, places: &Places) -> Vec<String> {
    let members = entry.all(schema::MEMBER);
    members.iter().filter_map(|member| dn::value_below(member, schema::KEY, &places.aliases)).collect()
}

/// Reads an alias; `names` are the addresses of the aliases that it names. One that is not there any more is left out, like
/// a name that was taken out. Somebody who is none of ours is an error: mail that one would expect to get must not be lost.
pub(crate) fn alias_from(entry: &Entry, names: &HashMap<String, Address>, places: &Places) -> Result<Alias> {
    let stranger = |dn: &str| corrupt(&entry.dn, &format_args!("{dn:?} is no user and no alias of this server"));
    let user = |dn: &str| dn::value_below(dn, schema::UID, &places.people);
    let (mut users, mut aliases) = (Vec::new(), Vec::new());
    for member in entry.all(schema::MEMBER) {
        if let Some(uid) = user(member) {
            users.push(uid);
        } else {
            let key = dn::value_below(member, schema::KEY, &places.aliases).ok_or_else(|| stranger(member))?;
            aliases.extend(names.get(&key).map(ToString::to_string));
        }
    }
    aliases.sort_unstable();
    let owners = entry.all(schema::OWNER).into_iter().map(|dn| user(dn).ok_or_else(|| stranger(dn)));
    let mut row = extra_of(entry)?;
    put(&mut row, "address", entry.one(schema::MAIL_UTF8).or(entry.one(schema::MAIL)));
    put(&mut row, "description", entry.one(schema::DESCRIPTION).or(Some("")));
    row.insert("owners".into(), owners.collect::<Result<Vec<_>>>()?.into());
    row.insert("users".into(), users.into());
    row.insert("aliases".into(), aliases.into());
    row.insert("remote".into(), entry.all(schema::REMOTE).into());
    row.insert("groups".into(), entry.all(schema::MEMBER_GROUP).into());
    put(&mut row, "file", entry.one(schema::FILE));
    put(&mut row, "program", entry.one(schema::PROGRAM));
    row.insert("joinable".into(), (entry.one(schema::JOINABLE) != Some("FALSE")).into());
    row.insert("revision".into(), revision_of(entry)?);
    row_of(entry, row)
}
