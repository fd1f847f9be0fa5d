//! Where the mailbox list is durable: a ledger on this machine. Narrow, so that a cluster can put its own store of keys
//! and values below the same list.

use crate::error::Result;

/// A durable, sorted map of text to text.
pub(crate) trait Backing: Send + Sync + std::fmt::Debug {
    /// Gives every key and its value to `each`, in key order.
    fn load(&self, each: &mut dyn FnMut(&str, &str)) -> Result<()>;

    /// Sets (or, with no value, removes) keys: all of them or, with an error, none. Durable when it returns. Concurrent
    /// calls may share a sync.
    fn apply(&self, changes: Vec<(String, Option<String>)>) -> Result<()>;

    /// Work that nobody waits for: dumps, compaction.
    fn maintain(&self) -> Result<()>;

    /// Writes a safety copy now.
    fn checkpoint(&self) -> Result<()>;

    /// Reads all there is and compares: what does not agree or is damaged.
    fn verify(&self) -> Result<Vec<String>>;

    /// Ends it in order.
    fn close(&self) -> Result<()>;
}
