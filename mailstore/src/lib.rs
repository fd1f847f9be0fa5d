//! The mail store: mailboxes and messages on disk. One file per message, and beside them `cyrus.header`, `cyrus.index`,
//! `cyrus.cache` and `cyrus.seen`; above them the mailboxes database. No protocol text is made here: what a client reads
//! word for word (ENVELOPE and the like) comes preformatted from the `message` crate and is only kept.
//!
//! Start reading at [`Mailbox`]: how a change happens, and in which order what becomes durable. docs/formats/ has every
//! file byte by byte.
//!
//! All methods that reach the disk block; callers on a reactor move them to a blocking thread. Exceptions are named where
//! they are: memory and page-cache work only.

mod acl;
mod cache;
mod cache_file;
mod check;
mod counters;
mod duplicate;
mod error;
mod flags;
#[cfg(fuzzing)]
pub mod fuzzing;
mod header;
mod ident;
mod index;
mod layout;
mod list;
mod mailbox;
mod name;
mod quota;
mod raw;
mod repair;
mod scrub;
mod seen;
mod special_use;
mod stage;
mod store;
mod subscription;
pub mod uid_set;

pub use acl::{ADMIN_RIGHTS, Access, Acl, AclMode, Identifier, OWNER_RIGHTS, Rights, RightsError};
pub use cache::{CacheBuf, CacheItem, CacheItems};
pub use cache_file::CachePlace;
pub use check::{CheckReport, Finding, Severity};
pub use counters::{Counter, Counters, Healing, Heals, Scrub};
pub use duplicate::Duplicates;
pub use durable::disk;
pub use error::{Error, ErrorKind, Result};
pub use flags::{Keyword, KeywordBits, MAX_KEYWORDS, SystemFlags};
pub use ident::{ContentHash, ModSeq, Timestamp, Uid, UidValidity, UniqueId};
pub use index::{Glance, Record};
pub use layout::{DEFAULT_PARTITION, Layout};
pub use list::{Row, RowState};
pub use mailbox::{
    AppendOptions, Changes, CopyOptions, Expunged, FlagOp, Mailbox, MailboxCopy, MailboxFiles, NewMessage, Permitted,
    ReaderState, Reading, Status, StoreRequest, Stored, TextField, Texts,
};
pub use name::{MailboxName, NameError, SEPARATOR};
pub use quota::{QuotaCheck, QuotaLimits, QuotaRoot, QuotaUsage, QuotaUsed, STORAGE_UNIT};
pub use raw::sled_syncs;
pub use repair::{Examination, Mismatch, OddFiles, RepairEvent, RepairKind, RepairOptions, Repaired};
pub use scrub::{ScrubFinding, ScrubKind, ScrubPace, Scrubbed};
pub use special_use::SpecialUse;
pub use stage::{MAX_MESSAGE, StageWriter, Staged};
pub use store::{
    Adopted, CreateOptions, FolderUse, LargeMessage, ListAudience, ListFinding, ListFindingKind, ListRepair,
    MAX_MAILBOXES_PER_USER, OpenReport, QuotaFinding, QuotaLedger, QuotaRepair, RestoredRow, SavedList, SavedMailbox,
    Store, StoreOptions, Unlisted,
};
pub use subscription::MAX_SUBSCRIPTIONS;
pub use uid_set::UidSet;

#[cfg(test)]
mod format_documents {
    //! The byte tables stand beside the code and in docs/formats; this holds them together.

    fn table(source: &str) -> Vec<&str> {
        source
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .filter_map(|l| l.strip_prefix("//! "))
            .filter(|l| l.starts_with('|'))
            .collect()
    }

    #[test]
    fn say_what_the_code_says() {
        let rows = [
            (include_str!("index/header.rs"), include_str!("../../docs/formats/index.md")),
            (include_str!("index/record.rs"), include_str!("../../docs/formats/index.md")),
            (include_str!("cache.rs"), include_str!("../../docs/formats/cache.md")),
        ];
        for (code, document) in rows {
            let table = table(code);
            assert!(table.len() > 5);
            assert!(document.contains(&table.join("\n")), "the table of {:?} is another one", table[2]);
        }
    }
}
