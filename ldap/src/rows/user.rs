//! Users: inetOrgPerson (RFC 2798) with a class of ours beside.

use directory::{Address, ContactField, Decision, JunkFilter, Result, User, UserState, Vacation};
use serde_json::{Map, Value, json};

use super::{boolean, corrupt, extra, extra_of, fields, put, revision_of, row_of, text};
use crate::link::{Attributes, Entry};
use crate::schema;

/// Writes a user, but for the user ID, which is the entry's name, and the passwords.
pub(crate) fn user_attributes(user: &User) -> Result<Attributes> {
    // Every field has attributes, but for those of a newer version, and what is being done with the row.
    let mut rest = fields(user)?;
    User::FIELDS.iter().chain(&["revision"]).for_each(|field| drop(rest.remove(*field)));
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
    attributes.extend(vacation_attributes(user.vacation.as_deref()));
    attributes.extend(junk_attributes(user.junk_filter.as_deref()));
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
    vacation_from(entry, &mut row)?;
    junk_from(entry, &mut row);
    let contact = row.entry("contact").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(contact) = contact {
        for field in ContactField::ALL {
            put(contact, field.name(), entry.one(field.attribute()));
        }
    }
    let mut user: User = row_of(entry, row)?;
    // In the order of rows, which is not that of two attributes.
    if let Some(filter) = &mut user.junk_filter {
        filter.exceptions.sort_unstable();
    }
    Ok(user)
}

fn vacation_attributes(vacation: Option<&Vacation>) -> [(&'static str, Vec<String>); 4] {
    let said = |say: &dyn Fn(&Vacation) -> Vec<String>| vacation.map(say).unwrap_or_default();
    [
        (schema::VACATION, said(&|vacation| vec![boolean(vacation.on)])),
        (schema::VACATION_SUBJECT, said(&|vacation| text(&vacation.subject))),
        (schema::VACATION_TEXT, said(&|vacation| text(&vacation.text))),
        (schema::VACATION_DAYS, said(&|vacation| vec![vacation.days.to_string()])),
    ]
}

fn vacation_from(entry: &Entry, row: &mut Map<String, Value>) -> Result<()> {
    let mut vacation = Map::new();
    put_flag(&mut vacation, "on", entry.one(schema::VACATION));
    put(&mut vacation, "subject", entry.one(schema::VACATION_SUBJECT));
    put(&mut vacation, "text", entry.one(schema::VACATION_TEXT));
    if let Some(days) = entry.one(schema::VACATION_DAYS) {
        let days: u32 = days.parse().map_err(|error| corrupt(&entry.dn, &error))?;
        vacation.insert("days".into(), days.into());
    }
    if !vacation.is_empty() {
        row.insert("vacation".into(), vacation.into());
    }
    Ok(())
}

/// The attribute that has the senders of one kind of exception.
fn senders(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => schema::JUNK_ALLOW,
        Decision::Deny => schema::JUNK_DENY,
    }
}

fn junk_attributes(filter: Option<&JunkFilter>) -> [(&'static str, Vec<String>); 4] {
    let patterns = |decision| {
        let patterns = filter.iter().flat_map(|filter| filter.patterns(decision));
        (senders(decision), patterns.map(ToString::to_string).collect())
    };
    [
        (schema::JUNK_FILTER, filter.map(|filter| boolean(filter.on)).into_iter().collect()),
        (schema::JUNK_ACTION, filter.map(|filter| filter.action.name().to_owned()).into_iter().collect()),
        patterns(Decision::Allow),
        patterns(Decision::Deny),
    ]
}

fn junk_from(entry: &Entry, row: &mut Map<String, Value>) {
    let mut filter = Map::new();
    put_flag(&mut filter, "on", entry.one(schema::JUNK_FILTER));
    put(&mut filter, "action", entry.one(schema::JUNK_ACTION));
    let of = |decision: Decision| {
        let patterns = entry.all(senders(decision)).into_iter();
        patterns.map(move |pattern| json!({ "pattern": pattern, "decision": decision.name() }))
    };
    let exceptions: Vec<Value> = Decision::ALL.into_iter().flat_map(of).collect();
    if !exceptions.is_empty() {
        filter.insert("exceptions".into(), exceptions.into());
    }
    if !filter.is_empty() {
        row.insert("junk_filter".into(), filter.into());
    }
}

/// The mail address of a user, or the address of an alias.
pub(crate) fn address_from(entry: &Entry) -> Result<Address> {
    let address = entry.one(schema::MAIL_UTF8).or(entry.one(schema::MAIL)).unwrap_or_default();
    Address::parse(address).map_err(|error| corrupt(&entry.dn, &error))
}

fn put_flag(row: &mut Map<String, Value>, field: &str, value: Option<&str>) {
    if let Some(value) = value {
        row.insert(field.to_owned(), (value == "TRUE").into());
    }
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
