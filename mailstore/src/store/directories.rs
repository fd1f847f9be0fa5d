//! What happens to directories when mailboxes are renamed and removed. Everything here can be done again after a crash in
//! the middle of it, with the same result.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::disk::{self, DirEntry, Disk, FileKind, parent};
use rustix::io::Errno;

use super::names::tree_of;
use crate::error::{Error, Result};
use crate::layout::{Layout, is_own_directory};
use crate::list::Intent;
use crate::mailbox::message_uid;
use crate::name::MailboxName;

/// The directories of all mailboxes.
#[derive(Clone, Debug)]
pub(super) struct Directories {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
}

impl Directories {
    /// Does what a move asks for, as far as it is not done yet.
    pub(super) fn carry_out(&self, intent: &Intent) -> Result<()> {
        for partition in &intent.partitions {
            let from = self.layout.mailbox_dir(partition, &intent.old)?;
            let to = self.layout.mailbox_dir(partition, &intent.new)?;
            self.carry(from, to, intent.tree)?;
            self.prune(partition, &intent.old)?;
        }
        Ok(())
    }

    /// Whether a directory holds the files of a mailbox.
    pub(super) fn holds_mailbox(&self, dir: &Path) -> Result<bool> {
        let is_file = |entry: &DirEntry| {
            let name = entry.name.to_str().unwrap_or_default();
            name.starts_with("cyrus.") || message_uid(name).is_some()
        };
        match self.disk.read_dir(dir) {
            Ok(entries) => Ok(entries.iter().any(is_file)),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the files of a mailbox, and its directory unless other mailboxes lie below it.
    pub(super) fn wipe(&self, partition: &str, name: &MailboxName) -> Result<()> {
        let dir = self.layout.mailbox_dir(partition, name)?;
        let entries = match self.disk.read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for entry in entries {
            let path = dir.join(&entry.name);
            if entry.kind != FileKind::Directory {
                gone(self.disk.unlink(&path))?;
            } else if is_own(&entry) {
                for inner in self.disk.read_dir(&path)? {
                    gone(self.disk.unlink(&path.join(inner.name)))?;
                }
                gone(self.disk.rmdir(&path))?;
            }
        }
        if self.remove_if_empty(&dir)? {
            self.disk.sync_dir(parent(&dir))?;
        } else {
            self.disk.sync_dir(&dir)?;
        }
        self.prune(partition, name)
    }

    /// Removes the directories above a mailbox that is gone, as far as they are empty, within its tree.
    fn prune(&self, partition: &str, name: &MailboxName) -> Result<()> {
        let mut at = name.parent();
        while let Some(above) = at.filter(|above| tree_of(above) == tree_of(name)) {
            if !self.remove_if_empty(&self.layout.mailbox_dir(partition, &above)?)? {
                break;
            }
            at = above.parent();
        }
        Ok(())
    }

    /// Whether the directory is gone now.
    fn remove_if_empty(&self, dir: &Path) -> Result<bool> {
        match self.disk.rmdir(dir) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(true),
            Err(error) if matches!(error.errno(), Some(Errno::NOTEMPTY | Errno::EXIST)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves a mailbox's directory, with (`tree`) or without the mailboxes below it: in one step where the new name is
    /// free, else entry by entry.
    fn carry(&self, from: PathBuf, to: PathBuf, tree: bool) -> Result<()> {
        let mut todo = vec![(from, to)];
        let mut emptied = Vec::new();
        while let Some((from, to)) = todo.pop() {
            let entries = match self.disk.read_dir(&from) {
                Ok(entries) => entries,
                // Done before a crash, or there never was one.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            let is_child = |entry: &DirEntry| entry.kind == FileKind::Directory && !is_own(entry);
            if (tree || !entries.iter().any(is_child)) && !self.disk.exists(&to)? {
                self.disk.create_dir_all(parent(&to))?;
                self.disk.rename_no_replace(&from, &to)?;
                self.disk.sync_dir(parent(&to))?;
                self.disk.sync_dir(parent(&from))?;
                continue;
            }
            self.disk.create_dir_all(&to)?;
            for entry in entries {
                let (old, new) = (from.join(&entry.name), to.join(&entry.name));
                if !is_child(&entry) {
                    self.carry_entry(&old, &new)?;
                } else if tree {
                    todo.push((old, new));
                }
            }
            self.disk.sync_dir(&to)?;
            self.disk.sync_dir(&from)?;
            emptied.push(from);
        }
        emptied.iter().rev().try_for_each(|dir| self.remove_if_empty(dir).map(drop))
    }

    fn carry_entry(&self, old: &Path, new: &Path) -> Result<()> {
        match self.disk.rename_no_replace(old, new) {
            Err(error) if error.is_exists() => Err(Error::corrupt(new, format!("is in the way of {}", old.display()))),
            Err(error) if error.is_not_found() => Ok(()),
            moved => Ok(moved?),
        }
    }
}

fn is_own(entry: &DirEntry) -> bool {
    entry.name.to_str().is_some_and(is_own_directory)
}

/// What is gone already needs no removal.
fn gone(removed: disk::Result<()>) -> Result<()> {
    match removed {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}
