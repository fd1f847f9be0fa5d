//! `directory export` and `directory import`: everything of a directory as a text, and such a text made a directory again, on
//! another machine or in another back end. docs/formats/transfer.md has the format.
//!
//! An import has three parts:
//! 1. all rows are read ([`json`], [`entries`]); what is wrong with one by itself is noted with its line;
//! 2. they are rehearsed ([`plan`]): every change is made, by the rules that hold for everybody, to a copy that is never
//!    written. Rows that are as they should be are passed over, whatever is wrong is listed, and then nothing is changed;
//! 3. the changes are made ([`carry_out`]), a thousand at a time, in an order in which nothing is ever half there: users are
//!    pending until all that their rows lead to exists. Whatever ends it, the same import again goes on.

mod carry_out;
mod entries;
mod exchange;
mod export;
mod fields;
mod format;
mod import;
mod json;
mod ldif;
mod lines;
mod plan;
mod problem;
mod rows;

pub use export::{ExportRequest, export};
pub use format::Format;
pub use import::{Import, ImportRequest, Summary, import};
pub use problem::Problem;
