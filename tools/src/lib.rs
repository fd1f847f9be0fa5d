//! The commands an administrator runs, as library functions: deliver, import, and the repair tools.

pub mod accounts;
pub mod app_password;
pub mod apply;
pub mod backup;
pub mod check;
mod console;
pub mod copies;
pub mod database;
mod deliver;
pub mod deliveries;
pub mod domain;
mod error;
pub mod examine;
pub mod expire;
#[cfg(test)]
mod fixture;
pub mod group;
mod import;
pub mod interval;
pub mod logins;
pub mod mboxlist;
pub mod mkimap;
mod nesting;
pub mod paths;
pub mod quota;
pub mod reconstruct;
mod regular_file;
pub mod restore;
pub mod scrub;
mod select;
pub mod subscriptions;
mod time;
pub mod transfer;
pub mod unexpunge;
pub mod usage;
pub mod user;
mod user_fields;

pub use console::{Console, Exit, Lines, Progress};
pub use deliver::{DeliverRequest, deliver};
pub use error::CommandError;
pub use import::{ImportRequest, Quoting, Source, Summary, import};
pub use select::from_classic;
