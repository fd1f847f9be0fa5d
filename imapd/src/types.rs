//! What IMAP commands say, as values: no I/O and no parser, so that commands, tests and fuzzers share them.
//!
//! A value that exists is well formed: the constructors check, and afterwards the type is the proof. Bytes become values in
//! [`crate::syntax`], and values become bytes there again.

mod access;
mod append;
mod date;
mod fetch;
mod flag;
mod list;
mod mailbox;
mod number_set;
mod request;
mod search;
mod secret;
mod section;
mod select;
mod sequence_set;
mod status;
mod store;
mod text;

pub use access::{QuotaLimit, Rights, RightsChange, RightsOperation};
pub use append::{AppendItem, AppendPrefix};
pub use date::DateTime;
pub use fetch::{Fetch, FetchAttribute, MAX_FETCH_ATTRIBUTES};
pub use flag::{Flag, Keyword, MAX_FLAGS};
pub use list::{List, ListReturn, ListSelection, MAX_PATTERNS};
pub use mailbox::{Encoding, ListPattern, MailboxArg, SpecialUse};
pub use number_set::NumberSet;
pub use request::{Arguments, IdField, Request, Transfer};
pub use search::{DateKind, EnvelopeField, MAX_SEARCH_KEYS, Relation, ReturnOptions, Search, SearchKey};
pub use secret::Secret;
pub use section::{MAX_PART_DEPTH, PartPath, Partial, Section, SectionText};
pub use select::{QResync, Select, SequenceMatch};
pub use sequence_set::{Bound, MAX_SEQUENCE_ITEMS, Numbering, SequenceRange, SequenceSet};
pub use status::StatusItem;
pub use store::{Store, StoreOperation};
pub use text::{AString, Atom, MAX_TAG, Tag};

pub(crate) use text::{is_astring_char, is_atom_char};
