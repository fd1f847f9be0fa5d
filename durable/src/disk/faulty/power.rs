//! What the disk has not promised to keep: the record of unsynced changes, and the power cut that undoes some of them.
//!
//! The model is POSIX at its least helpful, stricter than any one file system:
//! - bytes written are durable after `fdatasync` of that file, sizes with them, times only after `fsync`;
//! - a name made, changed or removed is durable after a sync of its directory, not after a sync of the file;
//! - a rename is one change of both directories; a sync of either keeps it;
//! - unsynced writes of one file survive in any combination, whole or torn at 512-byte sectors; a lost write under a kept
//!   later one leaves what was there before, or zeros;
//! - unsynced changes of names survive in any combination that has a meaning: what depends on a lost name is lost too.

use std::{
    collections::{HashMap, HashSet},
    ffi::{OsStr, OsString},
    fmt,
    os::fd::OwnedFd,
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, fstat, linkat, open, renameat, statat, unlinkat},
    io::Errno,
};

use super::loss::{DataChange, DataKind, Dice, lose_data};
use crate::disk::{DiskFile, Error, Metadata, Op, Result, parent};

/// What a power cut took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossReport {
    /// Names made, changed or removed that are as before.
    pub names: usize,
    /// Writes (and cuts, and times) that never happened.
    pub writes: usize,
    /// Writes that happened in part.
    pub torn: usize,
}

/// A file or directory whatever it is called: device and inode.
type Id = (u64, u64);

/// All changes not yet durable, oldest first.
pub(super) struct Unsynced {
    graveyard: OwnedFd,
    buried: HashMap<Id, u64>,
    files: HashMap<Id, (DiskFile, Vec<DataChange>)>,
    names: Vec<NameChange>,
    /// One descriptor a directory, so that it is found again after it was renamed or removed.
    dirs: HashMap<Id, Arc<OwnedFd>>,
    /// Numbers changes; a sync covers those numbered before it began.
    clock: u64,
}

struct NameChange {
    at: u64,
    kind: NameKind,
}

enum NameKind {
    /// A new file, link or directory.
    Created(Name),
    /// Removed; kept in the graveyard under this name.
    Removed(Name, OsString),
    /// Renamed; what it replaced is in the graveyard.
    Renamed { from: Name, to: Name, replaced: Option<OsString> },
}

#[derive(Clone)]
struct Name {
    dir: Arc<OwnedFd>,
    dir_id: Id,
    name: OsString,
}

impl Unsynced {
    pub(super) fn new(graveyard: &Path) -> Result<Self> {
        Ok(Self {
            graveyard: open_dir(graveyard)?,
            buried: HashMap::new(),
            files: HashMap::new(),
            names: Vec::new(),
            dirs: HashMap::new(),
            clock: 0,
        })
    }

    /// A sync that begins now covers every change recorded so far.
    pub(super) fn mark(&self) -> u64 {
        self.clock
    }

    /// How many names of this file are in the graveyard.
    pub(super) fn buried(&self, file: &Metadata) -> u64 {
        self.buried.get(&(file.dev, file.ino)).copied().unwrap_or(0)
    }

    pub(super) fn writing(&mut self, file: &DiskFile, new: &[u8], offset: u64) -> Result<()> {
        let mut old = vec![0; new.len()];
        let there = file.read_at(&mut old, offset)?;
        old.truncate(there);
        self.data(file, DataKind::Write { offset, old, new: new.to_vec() })
    }

    pub(super) fn resizing(&mut self, file: &DiskFile, len: u64) -> Result<()> {
        let size = file.metadata()?.size;
        let mut old_tail = vec![0; size.saturating_sub(len) as usize];
        file.read_exact_at(&mut old_tail, len)?;
        self.data(file, DataKind::Resize { len, old_tail })
    }

    pub(super) fn touching(&mut self, file: &DiskFile) -> Result<()> {
        let old = file.metadata()?.modified;
        self.data(file, DataKind::Times { old })
    }

    fn data(&mut self, file: &DiskFile, kind: DataKind) -> Result<()> {
        let metadata = file.metadata()?;
        let change = DataChange { at: self.tick(), old_len: metadata.size, kind };
        let (_, changes) = self.files.entry((metadata.dev, metadata.ino)).or_insert_with(|| (file.clone(), Vec::new()));
        changes.push(change);
        Ok(())
    }

