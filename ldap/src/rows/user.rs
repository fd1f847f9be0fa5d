//! Users: inetOrgPerson (RFC 2798) with a class of ours beside.

use directory::{Address, ContactField, Result, User, UserState};
use serde_json::{Map, Value, json};

use super::{boolean, corrupt, extra, extra_of, fields, put, revision_of, row_of, text};
use crate::link::{Attributes, Entry};
use crate::schema;

/// Fields that have attributes.
const FIELDS: &[&str] = &[
    "uid",
    "mail",
    "given_name",
    "surname",
    "display_name",
    "alternates",
    "contact",
    "forwarding",
    "admin",
    "groups",
    "state",
    "quota_limit_mib",
    "revision",
];

/// Writes a user, but for the user ID, which is the entry's name, and the passwords.
pub(crate) fn user_attributes(user: &User) -> Result<Attributes> {
    let mut rest = fields(user)?;
    FIELDS.iter().for_each(|field| drop(rest.remove(*field)));
    let mail = user.mail.to_string();
    let texts = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<_>>();
    let name = |name: &str| if name.is_empty() { user.uid.to_string() } else { name.to_owned() };
    // A person must have them.
    let mut attributes = vec![
        (schema::CN, vec![name(&user.display_name)]),
        (schema::SURNAME, vec![name(&user.surname)]),
        (schema::GIVEN_NAME, text(&user.given_name)),
        (schema::DISPLAY_NAME, text(&user.display_name)),
        (schema::MAIL, if mail.is_ascii() { text(&mail) } else { Vec::new() }),
        (schema::MAIL_UTF8, if mail.is_ascii() { Vec::new() } else { text(&mail) }),
        (schema::ALTERNATE, texts(&mut user.alternates.iter().map(ToString::to_string))),
        (schema::ADMIN, vec![boolean(user.admin)]),
        (schema::GROUP, user.groups.clone()),
        (schema::STATE, vec![state_name(user.state).to_owned()]),
        (schema::QUOTA, user.quota_limit_mib.iter().map(ToString::to_string).collect()),
        (schema::REVISION, vec![user.revision.to_string()]),
    ];
    let forwarding = user.forwarding.as_deref();
    let to = forwarding.map(|forwarding| texts(&mut forwarding.to.iter().map(ToString::to_string)));
    attributes.push((schema::FORWARD, to.unwrap_or_default()));
    attributes.push((schema::KEEP_COPY, forwarding.map(|to| boolean(to.keep_copy)).into_iter().collect()));
    if user.surname.is_empty() {
        rest.insert("surname".into(), "".into());
    }
    let mut odd = Map::new();
    for field in ContactField::ALL {
        let value = user.contact.get(field);
        let fits = !is_number(field) || is_printable(value);
        attributes.push((field.attribute(), if fits { text(value) } else { Vec::new() }));
        if !fits && !value.is_empty() {
            odd.insert(field.name().into(), value.into());
        }
    }
    if !odd.is_empty() {
        rest.insert("contact".into(), odd.into());
    }
    attributes.push((schema::EXTRA, extra(rest)?));
    Ok(attributes)
}

/// Reads a user.
pub(crate) fn user_from(entry: &Entry) -> Result<User> {
    let mut row = extra_of(entry)?;
    put(&mut row, "uid", entry.one(schema::UID));
    put(&mut row, "mail", entry.one(schema::MAIL_UTF8).or(entry.one(schema::MAIL)));
    put(&mut row, "given_name", entry.one(schema::GIVEN_NAME).or(Some("")));
    put(&mut row, "display_name", entry.one(schema::DISPLAY_NAME).or(Some("")));
    let surname = entry.one(schema::SURNAME);
    // Unless somebody has given the person one meanwhile.
    if !(row.contains_key("surname") && surname == entry.one(schema::UID)) {
        put(&mut row, "surname", surname.or(Some("")));
    }
    row.insert("alternates".into(), entry.all(schema::ALTERNATE).into());
    row.insert("groups".into(), entry.all(schema::GROUP).into());
    row.insert("admin".into(), (entry.one(schema::ADMIN) == Some("TRUE")).into());
    put(&mut row, "state", entry.one(schema::STATE));
    if let Some(quota) = entry.one(schema::QUOTA) {
        let quota: u64 = quota.parse().map_err(|error| corrupt(&entry.dn, &error))?;
        row.insert("quota_limit_mib".into(), quota.into());
    }
    row.insert("revision".into(), revision_of(entry)?);
    let to = entry.all(schema::FORWARD);
    if !to.is_empty() {
        let keep_copy = entry.one(schema::KEEP_COPY) == Some("TRUE");
        row.insert("forwarding".into(), json!({ "to": to, "keep_copy": keep_copy }));
    }
    let contact = row.entry("contact").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(contact) = contact {
        for field in ContactField::ALL {
            put(contact, field.name(), entry.one(field.attribute()));
        }
    }
    row_of(entry, row)
}

/// The mail address of a user, or the address of an alias.
pub(crate) fn address_from(entry: &Entry) -> Result<Address> {
    let address = entry.one(schema::MAIL_UTF8).or(entry.one(schema::MAIL)).unwrap_or_default();
    Address::parse(address).map_err(|error| corrupt(&entry.dn, &error))
}

fn state_name(state: UserState) -> &'static str {
    match state {
        UserState::Pending => "pending",
        UserState::Active => "active",
        UserState::Disabled => "disabled",
        UserState::Deleting => "deleting",
    }
}

/// Whether the attribute holds a telephone number (RFC 4517, 3.3.31), which is a printable string.
fn is_number(field: ContactField) -> bool {
    use ContactField::{BusinessPhone, CalendarNode, Fax, HomePhone, MobilePhone, Office, Pager, Title};
    match field {
        BusinessPhone | MobilePhone | HomePhone | Pager | Fax => true,
        Title | Office | CalendarNode => false,
    }
}

/// PrintableString (RFC 4517, 3.2), with something in it that is compared.
fn is_printable(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || " '()+,-./:?=".contains(c))
        && text.chars().any(|c| c.is_ascii_alphanumeric())
}
