//! The rows of the embedded directory: their keys, and what they are in memory.
//!
//! | key | value |
//! |---|---|
//! | `domain/<name>` | [`Domain`] |
//! | `user/<user id>` | [`User`] |
//! | `password/<user id>` | `{"hash": "<PHC string>", "scram": ["<RFC 5803>"], "apps": [...]}` |
//! | `secret/scram` | `{"key": "<base64>"}` |
//! | `alias/<address>` | [`Alias`] |

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use durable::disk::Disk;
use durable::{Batch, Ledger, OpenReport, Options};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Resolution;
use crate::address::Address;
use crate::alias::Alias;
use crate::app_password::{AppRow, StoredApp};
use crate::domain::{Domain, DomainName};
use crate::error::{Error, Result};
use crate::stored::StoredPassword;
use crate::user::{User, UserId, UserState};

const DOMAIN: &str = "domain/";
const USER: &str = "user/";
const PASSWORD: &str = "password/";
const ALIAS: &str = "alias/";
const SCRAM_SECRET: &str = "secret/scram";

/// Who owns an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Owner {
    User(UserId),
    Alias,
}

/// One row's change.
pub(super) enum Change {
    Domain(Domain),
    User(User),
    DeleteUser(UserId),
    Password(UserId, StoredPassword),
    ScramSecret([u8; 32]),
    Alias(Alias),
    DeleteAlias(Address),
}

/// All rows, and the addresses in them.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) domains: BTreeMap<DomainName, Domain>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) passwords: HashMap<UserId, StoredPassword>,
    /// What the salts of users who don't exist are made of.
    pub(super) scram_secret: Option<[u8; 32]>,
    pub(super) aliases: BTreeMap<Address, Alias>,
    pub(super) addresses: HashMap<Address, Owner>,
}

#[derive(Serialize, Deserialize)]
struct PasswordRow {
    hash: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    scram: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    apps: Vec<AppRow>,
}

#[derive(Serialize, Deserialize)]
struct SecretRow {
    key: String,
}

/// Shows how many, never what: password hashes are among them, and whoever holds the directory may print it.
impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("users", &self.users.len()).field("aliases", &self.aliases.len()).finish()
    }
}

