//! Transcripts: what a client says and what the server must answer, as text that an administrator can read and write
//! (`tests/README.md` describes the language).
//!
//! [`Script::parse`] reads one, [`run`] plays it against any server through a [`Site`].

mod expand;
mod pattern;
mod play;
mod script;
mod site;

pub use play::{Failure, run};
pub use script::{Script, SyntaxError};
pub use site::{Protocol, Site, User};
