//! How rows are written in the ledger (docs/formats/directory.md):
//!
//! | key | value |
//! |---|---|
//! | `domain/<name>` | [`Domain`](crate::Domain) |
//! | `user/<user id>` | [`User`](crate::User) |
//! | `password/<user id>` | [`Credentials`](crate::Credentials) |
//! | `alias/<address>` | [`Alias`](crate::Alias) |
//! | `settings/privileges` | [`Privileges`](crate::Privileges) |
//! | `secret/scram` | `{"key": "<base64>"}` |
//! | `move/<old name>` | `{"to": "<new name>"}`: the domain has the new name; rows that have the old one are to be rewritten |
//! | `audit/<number>` | an entry of the audit log that may not be in its file yet |

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use durable::{Batch, Ledger};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::rows::Rows;
use crate::address::Address;
use crate::audit::Entry;
use crate::domain::DomainName;
use crate::error::{Error, Result};
use crate::user::UserId;
use crate::{Change, Revision};

const DOMAIN: &str = "domain/";
const USER: &str = "user/";
const PASSWORD: &str = "password/";
const ALIAS: &str = "alias/";
const MOVE: &str = "move/";
const AUDIT: &str = "audit/";
const PRIVILEGES: &str = "settings/privileges";
const SCRAM_SECRET: &str = "secret/scram";

/// Rows of a batch that could be several: some megabytes, a fraction of a second. In tests a batch is soon full.
const MOST_ROWS: usize = if cfg!(test) { 3 } else { 10_000 };

/// Octets of a batch that could be several. Rows may be large: an alias of ten thousand members has half a megabyte, and a line of
/// the journal no more than 64 MiB.
const MOST_OCTETS: usize = if cfg!(test) { 4096 } else { 8 << 20 };

#[derive(Serialize, Deserialize)]
struct SecretRow {
    key: String,
}

#[derive(Serialize, Deserialize)]
struct MoveRow {
    to: DomainName,
}

/// All that is in a ledger.
#[derive(Default)]
pub(super) struct Stored {
    pub(super) rows: Rows,
    /// Domains that a crash left half renamed.
    pub(super) moves: Vec<(DomainName, DomainName)>,
    /// Entries of the audit log, by their numbers.
    pub(super) outbox: BTreeMap<u64, Entry>,
}

impl Stored {
    /// Reads the ledger: from its flat copies, if they prove complete, since that is some ten times faster; else row by row.
    pub(super) fn load(ledger: &Ledger) -> Result<Stored> {
        let mut stored = Stored::default();
        let mut failed = None;
        let complete = ledger
            .load_copies(&mut |key, json| {
                // The first error counts; what was read is forgotten then.
                if failed.is_none() {
                    failed = stored.take(key, json).err();
                }
            })
            .map_err(unavailable)?;
        if complete {
            return failed.map_or_else(|| Ok(stored.tidied()), Err);
        }
        let mut stored = Stored::default();
        for row in ledger.scan_prefix("").map_err(unavailable)? {
            let (key, json) = row.map_err(unavailable)?;
            stored.take(&key, Some(json.as_str()))?;
        }
        Ok(stored.tidied())
    }

    /// Without the domains that were there in between only.
    fn tidied(mut self) -> Stored {
        self.rows.domains.retain(|_, domain| domain.row.is_some() || !domain.addresses.is_empty());
        self
    }

    /// Takes a row, or takes one back.
    fn take(&mut self, key: &str, json: Option<&str>) -> Result<()> {
        let corrupt = |what: &dyn fmt::Display| Error::Corrupt { key: key.into(), what: what.to_string() };
        let (kind, name) = match key.split_once('/') {
            Some((kind, name)) => (&key[..=kind.len()], name),
            None => return Err(corrupt(&"an unknown kind of row")),
        };
        let change = match (kind, json) {
            (DOMAIN, Some(json)) => Change::Domain(parse(key, json)?),
            (DOMAIN, None) => {
                // Its users may be moved, or removed, behind it.
                let name = DomainName::parse(name).map_err(|error| corrupt(&error))?;
                if let Some(domain) = self.rows.domains.get_mut(&name) {
                    domain.row = None;
                }
                return Ok(());
            }
            (USER, Some(json)) => Change::User(parse(key, json)?),
            (USER, None) => Change::DeleteUser(UserId::parse(name).map_err(|error| corrupt(&error))?),
            (PASSWORD, Some(json)) => {
                Change::Credentials(UserId::parse(name).map_err(|error| corrupt(&error))?, parse(key, json)?)
            }
            // With the user's.
            (PASSWORD, None) => return Ok(()),
            (ALIAS, Some(json)) => Change::Alias(parse(key, json)?),
            (ALIAS, None) => Change::DeleteAlias(Address::parse(name).map_err(|error| corrupt(&error))?),
            (MOVE, json) => {
                let from = DomainName::parse(name).map_err(|error| corrupt(&error))?;
                self.moves.retain(|(known, _)| *known != from);
                if let Some(json) = json {
                    self.moves.push((from, parse::<MoveRow>(key, json)?.to));
                }
                return Ok(());
            }
            (AUDIT, json) => {
                let number: u64 = name.parse().map_err(|error| corrupt(&error))?;
                match json {
                    Some(json) => self.outbox.insert(number, parse(key, json)?),
                    None => self.outbox.remove(&number),
                };
                return Ok(());
            }
            _ if key == PRIVILEGES => match json {
                Some(json) => Change::Privileges(parse(key, json)?),
                None => Change::Privileges(crate::Privileges::default()),
            },
            (_, Some(json)) if key == SCRAM_SECRET => {
                let row: SecretRow = parse(key, json)?;
                let octets = STANDARD.decode(row.key).ok().and_then(|octets| octets.try_into().ok());
                self.rows.scram_secret = Some(octets.ok_or_else(|| corrupt(&"it is no key"))?);
                return Ok(());
            }
            _ => return Err(corrupt(&"an unknown kind of row")),
        };
        self.rows.apply([change]);
        Ok(())
    }
}