impl Rows {
    pub(super) fn load(ledger: &Ledger) -> Result<Rows> {
        let mut changes = Vec::new();
        for row in ledger.scan_prefix("").map_err(unavailable)? {
            let (key, value) = row.map_err(unavailable)?;
            changes.push(read(&key, &value)?);
        }
        let mut rows = Rows::default();
        rows.apply(changes);
        Ok(rows)
    }

    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Domain(domain) => {
                    self.domains.insert(domain.name.clone(), domain);
                }
                Change::User(user) => {
                    self.release(&user.uid);
                    for address in user.alternates.iter().chain([&user.mail]) {
                        self.addresses.insert(address.clone(), Owner::User(user.uid.clone()));
                    }
                    self.users.insert(user.uid.clone(), user);
                }
                Change::DeleteUser(user) => {
                    self.release(&user);
                    self.users.remove(&user);
                    self.passwords.remove(&user);
                }
                Change::Password(user, stored) => {
                    self.passwords.insert(user, stored);
                }
                Change::ScramSecret(key) => self.scram_secret = Some(key),
                Change::Alias(alias) => {
                    self.addresses.insert(alias.address.clone(), Owner::Alias);
                    self.aliases.insert(alias.address.clone(), alias);
                }
                Change::DeleteAlias(address) => {
                    self.addresses.remove(&address);
                    self.aliases.remove(&address);
                }
            }
        }
    }

    fn release(&mut self, user: &UserId) {
        if let Some(old) = self.users.get(user) {
            for address in old.alternates.iter().chain([&old.mail]) {
                self.addresses.remove(address);
            }
        }
    }

    pub(super) fn primary(&self) -> Option<&DomainName> {
        self.domains.values().find(|d| d.primary).map(|d| &d.name)
    }

    /// One namespace for all addresses of the server, whoever owns them.
    pub(super) fn require_free(&self, address: &Address, user: &UserId) -> Result<()> {
        match self.addresses.get(address) {
            Some(Owner::User(owner)) if owner == user => Ok(()),
            Some(Owner::User(owner)) => {
                Err(Error::Exists(format!("the address {address} belongs to the user {owner}")))
            }
            Some(Owner::Alias) => Err(Error::Exists(format!("the address {address} is an alias"))),
            None => Ok(()),
        }
    }

    /// What a user's own address resolves to. A pending user's mail waits for the mailbox: bounced, it would be lost.
    pub(super) fn recipient(&self, user: &UserId) -> Result<Resolution> {
        match self.users.get(user).map(|row| row.state) {
            Some(UserState::Active) => Ok(Resolution::User(user.clone())),
            Some(UserState::Disabled) => Ok(Resolution::Disabled(user.clone())),
            Some(UserState::Pending) => Err(Error::Unavailable(format!("the mailbox of {user} is being made"))),
            None => Ok(Resolution::Unknown),
        }
    }

    /// What an alias resolves to: the users it reaches who take mail. If there are none the mail waits until somebody
    /// looks; it was promised a reader, and "delivered to nobody" would lose it.
    pub(super) fn recipients(&self, alias: &Address) -> Result<Resolution> {
        let mut users = Vec::new();
        let mut disabled = None;
        for user in self.reached_by(alias) {
            match self.recipient(&user)? {
                Resolution::User(user) => users.push(user),
                Resolution::Disabled(user) => disabled = Some(user),
                Resolution::Alias(_) | Resolution::Unknown => {}
            }
        }
        match (users.is_empty(), disabled) {
            (false, _) => Ok(Resolution::Alias(users)),
            (true, Some(user)) => Ok(Resolution::Disabled(user)),
            (true, None) => Err(Error::Unavailable(format!("the alias {alias} reaches no user here"))),
        }
    }

    /// The users that an alias names, directly or through other aliases; each once, cycles or not.
    pub(super) fn reached_by(&self, address: &Address) -> Vec<UserId> {
        let mut users = BTreeSet::new();
        let mut visited = BTreeSet::new();
        let mut waiting = vec![address];
        while let Some(address) = waiting.pop() {
            let Some(alias) = self.aliases.get(address).filter(|_| visited.insert(address)) else { continue };
            users.extend(alias.users.iter().filter(|user| self.users.contains_key(user)).cloned());
            waiting.extend(&alias.aliases);
        }
        users.into_iter().collect()
    }

    /// The changes that take a user out of all aliases. An alias that has no owner or no member left goes too, and then
    /// those that it leaves empty; a postmaster alias falls to the administrator instead.
    pub(super) fn without_member(&self, user: &UserId) -> Vec<Change> {
        let mut touched: BTreeMap<&Address, Alias> = BTreeMap::new();
        for (address, alias) in &self.aliases {
            if alias.owners.contains(user) || alias.users.contains(user) {
                let mut alias = alias.clone();
                alias.owners.retain(|owner| owner != user);
                alias.users.retain(|member| member != user);
                if alias.is_postmaster() && alias.is_orphaned() {
                    alias.owners = vec![UserId::admin()];
                    alias.users = vec![UserId::admin()];
                }
                touched.insert(address, alias);
            }
        }
        let mut gone: BTreeSet<Address> = BTreeSet::new();
        loop {
            let newly: Vec<Address> = touched
                .values()
                .filter(|a| a.is_orphaned() && !gone.contains(&a.address))
                .map(|a| a.address.clone())
                .collect();
            if newly.is_empty() {
                break;
            }
            gone.extend(newly.iter().cloned());
            for (address, alias) in &self.aliases {
                if alias.aliases.iter().any(|member| newly.contains(member)) {
                    let alias = touched.entry(address).or_insert_with(|| alias.clone());
                    alias.aliases.retain(|member| !newly.contains(member));
                    if alias.is_postmaster() && alias.is_orphaned() {
                        alias.users = vec![UserId::admin()];
                    }
                }
            }
        }
        for address in &gone {
            tracing::warn!(event = "directory.alias.vanished", alias = %address, user = %user,
                "the alias has no owner or no member left");
        }
        let kept = touched.into_values().filter(|alias| !gone.contains(&alias.address)).map(Change::Alias);
        kept.chain(gone.iter().cloned().map(Change::DeleteAlias)).collect()
    }
}

