//! The real file system: each operation is its system call.

use std::{
    ffi::OsStr,
    fs::File,
    io::IoSlice,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use rustix::{
    fs::{
        AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, Timespec, Timestamps, Uid, chmodat, chownat, fdatasync,
        fstat, fsync, ftruncate, futimens, linkat, mkdirat, open, renameat, renameat_with, statat, syncfs, unlinkat,
    },
    io::{Errno, pwrite, pwritev, retry_on_intr},
};

use super::{Cause, DirEntry, Disk, DiskFile, Error, FileKind, Metadata, Op, Result, UnixTime};

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// `O_NONBLOCK` so that opening a FIFO returns at once; it means nothing on the regular files that are let through.
const SAFE: OFlags = OFlags::CLOEXEC.union(OFlags::NOFOLLOW).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The kernel takes at most this many parts in one vectored write (`UIO_MAXIOV`).
const PARTS_PER_WRITE: usize = 1024;

impl RealDisk {
    fn open_regular(op: Op, path: &Path, flags: OFlags) -> Result<DiskFile> {
        let not_regular = |kind| Error { op, path: path.into(), cause: Cause::NotRegular(kind) };
        let fd = match retry_on_intr(|| open(path, flags | SAFE, Mode::RUSR | Mode::WUSR)) {
            Ok(fd) => fd,
            // What open(2) says about a symbolic link, a directory and a socket or reader-less FIFO.
            Err(Errno::LOOP) => return Err(not_regular(FileKind::Symlink)),
            Err(Errno::ISDIR) => return Err(not_regular(FileKind::Directory)),
            Err(Errno::NXIO) => return Err(not_regular(FileKind::Other)),
            Err(errno) => return Err(Error::os(op, path, errno)),
        };
        let file = DiskFile::new(File::from(fd), path);
        match file.metadata()?.kind {
            FileKind::File => Ok(file),
            kind => Err(not_regular(kind)),
        }
    }

    fn open_dir(op: Op, path: &Path) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFE;
        retry_on_intr(|| open(path, flags, Mode::empty())).map_err(|errno| Error::os(op, path, errno))
    }

    fn rename_by_steps(from: &Path, to: &Path) -> std::result::Result<(), Errno> {
        // For file systems without RENAME_NOREPLACE (NFS, older FUSE): the first step of each pair refuses a taken name.
        let stat = statat(CWD, from, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            mkdirat(CWD, to, Mode::RWXU)?;
            renameat(CWD, from, CWD, to)
        } else {
            linkat(CWD, from, CWD, to, AtFlags::empty())?;
            unlinkat(CWD, from, AtFlags::empty())
        }
    }
}

impl Disk for RealDisk {
    fn open_read(&self, path: &Path) -> Result<DiskFile> {
        Self::open_regular(Op::OpenRead, path, OFlags::RDONLY)
    }

    fn open_rw(&self, path: &Path) -> Result<DiskFile> {
        Self::open_regular(Op::OpenRw, path, OFlags::RDWR)
    }

