//! What any durable state needs: a narrow disk, a change journal that is the record, and a sled index over it.
//!
//! - [`disk`]: the only way the store touches files, with a real and a faulty implementation.
//!
//! Invariants: bytes read from a disk are never trusted (an error value, not a panic), and nothing here knows what the
//! bytes mean: mailboxes, users and protocols live above.

pub mod disk;