    pub(super) fn synced(&mut self, file: &DiskFile, mark: u64, times_too: bool) -> Result<()> {
        let metadata = file.metadata()?;
        let id = (metadata.dev, metadata.ino);
        if let Some((_, changes)) = self.files.get_mut(&id) {
            changes.retain(|change| change.at > mark || (!times_too && matches!(change.kind, DataKind::Times { .. })));
            if changes.is_empty() {
                self.files.remove(&id);
            }
        }
        Ok(())
    }

    pub(super) fn created(&mut self, path: &Path) -> Result<()> {
        let name = self.name(path)?;
        self.record(NameKind::Created(name));
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path, unlink: impl FnOnce() -> Result<()>) -> Result<()> {
        let name = self.name(path)?;
        let grave = self.bury_link(&name).map_err(|errno| Error::os(Op::Unlink, path, errno))?;
        unlink()?;
        self.record(NameKind::Removed(name, grave));
        Ok(())
    }

    pub(super) fn rmdir(&mut self, path: &Path, rmdir: impl FnOnce() -> Result<()>) -> Result<()> {
        let name = self.name(path)?;
        let error = |errno| Error::os(Op::Rmdir, path, errno);
        // The real removal says whether it is allowed; the directory itself must live on, its descriptors point to it.
        let grave = self.grave();
        renameat(&name.dir, &name.name, &self.graveyard, &grave).map_err(error)?;
        rustix::fs::mkdirat(&name.dir, &name.name, Mode::RWXU).map_err(error)?;
        if !is_empty_dir(&self.graveyard, &grave).map_err(error)? {
            unlinkat(&name.dir, &name.name, AtFlags::REMOVEDIR).map_err(error)?;
            renameat(&self.graveyard, &grave, &name.dir, &name.name).map_err(error)?;
            return Err(error(Errno::NOTEMPTY));
        }
        rmdir()?;
        self.record(NameKind::Removed(name, grave));
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path, rename: impl FnOnce() -> Result<()>) -> Result<()> {
        let (source, target) = (self.name(from)?, self.name(to)?);
        let error = |errno| Error::os(Op::Rename, to, errno);
        let replaced = match (source.stat().map_err(error)?, target.stat()) {
            (_, Err(Errno::NOENT)) => None,
            (_, Err(errno)) => return Err(error(errno)),
            // rename(2) of two names of one file does nothing.
            (source, Ok(target)) if source.id == target.id => return rename(),
            (_, Ok(stat)) if stat.directory => {
                let grave = self.grave();
                renameat(&target.dir, &target.name, &self.graveyard, &grave).map_err(error)?;
                Some(grave)
            }
            (_, Ok(_)) => Some(self.bury_link(&target).map_err(error)?),
        };
        rename()?;
        self.record(NameKind::Renamed { from: source, to: target, replaced });
        Ok(())
    }

    /// A directory is durable: so are its names, and whatever had to happen before on the other side of its renames.
    pub(super) fn synced_dir(&mut self, path: &Path, mark: u64) -> Result<()> {
        let (dir, _) = self.dir(path)?;
        let mut settled: HashSet<(Id, OsString)> = HashSet::new();
        let mut kept = Vec::with_capacity(self.names.len());
        for change in std::mem::take(&mut self.names).into_iter().rev() {
            let names = change.kind.names();
            let covered = names.iter().any(|name| name.dir_id == dir || settled.contains(&name.key()));
            if change.at <= mark && covered {
                settled.extend(names.iter().map(|name| name.key()));
            } else {
                kept.push(change);
            }
        }
        kept.reverse();
        self.names = kept;
        Ok(())
    }

    /// The whole file system is durable: everything up to the mark.
    pub(super) fn synced_everything(&mut self, mark: u64) {
        self.names.retain(|change| change.at > mark);
        self.files.retain(|_, (_, changes)| {
            changes.retain(|change| change.at > mark);
            !changes.is_empty()
        });
    }