    fn create_new(&self, path: &Path) -> Result<DiskFile> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | SAFE;
        let fd = retry_on_intr(|| open(path, flags, Mode::RUSR | Mode::WUSR))
            .map_err(|errno| Error::os(Op::Create, path, errno))?;
        Ok(DiskFile::new(File::from(fd), path))
    }

    fn write_at(&self, file: &DiskFile, bytes: &[u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset.checked_add(done as u64).ok_or_else(|| file.error(Op::Write, Errno::OVERFLOW))?;
            match pwrite(file, &bytes[done..], at) {
                Ok(0) => return Err(file.error(Op::Write, Errno::IO)),
                Ok(written) => done += written,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(file.error(Op::Write, errno)),
            }
        }
        Ok(())
    }

    fn write_vectored_at(&self, file: &DiskFile, parts: &[IoSlice<'_>], offset: u64) -> Result<()> {
        let mut at = offset;
        for group in parts.chunks(PARTS_PER_WRITE) {
            let mut written = retry_on_intr(|| pwritev(file, group, at)).map_err(|e| file.error(Op::Write, e))?;
            // A short vectored write is rare (a full disk, a signal): finish it part by part.
            for part in group {
                if written < part.len() {
                    self.write_at(file, &part[written..], at + written as u64)?;
                }
                written = written.saturating_sub(part.len());
                at = at.checked_add(part.len() as u64).ok_or_else(|| file.error(Op::Write, Errno::OVERFLOW))?;
            }
        }
        Ok(())
    }

    fn set_len(&self, file: &DiskFile, len: u64) -> Result<()> {
        retry_on_intr(|| ftruncate(file, len)).map_err(|errno| file.error(Op::SetLen, errno))
    }

    fn set_times(&self, file: &DiskFile, modified: UnixTime) -> Result<()> {
        let time = Timespec { tv_sec: modified.secs, tv_nsec: modified.nanos.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        futimens(file, &times).map_err(|errno| file.error(Op::SetTimes, errno))
    }

    fn set_mode(&self, path: &Path, mode: u32, owner: Option<u32>) -> Result<()> {
        let error = |errno| Error::os(Op::SetMode, path, errno);
        // O_PATH needs no right to the file itself, and names it whatever happens to the path meanwhile.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = retry_on_intr(|| open(path, flags, Mode::empty())).map_err(error)?;
        let stat = fstat(&fd).map_err(error)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            return Err(Error { op: Op::SetMode, path: path.into(), cause: Cause::NotRegular(FileKind::Symlink) });
        }
        if let Some(owner) = owner.filter(|owner| *owner != stat.st_uid) {
            chownat(&fd, "", Some(Uid::from_raw(owner)), None, AtFlags::EMPTY_PATH).map_err(error)?;
        }
        // The descriptor's own name: fchmod refuses one of O_PATH.
        let itself = format!("/proc/self/fd/{}", fd.as_raw_fd());
        chmodat(CWD, itself.as_str(), Mode::from_raw_mode(mode & 0o7777), AtFlags::empty()).map_err(error)
    }

    fn copy(&self, from: &DiskFile, to: &DiskFile) -> Result<u64> {
        let (mut done, mut source, mut target) = (0u64, 0u64, 0u64);
        loop {
            match rustix::fs::copy_file_range(from, Some(&mut source), to, Some(&mut target), COPY_CHUNK) {
                Ok(0) => return Ok(done),
                Ok(copied) => done += copied as u64,
                Err(Errno::INTR) => {}
                // Not every file system can (overlayfs across layers, some FUSE): plain reads and writes always work.
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if done == 0 => break,
                Err(errno) => return Err(to.error(Op::Copy, errno)),
            }
        }
        let mut buffer = vec![0; COPY_BUFFER];
        loop {
            let read = from.read_at(&mut buffer, done)?;
            self.write_at(to, &buffer[..read], done)?;
            done += read as u64;
            if read < buffer.len() {
                return Ok(done);
            }
        }
    }

    fn sync_data(&self, file: &DiskFile) -> Result<()> {
        retry_on_intr(|| fdatasync(file)).map_err(|errno| file.error(Op::Sync, errno))
    }

    fn sync_all(&self, file: &DiskFile) -> Result<()> {
        retry_on_intr(|| fsync(file)).map_err(|errno| file.error(Op::Sync, errno))
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        let dir = Self::open_dir(Op::SyncDir, path)?;
        retry_on_intr(|| fsync(&dir)).map_err(|errno| Error::os(Op::SyncDir, path, errno))
    }

    fn sync_everything(&self, path: &Path) -> Result<()> {
        let dir = Self::open_dir(Op::SyncAll, path)?;
        retry_on_intr(|| syncfs(&dir)).map_err(|errno| Error::os(Op::SyncAll, path, errno))
    }

    fn link(&self, from: &Path, to: &Path) -> Result<()> {
        linkat(CWD, from, CWD, to, AtFlags::empty()).map_err(|errno| Error::os(Op::Link, to, errno))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        renameat(CWD, from, CWD, to).map_err(|errno| Error::os(Op::Rename, to, errno))
    }

    fn rename_no_replace(&self, from: &Path, to: &Path) -> Result<()> {
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => Self::rename_by_steps(from, to),
            renamed => renamed,
        }
        .map_err(|errno| Error::os(Op::Rename, to, errno))
    }

    fn unlink(&self, path: &Path) -> Result<()> {
        unlinkat(CWD, path, AtFlags::empty()).map_err(|errno| Error::os(Op::Unlink, path, errno))
    }

    fn mkdir(&self, path: &Path) -> Result<()> {
        mkdirat(CWD, path, Mode::RWXU).map_err(|errno| Error::os(Op::Mkdir, path, errno))
    }

    fn rmdir(&self, path: &Path) -> Result<()> {
        unlinkat(CWD, path, AtFlags::REMOVEDIR).map_err(|errno| Error::os(Op::Rmdir, path, errno))
    }

    fn read_dir(&self, path: &Path) -> Result<Vec<DirEntry>> {
        let error = |errno| Error::os(Op::ReadDir, path, errno);
        let mut dir = Dir::new(Self::open_dir(Op::ReadDir, path)?).map_err(error)?;
        let mut entries = Vec::new();
        while let Some(entry) = dir.read() {
            let entry = entry.map_err(error)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                // Some file systems do not keep the type in the directory.
                match statat(CWD, path.join(name), AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => kind = FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(error(errno)),
                }
            }
            entries.push(DirEntry { name: name.into(), kind: kind.into(), ino: entry.ino() });
        }
        Ok(entries)
    }

    fn metadata(&self, path: &Path) -> Result<Metadata> {
        statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW)
            .map(|stat| Metadata::from(&stat))
            .map_err(|errno| Error::os(Op::Metadata, path, errno))
    }
}

/// As much as the kernel moves in one call; it stops at the end of the file.
const COPY_CHUNK: usize = 1 << 30;

/// For the file systems that cannot copy by themselves.
const COPY_BUFFER: usize = 256 * 1024;

#[cfg(test)]
mod tests;
