//! Listeners and the connections they let in.

/// A place among the connections allowed; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot;
