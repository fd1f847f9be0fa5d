//! One try: a copy of the template, and the disk that may end.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use durable::disk::{Disk, Fault, FaultyDisk, RealDisk};
use rustix::io::Errno;
use tempfile::TempDir;

use crate::End;

/// The step after the last one.
pub(crate) const AFTER: u64 = u64::MAX;

/// A directory and a disk for one try.
#[derive(Debug)]
pub struct World {
    dir: TempDir,
    /// What power cuts may bring back: beside the store, on the same file system.
    _graveyard: TempDir,
    /// Gone when the world has ended: it remembers open files, a store's lock among them.
    disk: Option<Arc<FaultyDisk>>,
    end: Option<(u64, End)>,
    /// Changes before the operation, and those of the operation.
    before: u64,
    steps: u64,
}

impl World {
    pub(crate) fn new(template: &Path, end: Option<(u64, End)>) -> Self {
        let (dir, graveyard) = (directory(), directory());
        copy_tree(template, dir.path());
        let disk = FaultyDisk::with_power_cuts(Arc::new(RealDisk), graveyard.path()).unwrap();
        Self { dir, _graveyard: graveyard, disk: Some(Arc::new(disk)), end, before: 0, steps: 0 }
    }

    /// The copy of the template.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The disk: the one that may end, or a real one afterwards.
    #[must_use]
    pub fn disk(&self) -> Arc<dyn Disk> {
        match &self.disk {
            Some(disk) => Arc::clone(disk) as Arc<dyn Disk>,
            None => Arc::new(RealDisk),
        }
    }

    /// Whether nothing happens in this try.
    #[must_use]
    pub fn is_undisturbed(&self) -> bool {
        self.end.is_none()
    }

    /// Whether the process that works here dies.
    #[must_use]
    pub fn dies(&self) -> bool {
        matches!(self.end, Some((_, End::Crash { .. } | End::PowerCut { .. })))
    }

    /// The identity of the boot for what runs now: another one after a power cut.
    #[must_use]
    pub fn boot(&self) -> [u8; 16] {
        let later = self.disk.is_none() && matches!(self.end, Some((_, End::PowerCut { .. })));
        [if later { 2 } else { 1 }; 16]
    }

    /// The operation was acknowledged. Where the world is to end after that, it ends now: nothing that would have been
    /// written later is.
    pub fn acknowledged(&self) {
        if let (Some(disk), Some((AFTER, End::PowerCut { .. }))) = (&self.disk, self.end) {
            disk.crash();
        }
    }

    /// Whatever was out of order is in order again, while the process lives: there is room, the disk can be written.
    pub fn relieve(&self) {
        if let (Some(disk), false) = (&self.disk, self.dies()) {
            disk.set_fault(None);
        }
    }

    /// How many changes the operation made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The changes that the operation has made so far: what, and to which file.
    #[must_use]
    pub fn changes(&self) -> Vec<String> {
        let trace = self.disk.as_ref().map(|disk| disk.trace()).unwrap_or_default();
        let made = trace.into_iter().skip(self.before as usize);
        made.map(|change| format!("{:?} {}", change.op, change.path.display())).collect()
    }

    /// From here on changes count.
    pub(crate) fn arm(&mut self) {
        let Some(disk) = &self.disk else { return };
        self.before = disk.changes();
        let Some((step, end)) = self.end.filter(|(step, _)| *step != AFTER) else { return };
        let at = self.before + step;
        let fail = |errno, lasting| Fault::Fail { at, errno, lasting };
        disk.set_fault(Some(match end {
            End::Crash { torn } => Fault::Crash { at, torn },
            End::PowerCut { .. } => Fault::Crash { at, torn: 0 },
            End::Error(errno) => fail(errno, false),
            End::Full => fail(Errno::NOSPC, true),
            End::ReadOnly => fail(Errno::ROFS, true),
        }));
    }

    /// The operation is over.
    pub(crate) fn end(&mut self) {
        let Some(disk) = self.disk.take() else { return };
        self.steps = disk.changes() - self.before;
        disk.set_fault(None);
        if let Some((_, End::PowerCut { seed })) = self.end {
            disk.lose_unsynced(seed).unwrap();
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some((AFTER, end)) => write!(f, "after the last step, {end:?}"),
            Some((step, end)) => write!(f, "step {step}, {end:?}"),
            None => f.write_str("undisturbed"),
        }
    }
}

/// A temporary directory, in memory where there is such a file system: thousands of syncs are not what is tested.
#[must_use]
pub fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies directories and regular files, with their times.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target);
        } else if kind.is_file() {
            fs::copy(entry.path(), &target).unwrap();
            let modified = entry.metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(&target).unwrap().set_modified(modified).unwrap();
        }
    }
}
