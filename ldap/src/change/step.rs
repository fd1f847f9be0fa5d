//! The steps of a change. Each can be done again.

use std::collections::{BTreeMap, HashMap};

use directory::{
    Address, Alias, Change, Credentials, Domain, DomainName, Error, Privileges, Renaming, Result, Revision, User,
    UserId, View,
};
use serde::{Deserialize, Serialize};

use super::is_credentials;
use crate::Ldap;
use crate::filter::Filter;
use crate::link::{Attributes, Trouble, code};
use crate::rows;
use crate::schema::{self, class};
use crate::view::{Look, search, uid_of};

/// What an entry, or all of a domain's, is to be like.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// A user, the passwords, or both: they are in one entry.
    User {
        uid: UserId,
        row: Option<Box<User>>,
        credentials: Option<Credentials>,
    },
    /// An alias; the key is for a new one.
    Alias {
        row: Box<Alias>,
        key: String,
    },
    Domain(Box<Domain>),
    Privileges(Box<Privileges>),
    /// Everything with the name in it.
    Rename {
        from: DomainName,
        to: DomainName,
        revision: Revision,
    },
    DeleteDomain(DomainName),
    DeleteAlias(Address),
    DeleteUser(UserId),
}

/// Why a step was not done.
pub(super) struct Failure {
    pub(super) error: Error,
    /// Whether it is certain that it has changed nothing.
    pub(super) is_untouched: bool,
}

impl From<Error> for Failure {
    /// Of what was read before anything was written.
    fn from(error: Error) -> Failure {
        Failure { error, is_untouched: true }
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Failure {
        Failure { is_untouched: matches!(trouble, Trouble::Refused { .. }), error: trouble.into() }
    }
}

impl Step {
    /// The steps of a plan, in the order in which they are done; `view` is what there is before.
    ///
    /// Users may give addresses to others of the same plan. Who gives one up keeps it at first, and is written once more when
    /// those who get it have it: mail for it finds one of them at any moment.
    pub(super) fn of(mut changes: Vec<Change>, revision: Revision, view: &dyn View) -> Result<Vec<Step>> {
        let mut narrowed = Vec::new();
        for (at, kept) in handed_over(&changes, view)? {
            let Change::User(row) = &mut changes[at] else { continue };
            let mut last = row.clone();
            last.revision = revision;
            narrowed.push(last);
            row.alternates.extend(kept);
        }
        let (passwords, changes): (Vec<_>, Vec<_>) = changes.into_iter().partition(is_credentials);
        let mut passwords: HashMap<UserId, Credentials> = passwords
            .into_iter()
            .filter_map(|change| match change {
                Change::Credentials(uid, credentials) => Some((uid, credentials)),
                _ => None,
            })
            .collect();
        let mut steps = Vec::with_capacity(changes.len() + passwords.len());
        for change in changes {
            steps.push(match change {
                Change::Domain(mut row) => {
                    row.revision = revision;
                    Step::Domain(Box::new(row))
                }
                Change::DeleteDomain(name) => Step::DeleteDomain(name),
                Change::RenameDomain { from, to } => Step::Rename { from, to, revision },
                Change::User(mut row) => {
                    row.revision = revision;
                    let (uid, credentials) = (row.uid.clone(), passwords.remove(&row.uid));
                    Step::User { uid, row: Some(Box::new(row)), credentials }
                }
                Change::DeleteUser(uid) => Step::DeleteUser(uid),
                Change::Alias(mut row) => {
                    row.revision = revision;
                    Step::Alias { row: Box::new(row), key: new_key()? }
                }
                Change::DeleteAlias(address) => Step::DeleteAlias(address),
                Change::Privileges(mut row) => {
                    row.revision = revision;
                    Step::Privileges(Box::new(row))
                }
                // All are in `passwords`.
                Change::Credentials(..) => continue,
            });
        }
        let alone = passwords.into_iter();
        steps.extend(alone.map(|(uid, credentials)| Step::User { uid, row: None, credentials: Some(credentials) }));
        steps.sort_by_key(Step::rank);
        let everybody_has_them = steps.partition_point(|step| step.rank() <= ALIAS_RANK);
        let narrowed = narrowed.into_iter().map(|row| Step::User {
            uid: row.uid.clone(),
            row: Some(Box::new(row)),
            credentials: None,
        });
        steps.splice(everybody_has_them..everybody_has_them, narrowed);
        Ok(steps)
    }

    /// What comes first. A user is there before an alias names him, an alias before the domain that can't be without its
    /// postmaster; what names somebody is changed before that one goes, and a domain goes before its last address.
    fn rank(&self) -> u8 {
        match self {
            Step::Privileges(_) => 0,
            Step::User { .. } => 1,
            Step::Alias { .. } => ALIAS_RANK,
            Step::Domain(_) | Step::Rename { .. } => 3,
            Step::DeleteDomain(_) => 4,
            Step::DeleteAlias(_) => 5,
            Step::DeleteUser(_) => 6,
        }
    }

