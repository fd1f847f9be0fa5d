//! The control socket: a command sent to the server runs there, against the live store, and its words, progress and exit
//! code come back.
//!
//! One Unix stream socket, `<config>/socket/control`, mode 0600; the server asks the kernel who is calling and takes root
//! and its own user only. One command a connection. Both sides speak lines of JSON:
//!
//! ```text
//! C: {"angarium":1,"command":"user","args":["add","joe"],"directory":"/root"}
//! C: {"stdin":8}            8 octets of standard input follow, as they are
//! C: hunter2\n
//! C: {"stdin":0}            its end
//! S: {"out":"joe added"}    a line for standard output; likewise "err"
//! S: {"octets":8192}        8192 octets for standard output follow, as they are
//! S: {"progress":{"what":"joe","done":1,"total":1}}
//! S: {"exit":0}             and the connection is closed
//! ```
//!
//! Reading and writing block: each command has a thread of its own in the server, as it would have a process otherwise.

mod client;
mod protocol;
mod server;

pub use client::{Called, Client, Input};
pub use protocol::{ControlError, Request};
pub use server::{answer, permitted};

#[cfg(test)]
mod tests;
