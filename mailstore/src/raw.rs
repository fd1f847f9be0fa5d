//! The only unsafe code of the store: reading mapped files that others may cut under us ([`map`], [`sigbus`]), and
//! making sled's flush durable ([`sync_shim`]). Everything here has a safe face.
#![expect(unsafe_code, reason = "mapping files and catching SIGBUS has no safe form; each block says why it holds")]

mod map;
mod sigbus;
mod sync_shim;

pub(crate) use map::SharedMap;
pub use sync_shim::syncs as sled_syncs;
