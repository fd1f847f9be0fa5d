//! Message files: `<UID>.` in the mailbox's directory, or below `expunged./` when the message was expunged and is kept
//! for a while. Apart from live ones, so that rebuilding a lost index can't bring back what was deleted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use durable::disk::{Disk, DiskFile, FileKind, UnixTime};

use crate::error::{Error, Result};
use crate::ident::Uid;
use crate::mailbox::Mailbox;
use crate::uid_set::UidSet;

/// Where expunged messages wait. It ends in a dot, so it can't be a mailbox.
pub(crate) const EXPUNGED_DIR: &str = "expunged.";

/// The path of a message file in `dir`.
pub(crate) fn message_path(dir: &Path, uid: u32) -> PathBuf {
    dir.join(format!("{uid}."))
}

/// The UID that a file name stands for: digits without a leading zero, then a dot.
pub(crate) fn message_uid(name: &str) -> Option<u32> {
    let digits = name.strip_suffix('.')?;
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if plain { digits.parse().ok() } else { None }
}

/// The message files in a directory, by UID. A directory that is not there has none.
pub(crate) fn message_files(disk: &dyn Disk, dir: &Path) -> Result<UidSet> {
    let entries = match disk.read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => return Ok(UidSet::new()),
        Err(error) => return Err(error.into()),
    };
    let regular = entries.iter().filter(|e| matches!(e.kind, FileKind::File));
    Ok(regular.filter_map(|e| e.name.to_str().and_then(message_uid)).collect())
}

impl Mailbox {
    /// Opens a message file for reading; an expunged message's too, as long as it is kept: a session may ask for it
    /// before it was told.
    ///
    /// # Errors
    /// [`Error::Expunged`] when the file is gone, or the disk's.
    pub fn open_message(&self, uid: Uid) -> Result<DiskFile> {
        let found = self.at_rest(|dir| match self.find_message(dir, uid) {
            Err(Error::Expunged { .. }) => None,
            found => Some(found),
        });
        found.unwrap_or_else(|| {
            self.note_missing(uid);
            Err(self.expunged_error(uid))
        })
    }

    /// The same without a wait for files that are on their way to another directory: for those who have the state locked,
    /// which that way ends with.
    pub(super) fn open_at_once(&self, uid: Uid) -> Result<DiskFile> {
        // Where the mailbox was, another one may be by now, with a message of this UID.
        self.wherever(|dir| self.find_message(dir, uid))
    }

    /// A message that is there has no file: says so, once for each mailbox that is open.
    fn note_missing(&self, uid: Uid) {
        // Its reader may have the state locked for reading.
        let is_live = self.state.read_recursive().live.contains(uid.get());
        if is_live && !self.missing_noted.swap(true, Ordering::AcqRel) {
            tracing::error!(event = "mailbox.file.missing", mailbox = %self.name(), %uid, "a message has no file");
        }
    }

    fn find_message(&self, dir: &Path, uid: Uid) -> Result<DiskFile> {
        for place in [dir, &dir.join(EXPUNGED_DIR)] {
            match self.around.disk().open_read(&message_path(place, uid.get())) {
                Ok(file) => return Ok(file),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(self.expunged_error(uid))
    }

    fn expunged_error(&self, uid: Uid) -> Error {
        Error::Expunged { mailbox: self.name().to_string(), uid: uid.get() }
    }

    /// Moves the files of expunged messages out of the way, or removes them. First the index is synced: a message whose
    /// record says "live" after a power cut must have its file.
    ///
    /// A file that got its name after `when`, the time of the expunge, is not the message's: an administrator has put it
    /// back meanwhile, and it stays for `reconstruct`. (A file from the future tells that the clock was set back; one with
    /// several names was copied by somebody, which changes that time, too.)
    pub(super) fn settle_expunged(self: &Arc<Self>, uids: &UidSet, when: Option<UnixTime>) -> Result<()> {
        self.sync()?;
        // What is deleted goes with its directory; when it is taken back, its next open does this.
        let Some(_stays) = self.stay() else { return Ok(()) };
        let dir = self.dir();
        let disk = self.around.disk();
        let aside = dir.join(EXPUNGED_DIR);
        if self.around.keeps_expunged() && !disk.exists(&aside)? {
            match disk.mkdir(&aside) {
                Err(error) if !error.is_exists() => return Err(error.into()),
                _ => {}
            }
        }
        for uid in uids {
            let from = message_path(&dir, uid);
            // Without keeping expunged messages the same mail's other names are unlinked, which changes that time as well.
            if let Some(when) = when
                && self.around.keeps_expunged()
                && let Ok(file) = disk.metadata(&from)
                && file.changed > when
                && file.changed <= UnixTime::now()
                && file.nlink == 1
            {
                tracing::warn!(event = "mailbox.file.returned", mailbox = %self.name(), uid,
                    "a file was put back under the name of an expunged message: run reconstruct");
                continue;
            }
            let moved = if self.around.keeps_expunged() {
                disk.rename(&from, &message_path(&aside, uid))
            } else {
                disk.unlink(&from)
            };
            match moved {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_message_files() {
        for (name, uid) in [("1.", Some(1)), ("4294967295.", Some(u32::MAX))] {
            assert_eq!(message_uid(name), uid, "{name}");
        }
        for odd in ["", ".", "0.", "05.", "-1.", "+1.", "1", "1.bak", "99999999999.", "x.", "cyrus.index", " 1."] {
            assert_eq!(message_uid(odd), None, "{odd}");
        }
    }
}
