//! Where the files of a backup go: a directory, or a tar archive that is written as it is made.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use mailstore::disk::{Disk, DiskFile, UnixTime, parent};

use super::manifest;
use crate::Console;
use crate::error::CommandError;

/// The mode of files in an archive: mail is nobody else's business.
const FILE_MODE: u32 = 0o600;
/// And that of directories.
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
    fn manifest(&mut self) -> io::Result<Box<dyn Write>>;

    /// Passes on what was collected so far; called after each file.
    fn pass_on(&mut self, _: &mut dyn Console) -> io::Result<()> {
        Ok(())
    }

    /// Makes the backup whole, with the manifest that was collected.
    fn finish(self: Box<Self>, console: &mut dyn Console) -> io::Result<()>;
}

/// A directory that is empty at the beginning.
pub(super) struct Directory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Directory {
    /// Makes the directory, or takes one that is empty.
    pub(super) fn create(disk: Arc<dyn Disk>, path: &Path) -> Result<Self, CommandError> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        match disk.mkdir(path) {
            Ok(()) => {}
            Err(error) if error.is_exists() => {
                let names = fs::read_dir(path).map_err(named)?.collect::<Result<Vec<_>, _>>().map_err(named)?;
                if names.iter().any(|entry| entry.file_name() == unfinished().as_str()) {
                    let what = "is what is left of a backup that was not finished: remove it";
                    return Err(CommandError::Usage(format!("{} {what}", path.display())));
                }
                if !names.is_empty() {
                    return Err(CommandError::Usage(format!("{} is not empty", path.display())));
                }
            }
            Err(error) => return Err(error.into_io().into()),
        }
        // It may be named by a link.
        Ok(Self { disk, path: path.canonicalize().map_err(named)? })
    }

    fn new_file(&self, path: &Path) -> io::Result<Growing> {
        let file = self.disk.create_new(path).map_err(|error| error.into_io())?;
        Ok(Growing { disk: Arc::clone(&self.disk), file, end: 0 })
    }
}

/// The name of a manifest that is not whole.
fn unfinished() -> String {
    format!("{}.new", manifest::FILE)
}

impl Target for Directory {
    fn directory(&mut self, path: &str) -> io::Result<()> {
        let mut dir = self.path.clone();
        for part in Path::new(path) {
            dir.push(part);
            match self.disk.mkdir(&dir) {
                Err(error) if !error.is_exists() => return Err(error.into_io()),
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &str, bytes: &[u8], modified: SystemTime) -> io::Result<()> {
        let mut file = self.new_file(&self.path.join(path))?;
        file.write_all(bytes)?;
        let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified =
            UnixTime { secs: i64::try_from(since.as_secs()).unwrap_or(i64::MAX), nanos: since.subsec_nanos() };
        self.disk.set_times(&file.file, modified).map_err(|error| error.into_io())
    }

    fn link(&mut self, from: &Path, path: &str) -> bool {
        self.disk.link(from, &self.path.join(path)).is_ok()
    }

    fn manifest(&mut self) -> io::Result<Box<dyn Write>> {
        Ok(Box::new(self.new_file(&self.path.join(unfinished()))?))
    }

    /// Every file is durable before the manifest has its name.
    fn finish(self: Box<Self>, _: &mut dyn Console) -> io::Result<()> {
        let named = || {
            self.disk.sync_everything(&self.path)?;
            self.disk.rename(&self.path.join(unfinished()), &self.path.join(manifest::FILE))?;
            self.disk.sync_dir(&self.path)
        };
        named().map_err(|error| error.into_io())
    }
}

/// A file that is written from its beginning to its end.
struct Growing {
    disk: Arc<dyn Disk>,
    file: DiskFile,
    end: u64,
}

impl Write for Growing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.disk.write_at(&self.file, bytes, self.end).map_err(|error| error.into_io())?;
        self.end += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A tar archive (POSIX.1-1988 with GNU's long names), with the manifest as its last member.
pub(super) struct Archive {
    /// Collects a member; [`Target::pass_on`] empties it.
    tar: tar::Builder<Vec<u8>>,
    /// Standard output if there is none.
    file: Option<Growing>,
    /// The manifest, while it is collected.
    manifest: Option<File>,
    /// A directory that may be written to: the manifest's size must be known before it can follow.
    scratch: PathBuf,
}

/// Octets of the manifest that are passed on at a time.
const PIECE: u64 = 1 << 20;

impl Archive {
    /// An archive in a file that is not there yet.
    pub(super) fn create(disk: Arc<dyn Disk>, path: &Path, scratch: &Path) -> Result<Self, CommandError> {
        let file = disk.create_new(path).map_err(|error| error.into_io())?;
        Ok(Self { file: Some(Growing { disk, file, end: 0 }), ..Self::stdout(scratch) })
    }

    /// An archive on the console's standard output.
    pub(super) fn stdout(scratch: &Path) -> Self {
        Self { tar: tar::Builder::new(Vec::new()), file: None, manifest: None, scratch: scratch.to_owned() }
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

    fn manifest(&mut self) -> io::Result<Box<dyn Write>> {
        let file = tempfile::tempfile_in(&self.scratch)?;
        self.manifest = Some(file.try_clone()?);
        Ok(Box::new(file))
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

    fn finish(mut self: Box<Self>, console: &mut dyn Console) -> io::Result<()> {
        let mut manifest = self.manifest.take().ok_or(io::ErrorKind::NotFound)?;
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
        let Some(Growing { disk, file, .. }) = self.file else { return Ok(()) };
        let durable = || {
            disk.sync_all(&file)?;
            disk.sync_dir(parent(file.path()))
        };
        durable().map_err(|error| error.into_io())
    }
}

/// What members of an archive are padded to.
const BLOCK: u64 = 512;

fn header(mode: u32, size: u64, modified: SystemTime) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(modified.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
    header
}
