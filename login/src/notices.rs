//! What administrators tell everybody, in two files below the configuration directory, as in Cyrus: `msg/motd` is shown to
//! whoever logs in, `msg/shutdown` keeps users out.
//!
//! The files are read when the server starts and at SIGHUP; `angarium motd` and `angarium lockout` write them and change the
//! running server at once, and so does whoever asks for it over HTTP. Nobody looks at them when a client logs in.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use directory::{Event, Service};
use tracing::{error, info, warn};
use wire::Sessions;
use wire::notices::{Notice, NoticeError};

/// What a file is read of at most: far more than is shown.
const READ: u64 = 64 * 1024;
/// What clients are told if `msg/shutdown` is there and says nothing.
const SILENT_LOCKOUT: &str = "The server is closed for maintenance, try again later";

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The message of the day.
    Motd,
    /// Why users are kept out.
    Lockout,
}

/// Why something is not told.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// Clients could not be told all of it.
    #[error("the message {0}")]
    Notice(#[from] NoticeError),
    /// The file can't be written.
    #[error("{}: {problem}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What the disk says.
        problem: io::Error,
    },
}

/// Whom a change is for: the sessions of the running server, and whoever asks, for the audit log.
#[derive(Debug, Clone, Copy)]
pub struct Running<'a> {
    /// Everybody who is connected.
    pub sessions: &'a Sessions,
    /// The directory in the hands of whoever asks.
    pub service: &'a Service<'a>,
}

impl Kind {
    /// Makes `text` what is told from now on, over a restart too, or with `None` nothing. In the running server the audit log
    /// says so first; without one there is nobody who could write it. Where it can't be written the log says so, and users are
    /// kept out all the same: that may be what has to be repaired. Returns how many sessions that ended. Blocks.
    ///
    /// # Errors
    /// It is as it was.
    pub fn tell(self, config_dir: &Path, running: Option<Running<'_>>, text: Option<&str>) -> Result<usize, Untold> {
        let notice = text.map(Notice::whole).transpose()?;
        let file = |problem| Untold::File { file: self.file(config_dir), problem };
        let Some(Running { sessions, service }) = running else {
            self.write(config_dir, text).map_err(file)?;
            return Ok(0);
        };
        let before = self.read(config_dir).unwrap_or_default();
        let [before, after] = [&before, &notice].map(|notice| notice.as_ref().map_or("", Notice::text));
        self.note(service, before, after);
        if let Err(problem) = self.write(config_dir, text) {
            self.note(service, after, before);
            return Err(file(problem));
        }
        Ok(self.put_in_force(sessions, notice))
    }

    fn note(self, service: &Service<'_>, before: &str, after: &str) {
        let action = match self {
            Kind::Motd => "motd.update",
            Kind::Lockout => "lockout.update",
        };
        if let Err(error) = service.note(Event::new(action, "").field("text", before, after)) {
            error!(event = "directory.audit.failed", %error, action, "the audit log lacks it");
        }
    }

    /// Its file.
    pub fn file(self, config_dir: &Path) -> PathBuf {
        config_dir.join(match self {
            Kind::Motd => "msg/motd",
            Kind::Lockout => "msg/shutdown",
        })
    }

    /// What the file says; `None` without one. A lockout without a word is one for all that.
    ///
    /// # Errors
    /// It is there and can't be read.
    pub fn read(self, config_dir: &Path) -> io::Result<Option<Notice>> {
        let mut text = Vec::new();
        match File::open(self.file(config_dir)) {
            Ok(file) => file.take(READ).read_to_end(&mut text)?,
            Err(problem) if problem.kind() == ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(problem),
        };
        let notice = Notice::new(&String::from_utf8_lossy(&text));
        Ok(match self {
            Kind::Motd => notice,
            Kind::Lockout => notice.or_else(|| Notice::new(SILENT_LOCKOUT)),
        })
    }

    /// Puts `text` into the file, in one step; `None` removes it.
    ///
    /// # Errors
    /// The file is as it was.
    fn write(self, config_dir: &Path, text: Option<&str>) -> io::Result<()> {
        let file = self.file(config_dir);
        let Some(text) = text else {
            return match fs::remove_file(&file) {
                Err(problem) if problem.kind() != ErrorKind::NotFound => Err(problem),
                _ => Ok(()),
            };
        };
        let directory = file.parent().unwrap_or(config_dir);
        fs::create_dir_all(directory)?;
        let new = file.with_extension("new");
        let mut out = File::create(&new)?;
        out.write_all(format!("{text}\n").as_bytes())?;
        out.sync_all()?;
        fs::rename(&new, &file)?;
        File::open(directory)?.sync_all()
    }

    /// Makes `notice` what is in force. Returns how many sessions that ended.
    fn put_in_force(self, sessions: &Sessions, notice: Option<Notice>) -> usize {
        let text = notice.as_ref().map(|notice| notice.text().to_owned());
        match self {
            Kind::Motd => {
                if sessions.set_motd(notice) {
                    info!(event = "motd.changed", text);
                }
                0
            }
            Kind::Lockout => match (sessions.lock_out(notice), text) {
                (None, _) => 0,
                (Some(ended), Some(text)) => {
                    warn!(event = "lockout.begun", text, ended, "only administrators can log in");
                    ended
                }
                (Some(_), None) => {
                    info!(event = "lockout.ended");
                    0
                }
            },
        }
    }
}

/// Puts in force what the files say. One that can't be read changes nothing.
pub fn read_again(sessions: &Sessions, config_dir: &Path) {
    for kind in [Kind::Motd, Kind::Lockout] {
        match kind.read(config_dir) {
            Ok(notice) => drop(kind.put_in_force(sessions, notice)),
            Err(problem) => {
                error!(event = "notice.unreadable", file = %kind.file(config_dir).display(), error = %problem);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_and_go() {
        let dir = tempfile::tempdir().unwrap();
        for kind in [Kind::Motd, Kind::Lockout] {
            let read = || kind.read(dir.path()).unwrap().map(|notice| notice.text().to_owned());
            assert_eq!(read(), None);
            kind.write(dir.path(), None).unwrap();
            kind.write(dir.path(), Some("Grüße")).unwrap();
            assert_eq!(read().as_deref(), Some("Grusse"));
            kind.write(dir.path(), Some("second")).unwrap();
            assert_eq!(read().as_deref(), Some("second"));
            assert_eq!(fs::read_dir(dir.path().join("msg")).unwrap().count(), 1, "nothing is left behind");
            fs::write(kind.file(dir.path()), b"\xff\xfe\0").unwrap();
            assert_eq!(read().as_deref(), Some("??"));
            fs::write(kind.file(dir.path()), b"\n\n").unwrap();
            assert_eq!(read().as_deref(), (kind == Kind::Lockout).then_some(SILENT_LOCKOUT));
            kind.write(dir.path(), None).unwrap();
            assert_eq!(read(), None);
        }
    }
}
