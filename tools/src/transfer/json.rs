//! Rows as JSON, one object a line (docs/formats/transfer.md):
//!
//! ```text
//! {"directory":{"passwords":true,"version":1}}
//! {"privileges":{"default_folders":["Sent"], ...}}
//! {"domain":{"description":"","name":"example.org","primary":true}}
//! {"user":{"uid":"joe","mail":"joe@example.org", ...,"credentials":{"hash":"$argon2id$..."}}}
//! {"alias":{"address":"staff@example.org","owners":["joe"],"users":["joe"], ...}}
//! ```
//!
//! A row has the fields of the directory's own rows (docs/formats/directory.md) but for the revision.

use std::io;

use directory::{
    Address, Alias, ContactField, Credentials, Domain, DomainName, Forwarding, JunkFilter, Privileges, RemoteAddress,
    Secret, User, UserId, UserState, Vacation,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::fields::Fields;
use super::lines::{Lines, MAX_LINE, Next};
use super::problem::{Problem, Seen};
use super::rows::{AliasRow, DomainRow, PrivilegesRow, Rows, SWITCHES, UserRow};
use crate::user_fields::{self, UserFields};

/// The version that is written, and the last one that is read.
const VERSION: u64 = 1;

/// Fields of an alias that are known; whatever else a row has comes from a newer version.
const ALIAS: &[&str] =
    &["address", "description", "owners", "users", "aliases", "remote", "groups", "file", "program", "joinable"];

/// Fields that are the directory's own business.
const LEFT_OUT: &[&str] = &["revision", "then_disabled", "deleting"];

/// Fields that rows leave out while they are empty, and what that is.
const EMPTY: &[(&str, &str, &str)] = &[
    ("user", "contact", "{}"),
    ("user", "forwarding", "null"),
    ("user", "vacation", "null"),
    ("user", "junk_filter", "null"),
    ("alias", "groups", "[]"),
    ("alias", "file", "null"),
    ("alias", "program", "null"),
    ("privileges", "junk_exceptions", "[]"),
];

/// The first line.
pub(super) fn first_line(passwords: bool) -> String {
    json!({"directory": {"version": VERSION, "passwords": passwords}}).to_string()
}

pub(super) fn domain_line(domain: &Domain) -> io::Result<String> {
    Ok(line("domain", fields_of("domain", domain, &["name", "description", "primary"])?))
}

pub(super) fn user_line(user: &User, credentials: Option<&Credentials>) -> io::Result<String> {
    let mut fields = fields_of_user(user)?;
    if let Some(credentials) = credentials {
        fields.insert("credentials".to_owned(), serde_json::to_value(credentials)?);
    }
    Ok(line("user", fields))
}

fn fields_of_user(user: &User) -> io::Result<Map<String, Value>> {
    if !user.then_disabled {
        return fields_of("user", user, &User::FIELDS);
    }
    let mut user = user.clone();
    user.state = UserState::Disabled;
    fields_of("user", &user, &User::FIELDS)
}

pub(super) fn alias_line(alias: &Alias) -> io::Result<String> {
    Ok(line("alias", fields_of("alias", alias, ALIAS)?))
}

pub(super) fn privileges_line(privileges: &Privileges) -> io::Result<String> {
    Ok(line("privileges", privileges_fields(privileges)?))
}

fn privileges_fields(privileges: &Privileges) -> io::Result<Map<String, Value>> {
    let switches = SWITCHES.iter().map(|(name, _)| *name);
    let known = ["default_quota_mib", "default_folders", "junk_exceptions"].into_iter().chain(switches);
    fields_of("privileges", privileges, &known.collect::<Vec<_>>())
}

fn line(kind: &str, fields: Map<String, Value>) -> String {
    Value::Object(Map::from_iter([(kind.to_owned(), Value::Object(fields))])).to_string()
}

/// The fields of a row, as its line has them.
fn fields_of(kind: &str, row: &impl Serialize, known: &[&str]) -> io::Result<Map<String, Value>> {
    let Value::Object(mut fields) = serde_json::to_value(row)? else {
        return Err(io::Error::other("a row is an object"));
    };
    fields.retain(|name, _| !LEFT_OUT.contains(&name.as_str()));
    // What a row leaves out because it is empty must be said here: what is not said stays as it is.
    for (of, name, empty) in EMPTY {
        if *of == kind && !fields.contains_key(*name) {
            fields.insert((*name).to_owned(), serde_json::from_str(empty)?);
        }
    }
    if fields.keys().any(|name| !known.contains(&name.as_str())) {
        let (known, other): (Map<_, _>, Map<_, _>) =
            fields.into_iter().partition(|(name, _)| known.contains(&name.as_str()));
        fields = known;
        fields.insert("other".to_owned(), Value::Object(other));
    }
    Ok(fields)
}

/// A user who was read otherwise, as if a line had said so.
///
/// # Errors
/// When the row can't be written as a line.
pub(super) fn user_row(
    at: usize,
    user: &User,
    credentials: Option<Credentials>,
    problems: &mut Vec<Problem>,
) -> io::Result<Option<UserRow>> {
    let row = self::user(&mut Fields::new(at, fields_of_user(user)?, problems));
    Ok(row.map(|row| UserRow { credentials, ..row }))
}

/// The same of an alias.
///
/// # Errors
/// As above.
pub(super) fn alias_row(at: usize, alias: &Alias, problems: &mut Vec<Problem>) -> io::Result<Option<AliasRow>> {
    Ok(self::alias(&mut Fields::new(at, fields_of("alias", alias, ALIAS)?, problems)))
}

/// The same of the global record.
///
/// # Errors
/// As above.
pub(super) fn privileges_row(
    at: usize,
    privileges: &Privileges,
    problems: &mut Vec<Problem>,
) -> io::Result<PrivilegesRow> {
    Ok(self::privileges(&mut Fields::new(at, privileges_fields(privileges)?, problems)))
}

/// Reads all rows, and notes whatever is wrong with one by itself.
///
/// # Errors
/// Those of the stream.
pub(super) fn read(lines: &mut Lines<'_>) -> io::Result<(Rows, Vec<Problem>)> {
    let (mut reading, mut line) = (Reading::default(), Vec::new());
    loop {
        match lines.next(&mut line)? {
            Next::End => return Ok((reading.rows, reading.problems)),
            Next::TooLong => {
                let rule = format!("the line is longer than {} MiB", MAX_LINE >> 20);
                reading.problems.push(Problem::new(lines.number, "", rule));
            }
            Next::Line => reading.line(lines.number, &line),
        }
    }
}

#[derive(Default)]
struct Reading {
    rows: Rows,
    problems: Vec<Problem>,
    seen: Seen,
}

impl Reading {
    fn line(&mut self, number: usize, line: &[u8]) {
        let Ok(text) = std::str::from_utf8(line) else {
            return self.problems.push(Problem::new(number, "", "the line is not UTF-8"));
        };
        // The byte order mark that editors of another system leave.
        let text = if number == 1 { text.trim_start_matches('\u{feff}') } else { text };
        if text.trim().is_empty() {
            return;
        }
        // Without the values: one of them may be a password's hash.
        let object = match serde_json::from_str(text) {
            Ok(Value::Object(object)) if object.len() == 1 => object,
            Ok(_) => return self.problems.push(Problem::new(number, "", KINDS)),
            Err(error) => {
                let rule = format!("not JSON, at column {}", error.column());
                return self.problems.push(Problem::new(number, "", rule));
            }
        };
        for (kind, row) in object {
            match row {
                Value::Object(row) => self.row(number, &kind, row),
                _ => self.problems.push(Problem::new(number, "", KINDS)),
            }
        }
    }

    fn row(&mut self, line: usize, kind: &str, row: Map<String, Value>) {
        let mut fields = Fields::new(line, row, &mut self.problems);
        let name = match kind {
            "directory" => return first(fields),
            "privileges" => {
                self.rows.privileges = Some(privileges(&mut fields));
                Some(String::new())
            }
            "domain" => domain(&mut fields).map(|row| {
                let name = row.name.to_string();
                self.rows.domains.push(row);
                name
            }),
            "user" => user(&mut fields).map(|row| {
                let name = row.uid.to_string();
                self.rows.users.push(row);
                name
            }),
            "alias" => alias(&mut fields).map(|row| {
                let name = row.address.to_string();
                self.rows.aliases.push(row);
                name
            }),
            _ => return self.problems.push(Problem::new(line, "", KINDS)),
        };
        fields.finish(&format!("the row of a {kind}"));
        let Some(name) = name else { return };
        self.seen.note(line, format!("{kind} {name}").trim_end().to_owned(), &mut self.problems);
    }
}

/// What a line can be.
const KINDS: &str =
    "a line is an object with one field, which says what it is: directory, privileges, domain, user or alias";

fn first(mut fields: Fields<'_>) {
    fields.flag("passwords");
    match fields.take("version").and_then(|version| version.as_u64()) {
        Some(1..=VERSION) => {}
        _ => drop(fields.wrong::<()>("version", "this version of the program reads version 1")),
    }
    fields.finish("the first line");
}

fn privileges(fields: &mut Fields<'_>) -> PrivilegesRow {
    PrivilegesRow {
        line: fields.line,
        default_quota_mib: fields.number("default_quota_mib"),
        default_folders: fields.texts("default_folders"),
        switches: SWITCHES.iter().filter_map(|(name, privilege)| Some((*privilege, fields.flag(name)?))).collect(),
        junk_exceptions: user_fields::junk_exceptions(fields),
        other: fields.object("other"),
    }
}

fn domain(fields: &mut Fields<'_>) -> Option<DomainRow> {
    let name = fields.required("name", DomainName::parse);
    let description = fields.text("description");
    let primary = fields.flag("primary").unwrap_or_default();
    Some(DomainRow { line: fields.line, name: name?, description, primary })
}

fn user(fields: &mut Fields<'_>) -> Option<UserRow> {
    let uid = fields.required("uid", UserId::parse);
    let row = UserRow {
        line: fields.line,
        // Whoever has no user ID is a problem already.
        uid: uid.clone().unwrap_or_else(UserId::admin),
        said: UserFields {
            mail: fields.parsed("mail", Address::parse),
            given_name: fields.text("given_name"),
            surname: fields.text("surname"),
            display_name: fields.text("display_name"),
            alternates: fields.list("alternates", Address::parse),
            groups: fields.texts("groups"),
            admin: fields.flag("admin"),
            quota_limit_mib: fields.number("quota_limit_mib"),
            contact: contact(fields),
            forwarding: forwarding(fields),
            vacation: vacation(fields),
            junk_filter: junk_filter(fields),
        },
        disabled: disabled(fields),
        other: fields.object("other"),
        credentials: credentials(fields),
    };
    uid.map(|_| row)
}

/// Where it is there, a field that it does not have is empty.
fn contact(fields: &mut Fields<'_>) -> Vec<(ContactField, String)> {
    let Some(object) = fields.object("contact") else { return Vec::new() };
    let mut inner = fields.inner(object);
    let texts = ContactField::ALL.map(|field| (field, inner.text(field.name()).unwrap_or_default()));
    inner.finish("contact");
    texts.into()
}

fn vacation(fields: &mut Fields<'_>) -> Option<Option<Vacation>> {
    let Some(object) = fields.optional_object("vacation")? else { return Some(None) };
    let mut inner = fields.inner(object);
    let vacation = user_fields::vacation(&mut inner);
    inner.finish("vacation");
    Some(Some(vacation))
}

fn junk_filter(fields: &mut Fields<'_>) -> Option<Option<JunkFilter>> {
    let Some(object) = fields.optional_object("junk_filter")? else { return Some(None) };
    let mut inner = fields.inner(object);
    let filter = user_fields::junk_filter(&mut inner);
    inner.finish("junk_filter");
    Some(Some(filter))
}

fn forwarding(fields: &mut Fields<'_>) -> Option<Option<Forwarding>> {
    let Some(object) = fields.optional_object("forwarding")? else { return Some(None) };
    let mut inner = fields.inner(object);
    let keep_copy = inner.flag("keep_copy").unwrap_or_default();
    let to = inner.list("to", |text| RemoteAddress::parse(text).map_err(|error| error.of_field("forwarding")));
    inner.finish("forwarding");
    match to {
        Some(to) => Some(Some(Forwarding { to, keep_copy })),
        None => fields.wrong("forwarding", "an object with to, a list of addresses, and keep_copy; or null"),
    }
}

/// Whether the user is to be disabled. One whose mailbox was being made will be active.
fn disabled(fields: &mut Fields<'_>) -> Option<bool> {
    match fields.text("state")?.as_str() {
        "active" | "pending" => Some(false),
        "disabled" => Some(true),
        _ => fields.wrong("state", "active or disabled"),
    }
}

/// All that is kept of the passwords, or a hash alone.
fn credentials(fields: &mut Fields<'_>) -> Option<Credentials> {
    let read = match (fields.take("credentials"), fields.take("password_hash")) {
        (None, None) => return None,
        (Some(Value::Null), None) => return None,
        (Some(object @ Value::Object(_)), None) => Credentials::from_export(&object.to_string()),
        (None, Some(Value::String(hash))) => Credentials::from_hash(&Secret::new(hash.into_bytes())),
        (Some(_), Some(_)) => return fields.wrong("password_hash", "it is in credentials already"),
        (Some(_), None) => return fields.wrong("credentials", "an object"),
        (None, Some(_)) => return fields.wrong("password_hash", "a text"),
    };
    match read {
        Ok(credentials) => Some(credentials),
        Err(error) => fields.broken(&error),
    }
}

fn alias(fields: &mut Fields<'_>) -> Option<AliasRow> {
    let address = fields.required("address", Address::parse);
    let (description, owners) = (fields.text("description"), fields.list("owners", UserId::parse));
    let (users, aliases) = (fields.list("users", UserId::parse), fields.list("aliases", Address::parse));
    let (remote, groups) = (fields.list("remote", RemoteAddress::parse), fields.texts("groups"));
    let (file, program) = (fields.optional_text("file"), fields.optional_text("program"));
    let (joinable, other, line) = (fields.flag("joinable"), fields.object("other"), fields.line);
    let address = address?;
    Some(AliasRow {
        line,
        address,
        description,
        owners,
        users,
        aliases,
        remote,
        groups,
        file,
        program,
        joinable,
        other,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any text that a row may have.
    fn text() -> impl Strategy<Value = String> {
        let letters = any::<char>()
            .prop_filter("no control characters", |c| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}'));
        let odd = prop_oneof![Just(' '), Just(':'), Just('<'), Just('"'), Just('\\'), Just('ß'), Just('\u{feff}')];
        prop::collection::vec(prop_oneof![letters, odd], 1..200).prop_map(|letters| letters.into_iter().collect())
    }

    /// Reads one row that is right.
    fn read_one(line: &str) -> Rows {
        let mut stream = line.as_bytes();
        let (rows, problems) = read(&mut Lines::new(&mut stream)).unwrap();
        assert_eq!(problems, [], "{line}");
        rows
    }

    proptest! {
        #[test]
        fn rows_come_back(texts in prop::collection::vec(text(), 6), quota in any::<Option<u64>>(), admin: bool) {
            let mail = Address::parse("joe@example.org").unwrap();
            let mut user = User::new(UserId::parse("joe").unwrap(), mail.clone(), &texts[0], &texts[1]);
            user.display_name.clone_from(&texts[2]);
            user.contact.set(ContactField::Title, &texts[3]);
            user.contact.set(ContactField::Fax, &texts[4]);
            (user.quota_limit_mib, user.admin, user.state) = (quota, admin, UserState::Active);
            let rows = read_one(&user_line(&user, Some(&Credentials::none())).unwrap());
            let row = &rows.users[0];
            prop_assert_eq!(row.over(User::new(user.uid.clone(), mail, "", "")), user);
            prop_assert_eq!(row.credentials.as_ref().unwrap().hash(), "*");
            let mut alias = Alias::new(Address::parse("a@example.org").unwrap());
            alias.description.clone_from(&texts[5]);
            (alias.program, alias.joinable) = (Some(texts[0].clone()), admin);
            let rows = read_one(&alias_line(&alias).unwrap());
            prop_assert_eq!(rows.aliases[0].over(Alias::new(alias.address.clone())), alias);
        }

        #[test]
        fn no_octets_end_us(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            let (_, problems) = read(&mut Lines::new(&mut octets.as_slice())).unwrap();
            prop_assert!(problems.iter().all(|problem| problem.line > 0));
        }
    }

    #[test]
    fn every_field_is_said() {
        let mut user = User::new(UserId::parse("joe").unwrap(), Address::parse("joe@example.org").unwrap(), "a", "b");
        user.state = UserState::Active;
        let mut alias = Alias::new(Address::parse("a@example.org").unwrap());
        let (lines, full) = ([user_line(&user, None), alias_line(&alias)], (user.clone(), alias.clone()));
        user.contact.set(ContactField::Fax, "1");
        user.groups = vec!["g".into()];
        user.forwarding = Some(Box::new(Forwarding { to: Vec::new(), keep_copy: true }));
        user.vacation = Vacation { on: true, ..Vacation::default() }.kept();
        user.junk_filter = JunkFilter { on: true, ..JunkFilter::default() }.kept();
        (user.admin, user.quota_limit_mib, user.state) = (true, Some(1), UserState::Disabled);
        (alias.groups, alias.file, alias.joinable) = (vec!["g".into()], Some("/f".into()), false);
        (alias.program, alias.description) = (Some("/p".into()), "x".into());
        let rows = lines.map(|line| read_one(&line.unwrap()));
        assert_eq!((rows[0].users[0].over(user), rows[1].aliases[0].over(alias)), full);
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let row = r#"{"uid":"joe","mail":"joe@example.org","state":"pending","colour":{"red":true},"revision":7}"#;
        let user: User = serde_json::from_str(row).unwrap();
        let line = user_line(&user, None).unwrap();
        assert!(line.contains(r#""other":{"colour":{"red":true}}"#) && !line.contains("revision"), "{line}");
        let rows = read_one(&line);
        let made = rows.users[0].over(User::new(user.uid.clone(), user.mail.clone(), "", ""));
        assert_eq!(serde_json::to_value(&made).unwrap()["colour"]["red"], true);
        assert_eq!(made.state, UserState::Active);
    }
}
