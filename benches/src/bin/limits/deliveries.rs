//! Deliveries without mail: the files, links and syncs that make a message durable, and nothing else.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Directories that messages are linked into, as many as the `deliver` workload has mailboxes.
const MAILBOXES: usize = 16;

/// A message's part of `cyrus.cache` and of `cyrus.index`.
const RECORDS: [(&str, usize); 2] = [("cache", 1024), ("index", 128)];

/// A directory whose waiting writers share a sync.
struct Mailbox {
    path: PathBuf,
    directory: File,
    syncs: Mutex<Syncs>,
    ended: Condvar,
}

#[derive(Default)]
struct Syncs {
    begun: u64,
    ended: u64,
}

/// Messages of the given sizes, one after the other, that `writers` make durable in a second: each is written and synced
/// below a staging directory, linked into a mailbox, and the mailbox's directory is synced; its records are appended
/// without a sync.
pub(crate) fn rate(parent: &Path, writers: usize, sizes: &[usize], time: Duration) -> Result<f64, Box<dyn Error>> {
    let scratch = Scratch::new(parent)?;
    let stage = scratch.0.join("stage");
    fs::create_dir(&stage)?;
    let mailboxes =
        (0..MAILBOXES).map(|n| Mailbox::new(scratch.0.join(n.to_string()))).collect::<io::Result<Vec<_>>>()?;
    let longest = vec![b'x'; sizes.iter().copied().max().unwrap_or(0)];
    let next = AtomicU64::new(0);
    let begin = Instant::now();
    let deliver = || -> io::Result<()> {
        while begin.elapsed() < time {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let mailbox = &mailboxes[n as usize % MAILBOXES];
            let message = &longest[..sizes[n as usize % sizes.len()]];
            mailbox.deliver(&stage.join(n.to_string()), n, message)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..writers).map(|_| scope.spawn(deliver)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| Err(io::Error::other("panic"))))
    })?;
    Ok(next.into_inner() as f64 / begin.elapsed().as_secs_f64())
}

/// Microseconds of an `fdatasync` after 128 bytes were appended.
pub(crate) fn sync_time(parent: &Path, time: Duration) -> Result<f64, Box<dyn Error>> {
    let scratch = Scratch::new(parent)?;
    let mut file = File::create(scratch.0.join("grows"))?;
    let rate = super::rate_of(time, || {
        file.write_all(&[b'x'; 128])?;
        Ok(file.sync_data()?)
    })?;
    Ok(1e6 / rate)
}

impl Mailbox {
    fn new(path: PathBuf) -> io::Result<Self> {
        fs::create_dir(&path)?;
        let directory = File::open(&path)?;
        Ok(Self { path, directory, syncs: Mutex::default(), ended: Condvar::new() })
    }

    fn deliver(&self, staged: &Path, n: u64, message: &[u8]) -> io::Result<()> {
        let mut file = File::create_new(staged)?;
        file.write_all(message)?;
        file.sync_data()?;
        fs::hard_link(staged, self.path.join(format!("{n}.")))?;
        self.sync()?;
        for (name, size) in RECORDS {
            File::options().create(true).append(true).open(self.path.join(name))?.write_all(&vec![b'x'; size])?;
        }
        fs::remove_file(staged)
    }

    /// Returns after a sync of the directory that began after the call.
    fn sync(&self) -> io::Result<()> {
        let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        let mine = syncs.begun + 1;
        while syncs.ended < mine {
            if syncs.begun > syncs.ended {
                syncs = self.ended.wait(syncs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            syncs.begun += 1;
            drop(syncs);
            let synced = self.directory.sync_all();
            syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
            syncs.ended = syncs.begun;
            self.ended.notify_all();
            synced?;
        }
        Ok(())
    }
}

/// A directory that goes away in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> io::Result<Self> {
        let path = parent.join(format!("limits-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
