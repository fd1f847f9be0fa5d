//! What a file says: domains, users and aliases, each with what is said of it. What is not said stays as it is.

use std::collections::HashSet;

use directory::{Address, ContactField, DomainName, Error, Forwarding, RemoteAddress, Secret, UserId};

use super::Problem;
use super::node::{self, Node, Value};
use crate::user_fields::{self, Object, UserFields};

/// A file.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) domains: Vec<DomainEntry>,
    pub(super) users: Vec<UserEntry>,
    pub(super) aliases: Vec<AliasEntry>,
}

/// `[[domain]]`.
#[derive(Debug)]
pub(super) struct DomainEntry {
    pub(super) at: usize,
    pub(super) name: DomainName,
    pub(super) description: Option<String>,
}

/// `[[user]]`.
#[derive(Debug)]
pub(super) struct UserEntry {
    pub(super) at: usize,
    pub(super) uid: UserId,
    pub(super) said: UserFields,
    pub(super) enabled: Option<bool>,
    /// Taken when the user is made.
    pub(super) password_hash: Option<Secret>,
}

/// `[[alias]]`.
#[derive(Debug)]
pub(super) struct AliasEntry {
    pub(super) at: usize,
    pub(super) address: Address,
    pub(super) description: Option<String>,
    /// As they are written: who is meant is a matter of the directory.
    pub(super) owners: Option<Vec<String>>,
    pub(super) members: Option<Vec<String>>,
    pub(super) joinable: Option<bool>,
    pub(super) file: Option<String>,
    pub(super) program: Option<String>,
}

/// Reads a file.
pub(super) fn read(text: &str) -> Result<Document, Vec<Problem>> {
    let root = node::parse(text)?;
    let mut problems = Vec::new();
    let mut document = Document::default();
    let mut fields = Fields::new(root, &mut problems);
    let [domains, users, aliases] =
        ["domain", "user", "alias"].map(|kind| fields.tables(kind, &format!("a list of tables: [[{kind}]]")));
    fields.finish("the file");
    for (at, table) in domains {
        let mut fields = Fields { at, left: table, problems: &mut problems };
        document.domains.extend(domain(&mut fields));
        fields.finish("a domain");
    }
    for (at, table) in users {
        let mut fields = Fields { at, left: table, problems: &mut problems };
        document.users.extend(user(&mut fields));
        fields.finish("a user");
    }
    for (at, table) in aliases {
        let mut fields = Fields { at, left: table, problems: &mut problems };
        document.aliases.extend(alias(&mut fields));
        fields.finish("an alias");
    }
    twice(document.domains.iter().map(|entry| (entry.at, entry.name.to_string())), "domain", &mut problems);
    twice(document.users.iter().map(|entry| (entry.at, entry.uid.to_string())), "user", &mut problems);
    twice(document.aliases.iter().map(|entry| (entry.at, entry.address.to_string())), "alias", &mut problems);
    if problems.is_empty() { Ok(document) } else { Err(problems) }
}

fn twice(names: impl Iterator<Item = (usize, String)>, kind: &str, problems: &mut Vec<Problem>) {
    let mut seen = HashSet::new();
    for (at, name) in names {
        if seen.contains(&name) {
            problems.push(Problem::new(at, format!("{kind} {name} is there twice")));
        }
        seen.insert(name);
    }
}

fn domain(fields: &mut Fields<'_>) -> Option<DomainEntry> {
    let name = fields.required("name", DomainName::parse);
    let description = fields.text("description");
    Some(DomainEntry { at: fields.at, name: name?, description })
}

fn user(fields: &mut Fields<'_>) -> Option<UserEntry> {
    let uid = fields.required("uid", UserId::parse);
    let entry = UserEntry {
        at: fields.at,
        // Whoever has no user ID is a problem already.
        uid: uid.clone().unwrap_or_else(UserId::admin),
        said: UserFields {
            mail: fields.parsed("mail", Address::parse),
            given_name: fields.text("given_name"),
            surname: fields.text("surname"),
            display_name: fields.text("display_name"),
            alternates: fields.parsed_list("alternates", Address::parse),
            groups: fields.texts("groups"),
            admin: fields.flag("admin"),
            quota_limit_mib: quota(fields),
            contact: contact(fields),
            forwarding: forwarding(fields),
            // A table that is empty is as good as none.
            vacation: fields.within("vacation", user_fields::vacation).map(Some),
            junk_filter: fields.within("junk_filter", user_fields::junk_filter).map(Some),
        },
        enabled: fields.flag("enabled"),
        password_hash: fields.text("password_hash").map(|hash| Secret::new(hash.into_bytes())),
    };
    uid.map(|_| entry)
}

fn contact(fields: &mut Fields<'_>) -> Vec<(ContactField, String)> {
    ContactField::ALL.into_iter().filter_map(|field| Some((field, fields.text(field.name())?))).collect()
}

/// A number of megabytes, or `"NONE"`.
fn quota(fields: &mut Fields<'_>) -> Option<Option<u64>> {
    let node = fields.take("quota")?;
    match node.value {
        Value::Number(mib) => Some(Some(mib)),
        Value::Text(text) if text.eq_ignore_ascii_case("none") => Some(None),
        _ => fields.wrong(node.at, "quota", "a number of megabytes, or \"NONE\""),
    }
}

