//! What becomes of a trace: a file for each session below `log/` in the configuration directory, or lines on somebody's
//! terminal.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;

use tracing::{error, info};
use wire::Sessions;
use wire::trace::{Order, Record, Side, Trace};

/// Octets that a trace may write: 64 MiB, some hundred thousand commands. A trace that somebody forgets fills no disk.
const LARGEST: u64 = 64 << 20;
/// Files that are kept open; with more sessions at a time each is opened anew now and then.
const OPEN_FILES: usize = 64;

/// Where the files of a trace of `whom` are: no name of a user or a network leads out of `log/`.
pub(crate) fn directory(config_dir: &Path, whom: &str) -> PathBuf {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '-' | '_' | '+' | ':');
    let name: String = whom.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    // Neither hidden nor above.
    let name = if name.is_empty() || name.starts_with('.') { format!("_{name}") } else { name };
    config_dir.join("log").join(name)
}

/// A record as a line.
pub(crate) fn line(record: &Record) -> String {
    let time = jiff::Timestamp::try_from(record.at).unwrap_or_default();
    let side = match record.side {
        Side::Client => 'C',
        Side::Server => 'S',
    };
    format!("{time:.6} {} {side}: {}", record.conn, record.text)
}

/// Begins a trace into files below `directory`, written by a thread of its own.
///
/// # Errors
/// The directory can't be made, or there is no thread.
pub(crate) fn into_files(sessions: &Arc<Sessions>, order: Order, directory: PathBuf) -> io::Result<Arc<Trace>> {
    fs::create_dir_all(&directory)?;
    let (trace, records) = sessions.trace(order);
    let (own, all) = (Arc::clone(&trace), Arc::clone(sessions));
    let thread = thread::Builder::new().name("trace".to_owned());
    let started = thread.spawn(move || write_down(&own, &all, &records, &directory));
    if let Err(problem) = started {
        end(sessions, |other| other.id() == trace.id());
        return Err(problem);
    }
    Ok(trace)
}

/// Ends traces, and says so. Returns how many.
pub(crate) fn end(sessions: &Sessions, chosen: impl FnMut(&Trace) -> bool) -> usize {
    let ended = sessions.end_traces(chosen);
    for trace in &ended {
        let (records, lost) = trace.counts();
        info!(event = "trace.ended", whom = %trace.order().whom, records, lost);
    }
    ended.len()
}

/// Writes records until nobody sends any more, or there is no room for them.
fn write_down(trace: &Arc<Trace>, sessions: &Sessions, records: &Receiver<Record>, directory: &Path) {
    let mut files = Files { directory, open: HashMap::new(), left: LARGEST };
    while let Some(record) = next(trace, records) {
        match files.write(&record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(problem) => {
                error!(event = "trace.failed", directory = %directory.display(), error = %problem);
                break;
            }
        }
    }
    end(sessions, |other| other.id() == trace.id());
}

/// The next record, until the trace ends or its time is over.
pub(crate) fn next(trace: &Trace, records: &Receiver<Record>) -> Option<Record> {
    let left = trace.order().until.saturating_duration_since(std::time::Instant::now());
    records.recv_timeout(left).ok()
}

/// The files of a trace, by connection.
struct Files<'a> {
    directory: &'a Path,
    open: HashMap<u64, File>,
    left: u64,
}

impl Files<'_> {
    /// Writes a record; `false` if there is no room for it.
    fn write(&mut self, record: &Record) -> io::Result<bool> {
        let line = line(record) + "\n";
        let Some(left) = self.left.checked_sub(line.len() as u64) else { return Ok(false) };
        self.left = left;
        if !self.open.contains_key(&record.conn) {
            if self.open.len() >= OPEN_FILES {
                self.open.clear();
            }
            let file = open(self.directory, record)?;
            self.open.insert(record.conn, file);
        }
        match self.open.get_mut(&record.conn) {
            Some(file) => file.write_all(line.as_bytes()).map(|()| true),
            None => Ok(false),
        }
    }
}

/// Opens a session's file, which is named after the day and the connection, and says in it whose it is.
fn open(directory: &Path, record: &Record) -> io::Result<File> {
    let day = jiff::Timestamp::try_from(record.at).unwrap_or_default().strftime("%Y%m%d").to_string();
    let path = directory.join(format!("{day}-{}-{}", std::process::id(), record.conn));
    let mut file = File::options().append(true).create(true).mode(0o600).open(path)?;
    if file.metadata()?.len() == 0 {
        writeln!(file, "# {} from {}, connection {}", record.service, record.peer, record.conn)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, UNIX_EPOCH};

    use wire::Peer;

    use super::*;

    fn record(conn: u64, text: &str) -> Record {
        let (service, peer, side) = ("imap", Peer::Memory, Side::Client);
        let at = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        Record { at, conn, service, peer, side, text: text.to_owned() }
    }

    #[test]
    fn directories_stay_below_log() {
        let check = |whom: &str, expected: &str| {
            assert_eq!(directory(Path::new("/c"), whom), Path::new("/c/log").join(expected), "{whom}");
        };
        check("joe", "joe");
        check("joe@example.org", "joe@example.org");
        check("192.0.2.0/24", "192.0.2.0_24");
        check("../../etc/passwd", "_.._.._etc_passwd");
        check("..", "_..");
        check("", "_");
    }

    #[test]
    fn a_file_for_each_session_and_a_limit_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files { directory: dir.path(), open: HashMap::new(), left: 200 };
        assert!(files.write(&record(7, "a NOOP")).unwrap());
        assert!(files.write(&record(8, "b NOOP")).unwrap());
        assert!(files.write(&record(7, "c NOOP")).unwrap());
        assert!(!files.write(&record(7, &"x".repeat(200))).unwrap());
        let path = dir.path().join(format!("20231114-{}-7", std::process::id()));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            fs::read_to_string(path).unwrap(),
            "# imap from memory, connection 7\n\
             2023-11-14T22:13:20.000000Z 7 C: a NOOP\n\
             2023-11-14T22:13:20.000000Z 7 C: c NOOP\n"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn many_sessions_have_few_files_open() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = Files { directory: dir.path(), open: HashMap::new(), left: LARGEST };
        for round in 0..2 {
            for conn in 0..3 * OPEN_FILES as u64 {
                assert!(files.write(&record(conn, &format!("{round}"))).unwrap());
                assert!(files.open.len() <= OPEN_FILES);
            }
        }
        for file in fs::read_dir(dir.path()).unwrap() {
            assert_eq!(fs::read_to_string(file.unwrap().path()).unwrap().lines().count(), 3);
        }
    }
}
