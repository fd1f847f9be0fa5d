//! A directory that is tried out: what is changed in it is kept beside the real one, which stays as it is. The rules see the
//! changes, so that a whole file can be tried before anything is written.

use directory::{
    Account, Actor, Address, Directory, Entry, Error, Event, HashCost, Origin, Overlay, Passwords, Plan, Resolution,
    Result, Revision, ScramCost, Secret, Surroundings, UserId, Verdict, View,
};
use parking_lot::Mutex;

/// What a password costs that nobody will use: the least there is.
const COST: HashCost = HashCost { memory_kib: 8, passes: 1 };

/// Where the revisions of rows begin that are only tried.
const FIRST_REVISION: u64 = 1 << 63;

/// The copy.
#[derive(Debug)]
pub(crate) struct Rehearsal<'d> {
    real: &'d dyn Directory,
    tried: Mutex<Tried>,
    passwords: Passwords,
}

#[derive(Debug, Default)]
struct Tried {
    changed: Overlay,
    changes: u64,
}

impl<'d> Rehearsal<'d> {
    pub(crate) fn new(real: &'d dyn Directory) -> Result<Self> {
        let passwords = Passwords::new(COST, ScramCost::default())?;
        Ok(Self { real, tried: Mutex::default(), passwords })
    }

    /// Makes an address nobody's: whose it is gives it up later on.
    pub(crate) fn release(&self, address: Address) {
        self.tried.lock().changed.release(address);
    }
}

impl Directory for Rehearsal<'_> {
    fn authenticate(&self, _: &str, _: &Secret, _: &Origin<'_>) -> Result<Verdict> {
        Err(no_directory())
    }

    fn account(&self, _: &UserId) -> Result<Option<Account>> {
        Err(no_directory())
    }

    fn resolve(&self, _: &str, _: Option<&str>) -> Result<Resolution> {
        Err(no_directory())
    }

    fn read(&self, look: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()> {
        let tried = self.tried.lock();
        self.real.read(&mut |real| look(&tried.changed.over(real)))
    }

    fn change(&self, _: &Actor, plan: &mut dyn FnMut(&dyn View) -> Result<Plan>) -> Result<Revision> {
        let mut tried = self.tried.lock();
        let revision = Revision(FIRST_REVISION + tried.changes);
        tried.changes += 1;
        self.real.read(&mut |real| {
            let planned = plan(&tried.changed.over(real))?;
            tried.changed.take(real, planned.changes, revision)
        })?;
        Ok(revision)
    }

    fn note(&self, _: &Actor, _: &[Event]) -> Result<()> {
        Ok(())
    }

    fn audited(&self, _: Option<u64>, _: usize) -> Result<Vec<Entry>> {
        Err(no_directory())
    }

    fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    fn surroundings(&self) -> &Surroundings {
        self.real.surroundings()
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn no_directory() -> Error {
    Error::Unavailable("this is a rehearsal".to_owned())
}
