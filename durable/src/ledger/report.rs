//! How a ledger is opened, and what opening it found and did.

use std::path::PathBuf;

/// How a ledger is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Found the ledger if there is no trace of one. Only for a store that is known to be new: an empty directory where a
    /// mailbox list should be must stop the server, not empty it.
    pub create: bool,
    /// Take the most complete of index, dump and journal even if something is missing: for the administrator's repair
    /// command, never for the server.
    pub salvage: bool,
    /// Bytes of sled's page cache, which should be twice the data: the default of 256 MiB is right for half a million rows
    /// of 200 bytes. It is a ceiling, not a reservation.
    pub cache_bytes: u64,
    /// After an unclean stop an index up to this size is read whole, which a start of a larger one can't wait for: then the
    /// owner does it when there is time ([`Ledger::check_index`](super::Ledger::check_index)). 64 MiB take half a second.
    pub check_bytes: u64,
    /// What [`OpenError::Incomplete`](super::OpenError::Incomplete) tells the administrator to do.
    pub repair: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            create: false,
            salvage: false,
            cache_bytes: 256 << 20,
            check_bytes: 64 << 20,
            repair: "restore it from a backup".into(),
        }
    }
}

/// What opening found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The ledger is new.
    pub created: bool,
    /// The last stop was clean.
    pub clean: bool,
    /// How many batches the index lacked and got from the journal.
    pub replayed: u64,
    /// Bytes at the end of the journal that a crash had torn; they were never acknowledged.
    pub torn: Option<TornTail>,
    /// The index was moved aside and made anew.
    pub rebuilt: Option<Rebuilt>,
    /// The journal was damaged, missing or behind the index, which proved complete; it was put aside and begun anew.
    pub journal_renewed: Option<String>,
    /// Only with [`Options::salvage`]: what could not be proved.
    pub salvaged: Vec<String>,
}

/// A torn tail that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The journal.
    pub path: PathBuf,
    /// How much was cut.
    pub bytes: u64,
}

/// An index that was made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// What was wrong with the old one.
    pub why: String,
    /// Where the old one is, if there was one.
    pub moved_to: Option<PathBuf>,
    /// The batch number of the dump it was made from; `None` if the journal alone was enough.
    pub dump: Option<u64>,
}
