//! Safety copies of the databases, on demand. Cyrus' `ctl_cyrusdb -c`.

use directory::Directory;
use mailstore::Store;

use crate::error::CommandError;

/// Writes a copy of the mailbox list and of the directory now, beside those that are written hourly. Changes that come
/// after it are in the journals.
///
/// # Errors
/// [`CommandError`] of either; the databases themselves are fine.
pub fn checkpoint(store: &Store, directory: &dyn Directory) -> Result<(), CommandError> {
    store.checkpoint()?;
    Ok(directory.checkpoint()?)
}
