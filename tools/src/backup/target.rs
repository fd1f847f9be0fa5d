//! Where the files of a backup go: a directory, or a tar archive that is written as it is made.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::manifest;
use crate::Console;
use crate::error::CommandError;

/// The mode of files: mail is nobody else's business, whatever the umask.
const FILE_MODE: u32 = 0o600;
/// The mode of directories.
const DIRECTORY_MODE: u32 = 0o700;

/// A backup's place. Paths are relative to it, and each is written once.
pub(super) trait Target {
    /// Makes a directory and those above it.
    fn directory(&mut self, path: &str) -> io::Result<()>;

    /// Makes a file.
    fn file(&mut self, path: &str, bytes: &[u8], modified: SystemTime) -> io::Result<()>;

    /// Gives a file that is there already a name in the backup; whether that was possible.
    fn link(&mut self, from: &Path, path: &str) -> bool;

    /// Where the manifest is collected.
    fn manifest(&mut self) -> io::Result<File>;

    /// Passes on what was collected so far; called after each file.
    fn pass_on(&mut self, _: &mut dyn Console) -> io::Result<()> {
        Ok(())
    }

    /// Makes the backup whole, with the manifest that was collected.
    fn finish(self: Box<Self>, manifest: File, console: &mut dyn Console) -> io::Result<()>;
}

/// A directory that is empty at the beginning.
pub(super) struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes the directory, or takes one that is empty.
    pub(super) fn create(path: &Path) -> Result<Self, CommandError> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read_dir(path).map_err(named)?.next().is_some() {
                    return Err(CommandError::Usage(format!("{} is not empty", path.display())));
                }
            }
            Err(error) => return Err(named(error).into()),
        }
        Ok(Self { path: path.to_owned() })
    }

    fn temporary(&self) -> PathBuf {
        self.path.join(format!("{}.new", manifest::FILE))
    }
}

impl Target for Directory {
    fn directory(&mut self, path: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(self.path.join(path))
    }

    fn file(&mut self, path: &str, bytes: &[u8], modified: SystemTime) -> io::Result<()> {
        let mut file = new_file(&self.path.join(path))?;
        file.write_all(bytes)?;
        file.set_modified(modified)
    }

    fn link(&mut self, from: &Path, path: &str) -> bool {
        fs::hard_link(from, self.path.join(path)).is_ok()
    }

    fn manifest(&mut self) -> io::Result<File> {
        new_file(&self.temporary())
    }

    /// Every file is durable before the manifest has its name.
    fn finish(self: Box<Self>, manifest: File, _: &mut dyn Console) -> io::Result<()> {
        manifest.sync_all()?;
        let dir = File::open(&self.path)?;
        rustix::fs::syncfs(&dir)?;
        fs::rename(self.temporary(), self.path.join(manifest::FILE))?;
        dir.sync_all()
    }
}

/// A tar archive (POSIX.1-1988 with GNU's long names), with the manifest as its last member.
pub(super) struct Archive {
    /// Collects a member; [`Target::pass_on`] empties it.
    tar: tar::Builder<Vec<u8>>,
    /// Standard output if there is none.
    file: Option<File>,
    /// A directory that may be written to: the manifest's size must be known before it can follow.
    scratch: PathBuf,
}

/// Octets of the manifest that are passed on at a time.
const PIECE: u64 = 1 << 20;

impl Archive {
    /// An archive in a file that is not there yet.
    pub(super) fn create(path: &Path, scratch: &Path) -> Result<Self, CommandError> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = Some(new_file(path).map_err(named)?);
        Ok(Self { file, ..Self::stdout(scratch) })
    }

    /// An archive on the console's standard output.
    pub(super) fn stdout(scratch: &Path) -> Self {
        Self { tar: tar::Builder::new(Vec::new()), file: None, scratch: scratch.to_owned() }
    }
}

impl Target for Archive {
    fn directory(&mut self, path: &str) -> io::Result<()> {
        let mut header = header(DIRECTORY_MODE, 0, SystemTime::now());
        header.set_entry_type(tar::EntryType::Directory);
        self.tar.append_data(&mut header, format!("{path}/"), io::empty())
    }

    fn file(&mut self, path: &str, bytes: &[u8], modified: SystemTime) -> io::Result<()> {
        self.tar.append_data(&mut header(FILE_MODE, bytes.len() as u64, modified), path, bytes)
    }

    fn link(&mut self, _: &Path, _: &str) -> bool {
        false
    }

    fn manifest(&mut self) -> io::Result<File> {
        tempfile::tempfile_in(&self.scratch)
    }

    fn pass_on(&mut self, console: &mut dyn Console) -> io::Result<()> {
        let octets = self.tar.get_mut();
        match &mut self.file {
            Some(file) => file.write_all(octets)?,
            None => console.octets(octets)?,
        }
        octets.clear();
        Ok(())
    }

    fn finish(mut self: Box<Self>, mut manifest: File, console: &mut dyn Console) -> io::Result<()> {
        let size = manifest.stream_position()?;
        manifest.rewind()?;
        let mut header = header(FILE_MODE, size, SystemTime::now());
        header.set_path(manifest::FILE)?;
        header.set_cksum();
        self.tar.get_mut().extend_from_slice(header.as_bytes());
        // Piece by piece: the manifest of a large store is longer than any message.
        let mut left = size;
        while left > 0 {
            let piece = left.min(PIECE);
            if (&manifest).take(piece).read_to_end(self.tar.get_mut())? as u64 != piece {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.pass_on(console)?;
            left -= piece;
        }
        let padding = size.next_multiple_of(BLOCK) - size;
        self.tar.get_mut().resize(padding as usize, 0);
        self.tar.finish()?;
        self.pass_on(console)?;
        self.file.map_or(Ok(()), |file| file.sync_all())
    }
}

/// What members of an archive are padded to.
const BLOCK: u64 = 512;

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(FILE_MODE).open(path)
}

fn header(mode: u32, size: u64, modified: SystemTime) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
    header
}
