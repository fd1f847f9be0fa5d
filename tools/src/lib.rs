//! The commands an administrator runs, as library functions: deliver, import, and the repair tools.

mod console;

pub use console::{Console, Exit, Progress};
