//! Making durable what was committed, and closing a mailbox.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use durable::disk::{UnixTime, parent, temporary_path};

use crate::error::Result;
use crate::index::Header;
use crate::mailbox::Mailbox;
use crate::seen;

/// A directory that changed so recently could change again within the same tick of the file system's clock, and the
/// change would not show: then the mailbox is not marked as clean, and its next open looks at the files. A tick is one of
/// the kernel's timer, 10 ms at most...
const CLOCK_TICK: Duration = Duration::from_millis(50);
/// ... but for file systems that keep whole seconds, or two (ext4 with small inodes, FAT): nobody waits for those.
const COARSE_CLOCK_TICK: Duration = Duration::from_secs(2);

impl Mailbox {
    /// Makes index, cache and seen state durable.
    ///
    /// # Errors
    /// The disk's. A sync that failed is not tried again (the kernel may have dropped the pages): the mailbox is not
    /// marked as clean when it is closed, so that its next open checks it against the message files.
    pub fn sync(self: &Arc<Self>) -> Result<()> {
        // A repair may hold it for long; the next sync is as good, and others wait for this one.
        if self.sync_files()?
            && let Some(_one_at_a_time) = self.maintenance.try_lock()
        {
            self.compact_seen()?;
        }
        Ok(())
    }

    /// The same for those who hold `maintenance` already: taking it twice would wait for ever. Returns whether the seen
    /// file has grown so much that it should be replaced by its essence.
    pub(super) fn sync_files(self: &Arc<Self>) -> Result<bool> {
        // Whatever is committed from here on asks for another sync.
        self.dirty.store(false, Ordering::Release);
        let (files, bloated) = {
            let state = self.state.read();
            ([state.cache.file().clone(), state.index.file().clone(), state.seen_file.clone()], state.seen.is_bloated())
        };
        self.around.counters().mailbox_syncs.add(files.len() as u64);
        for file in &files {
            self.around.disk().sync_data(file).inspect_err(|_| self.state.write().damaged = true)?;
        }
        Ok(bloated)
    }

    /// Closes the mailbox cleanly: everything is durable, and its next open needs no look at the message files. The
    /// caller has seen to it that nobody uses the mailbox any more.
    ///
    /// # Errors
    /// The disk's; the mailbox is then opened like one that was not closed.
    pub(crate) fn close(self: &Arc<Self>) -> Result<()> {
        let _one_at_a_time = self.maintenance.lock();
        if self.sync_files()? {
            self.compact_seen()?;
        }
        let identity = self.identity();
        // Not the time of modification, which whoever puts files back sets back too.
        let changed = self.around.disk().metadata(&identity.dir)?.changed;
        let settled = settle(changed);
        let mut state = self.state.write();
        let damaged = state.damaged || self.damage_noted.load(Ordering::Acquire);
        if damaged || self.is_gone() || !settled || state.header.last_uid != state.assigned {
            return Ok(());
        }
        let header = Header { clean: Some((changed.secs, changed.nanos)), ..state.header.clone() };
        if header != state.header {
            state.index.write_header(&header)?;
            state.header = header;
            let file = state.index.file().clone();
            drop(state);
            self.around.disk().sync_data(&file)?;
        }
        Ok(())
    }

    /// Replaces the seen file by its essence. Lines that are appended meanwhile are carried over. While the files are being
    /// moved nothing is done: others wait for the same thread, and the next time is as good. Nor is anything done to a file
    /// that was put back from elsewhere.
    pub(super) fn compact_seen(self: &Arc<Self>) -> Result<()> {
        let Some(_stays) = self.place.try_read().filter(|_| !self.is_gone()) else { return Ok(()) };
        let disk = self.around.disk();
        let path = self.dir().join(seen::FILE);
        let open = self.state.read().seen_file.clone();
        if !self.is_in_place(seen::FILE, &open) {
            return Ok(());
        }
        let (essence, copied) = {
            let mut state = self.state.write();
            // Of expunged messages, too: they may be brought back.
            let mut known = state.live.clone();
            state.index.scan(state.header.records, |_, record| known.extend(record.map(|record| record.uid.get())))?;
            state.seen.retain(&known);
            (state.seen.encode(state.header.uid_validity), state.seen.len)
        };
        let temporary = temporary_path(&path);
        let file = disk.create_new(&temporary)?;
        let placed = disk.write_at(&file, &essence, 0).and_then(|()| disk.sync_data(&file)).and_then(|()| {
            let mut state = self.state.write();
            let mut tail = vec![0; (state.seen.len - copied) as usize];
            state.seen_file.read_exact_at(&mut tail, copied)?;
            disk.write_at(&file, &tail, essence.len() as u64)?;
            // It may have been put back while the essence was written.
            if !self.is_in_place(seen::FILE, &open) {
                return disk.unlink(&temporary);
            }
            disk.rename(&temporary, &path)?;
            state.seen.replaced((essence.len() + tail.len()) as u64);
            state.seen_file = file.clone();
            Ok(())
        });
        if let Err(error) = placed {
            // Left behind, it would only be garbage.
            let _ = disk.unlink(&temporary);
            return Err(error.into());
        }
        disk.sync_data(&file)?;
        Ok(disk.sync_dir(parent(&path))?)
    }
}

/// Waits until a change now would get another time than `modified`, and answers whether it would: not where the clock was
/// set back. Only a mailbox that was written to a moment ago waits, and of those that are closed together the first.
fn settle(modified: UnixTime) -> bool {
    let age = |modified: UnixTime| {
        let since = Duration::new(u64::try_from(modified.secs).ok()?, modified.nanos);
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.checked_sub(since)
    };
    if modified.nanos == 0 {
        return age(modified).is_some_and(|age| age >= COARSE_CLOCK_TICK);
    }
    if let Some(left) = age(modified).and_then(|age| CLOCK_TICK.checked_sub(age)) {
        std::thread::sleep(left);
    }
    age(modified).is_some_and(|age| age >= CLOCK_TICK)
}
