//! The commands an administrator runs, as library functions: deliver, import, and the repair tools.

pub mod check;
mod console;
mod deliver;
pub mod domain;
mod error;
#[cfg(test)]
mod fixture;
mod import;
pub mod mboxlist;
pub mod quota;
pub mod reconstruct;
mod select;
pub mod user;

pub use console::{Console, Exit, Progress};
pub use deliver::{DeliverRequest, deliver};
pub use error::CommandError;
pub use import::{ImportRequest, Quoting, Source, Summary, import};
