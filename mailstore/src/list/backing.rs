//! Where the mailbox list is durable: a ledger on this machine. Narrow, so that a cluster can put its own store of keys
//! and values below the same list.

use crate::error::Result;

/// A durable, sorted map of text to text.
pub(crate) trait Backing: Send + Sync + std::fmt::Debug {
    /// Gives every key and its value to `each`, in key order.
    fn load(&self, each: &mut dyn FnMut(&str, &str)) -> Result<()>;

    /// The same without looking at the store itself, from safety copies that prove to be what it holds: each key with its
    /// value, later ones in place of earlier ones, and without a value what was removed since. `false` if there are none;
    /// then what was given is to be forgotten. Only before the first [`apply`](Self::apply).
    fn load_copies(&self, each: &mut (dyn FnMut(&str, Option<&str>) + Send)) -> Result<bool>;

    /// The value of a key. What cannot be read is an error, and not a key that is not there.
    fn get(&self, key: &str) -> Result<Option<String>>;

    /// Whether all of it can be read, as far as is known.
    fn is_checked(&self) -> bool;

    /// Finds out, while it is used; calls `pause` now and then, which ends it with `false`.
    fn check(&self, pause: &mut dyn FnMut() -> bool) -> Result<()>;

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
