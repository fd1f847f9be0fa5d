//! Writing: queued replies, files, each within its deadline, and never more in memory than the peer is worth.

use std::fs::File;
use std::pin::pin;

use super::{Connection, ended};
use crate::framing::DotStuffer;
use crate::limits;
use crate::listen::Slot;
use crate::output::{self, WriteError};
use crate::stream::Stream;

/// Octets of a file that are read and stuffed at a time: 64 KiB, which stay in the processor's cache until they are sent.
const STUFFED_WINDOW: u64 = 64 * 1024;

impl Connection {
    /// Writes all that waits to be sent.
    ///
    /// # Errors
    /// [`WriteError`]; the session is over.
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        if !self.output.needs_flush() {
            return Ok(());
        }
        let waiting = self.output.len();
        let (login_by, holds) = (self.login_by, self.holds());
        let mut held = self.slot.as_mut().map(Slot::held);
        let flush = async {
            let flush = self.output.flush(&mut self.stream, self.times.output);
            match login_by {
                Some(login_by) => tokio::time::timeout_at(login_by, flush).await.unwrap_or(Err(WriteError::Stalled)),
                None => flush.await,
            }
        };
        let result = tokio::select! {
            // First, so that a goodbye still goes out to whoever reads.
            biased;
            // What the peer takes at once is not worth an entry.
            result = when_pending(flush, || held.iter_mut().for_each(|held| held.set(holds))) => result,
            reason = ended(self.entry.as_ref()) => Err(WriteError::Ended(reason)),
        };
        self.octets_out += (waiting - self.output.len()) as u64;
        self.show_octets();
        self.leave_if_stalled(&result);
        self.settle();
        result
    }

    /// A peer that has taken nothing for so long is not waited for again, not even with a goodbye: the socket goes, and with
    /// it what was not taken.
    fn leave_if_stalled(&mut self, result: &Result<(), WriteError>) {
        if matches!(result, Err(WriteError::Stalled)) {
            self.stream = Stream::Closed;
        }
    }

    /// Writes when much waits to be sent: what a session calls between the replies of a long command.
    ///
    /// # Errors
    /// As [`Connection::flush`].
    pub async fn relieve(&mut self) -> Result<(), WriteError> {
        let len = self.output.len();
        let full = self.output.is_full() || (len >= limits::OUTPUT_WHEN_TIGHT && self.is_tight());
        if full { self.flush().await } else { Ok(()) }
    }

    /// Sends `len` octets of a file from `offset`, behind what waits to be sent. Small files join the queue; large ones
    /// are written, with sendfile where there is no TLS, and never read on a reactor thread unless they are cached.
    ///
    /// # Errors
    /// [`WriteError`]; [`WriteError::File`] if the file is shorter than that.
    pub async fn write_file(&mut self, file: &File, offset: u64, len: u64) -> Result<(), WriteError> {
        let waiting = self.output.len() as u64;
        let stalled = self.times.output;
        let most = if self.is_tight() { limits::OUTPUT_WHEN_TIGHT as u64 } else { u64::MAX };
        // Without TLS the kernel sends what it has in its own cache.
        let window = if self.info.tls.is_some() { len.min(most).min(output::WINDOW_TO_ENCRYPT) } else { 0 };
        let holds = self.holds() + window;
        let mut held = self.slot.as_mut().map(Slot::held);
        let sent = output::send_file(&mut self.output, &mut self.stream, file, (offset, len), most, stalled);
        let result = tokio::select! {
            biased;
            result = when_pending(sent, || held.iter_mut().for_each(|held| held.set(holds))) => result,
            reason = ended(self.entry.as_ref()) => Err(WriteError::Ended(reason)),
        };
        self.leave_if_stalled(&result);
        self.settle();
        result?;
        self.octets_out += waiting + len - self.output.len() as u64;
        self.show_octets();
        Ok(())
    }

    /// Sends `len` octets of a file from `offset` through `stuffer`, as part of a multi-line response; stops early when the
    /// stuffer takes no more lines. The file is never read on a reactor thread unless it is cached.
    ///
    /// # Errors
    /// As [`Connection::write_file`].
    pub async fn write_stuffed(
        &mut self,
        stuffer: &mut DotStuffer,
        file: &File,
        offset: u64,
        len: u64,
    ) -> Result<(), WriteError> {
        let mut sent = 0;
        while sent < len && !stuffer.is_full() {
            let most = if self.is_tight() { limits::OUTPUT_WHEN_TIGHT as u64 } else { STUFFED_WINDOW };
            let window = most.min(len - sent);
            let read = output::read_window(file, offset + sent, window as usize).await;
            let data = read.map_err(|problem| WriteError::File { missing: len - sent, problem })?;
            stuffer.put(data, &mut self.output);
            self.relieve().await?;
            sent += window;
        }
        Ok(())
    }
}

/// Runs `future`, and `wait` whenever it has to wait.
async fn when_pending<F: Future>(future: F, mut wait: impl FnMut()) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        if polled.is_pending() {
            wait();
        }
        polled
    })
    .await
}
