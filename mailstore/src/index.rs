//! cyrus.index: a header and one record of fixed size for each message (docs/formats/index.md).
//!
//! Records stand in UID order, live and expunged ones alike; an expunged one keeps its place until a repack. A record is
//! valid if its checksum is; the header says how many records are committed, and what stands behind them is the torn
//! tail of a write that never was. Header and records are written with `pwrite` only.

mod cursor;
mod file;
mod glance;
mod header;
mod record;

pub(crate) use cursor::Cursor;
pub(crate) use file::{IndexFile, Loaded, header, quota_used};
pub use glance::Glance;
pub(crate) use header::{CACHE_START, HEADER_SIZE, Header};
pub use record::Record;
pub(crate) use record::{RECORD_SIZE, encode_all};

/// The index's name in a mailbox directory.
pub(crate) const FILE: &str = "cyrus.index";