    /// Notes under which key an alias will be, for those that name it.
    pub(super) fn name_key(&self, keys: &mut HashMap<Address, String>) {
        if let Step::Alias { row, key } = self {
            keys.insert(row.address.clone(), key.clone());
        }
    }
}

/// When aliases are written; users are before them.
const ALIAS_RANK: u8 = 2;

/// The users of a plan, by their positions, who give up addresses that others of the plan get, with those addresses.
fn handed_over(changes: &[Change], view: &dyn View) -> Result<Vec<(usize, Vec<Address>)>> {
    if changes.len() < 2 {
        return Ok(Vec::new());
    }
    let mut given: HashMap<Address, usize> = HashMap::new();
    for (at, change) in changes.iter().enumerate() {
        if let Change::User(row) = change
            && let Some(old) = view.user(&row.uid)?
        {
            let given_up = old.addresses().filter(|address| row.addresses().all(|kept| kept != *address));
            given.extend(given_up.map(|address| (address.clone(), at)));
        }
    }
    let mut kept: BTreeMap<usize, Vec<Address>> = BTreeMap::new();
    for change in changes {
        let got: Vec<&Address> = match change {
            Change::User(row) => row.addresses().collect(),
            Change::Alias(row) => vec![&row.address],
            _ => Vec::new(),
        };
        for address in got {
            if let Some(giver) = given.remove(address) {
                kept.entry(giver).or_default().push(address.clone());
            }
        }
    }
    Ok(kept.into_iter().collect())
}

/// The name of a new alias's entry.
fn new_key() -> Result<String> {
    let mut octets = [0; 16];
    getrandom::fill(&mut octets).map_err(|error| Error::Unavailable(error.to_string()))?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

impl Ldap {
    /// Does a step, whether it was done before or not. `keys` are those of new aliases; known ones come in place of them.
    pub(super) fn step(&self, step: &Step, keys: &mut HashMap<Address, String>) -> Result<(), Failure> {
        let look = Look::now(self.source(None));
        match step {
            Step::User { uid, row, credentials } => {
                self.passwords.forget(uid);
                self.put_user(&look, uid, row.as_deref(), credentials.as_ref())
            }
            Step::Alias { row, key } => self.put_alias(&look, row, key, keys),
            Step::Domain(row) => {
                let attributes = rows::domain_attributes(row)?;
                match look.domain_entry(&row.name)? {
                    Some(entry) => Ok(self.links.replace(&entry.dn, &attributes)?),
                    None => self.add(
                        &self.places.domain(row.name.as_str()),
                        &[class::DOMAIN],
                        (schema::CN, row.name.to_string()),
                        attributes,
                    ),
                }
            }
            Step::Privileges(row) => {
                let attributes = rows::privileges_attributes(row)?;
                match self.links.replace(&self.places.privileges, &attributes) {
                    Err(Trouble::Refused { code: code::NO_SUCH_OBJECT, .. }) => self.add(
                        &self.places.privileges,
                        &[class::RECORD],
                        (schema::CN, "privileges".into()),
                        attributes,
                    ),
                    done => Ok(done?),
                }
            }
            Step::Rename { from, to, revision } => {
                self.rename(&look, from, to, *revision).map_err(|error| Failure { error, is_untouched: false })
            }
            Step::DeleteDomain(name) => self.remove(look.domain_entry(name)?.map(|entry| entry.dn)),
            Step::DeleteAlias(address) => self.remove(look.alias_entry(address)?.map(|entry| entry.dn)),
            Step::DeleteUser(uid) => {
                self.passwords.forget(uid);
                if let Some(logins) = &self.logins {
                    logins.forget(uid);
                }
                self.remove(look.user_entry(uid)?.map(|entry| entry.dn))
            }
        }
    }

    fn put_user(
        &self,
        look: &Look<'_>,
        uid: &UserId,
        row: Option<&User>,
        credentials: Option<&Credentials>,
    ) -> Result<(), Failure> {
        let mut attributes = row.map(rows::user_attributes).transpose()?.unwrap_or_default();
        attributes.extend(credentials.map(rows::credentials_attributes).transpose()?.unwrap_or_default());
        match (look.user_entry(uid)?, row) {
            (Some(entry), _) => Ok(self.links.replace(&entry.dn, &attributes)?),
            (None, Some(_)) => {
                self.add(&self.places.user(uid.as_str()), class::PERSON, (schema::UID, uid.to_string()), attributes)
            }
            // A password of somebody who was deleted meanwhile.
            (None, None) => Ok(()),
        }
    }

    fn put_alias(
        &self,
        look: &Look<'_>,
        row: &Alias,
        key: &str,
        keys: &mut HashMap<Address, String>,
    ) -> Result<(), Failure> {
        let known = look.alias_entry(&row.address)?;
        for named in &row.aliases {
            let entry = look.alias_entry(named)?;
            match entry.as_ref().and_then(|entry| entry.one(schema::KEY)) {
                Some(key) => drop(keys.insert(named.clone(), key.to_owned())),
                None if keys.contains_key(named) => {}
                None => return Err(Error::NoAlias(named.to_string()).into()),
            }
        }
        let attributes = rows::alias_attributes(row, keys, &self.places)?;
        match known {
            Some(entry) => Ok(self.links.replace(&entry.dn, &attributes)?),
            None => self.add(&self.places.alias(key), &[class::ALIAS], (schema::KEY, key.to_owned()), attributes),
        }
    }

    fn add(
        &self,
        dn: &str,
        classes: &[&str],
        name: (&'static str, String),
        mut attributes: Attributes,
    ) -> Result<(), Failure> {
        let classes = std::iter::once("top").chain(classes.iter().copied());
        attributes.push(("objectClass", classes.map(str::to_owned).collect()));
        // The name may be among what is written anyway.
        attributes.retain(|(attribute, _)| *attribute != name.0);
        attributes.push((name.0, vec![name.1]));
        Ok(self.links.add(dn, &attributes)?)
    }

    fn remove(&self, dn: Option<String>) -> Result<(), Failure> {
        match dn.map(|dn| self.links.delete(&dn)) {
            None | Some(Ok(()) | Err(Trouble::Refused { code: code::NO_SUCH_OBJECT, .. })) => Ok(()),
            Some(Err(trouble)) => Err(trouble.into()),
        }
    }

    /// Gives a domain another name: users and aliases one by one, the domain last. Until that is done an address is found
    /// under both names, and who names an alias by its entry need not be told.
    fn rename(&self, look: &Look<'_>, from: &DomainName, to: &DomainName, revision: Revision) -> Result<()> {
        *self.moving.write() = Some((from.clone(), to.clone()));
        let renaming = Renaming { from, to };
        let ends = |attributes: &[&'static str]| {
            Filter::Or(attributes.iter().map(|name| Filter::EndsWith(name, format!("@{from}"))).collect())
        };
        let mut concerned = vec![ends(&[schema::MAIL, schema::MAIL_UTF8, schema::ALTERNATE, schema::FORWARD])];
        for senders in [schema::JUNK_ALLOW, schema::JUNK_DENY] {
            concerned.extend([ends(&[senders]), Filter::Is(senders, from.to_string())]);
        }
        let concerned = Filter::Or(concerned);
        let mut uids = Vec::new();
        let people = search(&self.places.people, class::USER, Some(concerned), Some(schema::GROUPS));
        self.links.each(&people, &mut |entry| {
            uids.push(uid_of(&entry)?);
            Ok(())
        })?;
        for uid in uids {
            if let Some(entry) = look.user_entry(&uid)?
                && let Some(mut row) = renaming.user(&rows::user_from(&entry)?)
            {
                row.revision = revision;
                self.links.replace(&entry.dn, &rows::user_attributes(&row)?)?;
            }
        }
        let concerned = ends(&[schema::MAIL, schema::MAIL_UTF8, schema::REMOTE]);
        let mut entries = Vec::new();
        let aliases = search(&self.places.aliases, class::ALIAS, Some(concerned), Some(schema::ALIAS_NAME));
        self.links.each(&aliases, &mut |entry| {
            entries.push(rows::address_from(&entry)?);
            Ok(())
        })?;
        for address in entries {
            self.rename_alias(look, &address, &renaming, revision)?;
        }
        if let Some(mut row) = renaming.privileges(&look.privileges()?) {
            row.revision = revision;
            self.links.replace(&self.places.privileges, &rows::privileges_attributes(&row)?)?;
        }
        self.rename_domain(look, from, to, revision)
    }

    fn rename_alias(
        &self,
        look: &Look<'_>,
        address: &Address,
        renaming: &Renaming<'_>,
        revision: Revision,
    ) -> Result<()> {
        let Some(entry) = look.alias_entry(address)? else { return Ok(()) };
        let dn = entry.dn.clone();
        let Some(row) = look.alias_rows(&[entry])?.pop() else { return Ok(()) };
        // Members stay what they are: entries.
        let mut renamed = Alias::clone(&row);
        renamed.revision = revision;
        if let Some(address) = renaming.address(&renamed.address) {
            renamed.address = address;
        }
        for remote in renamed.remote.iter_mut().filter(|remote| remote.domain() == renaming.from) {
            *remote = remote.at(renaming.to.clone());
        }
        let attributes = rows::alias_attributes(&renamed, &HashMap::new(), &self.places)?;
        let attributes = attributes.into_iter().filter(|(name, _)| *name != schema::MEMBER).collect();
        Ok(self.links.replace(&dn, &attributes)?)
    }

    fn rename_domain(&self, look: &Look<'_>, from: &DomainName, to: &DomainName, revision: Revision) -> Result<()> {
        if let Some(entry) = look.domain_entry(from)? {
            let name = self.places.domain(to.as_str());
            let name = name.split_once(',').map_or("", |(name, _)| name);
            self.links.rename(&entry.dn, name)?;
        }
        let Some(row) = look.domain(to)? else { return Err(Error::NoDomain(to.to_string())) };
        let mut row = Domain::clone(&row);
        row.revision = revision;
        Ok(self.links.replace(&self.places.domain(to.as_str()), &rows::domain_attributes(&row)?)?)
    }
}
