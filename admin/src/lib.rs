//! The control socket, over which commands reach the server that owns the store.

pub mod control;
