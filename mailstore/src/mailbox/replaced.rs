//! Files that somebody put in the place of those that are open, as a restore over a running server does. They are the
//! administrator's word, and `reconstruct` goes by them: until it comes they are not written over, though what is open
//! would be due for a shorter form of itself.

use std::path::Path;
use std::sync::atomic::Ordering;

use durable::disk::{Disk, DiskFile};

use crate::mailbox::Mailbox;

impl Mailbox {
    /// Whether `name` in the mailbox's directory is still the open file. If not, the log is told once.
    pub(super) fn is_in_place(&self, name: &str, open: &DiskFile) -> bool {
        let in_place = is_same(&**self.around.disk(), &self.dir().join(name), open);
        if !in_place && !self.replaced_noted.swap(true, Ordering::AcqRel) {
            tracing::warn!(event = "mailbox.file.replaced", mailbox = %self.name(), file = name,
                "not the file that is in use any more: it is left alone until the mailbox is reconstructed");
        }
        in_place
    }
}

/// Whether the file at `path` is the open one.
pub(crate) fn is_same(disk: &dyn Disk, path: &Path, open: &DiskFile) -> bool {
    match (disk.metadata(path), open.metadata()) {
        (Ok(there), Ok(open)) => (there.dev, there.ino) == (open.dev, open.ino),
        _ => false,
    }
}
