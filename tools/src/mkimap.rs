//! The directories of a new store. Cyrus' `mkimap`.

use std::io;
use std::path::{Path, PathBuf};

use mailstore::Layout;
use mailstore::disk::{self, Disk, FileKind};
use thiserror::Error;

use crate::{Console, Exit};

/// Directories of the configuration directory.
const INSIDE: [&str; 7] = ["copies", "log", "quota", "sieve", "socket", "tls", "user"];

/// Why a directory was not made.
#[derive(Debug, Error)]
pub enum MakeError {
    /// The disk's.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// Something else has its name.
    #[error("{}: is there, but is no directory", .0.display())]
    Taken(PathBuf),
    /// Nobody listens any more.
    #[error(transparent)]
    Console(#[from] io::Error),
}

impl MakeError {
    /// How the command ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Disk(error) => match error.errno().map(|errno| io::Error::from(errno).kind()) {
                Some(io::ErrorKind::PermissionDenied) => Exit::NoPermission,
                _ => Exit::CantCreate,
            },
            Self::Taken(_) => Exit::CantCreate,
            Self::Console(_) => Exit::Io,
        }
    }
}

/// Makes the configuration directory and the partitions, with what belongs into them, for their owner alone, as a first
/// start does; a line for each that is made. What is there stays as it is, so that a run that was cut off is ended by the
/// next.
///
/// # Errors
/// At the first directory that cannot be made.
pub fn make_directories(disk: &dyn Disk, layout: &Layout, console: &mut dyn Console) -> Result<(), MakeError> {
    make(disk, layout.config(), console)?;
    for inside in INSIDE {
        make(disk, &layout.config().join(inside), console)?;
    }
    for (_, partition) in layout.partitions() {
        make(disk, partition, console)?;
        make(disk, &partition.join("stage."), console)?;
    }
    Ok(())
}

fn make(disk: &dyn Disk, path: &Path, console: &mut dyn Console) -> Result<(), MakeError> {
    match disk.metadata(path) {
        Ok(found) if found.kind == FileKind::Directory => return Ok(()),
        // Neither does a server follow a link there.
        Ok(_) => return Err(MakeError::Taken(path.to_owned())),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    console.out(&format!("creating {}...", path.display()))?;
    Ok(disk.create_dir_all(path)?)
}
