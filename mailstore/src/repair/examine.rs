//! What a mailbox's files say, for people (`mbexamine`). Nothing is changed, and nothing is opened that is not open.

use super::RepairOptions;
use crate::error::Result;
use crate::header::{self, MailboxHeader};
use crate::ident::{ModSeq, UidValidity};
use crate::index::Record;
use crate::list::not_found;
use crate::mailbox::{SeenChoice, snapshot};
use crate::name::MailboxName;
use crate::seen::{self, Seen};
use crate::store::Store;

/// A mailbox as its files say, or as memory knows it if it is open.
#[derive(Clone, Debug)]
pub struct Examination {
    /// Where its files are.
    pub dir: std::path::PathBuf,
    /// UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The last UID.
    pub last_uid: u32,
    /// The highest mod-sequence.
    pub highest_modseq: ModSeq,
    /// Number of messages by the header.
    pub exists: u32,
    /// Bytes by the header: what the quota root is charged.
    pub used: u64,
    /// Generation of index and cache.
    pub generation: u32,
    /// Committed bytes of the cache.
    pub cache_len: u64,
    /// Whether the mailbox was closed in order.
    pub clean: bool,
    /// Unix seconds of the last append.
    pub last_append: i64,
    /// Unix seconds of the last repack.
    pub last_repack: i64,
    /// High-water marks in the mailboxes database: UID and mod-sequence.
    pub marks: (u32, u64),
    /// Keyword names, by bit.
    pub keywords: Vec<String>,
    /// Who has seen how many messages, and up to which UID messages are not \Recent.
    pub readers: Vec<(String, u64, u32)>,
    /// All records, expunged ones included, in UID order.
    pub records: Vec<Record>,
}

impl Store {
    /// Reads what a mailbox's files say. Blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound), [`Error::Corrupt`](crate::Error::Corrupt) where the directory is
    /// missing, the disk's.
    pub fn examine(&self, name: &MailboxName) -> Result<Examination> {
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        let memory = self.open_mailbox(name).map(|mailbox| snapshot(&mailbox)).transpose()?;
        let options = RepairOptions { dry_run: true, sizes: false, ..RepairOptions::default() };
        let look = self.look_at(&row, &options, memory.as_ref())?;
        let dir = self.layout().mailbox_dir(&row.partition, name)?;
        let header = &look.base.header;
        let bytes = self.disk().read(&dir.join(seen::FILE), seen::MAX_SIZE).unwrap_or_default();
        let seen = match look.seen {
            SeenChoice::Written(seen) | SeenChoice::PutBack(seen, _) => seen,
            SeenChoice::Stays | SeenChoice::Reset => Seen::decode(&bytes, header.uid_validity, |_, _| {}),
        };
        let names = self.disk().read(&dir.join(header::FILE), header::MAX_SIZE).unwrap_or_default();
        let names = MailboxHeader::decode(&names).map(|decoded| decoded.header.keywords).unwrap_or_default();
        let marks = self.marks(&row)?;
        Ok(Examination {
            dir,
            uid_validity: header.uid_validity,
            last_uid: header.last_uid,
            highest_modseq: header.highest_modseq,
            exists: header.exists,
            used: header.used,
            generation: header.generation,
            cache_len: header.cache_len,
            clean: header.clean.is_some(),
            last_append: header.last_append,
            last_repack: header.last_repack,
            marks: (marks.last_uid, marks.modseq),
            keywords: names.iter().map(|name| name.as_str().to_owned()).collect(),
            readers: seen
                .readers()
                .map(|(user, reader)| (user.to_owned(), reader.seen.len(), reader.recent_above))
                .collect(),
            records: look.base.entries.iter().map(|entry| entry.record).collect(),
        })
    }
}
