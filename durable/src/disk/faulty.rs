//! A disk that fails, tears or stops at the n-th change: every crash the store must survive, at will.
//!
//! Three uses, in the order a test needs them:
//! 1. run once with no fault and look at [`FaultyDisk::trace`]: how many changes there are, and which;
//! 2. run again for each n with a [`Fault`] at n: an error, a short write, or a crash (nothing happens from n on, as if
//!    the process had been killed), then open what is left with a [`RealDisk`](super::RealDisk) and look at it;
//! 3. made by [`FaultyDisk::with_power_cuts`], let it also forget what was never synced
//!    ([`FaultyDisk::lose_unsynced`]): bytes without `fdatasync`, names without a directory sync.

mod loss;
mod power;

use std::{
    io::IoSlice,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;

use super::{Cause, DirEntry, Disk, DiskFile, Error, Metadata, Op, Result, UnixTime};
pub use power::LossReport;
use power::Unsynced;

/// What shall go wrong, and at which change (the first is number 1).
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Change `at` fails without effect.
    Fail {
        /// The number of the change.
        at: u64,
        /// The error it gets, such as `ENOSPC` or `EIO`.
        errno: Errno,
        /// Whether every later change fails as well (a disk that stays full).
        lasting: bool,
    },
    /// Change `at`, if it writes, writes only its first `keep` bytes and then fails; another kind of change just fails.
    ShortWrite {
        /// The number of the change.
        at: u64,
        /// How many bytes reach the file.
        keep: usize,
        /// The error it gets.
        errno: Errno,
    },
    /// The process dies at change `at`: this and every later operation, reads too, fails with
    /// [`Cause::Crashed`] and without effect.
    Crash {
        /// The number of the change.
        at: u64,
        /// How many bytes of a write reach the file before the process dies.
        torn: usize,
    },
}

/// One numbered change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedOp {
    /// Counting from 1.
    pub number: u64,
    /// What it was.
    pub op: Op,
    /// On what; for a link or a rename the new name.
    pub path: PathBuf,
}

/// See the module text.
#[derive(Debug)]
pub struct FaultyDisk {
    inner: Arc<dyn Disk>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    trace: Vec<TracedOp>,
    fault: Option<Fault>,
    crashed: bool,
    unsynced: Option<Unsynced>,
}

/// What a change may do.
enum Verdict {
    Go,
    /// Writes stop after this many bytes and report the error; other changes report it at once.
    Tear(usize, Error),
}

impl FaultyDisk {
    /// Counts the changes to `inner` and makes them fail on request.
    #[must_use]
    pub fn new(inner: Arc<dyn Disk>) -> Self {
        Self { inner, state: Mutex::default() }
    }

    /// As [`new`](Self::new), and remembers what is not synced yet. `graveyard` is an empty directory on the same file
    /// system, outside the store, that keeps what a power cut may bring back.
    pub fn with_power_cuts(inner: Arc<dyn Disk>, graveyard: &Path) -> Result<Self> {
        let unsynced = Some(Unsynced::new(graveyard)?);
        Ok(Self { inner, state: Mutex::new(State { unsynced, ..State::default() }) })
    }

