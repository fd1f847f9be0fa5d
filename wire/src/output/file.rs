//! Part of a file as a reply: sendfile where there is no TLS, and never a wait for the disk on a reactor thread.

use std::fs::File;
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use bytes::Bytes;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::io::Interest;

use super::{Output, WriteError, in_time};
use crate::stream::{Plain, Stream};

/// Up to this a file is read into the queue and leaves in one write with the reply around it: 32 KiB, most messages.
const GATHER_BELOW: u64 = 32 * 1024;
/// Octets read, or looked for in the page cache, at a time: 256 KiB, one readahead window of a spinning disk.
const WINDOW: u64 = 256 * 1024;
/// The same where they are encrypted on the way, 64 KiB: what is read, and what comes of it, stay in the processor's cache.
pub(crate) const WINDOW_TO_ENCRYPT: u64 = 64 * 1024;

/// Sends the octets of `file` in `range` (offset and length), behind what waits in `output`; `most` of them in memory at a
/// time, if that is less than usual.
pub(crate) async fn send_file(
    output: &mut Output,
    stream: &mut Stream,
    file: &File,
    (offset, len): (u64, u64),
    most: u64,
    stalled: Duration,
) -> Result<(), WriteError> {
    if len <= GATHER_BELOW.min(most) {
        let data = read_window(file, offset, len as usize).await.map_err(|problem| short(len, problem))?;
        output.put_bytes(data);
        return Ok(());
    }
    output.flush(stream, stalled).await?;
    let mut sent = 0;
    while sent < len {
        let window =
            if matches!(stream, Stream::Tls(_)) { WINDOW_TO_ENCRYPT } else { WINDOW }.min(most).min(len - sent);
        let at = offset + sent;
        let missing = |problem| short(len - sent, problem);
        match stream {
            Stream::Plain(socket @ (Plain::Tcp(_) | Plain::Unix(_))) if is_cached(file, at, window) => {
                send_window(socket, file, at, window, stalled).await?;
                if let Some(tap) = output.tap() {
                    tap.said_of_file(window);
                }
            }
            _ => {
                let data = read_window(file, at, window as usize).await.map_err(missing)?;
                output.put_bytes(data);
                output.flush(stream, stalled).await?;
            }
        }
        sent += window;
    }
    Ok(())
}

fn short(missing: u64, problem: io::Error) -> WriteError {
    WriteError::File { missing, problem }
}

/// Whether the first and last octet of a window can be read without waiting. Pages between them may be missing all the
/// same; the kernel reads ahead in order, so that is rare, and then costs one wait.
fn is_cached(file: &File, offset: u64, window: u64) -> bool {
    [offset, offset + window - 1].into_iter().all(|at| matches!(read_cached(file, &mut [0], at), Ok(1)))
}

/// Reads what is in the page cache and fails with `EAGAIN` (or whatever else) instead of waiting for the disk.
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    rustix::io::preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT)
}

/// Reads `len` octets; those not in the page cache on a thread that may wait.
pub(crate) async fn read_window(file: &File, offset: u64, len: usize) -> io::Result<Bytes> {
    let mut buffer = vec![0; len];
    let mut have = 0;
    while have < len {
        match read_cached(file, &mut buffer[have..], offset + have as u64) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => have += read,
            Err(Errno::INTR) => {}
            // Not cached, or a file system that cannot tell.
            Err(_) => {
                let file = file.try_clone()?;
                let cold = crate::work::blocking(move || {
                    file.read_exact_at(&mut buffer[have..], offset + have as u64).map(|()| buffer)
                });
                return Ok(Bytes::from(cold.await.map_err(io::Error::other)??));
            }
        }
    }
    Ok(Bytes::from(buffer))
}

/// Has the kernel copy a window from the page cache to the socket.
async fn send_window(socket: &Plain, file: &File, offset: u64, len: u64, stalled: Duration) -> Result<(), WriteError> {
    let end = offset + len;
    let mut at = offset;
    while at < end {
        let count = usize::try_from(end - at).unwrap_or(usize::MAX);
        let sent = match socket {
            Plain::Tcp(socket) => {
                in_time(stalled, socket.async_io(Interest::WRITABLE, || sendfile(socket, file, at, count))).await?
            }
            Plain::Unix(socket) => {
                in_time(stalled, socket.async_io(Interest::WRITABLE, || sendfile(socket, file, at, count))).await?
            }
            Plain::Memory(_) => return Err(WriteError::Io(ErrorKind::Unsupported.into())),
        };
        if sent == 0 {
            return Err(short(end - at, ErrorKind::UnexpectedEof.into()));
        }
        at += sent as u64;
    }
    Ok(())
}

fn sendfile(socket: impl AsFd, file: &File, mut at: u64, count: usize) -> io::Result<usize> {
    Ok(rustix::fs::sendfile(socket, file, Some(&mut at), count)?)
}
