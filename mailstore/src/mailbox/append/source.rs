//! Where a message comes from that is appended, and how its file gets its name in the mailbox.

use std::path::Path;
use std::sync::Arc;

use durable::disk::{self, Cause, Disk, Op};
use rustix::io::Errno;

use crate::ident::Uid;
use crate::mailbox::Mailbox;
use crate::mailbox::change::cache_for;
use crate::mailbox::files::{EXPUNGED_DIR, message_path};
use crate::stage::Staged;

/// Where the file and the cache record come from.
pub(in crate::mailbox) enum Source {
    /// A staged message.
    Staged(Arc<Staged>),
    /// A message of another mailbox (or of this one).
    Copied {
        /// Which.
        from: Arc<Mailbox>,
        /// Its UID there.
        uid: u32,
        /// Whether it was expunged there, and is to be found among those.
        expunged: bool,
        /// Its cache record under that UID.
        cache: Vec<u8>,
    },
}

impl Source {
    /// Gives the message's file its name in the mailbox; on another file system it is copied.
    pub(super) fn link_to(&self, disk: &dyn Disk, to: &Path) -> disk::Result<()> {
        let (from, uid, expunged) = match self {
            Source::Staged(staged) => return link_or_copy(disk, staged.path(), to),
            Source::Copied { from, uid, expunged, .. } => (from, *uid, *expunged),
        };
        let before = from.whereabouts();
        let mut places = [message_path(&before.dir, uid), message_path(&before.dir.join(EXPUNGED_DIR), uid)];
        if expunged {
            places.reverse();
        }
        let linked = match link_or_copy(disk, &places[0], to) {
            // Expunged and put aside since it was looked at.
            Err(error) if error.is_not_found() => link_or_copy(disk, &places[1], to),
            other => other,
        };
        if linked.is_ok() && from.whereabouts() != before {
            // What has the name by now may be a message of another mailbox.
            unlink(disk, to);
            return Err(disk::Error { op: Op::Link, path: to.to_owned(), cause: Cause::Os(Errno::NOENT) });
        }
        linked
    }

    /// The mailbox that the message is copied from.
    pub(super) fn origin(&self) -> Option<&Arc<Mailbox>> {
        match self {
            Source::Staged(_) => None,
            Source::Copied { from, .. } => Some(from),
        }
    }

    pub(super) fn cache(&self, uid: Uid) -> Vec<u8> {
        match self {
            Source::Staged(staged) => cache_for(uid, staged.analysis()),
            Source::Copied { cache, .. } => crate::cache::readdress(cache, uid),
        }
    }
}

fn link_or_copy(disk: &dyn Disk, from: &Path, to: &Path) -> disk::Result<()> {
    match disk.link(from, to) {
        Err(error) if error.errno() == Some(Errno::XDEV) => {
            let source = disk.open_read(from)?;
            let temporary = disk::temporary_path(to);
            let file = disk.create_new(&temporary)?;
            let placed = disk
                .copy(&source, &file)
                .and_then(|_| disk.sync_data(&file))
                .and_then(|()| disk.rename_no_replace(&temporary, to));
            if placed.is_err() {
                unlink(disk, &temporary);
            }
            placed
        }
        other => other,
    }
}

/// Removes a file of an append that failed; one that can't be removed is taken in, or found, at the next open.
pub(super) fn unlink(disk: &dyn Disk, path: &Path) {
    if let Err(error) = disk.unlink(path) {
        tracing::warn!(event = "mailbox.undo.failed", %error);
    }
}