    /// Arms (or disarms) the fault. Numbers count from the disk's first change, not from here: see
    /// [`changes`](Self::changes).
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.state.lock().fault = fault;
    }

    /// How many changes there have been.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.state.lock().trace.len() as u64
    }

    /// Every change so far.
    #[must_use]
    pub fn trace(&self) -> Vec<TracedOp> {
        self.state.lock().trace.clone()
    }

    /// Whether the crash has happened.
    #[must_use]
    pub fn crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// The process dies now.
    pub fn crash(&self) {
        self.state.lock().crashed = true;
    }

    /// The power fails now: a choice (by `seed`) of everything that was not synced is undone in the real files, and the
    /// disk is [`crashed`](Self::crashed). Seeds 0 and 1 modulo 4 keep and lose all of it; the others mix and tear.
    ///
    /// Does nothing but crash on a disk not made by [`with_power_cuts`](Self::with_power_cuts).
    pub fn lose_unsynced(&self, seed: u64) -> Result<LossReport> {
        let mut state = self.state.lock();
        state.crashed = true;
        match state.unsynced.take() {
            Some(unsynced) => unsynced.lose(seed),
            None => Ok(LossReport::default()),
        }
    }

    /// Refuses to read after the crash.
    fn alive(&self, op: Op, path: &Path) -> Result<()> {
        if self.crashed() { Err(crashed(op, path)) } else { Ok(()) }
    }

    /// Numbers a change and says what becomes of it. The lock stays held so that the record of unsynced changes has the
    /// order of the changes themselves.
    fn begin(&self, op: Op, path: &Path) -> Result<(MutexGuard<'_, State>, Verdict)> {
        let mut state = self.state.lock();
        if state.crashed {
            return Err(crashed(op, path));
        }
        let number = state.trace.len() as u64 + 1;
        state.trace.push(TracedOp { number, op, path: path.into() });
        let verdict = match state.fault {
            Some(Fault::Fail { at, errno, lasting }) if number == at || (lasting && number > at) => {
                return Err(Error::os(op, path, errno));
            }
            Some(Fault::ShortWrite { at, keep, errno }) if number == at => {
                Verdict::Tear(keep, Error::os(op, path, errno))
            }
            Some(Fault::Crash { at, torn }) if number == at => {
                state.crashed = true;
                Verdict::Tear(torn, crashed(op, path))
            }
            _ => Verdict::Go,
        };
        Ok((state, verdict))
    }

    /// For the changes that happen wholly or not at all.
    fn begin_whole(&self, op: Op, path: &Path) -> Result<MutexGuard<'_, State>> {
        match self.begin(op, path)? {
            (state, Verdict::Go) => Ok(state),
            (_, Verdict::Tear(_, error)) => Err(error),
        }
    }
}

fn crashed(op: Op, path: &Path) -> Error {
    Error { op, path: path.into(), cause: Cause::Crashed }
}

impl Disk for FaultyDisk {
    fn open_read(&self, path: &Path) -> Result<DiskFile> {
        self.alive(Op::OpenRead, path)?;
        self.inner.open_read(path)
    }

    fn open_rw(&self, path: &Path) -> Result<DiskFile> {
        self.alive(Op::OpenRw, path)?;
        self.inner.open_rw(path)
    }

    fn create_new(&self, path: &Path) -> Result<DiskFile> {
        let mut state = self.begin_whole(Op::Create, path)?;
        let file = self.inner.create_new(path)?;
        if let Some(unsynced) = &mut state.unsynced {
            unsynced.created(path)?;
        }
        Ok(file)
    }

    fn write_at(&self, file: &DiskFile, bytes: &[u8], offset: u64) -> Result<()> {
        let (mut state, verdict) = self.begin(Op::Write, file.path())?;
        let (bytes, result) = match verdict {
            Verdict::Go => (bytes, Ok(())),
            Verdict::Tear(keep, error) => (&bytes[..keep.min(bytes.len())], Err(error)),
        };
        if let Some(unsynced) = &mut state.unsynced {
            unsynced.writing(file, bytes, offset)?;
        }
        self.inner.write_at(file, bytes, offset)?;
        result
    }

