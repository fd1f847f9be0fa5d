//! The quota file: `<config>/quota/<c>/<root>`, as Cyrus writes it, so that an administrator and his scripts can read it.
//!
//! ```abnf
//! file     = bytes LF limit LF [messages LF]
//! bytes    = 1*DIGIT               ; used
//! limit    = 1*DIGIT / "-1"        ; KiB, -1 for none
//! messages = "M " 1*DIGIT SP limit ; used and limit; Cyrus 2 does not look further than the second line
//! ```
//!
//! Only usage is read from it, and only after an orderly stop.

use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread::{Builder, ScopedJoinHandle};

use durable::disk::{self, Disk, temporary_path};

use super::{QuotaLimits, QuotaUsage, QuotaUsed};
use crate::{error::Result, layout::Layout, name::MailboxName};

/// Longest file read: three lines of numbers.
const MAX_FILE: u64 = 4096;

/// Files that are made durable at the same time: the disk does several at once.
const SYNCERS: usize = 8;

/// Fewer files than this are not worth the threads.
const WORTH_THREADS: usize = 64;

/// What the file says is used; nothing if it is missing or not one.
pub(crate) fn read(disk: &dyn Disk, layout: &Layout, root: &MailboxName) -> Result<Option<QuotaUsed>> {
    match disk.read(&layout.quota_file(root), MAX_FILE) {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(decode)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) if error.errno().is_none() && !error.is_simulated_crash() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The limits that the file repeats: all that is left of them when the mailboxes database is lost.
pub(crate) fn read_limits(disk: &dyn Disk, layout: &Layout, root: &MailboxName) -> Option<QuotaLimits> {
    let bytes = disk.read(&layout.quota_file(root), MAX_FILE).ok()?;
    decode_limits(std::str::from_utf8(&bytes).ok()?)
}

/// Replaces the file. It is not synced: after a crash nobody believes it.
pub(crate) fn write(disk: &dyn Disk, layout: &Layout, usage: &QuotaUsage) -> Result<()> {
    let path = layout.quota_file(&usage.root);
    let temporary = temporary_path(&path);
    let file = match disk.create_new(&temporary) {
        Err(error) if error.is_not_found() => {
            disk.create_dir_all(disk::parent(&path))?;
            disk.create_new(&temporary)?
        }
        created => created?,
    };
    let placed = disk
        .write_at(&file, encode(usage.used, usage.limits).as_bytes(), 0)
        .and_then(|()| disk.rename(&temporary, &path));
    if placed.is_err() {
        // Left behind, it is recognised by its name at the next start.
        let _ = disk.unlink(&temporary);
    }
    Ok(placed?)
}

/// Makes the files of these roots durable. Directories come after all files, each once: after an unclean stop every root
/// that was needed has a new file.
pub(crate) fn sync_all(disk: &dyn Disk, layout: &Layout, roots: &[&MailboxName]) -> Result<()> {
    let paths: Vec<_> = roots.iter().map(|root| layout.quota_file(root)).collect();
    let sync = |paths: &[PathBuf]| -> Result<()> {
        for path in paths {
            match disk.open_read(path) {
                Ok(file) => disk.sync_data(&file)?,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    };
    if paths.len() < WORTH_THREADS {
        sync(&paths)?;
    } else {
        std::thread::scope(|scope| {
            let parts = paths.chunks(paths.len().div_ceil(SYNCERS));
            let sync = &sync;
            let begin =
                |part| match Builder::new().name("quota-sync".to_owned()).spawn_scoped(scope, move || sync(part)) {
                    Ok(thread) => Syncing::There(thread),
                    // No thread is to be had.
                    Err(_) => Syncing::Here(sync(part)),
                };
            let syncers: Vec<_> = parts.map(begin).collect();
            let ended = syncers.into_iter().map(|syncer| match syncer {
                Syncing::There(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                Syncing::Here(result) => result,
            });
            ended.fold(Ok(()), Result::and)
        })?;
    }
    let directories: BTreeSet<_> = paths.iter().map(|path| disk::parent(path)).collect();
    directories.iter().try_for_each(|directory| match disk.sync_dir(directory) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    })
}

/// A part of the files on its way to the disk.
enum Syncing<'scope> {
    There(ScopedJoinHandle<'scope, Result<()>>),
    Here(Result<()>),
}

/// Removes the file of a root that exists no more.
pub(crate) fn remove(disk: &dyn Disk, layout: &Layout, root: &MailboxName) -> Result<()> {
    match disk.unlink(&layout.quota_file(root)) {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Removes the file durably: one that a power cut brought back after an orderly stop would be believed.
pub(crate) fn forget(disk: &dyn Disk, layout: &Layout, root: &MailboxName) -> Result<()> {
    let path = layout.quota_file(root);
    match disk.unlink(&path) {
        Err(error) if error.is_not_found() => Ok(()),
        removed => Ok(removed.and_then(|()| disk.sync_dir(disk::parent(&path)))?),
    }
}

fn encode(used: QuotaUsed, limits: QuotaLimits) -> String {
    let limit = |limit: Option<u64>| limit.map_or_else(|| "-1".to_owned(), |limit| limit.to_string());
    format!("{}\n{}\nM {} {}\n", used.bytes, limit(limits.storage_kib), used.messages, limit(limits.messages))
}

/// Without the third line the number of messages is not known, so the file does not say what is used.
fn decode(text: &str) -> Option<QuotaUsed> {
    let mut lines = text.lines();
    let bytes = lines.next()?.trim().parse().ok()?;
    lines.next()?;
    let messages = lines.next()?.strip_prefix("M ")?.split(' ').next()?.parse().ok()?;
    Some(QuotaUsed { bytes, messages })
}

fn decode_limits(text: &str) -> Option<QuotaLimits> {
    let limit = |text: &str| match text.trim() {
        "-1" => Some(None),
        number => number.parse().ok().map(Some),
    };
    let mut lines = text.lines().skip(1);
    let storage_kib = limit(lines.next()?)?;
    let messages = lines.next().and_then(|line| limit(line.strip_prefix("M ")?.split(' ').nth(1)?)).flatten();
    Some(QuotaLimits { storage_kib, messages })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use durable::disk::{Fault, FaultyDisk, Op, RealDisk};
    use rustix::io::Errno;

    use super::*;

    #[test]
    fn write_read_remove() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("s"));
        let root = MailboxName::parse("user/joe").unwrap();
        assert_eq!(read(&RealDisk, &layout, &root).unwrap(), None);
        for (storage_kib, messages, expected) in
            [(Some(10240), None, "2048\n10240\nM 3 -1\n"), (None, Some(7), "2048\n-1\nM 3 7\n")]
        {
            let used = QuotaUsed { bytes: 2048, messages: 3 };
            let limits = QuotaLimits { storage_kib, messages };
            write(&RealDisk, &layout, &QuotaUsage { root: root.clone(), used, limits }).unwrap();
            sync_all(&RealDisk, &layout, &[&root]).unwrap();
            assert_eq!(fs::read_to_string(dir.path().join("quota/j/user.joe")).unwrap(), expected);
            assert_eq!(read(&RealDisk, &layout, &root).unwrap(), Some(used));
            assert_eq!(read_limits(&RealDisk, &layout, &root), Some(limits));
        }
        remove(&RealDisk, &layout, &root).unwrap();
        assert_eq!(read(&RealDisk, &layout, &root).unwrap(), None);
        remove(&RealDisk, &layout, &root).unwrap();
    }

    #[test]
    fn many_files_are_synced_side_by_side() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path(), dir.path().join("s"));
        let roots: Vec<_> = (0..100).map(|n| MailboxName::parse(&format!("user/{n}")).unwrap()).collect();
        for root in &roots[1..] {
            let (used, limits) = (QuotaUsed::default(), QuotaLimits::default());
            write(&RealDisk, &layout, &QuotaUsage { root: root.clone(), used, limits }).unwrap();
        }
        let roots: Vec<_> = roots.iter().collect();
        let disk = FaultyDisk::new(Arc::new(RealDisk));
        sync_all(&disk, &layout, &roots).unwrap();
        let files: BTreeSet<_> =
            disk.trace().into_iter().filter(|traced| traced.op == Op::Sync).map(|traced| traced.path).collect();
        assert_eq!(files.len(), 99, "the one that is missing is not missed");
        disk.set_fault(Some(Fault::Fail { at: disk.changes() + 50, errno: Errno::IO, lasting: false }));
        assert!(sync_all(&disk, &layout, &roots).is_err(), "whichever of them fails");
    }

    #[test]
    fn what_is_not_a_quota_file() {
        for bad in ["", "\n", "12", "12\n10", "x\n10\nM 1 -1\n", "-5\n10\nM 1 -1\n", "12\n10\nM x 1\n"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        let old = QuotaLimits { storage_kib: Some(10240), messages: None };
        assert_eq!((decode("12\n10240\n"), decode_limits("12\n10240\n")), (None, Some(old)), "Cyrus 2");
        assert_eq!(decode("1\n10240\nM 2 -1\n"), Some(QuotaUsed { bytes: 1, messages: 2 }));
    }
}
