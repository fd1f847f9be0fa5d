//! The entries of the mailboxes database, by key (docs/formats/mailboxes.md). Cyrus' `cyr_dbtool`.

use mailstore::Store;

use crate::error::CommandError;
use crate::{Console, Exit};

/// What to do with entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseAction {
    /// Print all whose keys begin with this.
    Show(String),
    /// Print the value of one.
    Get(String),
    /// Set the value of one. Only on a store that nobody else uses.
    Set(String, String),
    /// Remove one. Only on a store that nobody else uses.
    Delete(String),
}

/// Does it. The old value of an entry that changes is printed first, so that it can be put back.
///
/// Ends with [`Exit::Found`] if there is no such entry, as Cyrus' tool does.
///
/// # Errors
/// [`CommandError::Store`] for a value that the store could not read, or if the database fails.
pub fn database(store: &Store, action: &DatabaseAction, console: &mut dyn Console) -> Result<Exit, CommandError> {
    match action {
        DatabaseAction::Show(prefix) => {
            let mut said = Ok(());
            store.database_entries(prefix, &mut |key, value| {
                if said.is_ok() {
                    said = console.out(&format!("{key}\t{value}"));
                }
            })?;
            said?;
            Ok(Exit::Ok)
        }
        DatabaseAction::Get(key) => match entry(store, key)? {
            Some(value) => {
                console.out(&value)?;
                Ok(Exit::Ok)
            }
            None => Ok(Exit::Found),
        },
        DatabaseAction::Set(key, value) => {
            if let Some(old) = entry(store, key)? {
                console.out(&format!("was {key}\t{old}"))?;
            }
            store.set_database_entry(key, Some(value))?;
            Ok(Exit::Ok)
        }
        DatabaseAction::Delete(key) => {
            let Some(old) = entry(store, key)? else { return Ok(Exit::Found) };
            console.out(&format!("was {key}\t{old}"))?;
            store.set_database_entry(key, None)?;
            Ok(Exit::Ok)
        }
    }
}

fn entry(store: &Store, wanted: &str) -> Result<Option<String>, CommandError> {
    let mut found = None;
    store.database_entries(wanted, &mut |key, value| {
        if key == wanted {
            found = Some(value.to_owned());
        }
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Fixture, Recorder};

    fn run(fixture: &Fixture, action: &DatabaseAction) -> (Result<Exit, CommandError>, Vec<String>) {
        let mut console = Recorder::default();
        let exit = database(&fixture.store, action, &mut console);
        (exit, console.out)
    }

    #[test]
    fn entries_are_shown_set_and_removed() {
        use DatabaseAction::{Delete, Get, Set, Show};
        let fixture = Fixture::new();
        let (_, shown) = run(&fixture, &Show("N/user/joe".into()));
        assert_eq!(shown.len(), 2);
        let (exit, row) = run(&fixture, &Get("N/user/sue".into()));
        assert!(exit.unwrap() == Exit::Ok && row[0].starts_with('{'));
        assert!(matches!(run(&fixture, &Get("N/user/none".into())).0, Ok(Exit::Found)));
        assert!(matches!(run(&fixture, &Delete("N/user/none".into())).0, Ok(Exit::Found)));
        for (key, value) in [("N/user/sue", "{}"), ("N/user/sue", "not JSON"), ("Z/new", "1"), ("V/uidvalidity", "-1")]
        {
            assert!(run(&fixture, &Set(key.into(), value.into())).0.is_err(), "{key} {value}");
        }
        let (exit, said) = run(&fixture, &Set("Q/user/sue".into(), r#"{"storage_kib":5}"#.into()));
        assert!(exit.is_ok() && said.is_empty());
        let (_, said) = run(&fixture, &Delete("Q/user/sue".into()));
        assert_eq!(said, ["was Q/user/sue\t{\"storage_kib\":5}"]);
        assert!(matches!(run(&fixture, &Get("Q/user/sue".into())).0, Ok(Exit::Found)));
    }
}