/// A list of addresses; an empty one is no forwarding. `keep_copy` goes with it.
fn forwarding(fields: &mut Fields<'_>) -> Option<Option<Forwarding>> {
    let keep_copy = fields.flag("keep_copy");
    match fields.parsed_list("forwarding", RemoteAddress::parse) {
        Some(to) if to.is_empty() => Some(None),
        Some(to) => Some(Some(Forwarding { to, keep_copy: keep_copy.unwrap_or_default() })),
        None if keep_copy.is_some() => fields.wrong(fields.at, "keep_copy", "it goes with forwarding"),
        None => None,
    }
}

fn alias(fields: &mut Fields<'_>) -> Option<AliasEntry> {
    let address = fields.required("address", Address::parse);
    let entry = AliasEntry {
        at: fields.at,
        address: address.clone()?,
        description: fields.text("description"),
        owners: fields.texts("owners"),
        members: fields.texts("members"),
        joinable: fields.flag("joinable"),
        file: fields.text("file"),
        program: fields.text("program"),
    };
    Some(entry)
}

/// What is in a table, until it is taken out.
struct Fields<'p> {
    at: usize,
    left: Vec<(String, Node)>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Fields<'p> {
    fn new(root: Node, problems: &'p mut Vec<Problem>) -> Self {
        let left = if let Value::Table(left) = root.value { left } else { Vec::new() };
        Self { at: root.at, left, problems }
    }

    fn take(&mut self, name: &str) -> Option<Node> {
        let position = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.remove(position).1)
    }

    fn wrong<T>(&mut self, at: usize, name: &str, rule: impl std::fmt::Display) -> Option<T> {
        self.problems.push(Problem::new(at, format!("{name}: {rule}")));
        None
    }

    /// Lists of tables: `[[domain]]`.
    fn tables(&mut self, name: &str, rule: &str) -> Vec<(usize, Vec<(String, Node)>)> {
        let Some(node) = self.take(name) else { return Vec::new() };
        let Value::List(list) = node.value else {
            let _: Option<()> = self.wrong(node.at, name, rule);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for entry in list {
            match entry.value {
                Value::Table(table) => tables.push((entry.at, table)),
                _ => drop(self.wrong::<()>(entry.at, name, rule)),
            }
        }
        tables
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.text_at(name).map(|(_, text)| text)
    }

    fn text_at(&mut self, name: &str) -> Option<(usize, String)> {
        let node = self.take(name)?;
        match node.value {
            Value::Text(text) => Some((node.at, text)),
            _ => self.wrong(node.at, name, "a text"),
        }
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        let node = self.take(name)?;
        match node.value {
            Value::Bool(flag) => Some(flag),
            _ => self.wrong(node.at, name, "true or false"),
        }
    }

    fn texts_at(&mut self, name: &str) -> Option<Vec<(usize, String)>> {
        let node = self.take(name)?;
        let Value::List(list) = node.value else { return self.wrong(node.at, name, "a list of texts") };
        let mut texts = Vec::new();
        for entry in list {
            match entry.value {
                Value::Text(text) => texts.push((entry.at, text)),
                _ => return self.wrong(entry.at, name, "a list of texts"),
            }
        }
        Some(texts)
    }

    fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        Some(self.texts_at(name)?.into_iter().map(|(_, text)| text).collect())
    }

    fn parsed<T>(&mut self, name: &'static str, parse: fn(&str) -> directory::Result<T>) -> Option<T> {
        let (at, text) = self.text_at(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => self.refused(at, name, error),
        }
    }

    fn parsed_list<T>(&mut self, name: &'static str, parse: fn(&str) -> directory::Result<T>) -> Option<Vec<T>> {
        let mut values = Vec::new();
        for (at, text) in self.texts_at(name)? {
            match parse(&text) {
                Ok(value) => values.push(value),
                Err(error) => return self.refused(at, name, error),
            }
        }
        Some(values)
    }

    /// A table, of which all is read.
    fn within<T>(&mut self, name: &'static str, read: fn(&mut dyn Object) -> T) -> Option<T> {
        let node = self.take(name)?;
        let Value::Table(left) = node.value else { return self.wrong(node.at, name, "a table") };
        let mut inner = Fields { at: node.at, left, problems: self.problems };
        let found = read(&mut inner);
        inner.finish(name);
        Some(found)
    }

    fn refused<T>(&mut self, at: usize, name: &'static str, error: Error) -> Option<T> {
        self.problems.push(Problem::new(at, error.of_field(name)));
        None
    }

    fn required<T>(&mut self, name: &'static str, parse: fn(&str) -> directory::Result<T>) -> Option<T> {
        if !self.left.iter().any(|(known, _)| known == name) {
            return self.wrong(self.at, name, "it must be given");
        }
        self.parsed(name, parse)
    }

    /// Whatever is left is unknown, or there twice.
    fn finish(self, what: &str) {
        for (name, node) in &self.left {
            self.problems.push(Problem::new(node.at, format!("{what} has no {name:?}, or has it already")));
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
        let node = self.take(name)?;
        match node.value {
            Value::Number(number) => Some(number),
            _ => self.wrong(node.at, name, rule),
        }
    }

    fn objects(&mut self, name: &str, each: &mut dyn FnMut(usize, &mut dyn Object)) -> bool {
        let is_there = self.left.iter().any(|(known, _)| known == name);
        for (index, (at, left)) in self.tables(name, "a list of tables").into_iter().enumerate() {
            let mut inner = Fields { at, left, problems: self.problems };
            each(index, &mut inner);
            inner.finish(name);
        }
        is_there
    }

    fn refuse(&mut self, error: Error) {
        self.problems.push(Problem::new(self.at, error));
    }
}