    /// The power cut.
    pub(super) fn lose(self, seed: u64) -> Result<LossReport> {
        let mut report = LossReport::default();
        let mut dice = Dice::new(seed);
        // A journaling file system loses the newest changes of names first: seeds 3 modulo 4 play that.
        let horizon = (seed % 4 == 3).then(|| dice.below(self.names.len() as u64 + 1) as usize);
        let mut gone: HashSet<(Id, OsString)> = HashSet::new();
        let mut lost = Vec::new();
        for (index, change) in self.names.iter().enumerate() {
            let names = change.kind.names();
            let chosen = horizon.map_or_else(|| dice.loses(), |horizon| index >= horizon);
            if chosen || names.iter().any(|name| gone.contains(&name.key())) {
                gone.extend(names.iter().map(|name| name.key()));
                lost.push(change);
            }
        }
        report.names = lost.len();
        for change in lost.into_iter().rev() {
            self.undo_name(change).map_err(|errno| Error::os(Op::Rename, Path::new(change.kind.label()), errno))?;
        }
        for (file, changes) in self.files.values() {
            lose_data(file, changes, &mut dice, &mut report).map_err(|errno| file.error(Op::Write, errno))?;
        }
        Ok(report)
    }

    fn undo_name(&self, change: &NameChange) -> rustix::io::Result<()> {
        match &change.kind {
            // Into the graveyard, not removed: it may be a directory with things in it.
            NameKind::Created(name) => {
                renameat(&name.dir, &name.name, &self.graveyard, format!("lost-{}", change.at).as_str())
            }
            NameKind::Removed(name, grave) => renameat(&self.graveyard, grave, &name.dir, &name.name),
            NameKind::Renamed { from, to, replaced } => {
                renameat(&to.dir, &to.name, &from.dir, &from.name)?;
                match replaced {
                    Some(grave) => renameat(&self.graveyard, grave, &to.dir, &to.name),
                    None => Ok(()),
                }
            }
        }
    }

    fn record(&mut self, kind: NameKind) {
        let at = self.tick();
        self.names.push(NameChange { at, kind });
    }

    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn grave(&mut self) -> OsString {
        format!("{}", self.tick()).into()
    }

    /// Keeps a file alive under a name in the graveyard.
    fn bury_link(&mut self, name: &Name) -> rustix::io::Result<OsString> {
        let grave = self.grave();
        linkat(&name.dir, &name.name, &self.graveyard, &grave, AtFlags::empty())?;
        *self.buried.entry(name.stat()?.id).or_default() += 1;
        Ok(grave)
    }

    fn dir(&mut self, path: &Path) -> Result<(Id, Arc<OwnedFd>)> {
        let fd = open_dir(path)?;
        let stat = fstat(&fd).map_err(|errno| Error::os(Op::OpenRead, path, errno))?;
        let id = (stat.st_dev, stat.st_ino);
        Ok((id, self.dirs.entry(id).or_insert_with(|| Arc::new(fd)).clone()))
    }

    fn name(&mut self, path: &Path) -> Result<Name> {
        let (dir_id, dir) = self.dir(parent(path))?;
        Ok(Name { dir, dir_id, name: path.file_name().unwrap_or(OsStr::new(".")).into() })
    }
}

impl fmt::Debug for Unsynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsynced").field("files", &self.files.len()).field("names", &self.names.len()).finish()
    }
}

impl NameKind {
    fn names(&self) -> Vec<&Name> {
        match self {
            Self::Created(name) | Self::Removed(name, _) => vec![name],
            Self::Renamed { from, to, .. } => vec![from, to],
        }
    }

    fn label(&self) -> &OsStr {
        match self {
            Self::Created(name) | Self::Removed(name, _) | Self::Renamed { to: name, .. } => &name.name,
        }
    }
}

struct NameStat {
    id: Id,
    directory: bool,
}

impl Name {
    fn key(&self) -> (Id, OsString) {
        (self.dir_id, self.name.clone())
    }

    fn stat(&self) -> rustix::io::Result<NameStat> {
        let stat = statat(&self.dir, &self.name, AtFlags::SYMLINK_NOFOLLOW)?;
        let directory = rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory;
        Ok(NameStat { id: (stat.st_dev, stat.st_ino), directory })
    }
}

fn open_dir(path: &Path) -> Result<OwnedFd> {
    open(path_or_dot(path), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::os(Op::OpenRead, path, errno))
}

fn path_or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}

fn is_empty_dir(at: &OwnedFd, name: &OsStr) -> rustix::io::Result<bool> {
    let fd = rustix::fs::openat(at, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    for entry in rustix::fs::Dir::new(fd)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}
