//! The files of a new mailbox.

use std::sync::Arc;

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
    let contents = MailboxHeader {
        quota_root: identity.quota.as_ref().map(|root| root.name().to_owned()),
        unique_id: identity.unique_id.clone(),
        keywords: Vec::new(),
        acl: identity.acl.clone(),
        row: identity.row.clone(),
    };
    let mut index = Header::new(identity.uid_validity, Timestamp::now().seconds as u32);
    index.boot_id = around.boot_id();
    disk.replace_file(&identity.dir.join(header::FILE), &contents.encode())?;
    disk.replace_file(&identity.dir.join(cache_file::FILE), &cache::file_header(index.generation))?;
    disk.replace_file(&identity.dir.join(seen::FILE), &Seen::default().encode(identity.uid_validity))?;
    disk.replace_file(&identity.dir.join(INDEX), &index.encode())?;
    Ok(())
}