    fn write_vectored_at(&self, file: &DiskFile, parts: &[IoSlice<'_>], offset: u64) -> Result<()> {
        // One system call, so one change; joined because it may tear anywhere.
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.write_at(file, &bytes, offset)
    }

    fn set_len(&self, file: &DiskFile, len: u64) -> Result<()> {
        let mut state = self.begin_whole(Op::SetLen, file.path())?;
        if let Some(unsynced) = &mut state.unsynced {
            unsynced.resizing(file, len)?;
        }
        self.inner.set_len(file, len)
    }

    fn set_times(&self, file: &DiskFile, modified: UnixTime) -> Result<()> {
        let mut state = self.begin_whole(Op::SetTimes, file.path())?;
        if let Some(unsynced) = &mut state.unsynced {
            unsynced.touching(file)?;
        }
        self.inner.set_times(file, modified)
    }

    fn set_mode(&self, path: &Path, mode: u32, owner: Option<u32>) -> Result<()> {
        let _state = self.begin_whole(Op::SetMode, path)?;
        self.inner.set_mode(path, mode, owner)
    }

    fn copy(&self, from: &DiskFile, to: &DiskFile) -> Result<u64> {
        let mut state = self.begin_whole(Op::Copy, to.path())?;
        if let Some(unsynced) = &mut state.unsynced {
            unsynced.writing(to, &from.read_all(u64::MAX)?, 0)?;
        }
        self.inner.copy(from, to)
    }

    fn sync_data(&self, file: &DiskFile) -> Result<()> {
        let mark = self.begin_whole(Op::Sync, file.path())?.unsynced.as_ref().map(Unsynced::mark);
        // Not under the lock: a group commit is only tested if others can write meanwhile.
        self.inner.sync_data(file)?;
        match (mark, &mut self.state.lock().unsynced) {
            (Some(mark), Some(unsynced)) => unsynced.synced(file, mark, false),
            _ => Ok(()),
        }
    }

    fn sync_all(&self, file: &DiskFile) -> Result<()> {
        let mark = self.begin_whole(Op::Sync, file.path())?.unsynced.as_ref().map(Unsynced::mark);
        self.inner.sync_all(file)?;
        match (mark, &mut self.state.lock().unsynced) {
            (Some(mark), Some(unsynced)) => unsynced.synced(file, mark, true),
            _ => Ok(()),
        }
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let mark = self.begin_whole(Op::SyncDir, path)?.unsynced.as_ref().map(Unsynced::mark);
        self.inner.sync_dir(path)?;
        match (mark, &mut self.state.lock().unsynced) {
            (Some(mark), Some(unsynced)) => unsynced.synced_dir(path, mark),
            _ => Ok(()),
        }
    }

    fn sync_everything(&self, path: &Path) -> Result<()> {
        let mark = self.begin_whole(Op::SyncAll, path)?.unsynced.as_ref().map(Unsynced::mark);
        self.inner.sync_everything(path)?;
        if let (Some(mark), Some(unsynced)) = (mark, &mut self.state.lock().unsynced) {
            unsynced.synced_everything(mark);
        }
        Ok(())
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.begin_whole(Op::Link, to)?;
        self.inner.link(from, to)?;
        state.unsynced.as_mut().map_or(Ok(()), |unsynced| unsynced.created(to))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.begin_whole(Op::Rename, to)?;
        match &mut state.unsynced {
            Some(unsynced) => unsynced.rename(from, to, || self.inner.rename(from, to)),
            None => self.inner.rename(from, to),
        }
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> Result<()> {
        let mut state = self.begin_whole(Op::Rename, to)?;
        if self.inner.exists(to)? {
            return Err(Error::os(Op::Rename, to, Errno::EXIST));
        }
        match &mut state.unsynced {
            Some(unsynced) => unsynced.rename(from, to, || self.inner.rename_no_replace(from, to)),
            None => self.inner.rename_no_replace(from, to),
        }
    }

    fn unlink(&self, path: &Path) -> Result<()> {
        let mut state = self.begin_whole(Op::Unlink, path)?;
        match &mut state.unsynced {
            Some(unsynced) => unsynced.unlink(path, || self.inner.unlink(path)),
            None => self.inner.unlink(path),
        }
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        let mut state = self.begin_whole(Op::Mkdir, path)?;
        self.inner.mkdir(path)?;
        state.unsynced.as_mut().map_or(Ok(()), |unsynced| unsynced.created(path))
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        let mut state = self.begin_whole(Op::Rmdir, path)?;
        match &mut state.unsynced {
            Some(unsynced) => unsynced.rmdir(path, || self.inner.rmdir(path)),
            None => self.inner.rmdir(path),
        }
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        self.alive(Op::ReadDir, path)?;
        self.inner.read_dir(path)
    }

    fn metadata(&self, path: &Path) -> Result<Metadata> {
        self.alive(Op::Metadata, path)?;
        let mut metadata = self.inner.metadata(path)?;
        if let Some(unsynced) = &self.state.lock().unsynced {
            // Names in the graveyard are ours, not the store's.
            metadata.nlink -= unsynced.buried(&metadata);
        }
        Ok(metadata)
    }
}

#[cfg(test)]
mod tests;