fn parse<T: DeserializeOwned>(key: &str, json: &str) -> Result<T> {
    // Not the error's text: it would show the value, which may be a password's hash.
    serde_json::from_str(json)
        .map_err(|e| Error::Corrupt { key: key.into(), what: format!("it is wrong at column {}", e.column()) })
}

/// Changes on their way to the ledger: durable together, all or nothing.
#[derive(Default)]
pub(super) struct Rewrite {
    batch: Batch,
}

impl Rewrite {
    /// Gives the row its revision and writes it.
    pub(super) fn change(&mut self, change: &mut Change, revision: Revision) -> Result<()> {
        match change {
            Change::Domain(row) => {
                row.revision = revision;
                self.put(format!("{DOMAIN}{}", row.name), row)
            }
            Change::User(row) => {
                row.revision = revision;
                self.put(format!("{USER}{}", row.uid), row)
            }
            Change::Credentials(user, row) => self.put(format!("{PASSWORD}{user}"), row),
            Change::Alias(row) => {
                row.revision = revision;
                self.put(format!("{ALIAS}{}", row.address), row)
            }
            Change::Privileges(row) => {
                row.revision = revision;
                self.put(PRIVILEGES.into(), row)
            }
            Change::DeleteDomain(name) => self.remove(format!("{DOMAIN}{name}")),
            Change::DeleteUser(user) => {
                self.batch.remove(format!("{USER}{user}"));
                self.remove(format!("{PASSWORD}{user}"))
            }
            Change::DeleteAlias(address) => self.remove(format!("{ALIAS}{address}")),
            // Comes as the changes that it consists of.
            Change::RenameDomain { .. } => Ok(()),
        }
    }

    pub(super) fn scram_secret(&mut self, key: &[u8; 32]) -> Result<()> {
        self.put(SCRAM_SECRET.into(), &SecretRow { key: STANDARD.encode(key) })
    }

    pub(super) fn begin_move(&mut self, from: &DomainName, to: &DomainName) -> Result<()> {
        self.put(format!("{MOVE}{from}"), &MoveRow { to: to.clone() })
    }

    pub(super) fn end_move(&mut self, from: &DomainName) {
        self.batch.remove(format!("{MOVE}{from}"));
    }

    pub(super) fn entry(&mut self, entry: &Entry) -> Result<()> {
        self.put(audit_key(entry.number), entry)
    }

    pub(super) fn settled(&mut self, number: u64) {
        self.batch.remove(audit_key(number));
    }

    /// Whether there are so many, or such large ones, that others had better come after them.
    pub(super) fn is_full(&self) -> bool {
        self.batch.len() >= MOST_ROWS || self.batch.octets() >= MOST_OCTETS
    }

    /// Writes them.
    pub(super) fn apply(self, ledger: &Ledger) -> Result<()> {
        ledger.apply(self.batch).map(drop).map_err(unavailable)
    }

    fn put(&mut self, key: String, row: &impl Serialize) -> Result<()> {
        self.batch.put(key, row).map_err(unavailable)
    }

    fn remove(&mut self, key: String) -> Result<()> {
        self.batch.remove(key);
        Ok(())
    }
}

/// With leading zeros: entries lie in their order.
fn audit_key(number: u64) -> String {
    format!("{AUDIT}{number:020}")
}

pub(super) fn unavailable(error: impl fmt::Display) -> Error {
    Error::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_full_of_many_rows_or_of_large_ones() {
        let filled = |rows: usize, octets: usize| {
            let mut rewrite = Rewrite::default();
            for n in 0..rows {
                rewrite.put(format!("alias/{n}"), &"x".repeat(octets)).unwrap();
            }
            rewrite.is_full()
        };
        assert!(!filled(0, 0) && !filled(MOST_ROWS - 1, 1) && filled(MOST_ROWS, 1));
        assert!(!filled(1, MOST_OCTETS / 2) && filled(1, MOST_OCTETS) && filled(2, MOST_OCTETS / 2));
    }
}
