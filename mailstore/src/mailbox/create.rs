//! The files of a new mailbox.

use std::path::Path;
use std::sync::Arc;

use durable::disk::Disk;

use crate::cache;
use crate::cache_file;
use crate::error::Result;
use crate::header::{self, MailboxHeader};
use crate::ident::Timestamp;
use crate::index::Header;
use crate::mailbox::open::INDEX;
use crate::mailbox::{Identity, Surroundings};
use crate::seen::{self, Seen};

/// Makes the directory and the four files of an empty mailbox, durably. What a crash left of an earlier attempt is
/// replaced; message files are not touched.
///
/// # Errors
/// The disk's.
pub(crate) fn create_files(around: &Arc<dyn Surroundings>, identity: &Identity) -> Result<()> {
    let disk = around.disk();
    disk.create_dir_all(&identity.dir)?;
    for (name, content) in new_files(around, identity) {
        disk.replace_file(&identity.dir.join(name), &content)?;
    }
    Ok(())
}

/// The same, but nothing is durable before whoever makes many mailboxes has synced the file system.
///
/// # Errors
/// The disk's.
pub(crate) fn create_files_unsynced(around: &Arc<dyn Surroundings>, identity: &Identity) -> Result<()> {
    let disk = around.disk();
    match disk.mkdir(&identity.dir) {
        Err(error) if error.is_not_found() => disk.create_dir_all(&identity.dir)?,
        Err(error) if !error.is_exists() => return Err(error.into()),
        _ => {}
    }
    for (name, content) in new_files(around, identity) {
        make_file(&**disk, &identity.dir.join(name), &content)?;
    }
    Ok(())
}

/// Makes a file that may be torn by a crash before the file system is synced; one that is there is replaced.
///
/// # Errors
/// The disk's.
pub(crate) fn make_file(disk: &dyn Disk, path: &Path, content: &[u8]) -> Result<()> {
    match disk.create_new(path) {
        Ok(file) => Ok(disk.write_at(&file, content, 0)?),
        Err(error) if error.is_exists() => Ok(disk.replace_file(path, content)?),
        Err(error) => Err(error.into()),
    }
}

/// Names and contents of the files of an empty mailbox, the index last.
fn new_files(around: &Arc<dyn Surroundings>, identity: &Identity) -> [(&'static str, Vec<u8>); 4] {
    let contents = MailboxHeader {
        quota_root: identity.quota.as_ref().map(|root| root.name().to_owned()),
        unique_id: identity.unique_id.clone(),
        keywords: Vec::new(),
        acl: identity.acl.clone(),
        row: identity.row.clone(),
    };
    let mut index = Header::new(identity.uid_validity, Timestamp::now().seconds as u32);
    index.boot_id = around.boot_id();
    [
        (header::FILE, contents.encode()),
        (cache_file::FILE, cache::file_header(index.generation).to_vec()),
        (seen::FILE, Seen::default().encode(identity.uid_validity)),
        (INDEX, index.encode().to_vec()),
    ]
}