/// Opens the directory's ledger: `directory.db` and its copies below `config`.
pub(super) fn open_ledger(config: &Path, disk: Arc<dyn Disk>, create: bool) -> Result<(Ledger, OpenReport)> {
    let options = Options { create, ..Options::default() };
    Ledger::open(&config.join("directory.db"), &config.join("copies"), "directory", disk, &options).map_err(unavailable)
}

/// Writes changes as one batch: durable, all or nothing.
pub(super) fn write(ledger: &Ledger, changes: &[Change]) -> Result<()> {
    let mut batch = Batch::new();
    for change in changes {
        let put = match change {
            Change::Domain(row) => batch.put(format!("{DOMAIN}{}", row.name), row),
            Change::User(row) => batch.put(format!("{USER}{}", row.uid), row),
            Change::Password(user, stored) => {
                let scram = stored.scram.iter().map(String::from).collect();
                let apps = stored.apps.iter().map(AppRow::from).collect();
                batch.put(format!("{PASSWORD}{user}"), &PasswordRow { hash: stored.hash.clone(), scram, apps })
            }
            Change::ScramSecret(key) => batch.put(SCRAM_SECRET, &SecretRow { key: STANDARD.encode(key) }),
            Change::Alias(row) => batch.put(format!("{ALIAS}{}", row.address), row),
            Change::DeleteUser(user) => {
                batch.remove(format!("{USER}{user}"));
                batch.remove(format!("{PASSWORD}{user}"));
                Ok(())
            }
            Change::DeleteAlias(address) => {
                batch.remove(format!("{ALIAS}{address}"));
                Ok(())
            }
        };
        put.map_err(unavailable)?;
    }
    ledger.apply(batch).map_err(unavailable)?;
    Ok(())
}

fn read(key: &str, json: &durable::Json) -> Result<Change> {
    if key.starts_with(DOMAIN) {
        Ok(Change::Domain(parse(key, json)?))
    } else if key.starts_with(USER) {
        Ok(Change::User(parse(key, json)?))
    } else if key.starts_with(ALIAS) {
        Ok(Change::Alias(parse(key, json)?))
    } else if let Some(user) = key.strip_prefix(PASSWORD) {
        let user = UserId::parse(user).map_err(|e| Error::Corrupt { key: key.into(), what: e.to_string() })?;
        let PasswordRow { hash, scram, apps } = parse(key, json)?;
        // A verifier that can't be read is made anew at the next login.
        let scram = scram.iter().filter_map(|text| text.parse().ok()).collect();
        let apps = apps.into_iter().map(StoredApp::try_from).collect::<std::result::Result<_, _>>();
        let apps = apps.map_err(|what| Error::Corrupt { key: key.into(), what: what.into() })?;
        Ok(Change::Password(user, StoredPassword { hash, scram, apps }))
    } else if key == SCRAM_SECRET {
        let row: SecretRow = parse(key, json)?;
        let octets = STANDARD.decode(row.key).ok().and_then(|octets| octets.try_into().ok());
        let octets = octets.ok_or_else(|| Error::Corrupt { key: key.into(), what: "it is no key".into() })?;
        Ok(Change::ScramSecret(octets))
    } else {
        Err(Error::Corrupt { key: key.into(), what: "an unknown kind of row".into() })
    }
}

fn parse<T: DeserializeOwned>(key: &str, json: &durable::Json) -> Result<T> {
    // Not the error's text: it would show the value, which may be a password's hash.
    json.parse().map_err(|e| Error::Corrupt { key: key.into(), what: format!("it is wrong at column {}", e.column()) })
}

pub(super) fn unavailable(error: impl fmt::Display) -> Error {
    Error::Unavailable(error.to_string())
}
