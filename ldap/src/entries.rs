//! Rows as entries without a server, as an LDIF file holds them: an export that `slapadd` takes is what this back end would have
//! written, and what `slapcat` writes is read as this back end would read it. But it is read strictly: what a server of ours
//! passes over, so that mail goes on, is an error here, where somebody looks at it.

use std::collections::HashMap;

use directory::{Address, Alias, Credentials, Domain, Error, Privileges, Result, Revision, User, UserState};

use crate::link::{Attributes, Entry};
use crate::rows;
use crate::schema::{self, Places, class};
use crate::{dn, is_name};

/// An entry to be written: its name, and what it has. It may have secrets in it, and can't be printed.
pub struct Written {
    /// The distinguished name.
    pub dn: String,
    /// Attributes with their values, which are sorted: LDAP keeps them in no order.
    pub attributes: Vec<(&'static str, Vec<String>)>,
}

/// Writes entries below a base.
#[derive(Debug)]
pub struct Tree {
    places: Places,
}

impl Tree {
    /// Entries below `base`, such as `dc=example,dc=org`.
    ///
    /// # Errors
    /// [`Error::Rule`] if that is no distinguished name.
    pub fn new(base: &str) -> Result<Tree> {
        if !is_name(base) {
            return Err(Error::rule("base", base, "a distinguished name, such as dc=example,dc=org"));
        }
        Ok(Tree { places: Places::new(base) })
    }

    /// The entries below which the others are; the base itself is the LDAP server's to have.
    #[must_use]
    pub fn containers(&self) -> Vec<Written> {
        let places =
            [(&self.places.people, "people"), (&self.places.aliases, "aliases"), (&self.places.domains, "domains")];
        let unit =
            |(dn, name): (&String, &str)| written(dn, &["organizationalUnit"], ("ou", name.to_owned()), Vec::new());
        places.into_iter().map(unit).collect()
    }

    /// The global record.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn privileges(&self, privileges: &Privileges) -> Result<Written> {
        let mut row = privileges.clone();
        row.revision = Revision::NONE;
        let name = (schema::CN, "privileges".to_owned());
        Ok(written(&self.places.privileges, &[class::RECORD], name, rows::privileges_attributes(&row)?))
    }

    /// A domain.
    ///
    /// # Errors
    /// As above.
    pub fn domain(&self, domain: &Domain) -> Result<Written> {
        let name = domain.name.to_string();
        let attributes = rows::domain_attributes(domain)?;
        Ok(written(&self.places.domain(&name), &[class::DOMAIN], (schema::CN, name), attributes))
    }

    /// A user, with what is kept of the passwords.
    ///
    /// # Errors
    /// As above.
    pub fn user(&self, user: &User, credentials: Option<&Credentials>) -> Result<Written> {
        let mut row = user.clone();
        if std::mem::take(&mut row.then_disabled) {
            row.state = UserState::Disabled;
        }
        let mut attributes = rows::user_attributes(&row)?;
        attributes.extend(credentials.map(rows::credentials_attributes).transpose()?.unwrap_or_default());
        let uid = user.uid.to_string();
        Ok(written(&self.places.user(&uid), class::PERSON, (schema::UID, uid), attributes))
    }

    /// An alias. The name of its entry is made from its address: the same alias has the same in every export.
    ///
    /// # Errors
    /// As above.
    pub fn alias(&self, alias: &Alias) -> Result<Written> {
        let keys: HashMap<Address, String> = alias.aliases.iter().map(|named| (named.clone(), key_of(named))).collect();
        let attributes = rows::alias_attributes(alias, &keys, &self.places)?;
        let key = key_of(&alias.address);
        Ok(written(&self.places.alias(&key), &[class::ALIAS], (schema::KEY, key), attributes))
    }
}

/// An entry with all its attributes, sorted; without those that have no value, and without the revision, which is the
/// directory's own.
fn written(dn: &str, classes: &[&str], name: (&'static str, String), attributes: Attributes) -> Written {
    let classes = std::iter::once("top").chain(classes.iter().copied()).map(str::to_owned).collect();
    let mut all = vec![("objectClass", classes), (name.0, vec![name.1])];
    let is_kept = |attribute: &str| attribute != name.0 && attribute != schema::REVISION;
    all.extend(attributes.into_iter().filter(|(attribute, values)| is_kept(attribute) && !values.is_empty()).map(
        |(attribute, mut values)| {
            values.sort_unstable();
            values.dedup();
            (attribute, values)
        },
    ));
    Written { dn: dn.to_owned(), attributes: all }
}

/// FNV-1a with 128 bits, in hexadecimal digits: nobody gains from two addresses with the same.
fn key_of(address: &Address) -> String {
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let text = address.to_string();
    let hash = text.bytes().fold(BASIS, |hash, octet| (hash ^ u128::from(octet)).wrapping_mul(PRIME));
    format!("{hash:032x}")
}

/// What an entry is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A domain.
    Domain,
    /// A user.
    User,
    /// An alias.
    Alias,
    /// The global record.
    Privileges,
    /// Nothing of ours, or nothing that is moved.
    Other,
}

