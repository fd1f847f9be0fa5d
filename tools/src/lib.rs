//! The commands an administrator runs, as library functions: deliver, import, and the repair tools.

mod console;
mod deliver;
#[cfg(test)]
mod fixture;
mod import;

pub use console::{Console, Exit, Progress};
pub use deliver::{DeliverRequest, deliver};
pub use import::{ImportRequest, Quoting, Source, Summary, import};
