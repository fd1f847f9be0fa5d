//! All quota roots in use, by name. A root is loaded when it is first needed: after an orderly stop from its file, else
//! by a recount.

use std::{collections::HashMap, sync::Arc};

use durable::disk::Disk;
use parking_lot::Mutex;

use super::{QuotaLimits, QuotaRoot, QuotaUsed, file};
use crate::{error::Result, layout::Layout, name::MailboxName};

/// The quota roots in use.
#[derive(Debug)]
pub(crate) struct QuotaRoots {
    disk: Arc<dyn Disk>,
    layout: Layout,
    /// Whether the files tell the truth: the store was stopped in order.
    trusted: bool,
    loaded: Mutex<HashMap<MailboxName, Slot>>,
}

/// Holds the root once it is loaded; locked while somebody loads it.
type Slot = Arc<Mutex<Option<Arc<QuotaRoot>>>>;

impl QuotaRoots {
    pub(crate) fn new(disk: Arc<dyn Disk>, layout: Layout, trusted: bool) -> QuotaRoots {
        QuotaRoots { disk, layout, trusted, loaded: Mutex::default() }
    }

    /// The root at `name`. `recount` sums up what its mailboxes use, if its file can't be believed; it runs before any of
    /// those mailboxes is opened, because they are opened with their root.
    pub(crate) fn get(
        &self,
        name: &MailboxName,
        limits: QuotaLimits,
        recount: impl FnOnce() -> Result<QuotaUsed>,
    ) -> Result<Arc<QuotaRoot>> {
        let slot = Arc::clone(self.loaded.lock().entry(name.clone()).or_default());
        let mut root = slot.lock();
        if let Some(root) = &*root {
            return Ok(Arc::clone(root));
        }
        let known = if self.trusted { file::read(&*self.disk, &self.layout, name)? } else { None };
        let used = known.map_or_else(recount, Ok)?;
        let loaded = Arc::new(QuotaRoot::new(name.clone(), limits, used, known.is_none()));
        *root = Some(Arc::clone(&loaded));
        Ok(loaded)
    }

    /// The root, if it is loaded.
    pub(crate) fn loaded(&self, name: &MailboxName) -> Option<Arc<QuotaRoot>> {
        let slot = Arc::clone(self.loaded.lock().get(name)?);
        let root = slot.lock();
        root.clone()
    }

    /// The file of a root that is not loaded is right no more.
    pub(crate) fn distrust(&self, name: &MailboxName) -> Result<()> {
        // Where no file is believed, its limits may still be wanted.
        if self.trusted { file::forget(&*self.disk, &self.layout, name) } else { Ok(()) }
    }

    /// Puts a new root in place, of which nothing is used yet.
    pub(crate) fn add(&self, name: &MailboxName, limits: QuotaLimits) -> Arc<QuotaRoot> {
        let root = Arc::new(QuotaRoot::new(name.clone(), limits, QuotaUsed::default(), true));
        let slot = Arc::new(Mutex::new(Some(Arc::clone(&root))));
        self.loaded.lock().insert(name.clone(), slot);
        root
    }

    /// Forgets a root that exists no more, and removes its file.
    pub(crate) fn remove(&self, name: &MailboxName) -> Result<()> {
        self.loaded.lock().remove(name);
        file::remove(&*self.disk, &self.layout, name)
    }

    /// Writes the file of `root` if it says something else than memory.
    pub(crate) fn write(&self, root: &QuotaRoot) -> Result<()> {
        let _one_writer = root.file.lock();
        let Some(usage) = root.take_unwritten() else { return Ok(()) };
        file::write(&*self.disk, &self.layout, &usage).inspect_err(|_| root.put_back())
    }

    /// What the file of `root` says although we wrote something else: somebody edited it, or it is gone (`Some(None)`).
    /// With `any` also if memory has moved on since it was written. It is written anew next time.
    pub(crate) fn edited(&self, root: &QuotaRoot, any: bool) -> Result<Option<Option<QuotaUsed>>> {
        let _nobody_writes = root.file.lock();
        let Some(expected) = root.written().or_else(|| any.then(|| root.usage().used)) else { return Ok(None) };
        let found = file::read(&*self.disk, &self.layout, root.mailbox_name())?;
        Ok((found != Some(expected)).then_some(found))
    }

    /// Writes the file of `root` whatever it says.
    pub(crate) fn rewrite(&self, root: &QuotaRoot) -> Result<()> {
        root.put_back();
        self.write(root)
    }

    /// Whether the files of all of `roots` tell the truth once [`write_all`](Self::write_all) is done: they did at the
    /// start, or all of them were counted since.
    pub(crate) fn can_be_trusted(&self, roots: &[(MailboxName, QuotaLimits)]) -> bool {
        self.trusted || roots.iter().all(|(root, _)| self.loaded(root).is_some())
    }

    /// Writes and syncs all files, for an orderly stop.
    pub(crate) fn write_all(&self) -> Result<()> {
        let slots: Vec<Slot> = self.loaded.lock().values().cloned().collect();
        let mut unsynced = Vec::new();
        for slot in slots {
            let Some(root) = slot.lock().clone() else { continue };
            self.write(&root)?;
            if root.take_unsynced() {
                unsynced.push(root);
            }
        }
        let names: Vec<_> = unsynced.iter().map(|root| root.mailbox_name()).collect();
        file::sync_all(&*self.disk, &self.layout, &names)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use durable::disk::RealDisk;

    use super::*;
    use crate::quota::QuotaCheck;

    #[test]
    fn files_are_believed_only_after_an_orderly_stop() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("s"));
        let name = MailboxName::parse("user/joe").unwrap();
        let recounts = Cell::new(0);
        let recount = || {
            recounts.set(recounts.get() + 1);
            Ok(QuotaUsed { bytes: 500, messages: 5 })
        };
        let open = |trusted| QuotaRoots::new(Arc::new(RealDisk), layout.clone(), trusted);

        let roots = open(true);
        let root = roots.get(&name, QuotaLimits::default(), recount).unwrap();
        root.charge(100, 1, QuotaCheck::Enforce).unwrap();
        assert!(Arc::ptr_eq(&root, &roots.get(&name, QuotaLimits::default(), recount).unwrap()));
        roots.write_all().unwrap();
        assert_eq!(recounts.get(), 1);

        let used = |roots: QuotaRoots| roots.get(&name, QuotaLimits::default(), recount).unwrap().usage().used.bytes;
        assert_eq!((used(open(true)), recounts.get()), (600, 1));
        assert_eq!((used(open(false)), recounts.get()), (500, 2));
    }
}
