//! Listing directories again that no row knows, and repairing them at once.

use super::{RepairOptions, Repaired};
use crate::error::Result;
use crate::name::MailboxName;
use crate::store::{Adopted, Store};

impl Store {
    /// Lists the directory at `name` as a mailbox again, with what its own files say, and repairs it. In a dry run nothing is
    /// changed; what is said is the same. Blocks.
    ///
    /// # Errors
    /// [`Error::Exists`](crate::Error::Exists) if the mailbox is listed, [`Error::NotFound`](crate::Error::NotFound) if there
    /// is nothing to list, the disk's.
    pub fn list_again(
        &self,
        partition: &str,
        name: &MailboxName,
        options: &RepairOptions,
    ) -> Result<(Adopted, Repaired)> {
        if options.dry_run {
            let adopted = self.would_adopt(partition, name)?;
            let repaired = self.reconstruct_as(&adopted.row, options)?;
            return Ok((adopted, repaired));
        }
        let adopted = self.adopt_closed(partition, name)?;
        let repaired = self.reconstruct(name, options)?;
        Ok((adopted, repaired))
    }
}
