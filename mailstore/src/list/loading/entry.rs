//! What one key of the mailboxes database and its value say.

use std::sync::Arc;

use crate::ident::UniqueId;
use crate::list::row::Neighbour;
use crate::list::{Intent, Row, UNKNOWN_KEY, parse_marks};
use crate::name::MailboxName;
use crate::quota::QuotaLimits;

/// What belongs into the tables.
pub(super) enum Entry {
    Row(Arc<Row>),
    Limits(MailboxName, QuotaLimits),
    /// No smaller UIDVALIDITY is given out.
    UidValidity(u32),
    Intent(Intent),
    /// It makes sense, and is not kept in memory.
    Elsewhere,
}

impl Entry {
    /// Understands a key and its value. What a row has in common with the one `before` is shared.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(key: &str, value: &str, before: &mut Neighbour) -> Result<Entry, String> {
        let json = |error: serde_json::Error| error.to_string();
        match key.split_once('/') {
            Some(("N", name)) => {
                let row = Row::decode_after(value, before)?;
                if row.name.as_str() != name {
                    return Err("the row is that of another mailbox".to_owned());
                }
                Ok(Entry::Row(Arc::new(row)))
            }
            // Made anew from the rows.
            Some(("I", _)) => Ok(Entry::Elsewhere),
            // Read again when the mailbox is opened.
            Some(("M", id)) => {
                UniqueId::parse(id).ok_or("bad unique id")?;
                parse_marks(value)?;
                Ok(Entry::Elsewhere)
            }
            Some(("Q", root)) => {
                let root = MailboxName::parse(root).map_err(|error| error.to_string())?;
                Ok(Entry::Limits(root, serde_json::from_str(value).map_err(json)?))
            }
            Some(("V", "uidvalidity")) => Ok(Entry::UidValidity(serde_json::from_str(value).map_err(json)?)),
            Some(("X", key)) => Ok(Entry::Intent(Intent::decode(key, value)?)),
            // A newer version's: kept, not understood.
            _ => Err(UNKNOWN_KEY.to_owned()),
        }
    }
}
