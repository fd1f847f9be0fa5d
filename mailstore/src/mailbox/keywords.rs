//! Keyword names of a mailbox. A new name is written to cyrus.header and durable before a record uses its bit, because a
//! bit without a name is lost.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::flags::{Keyword, KeywordBits, MAX_KEYWORDS};
use crate::header::{self, MailboxHeader};
use crate::mailbox::Mailbox;

impl Mailbox {
    /// The bits of `names`; names that the mailbox doesn't have yet are added, which waits for the disk.
    ///
    /// # Errors
    /// [`Error::Limit`] when there is no bit left, or the disk's.
    pub(super) fn keyword_bits(self: &Arc<Self>, names: &[Keyword]) -> Result<KeywordBits> {
        if names.is_empty() {
            return Ok(0);
        }
        if let Some(bits) = bits(&self.state.read().keywords, names) {
            return Ok(bits);
        }
        let _one_at_a_time = self.keyword_change.lock();
        let mut known = self.state.read().keywords.clone();
        for name in names {
            if !known.contains(name) {
                known.push(name.clone());
            }
        }
        if known.len() > MAX_KEYWORDS {
            return Err(Error::Limit("a mailbox has at most 128 keywords"));
        }
        self.write_header_with(known.clone())?;
        let bits = bits(&known, names).unwrap_or_default();
        self.state.write().keywords = known;
        // Sessions tell their clients of the new name (FLAGS, PERMANENTFLAGS).
        self.publish();
        Ok(bits)
    }

    /// The bits of those of `names` that the mailbox has.
    pub(super) fn known_keyword_bits(&self, names: &[Keyword]) -> KeywordBits {
        let state = self.state.read();
        names.iter().filter_map(|n| state.keywords.iter().position(|k| k == n)).fold(0, |bits, at| bits | 1 << at)
    }

    /// Whether the mailbox has all of `names`.
    pub(super) fn knows_keywords(&self, names: &[Keyword]) -> bool {
        names.is_empty() || bits(&self.state.read().keywords, names).is_some()
    }

    /// Whether one more keyword could be added.
    #[must_use]
    pub fn takes_keywords(&self) -> bool {
        self.state.read().keywords.len() < MAX_KEYWORDS
    }

    /// Writes cyrus.header with what the mailboxes database says now.
    ///
    /// # Errors
    /// The disk's; the old file stays.
    pub(crate) fn write_header_file(&self) -> Result<()> {
        let _one_at_a_time = self.keyword_change.lock();
        let known = self.state.read().keywords.clone();
        self.write_header_with(known)
    }

    fn write_header_with(&self, keywords: Vec<Keyword>) -> Result<()> {
        let Some(_stays) = self.stay() else { return Err(Error::NotFound(self.name().to_string())) };
        let identity = self.identity();
        let contents = MailboxHeader {
            quota_root: identity.quota.as_ref().map(|root| root.name().to_owned()),
            unique_id: identity.unique_id.clone(),
            keywords,
            acl: identity.acl.clone(),
            row: identity.row.clone(),
        };
        Ok(self.around.disk().replace_file(&identity.dir.join(header::FILE), &contents.encode())?)
    }
}

fn bits(known: &[Keyword], names: &[Keyword]) -> Option<KeywordBits> {
    names.iter().try_fold(0, |bits, name| Some(bits | 1 << known.iter().position(|k| k == name)?))
}
