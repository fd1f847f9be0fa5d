//! Rows as entries of an LDIF file: those that an LDAP server keeps for us (docs/ldap.md).

use std::collections::HashMap;

use directory::{Address, Domain, Error, UserState};
use ldap::entries::{Found, Kind, Tree, Written};

use super::export::Snapshot;
use super::json::{alias_row, privileges_row, user_row};
use super::ldif::{self, Record};
use super::lines::Lines;
use super::problem::{Problem, Seen};
use super::rows::{DomainRow, Rows};
use crate::CommandError;

/// What the file begins with.
const HEAD: &str =
    "version: 1\n# angarium directory export.\n# The entry above these is the LDAP server's to have.\n\n";

/// Writes all rows, each an entry behind those that it needs; `add` takes them one by one.
pub(super) fn write(
    snapshot: &Snapshot,
    base: &str,
    add: &mut dyn FnMut(&str) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let tree = Tree::new(base)?;
    add(HEAD)?;
    let mut text = String::new();
    let mut entry = |entry: Written| {
        text.clear();
        ldif::write(&mut text, "dn", &entry.dn);
        for (name, values) in &entry.attributes {
            values.iter().for_each(|value| ldif::write(&mut text, name, value));
        }
        text.push('\n');
        add(&text)
    };
    tree.containers().into_iter().try_for_each(&mut entry)?;
    entry(tree.privileges(&snapshot.privileges)?)?;
    for domain in &snapshot.domains {
        entry(tree.domain(domain)?)?;
    }
    for (user, credentials) in &snapshot.users {
        entry(tree.user(user, credentials.as_ref())?)?;
    }
    snapshot.aliases.iter().try_for_each(|alias| entry(tree.alias(alias)?))
}

/// The base of a directory whose own domain is `domain`.
pub(super) fn base_of(domain: &str) -> String {
    domain.split('.').map(|label| format!("dc={label}")).collect::<Vec<_>>().join(",")
}

/// Reads all rows, and notes whatever is wrong with one by itself. Entries of other programs are passed over.
///
/// # Errors
/// Those of the stream.
pub(super) fn read(lines: &mut Lines<'_>) -> std::io::Result<(Rows, Vec<Problem>)> {
    let (mut reading, mut problems) = (Reading::default(), Vec::new());
    ldif::read(lines, &mut problems, &mut |record, problems| reading.record(record, problems))?;
    reading.aliases(&mut problems);
    Ok((reading.rows, problems))
}

#[derive(Default)]
struct Reading {
    rows: Rows,
    seen: Seen,
    /// They name each other by keys, which are all known at the end.
    aliases: Vec<(usize, Found)>,
    names: HashMap<String, Address>,
}

impl Reading {
    fn record(&mut self, record: Record, problems: &mut Vec<Problem>) {
        let Record { line, dn, attributes } = record;
        let mut texts = Vec::with_capacity(attributes.len());
        for (name, value) in attributes {
            match String::from_utf8(value) {
                Ok(value) => texts.push((name, value)),
                Err(_) if Found::is_known(&name) => {
                    return problems.push(Problem::new(line, &name, "its value is not UTF-8"));
                }
                // A photograph.
                Err(_) => {}
            }
        }
        let found = Found::new(dn, texts);
        let done = match found.kind() {
            Kind::Domain => found.domain().map(|domain| self.domain(line, &domain, problems)),
            Kind::User => self.user(line, &found, problems),
            Kind::Privileges => self.privileges(line, &found, problems),
            Kind::Alias => found.alias_name().map(|(key, address)| {
                self.seen.note(line, format!("alias {address}"), problems);
                self.names.insert(key, address);
                self.aliases.push((line, found));
            }),
            Kind::Other => Ok(()),
        };
        if let Err(error) = done {
            problems.push(problem(line, &error));
        }
    }

    fn domain(&mut self, line: usize, domain: &Domain, problems: &mut Vec<Problem>) {
        if domain.deleting {
            problems.push(Problem::new(line, "angariumState", "the domain is being deleted"));
        }
        self.seen.note(line, format!("domain {}", domain.name), problems);
        let (name, description) = (domain.name.clone(), Some(domain.description.clone()));
        self.rows.domains.push(DomainRow { line, name, description, primary: domain.primary });
    }

