//! The commands an administrator runs, as library functions: deliver, import, and the repair tools.

mod console;
mod import;

pub use console::{Console, Exit, Progress};
