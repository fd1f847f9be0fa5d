//! What a ledger needs of the engine that holds its current rows. Private: another engine is one more implementation.

use std::{fmt, ops::Bound, path::Path};

use super::{Error, Json, batch::Row};

/// Rows in key order.
pub(super) type IndexRows = Box<dyn Iterator<Item = Result<(String, Json), Error>> + Send>;

/// Every error is [`Error::Index`]. None of the methods panics, whatever the engine does.
pub(super) trait Index: Send + Sync + fmt::Debug {
    fn get(&self, key: &str) -> Result<Option<Json>, Error>;

    /// The rows from `start` on.
    fn range(&self, start: Bound<&str>) -> IndexRows;

    /// All rows, last first: what is behind a damaged place.
    fn range_back(&self) -> IndexRows;

    /// Applies rows in order and remembers `seq` in the same atomic step.
    fn apply(&self, rows: &mut dyn Iterator<Item = Row>, seq: u64) -> Result<(), Error>;

    /// The number that the last [`apply`](Self::apply) remembered; 0 in a new index.
    fn applied(&self) -> Result<u64, Error>;

    /// Makes everything applied so far durable.
    fn flush(&self) -> Result<(), Error>;

    fn dir(&self) -> &Path;
}