    fn user(&mut self, line: usize, found: &Found, problems: &mut Vec<Problem>) -> Result<(), Error> {
        let user = found.user()?;
        // On the way out: there is nobody for anybody.
        if user.state == UserState::Deleting {
            return Ok(());
        }
        self.seen.note(line, format!("user {}", user.uid), problems);
        let credentials = found.credentials().unwrap_or_else(|error| {
            problems.push(Problem::of(line, &error));
            None
        });
        self.rows.users.extend(user_row(line, &user, credentials, problems).map_err(unwritable)?);
        Ok(())
    }

    fn privileges(&mut self, line: usize, found: &Found, problems: &mut Vec<Problem>) -> Result<(), Error> {
        let privileges = found.privileges()?;
        self.seen.note(line, "privileges".to_owned(), problems);
        self.rows.privileges = Some(privileges_row(line, &privileges, problems).map_err(unwritable)?);
        Ok(())
    }

    /// Aliases, now that it is known what they call each other.
    fn aliases(&mut self, problems: &mut Vec<Problem>) {
        for (line, found) in std::mem::take(&mut self.aliases) {
            let row = found.alias(&self.names).and_then(|alias| alias_row(line, &alias, problems).map_err(unwritable));
            match row {
                Ok(row) => self.rows.aliases.extend(row),
                Err(error) => problems.push(problem(line, &error)),
            }
        }
    }
}

/// A row that was read can be written: it is no more than what it was.
fn unwritable(error: std::io::Error) -> Error {
    Error::Unavailable(error.to_string())
}

/// An entry that can't be read is no broken directory here.
fn problem(line: usize, error: &Error) -> Problem {
    match error {
        Error::Corrupt { what, .. } => Problem::new(line, "", what),
        other => Problem::of(line, other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_entry() {
        let head = "dn: uid=joe,ou=people,dc=x\nobjectClass: angariumUser\nangariumState: active\nuid: joe\n";
        let check = |text: &str, expected: &str| {
            let mut stream = text.as_bytes();
            let (_, problems) = read(&mut Lines::new(&mut stream)).unwrap();
            assert!(problems.iter().any(|problem| problem.text.contains(expected)), "{text}: {problems:?}");
            assert!(problems.iter().all(|problem| !problem.text.contains("S3CRET")), "{text}: {problems:?}");
        };
        check(head, "mail");
        check(&format!("{head}mail: joe@x\n\n{head}mail: joe@x"), "user joe is there twice: line 1");
        check(&format!("{head}mail: joe@x\nuserPassword: $1$S3CRET"), "userPassword: MD5-crypt hashes");
        check(&format!("{head}mail: joe@x\nangariumCredentials: S3CRET"), "credentials: an object");
        check(&format!("{head}mail: joe@x\nsn:: /w=="), "sn: its value is not UTF-8");
        check(&format!("{head}mail: joe@x\nangariumQuota: many"), "invalid digit");
        let alias = "dn: angariumKey=a,ou=aliases,dc=x\nobjectClass: angariumAlias\nangariumKey: a\nmail: a@x.org\n";
        check(&format!("{alias}member: angariumKey=b,ou=aliases,dc=x"), "there is no entry of an alias with this key");
        check(&format!("{alias}member: cn=else,dc=x"), "is no user and no alias of this server");
        check("dn: angariumKey=a\nobjectClass: angariumAlias\nangariumKey: a\nmail: a@x.org", "none below ou=aliases");
        assert_eq!(base_of("mail.example.org"), "dc=mail,dc=example,dc=org");
    }

    #[test]
    fn photographs_and_other_programs_are_left_alone() {
        let text = "dn: dc=x\nobjectClass: dcObject\ndc: x\n\ndn: uid=sue,ou=people,dc=x\nobjectClass: inetOrgPerson\nuid: sue\n\n\
                    dn: uid=joe,ou=people,dc=x\nobjectclass: ANGARIUMUSER\nUID: joe\nmail: joe@x.org\nsn: Smith\n\
                    angariumState: disabled\njpegPhoto:: /9j/4A==\nentryUUID: 1-2-3\n";
        let mut stream = text.as_bytes();
        let (rows, problems) = read(&mut Lines::new(&mut stream)).unwrap();
        assert_eq!((problems, rows.users.len()), (vec![], 1));
        let joe = &rows.users[0];
        assert_eq!((joe.uid.as_str(), joe.disabled, joe.line), ("joe", Some(true), 9));
        assert!(joe.credentials.is_none() && joe.other.is_none());
    }
}
