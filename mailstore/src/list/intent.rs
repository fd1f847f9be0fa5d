//! What was begun and must be ended, whatever happens: directories that follow their rows to other names.
//!
//! A move commits in one batch: the rows under their new names, and the intent. Only then directories are renamed. So
//! after a crash the intent says which renames may be missing, and doing them again is harmless.

use serde::{Deserialize, Serialize};

use crate::name::MailboxName;

/// A move of a mailbox, or of a whole tree, from one name to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Intent {
    /// What tells it from others: the mailbox's unique id.
    pub(crate) key: String,
    /// The name that the directory had.
    pub(crate) old: MailboxName,
    /// The name that the directory gets.
    pub(crate) new: MailboxName,
    /// Whether everything below moves too.
    pub(crate) tree: bool,
    /// The partitions that hold a part of it.
    pub(crate) partitions: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    old: String,
    new: String,
    tree: bool,
    partitions: Vec<String>,
}

impl Intent {
    pub(crate) fn encode(&self) -> String {
        let (old, new) = (self.old.to_string(), self.new.to_string());
        let written = Written { old, new, tree: self.tree, partitions: self.partitions.clone() };
        serde_json::json!(written).to_string()
    }

    pub(crate) fn decode(key: &str, text: &str) -> Result<Intent, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let name = |text: &str| MailboxName::parse(text).map_err(|error| error.to_string());
        Ok(Intent {
            key: key.to_owned(),
            old: name(&written.old)?,
            new: name(&written.new)?,
            tree: written.tree,
            partitions: written.partitions,
        })
    }
}
