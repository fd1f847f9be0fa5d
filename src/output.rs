//! A file that a command writes instead of standard output: made where the command was called, with the rights of whoever
//! called it, for its owner alone.

use std::fs::{File, OpenOptions, remove_file};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use admin::control::Input;
use tools::Exit;

use crate::failure::Failure;
use crate::terminal::Terminal;

/// The file. Unless the command ends well it is gone afterwards: half of it must not be taken for the whole.
pub(crate) struct Output {
    path: PathBuf,
    file: File,
    is_whole: bool,
}

impl Output {
    /// Makes the file, with mode 0600.
    ///
    /// # Errors
    /// It is there, or can't be made.
    pub(crate) fn create(path: PathBuf) -> Result<Self, Failure> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let cannot = |problem| Failure::new(Exit::CantCreate, format!("cannot make {}: {problem}", path.display()));
        let file = made.map_err(cannot)?;
        Ok(Self { path, file, is_whole: false })
    }

    /// A console that writes into it.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn terminal(&self, input: Input) -> Result<Terminal, Failure> {
        Ok(Terminal::into_file(input, self.file.try_clone().map_err(|problem| self.failure(&problem))?))
    }

    /// The command has ended with this code: a file that is whole is made durable.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn finish(mut self, exit: u8) -> Result<u8, Failure> {
        if exit == Exit::Ok.code() {
            let parent = match self.path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => ".".as_ref(),
            };
            self.file.sync_all().map_err(|problem| self.failure(&problem))?;
            // Its name, as far as that can be: whoever runs this by now may not read the directory.
            let _ = File::open(parent).and_then(|parent| parent.sync_all());
            self.is_whole = true;
        }
        Ok(exit)
    }

    fn failure(&self, problem: &std::io::Error) -> Failure {
        Failure::new(Exit::Io, format!("cannot write {}: {problem}", self.path.display()))
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if !self.is_whole {
            // Where the rights to remove it are given up by now it is left empty.
            let _ = self.file.set_len(0);
            let _ = remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_is_whole_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let output = |exit: Exit| {
            let output = Output::create(path.clone()).unwrap();
            (&output.file).write_all(b"text").unwrap();
            output.finish(exit.code()).unwrap();
        };
        output(Exit::Data);
        drop(Output::create(path.clone()).unwrap());
        assert!(!path.exists());
        output(Exit::Ok);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!((mode & 0o7777, std::fs::read(&path).unwrap()), (0o600, b"text".to_vec()));
        let again = Output::create(path).err().unwrap();
        assert_eq!(again.exit, Exit::CantCreate);
    }
}