/// An entry that was read. It can't be printed.
pub struct Found {
    entry: Entry,
}

impl Found {
    /// An entry with all its attributes that are text, each with its values.
    #[must_use]
    pub fn new(dn: String, attributes: impl IntoIterator<Item = (String, String)>) -> Found {
        Found { entry: Entry::new(dn, attributes) }
    }

    /// Whether an attribute of this name, in whatever case, is one of those that rows are made of.
    #[must_use]
    pub fn is_known(attribute: &str) -> bool {
        let known = schema::USER.iter().chain(schema::OTHERS);
        known.chain(&["objectClass"]).any(|known| known.eq_ignore_ascii_case(attribute))
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        let is = |class: &str| self.entry.all("objectClass").iter().any(|known| known.eq_ignore_ascii_case(class));
        let kinds = [
            (class::USER, Kind::User),
            (class::ALIAS, Kind::Alias),
            (class::DOMAIN, Kind::Domain),
            (class::RECORD, Kind::Privileges),
        ];
        let found = kinds.into_iter().find(|(class, _)| is(class)).map_or(Kind::Other, |(_, kind)| kind);
        // Another record is the change that is being made.
        let is_other = found == Kind::Privileges && self.entry.one(schema::SETTINGS).is_none();
        if is_other { Kind::Other } else { found }
    }

    /// The domain that it is.
    ///
    /// # Errors
    /// [`Error::Corrupt`], as all that follow.
    pub fn domain(&self) -> Result<Domain> {
        rows::domain_from(&self.entry)
    }

    /// The global record that it is.
    ///
    /// # Errors
    /// As above.
    pub fn privileges(&self) -> Result<Privileges> {
        rows::privileges_from(&self.entry)
    }

    /// The user who it is.
    ///
    /// # Errors
    /// As above.
    pub fn user(&self) -> Result<User> {
        rows::user_from(&self.entry)
    }

    /// What it has of passwords.
    ///
    /// # Errors
    /// [`Error::Rule`] for a hash that can't be checked, or something else that could not be used.
    pub fn credentials(&self) -> Result<Option<Credentials>> {
        rows::credentials_strictly(&self.entry)
    }

    /// The address of the alias that it is, and what others call it by.
    ///
    /// # Errors
    /// As above.
    pub fn alias_name(&self) -> Result<(String, Address)> {
        let key = self.entry.one(schema::KEY).unwrap_or_default().to_owned();
        Ok((key, rows::address_from(&self.entry)?))
    }

    /// The alias that it is; `names` are the addresses of all aliases that it may name.
    ///
    /// # Errors
    /// As above; [`Error::Rule`] when it names one that is not among them.
    pub fn alias(&self, names: &HashMap<String, Address>) -> Result<Alias> {
        let base = dn::parent(&self.entry.dn).and_then(dn::parent);
        let nowhere = || rows::corrupt(&self.entry.dn, &"its name is none below ou=aliases");
        let places = Places::new(base.ok_or_else(nowhere)?);
        if let Some(stranger) = rows::member_keys(&self.entry, &places).iter().find(|key| !names.contains_key(*key)) {
            let rule = "there is no entry of an alias with this key in the file";
            return Err(Error::rule("members", stranger, rule));
        }
        rows::alias_from(&self.entry, names, &places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_same_every_time() {
        let key = |text: &str| key_of(&Address::parse(text).unwrap());
        assert_eq!(key("a@example.org"), key("A@EXAMPLE.ORG"));
        assert_ne!(key("a@example.org"), key("b@example.org"));
        // FNV-1a of an empty text is its basis.
        assert_eq!(key("a@example.org").len(), 32);
    }

    #[test]
    fn bases() {
        assert!(Tree::new("dc=example,dc=org").is_ok());
        assert!(matches!(Tree::new("example.org"), Err(Error::Rule { field: "base", .. })));
    }
}
