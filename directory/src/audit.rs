//! The audit log: who changed what in the directory, when, and from where (docs/formats/audit.md).

mod entry;
mod file;

pub use entry::{Entry, Event};
pub use file::AuditFile;
