//! The mailbox list on this machine: a journal that is the record, and a sled index over it (`durable`).

use std::sync::Arc;

use durable::disk::Disk;
use durable::{Batch, Json, Ledger, OpenError, OpenReport, Options};
use parking_lot::RwLock;
use serde_json::value::RawValue;

use super::backing::Backing;
use crate::error::{Error, Result};
use crate::layout::Layout;

/// The ledger's name: journal and dumps begin with it.
const NAME: &str = "mailboxes";

/// What the administrator is told when the list can't be proved complete.
const REPAIR: &str = "run `ctl_mboxlist -r` (LMTP refuses mail for the time being, so nothing bounces)";

/// A ledger as the backing of the mailbox list.
#[derive(Debug)]
pub(crate) struct LedgerBacking(
    /// Nothing once it is closed: the database is free for another owner then, whoever still holds the list.
    RwLock<Option<Ledger>>,
);

impl LedgerBacking {
    /// Opens the mailboxes database; `create` founds it if there is no trace of one, `salvage` takes what is left.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        layout: &Layout,
        create: bool,
        salvage: bool,
    ) -> Result<(LedgerBacking, OpenReport)> {
        let options = Options { create, salvage, repair: REPAIR.to_owned(), ..Options::default() };
        let opened = Ledger::open(&layout.mailboxes_db(), &layout.copies(), NAME, disk, &options);
        let (ledger, report) = opened.map_err(|error| match error {
            OpenError::InUse(path) => Error::InUse(path.display().to_string()),
            OpenError::Disk(error) => Error::Disk(error),
            OpenError::Missing(path) => {
                Error::Unavailable(format!("mailboxes database: {} does not exist; {REPAIR}", path.display()))
            }
            other => Error::Unavailable(format!("mailboxes database: {other}")),
        })?;
        Ok((LedgerBacking(RwLock::new(Some(ledger))), report))
    }
}

impl LedgerBacking {
    fn with<T>(&self, work: impl FnOnce(&Ledger) -> Result<T>) -> Result<T> {
        match &*self.0.read() {
            Some(ledger) => work(ledger),
            None => Err(Error::Unavailable("it is closed".to_owned())),
        }
    }
}

impl Backing for LedgerBacking {
    fn load(&self, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.with(|ledger| {
            for row in ledger.scan_prefix("").map_err(failed)? {
                let (key, value): (String, Json) = row.map_err(failed)?;
                each(&key, value.as_str());
            }
            Ok(())
        })
    }

    fn load_copies(&self, each: &mut (dyn FnMut(&str, Option<&str>) + Send)) -> Result<bool> {
        self.with(|ledger| ledger.load_copies(each).map_err(failed))
    }

    fn get(&self, key: &str) -> Result<Option<String>> {
        self.with(|ledger| Ok(ledger.get(key).map_err(failed)?.map(|json| json.as_str().to_owned())))
    }

    fn is_checked(&self) -> bool {
        self.0.read().as_ref().is_none_or(Ledger::is_checked)
    }

    fn check(&self, pause: &mut dyn FnMut() -> bool) -> Result<()> {
        self.with(|ledger| ledger.check_index(pause).map_err(failed))
    }

    fn apply(&self, changes: Vec<(String, Option<String>)>) -> Result<()> {
        let mut batch = Batch::new();
        for (key, value) in changes {
            match value {
                Some(json) => {
                    let json = RawValue::from_string(json).map_err(|error| Error::Invalid(error.to_string()))?;
                    batch.put(key, &json).map_err(failed)?;
                }
                None => batch.remove(key),
            }
        }
        self.with(|ledger| ledger.apply(batch).map(drop).map_err(failed))
    }

    fn maintain(&self) -> Result<()> {
        self.with(|ledger| ledger.maintain().map_err(failed))
    }

    fn checkpoint(&self) -> Result<()> {
        self.with(|ledger| ledger.dump_now().map_err(failed))
    }

    fn verify(&self) -> Result<Vec<String>> {
        self.with(|ledger| ledger.verify().map(|report| report.problems).map_err(failed))
    }

    fn close(&self) -> Result<()> {
        match self.0.write().take() {
            Some(ledger) => ledger.close().map_err(failed),
            None => Ok(()),
        }
    }
}

fn failed(error: durable::Error) -> Error {
    Error::Unavailable(format!("mailboxes database: {error}"))
}
