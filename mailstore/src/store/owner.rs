//! Who owns the store: an exclusive lock on `<config>/store.lock`, with the owner's host and process id inside for the
//! administrator. The kernel releases the lock when the process ends, however it ends.

use durable::disk::{Disk, DiskFile};

use crate::error::{Error, Result};
use crate::layout::Layout;

/// Longest note of an owner that is read.
const MAX_NOTE: u64 = 4096;

/// Takes the lock.
///
/// # Errors
/// [`Error::InUse`], which names the owner.
pub(super) fn take(disk: &dyn Disk, layout: &Layout) -> Result<DiskFile> {
    let path = layout.store_lock();
    let file = match disk.open_rw(&path) {
        Err(error) if error.is_not_found() => match disk.create_new(&path) {
            Err(error) if error.is_exists() => disk.open_rw(&path)?,
            made => made?,
        },
        opened => opened?,
    };
    if !file.try_lock()? {
        let note = file.read_all(MAX_NOTE).unwrap_or_default();
        let owner = String::from_utf8_lossy(&note).trim().replace('\n', ", ");
        return Err(Error::InUse(format!("{} (owner: {owner})", layout.config().display())));
    }
    let host = host_name();
    let note = format!("host {host}\npid {}\n", std::process::id());
    disk.set_len(&file, 0)?;
    disk.write_at(&file, note.as_bytes(), 0)?;
    Ok(file)
}

/// The host's name, as far as the kernel tells it.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "?".to_owned(), |name| name.trim().to_owned())
}
