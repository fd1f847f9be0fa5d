//! Replies on their way out: a queue of byte strings, written with vectored writes, empty of memory when idle.

mod file;

use std::collections::VecDeque;
use std::fmt;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::limits;
use crate::sessions::Row;
use crate::stream::Stream;
use crate::trace::Tap;

pub(crate) use file::{WINDOW_TO_ENCRYPT, read_window, send_file};

/// Why a peer could not be written to. In each case the connection is of no more use.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The peer took nothing for the time allowed.
    #[error("peer stopped reading")]
    Stalled,
    /// The connection broke.
    #[error("write failed: {0}")]
    Io(#[from] std::io::Error),
    /// A file whose length was promised to the peer ended early or could not be read; to go on would be to send
    /// something else in its place.
    #[error("file ended {missing} octets early or cannot be read: {problem}")]
    File {
        /// Octets promised and not sent.
        missing: u64,
        /// What reading it said.
        problem: std::io::Error,
    },
    /// An administrator has ended the session while the peer was not reading.
    #[error("ended by the administrator: {0}")]
    Ended(Arc<str>),
}

/// Below this a byte string is copied behind its neighbours instead of being queued as a slice of its own: 256 octets
/// cost less to copy than an iovec and a reference count cost to carry.
const COPY_BELOW: usize = 256;
/// Slices of one vectored write: 64, which is one system call for a screenful of FETCH replies.
const SLICES: usize = 64;

/// Octets waiting to be written. Filling it never blocks; the session asks [`Output::is_full`] (or calls
/// [`crate::Connection::relieve`]) between replies.
#[derive(Debug, Default)]
pub struct Output {
    /// Byte strings to write, in order.
    chunks: VecDeque<Bytes>,
    /// Small pieces being gathered behind them.
    tail: BytesMut,
    len: usize,
    /// The stream has taken octets that it may still hold: TLS says that it has written what it has only encrypted.
    unflushed: bool,
    /// The session's row, through which it may be traced.
    row: Option<Arc<Row>>,
}

impl Output {
    /// Copies octets in.
    pub fn put(&mut self, data: impl AsRef<[u8]>) {
        let data = data.as_ref();
        self.tail.extend_from_slice(data);
        self.len += data.len();
    }

    /// Queues octets without copying them (unless they are few).
    pub fn put_bytes(&mut self, data: Bytes) {
        if data.len() < COPY_BELOW {
            return self.put(data);
        }
        self.len += data.len();
        self.seal();
        self.chunks.push_back(data);
    }

    /// Formats into the queue: `write!(output, "* {n} EXISTS\r\n")`, without a result to check.
    pub fn write_fmt(&mut self, text: fmt::Arguments<'_>) {
        if let Some(text) = text.as_str() {
            return self.put(text);
        }
        let before = self.tail.len();
        // A BytesMut grows as needed, and our own Display implementations do not fail.
        let _ = fmt::Write::write_fmt(&mut self.tail, text);
        self.len += self.tail.len() - before;
    }

    /// Octets waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether so much waits ([`limits::OUTPUT_HIGH_WATER`]) that the session should write before it produces more.
    pub fn is_full(&self) -> bool {
        self.len >= limits::OUTPUT_HIGH_WATER
    }

    /// Writes all that waits and gives the memory back. Stopping half-way (a dropped future) loses and repeats nothing.
    ///
    /// # Errors
    /// [`WriteError::Stalled`] when the peer takes no octet for `stalled`; [`WriteError::Io`].
    pub async fn flush<W>(&mut self, to: &mut W, stalled: Duration) -> Result<(), WriteError>
    where
        W: AsyncWrite + Unpin,
    {
        if !self.needs_flush() {
            return Ok(());
        }
        self.seal();
        self.unflushed = true;
        while self.len > 0 {
            let write = std::future::poll_fn(|cx| {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let used = self.slices(&mut slices);
                Pin::new(&mut *to).poll_write_vectored(cx, &slices[..used])
            });
            let written = in_time(stalled, write).await?;
            if written == 0 {
                return Err(WriteError::Io(std::io::ErrorKind::WriteZero.into()));
            }
            if let Some(tap) = self.tap() {
                self.tell(tap, written);
            }
            self.advance(written);
        }
        (self.chunks, self.tail) = Default::default();
        in_time(stalled, to.flush()).await?;
        self.unflushed = false;
        Ok(())
    }

    /// Encrypts what waits, as far as `to` has room for it, so that it is sent together with what ends the stream.
    pub(crate) fn encrypt(&mut self, to: &mut Stream) {
        self.seal();
        while let Some(first) = self.chunks.front() {
            let taken = to.encrypt(first);
            if taken == 0 {
                return;
            }
            if let Some(tap) = self.tap() {
                self.tell(tap, taken);
            }
            self.advance(taken);
        }
    }

    /// What is sent is the session's with this row.
    pub(crate) fn tapped_by(&mut self, row: Arc<Row>) {
        self.row = Some(row);
    }

    /// What listens to what is sent, if somebody does.
    pub(crate) fn tap(&self) -> Option<&Tap> {
        self.row.as_ref().and_then(|row| row.tap())
    }

    /// Tells whoever traces the session that the first `written` octets were sent.
    fn tell(&self, tap: &Tap, mut written: usize) {
        for chunk in &self.chunks {
            let part = written.min(chunk.len());
            if part == 0 {
                break;
            }
            tap.said(&chunk[..part]);
            written -= part;
        }
    }

    /// Whether anything waits, here or in the stream.
    pub(crate) fn needs_flush(&self) -> bool {
        self.len > 0 || self.unflushed
    }

    /// All that waits, for tests of what fills the queue.
    #[cfg(test)]
    pub(crate) fn taken(mut self) -> Vec<u8> {
        self.seal();
        self.chunks.into_iter().flatten().collect()
    }

    /// Moves the small pieces to the end of the queue.
    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.chunks.push_back(self.tail.split().freeze());
        }
    }

    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut used = 0;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
            used += 1;
        }
        used
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(first) = self.chunks.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.chunks.pop_front();
        }
    }
}

/// Waits for `write` to get somewhere, but not for longer than `stalled`.
async fn in_time<T>(stalled: Duration, write: impl Future<Output = std::io::Result<T>>) -> Result<T, WriteError> {
    match tokio::time::timeout(stalled, write).await {
        Ok(result) => Ok(result?),
        Err(_) => Err(WriteError::Stalled),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn order_is_kept_and_memory_given_back() {
        let mut output = Output::default();
        let long = Bytes::from(vec![b'x'; 1000]);
        output.put("a");
        write!(output, "{}-{}", 1, 2);
        output.put_bytes(long.clone());
        output.put_bytes(Bytes::from_static(b"short"));
        output.put_bytes(long.clone());
        write!(output, "end");
        assert_eq!(output.len(), 1 + 3 + 1000 + 5 + 1000 + 3);

        // A pipe of 7 octets: every write is short.
        let (mut ours, mut theirs) = tokio::io::duplex(7);
        let reader = tokio::spawn(async move {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.unwrap();
            all
        });
        output.flush(&mut ours, SOON).await.unwrap();
        assert!(output.is_empty() && output.chunks.capacity() == 0 && output.tail.capacity() == 0);
        drop(ours);
        let expected = [b"a1-2", &long[..], b"short", &long[..], b"end"].concat();
        assert_eq!(reader.await.unwrap(), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn stalled_peer_is_given_up() {
        let (mut ours, _theirs) = tokio::io::duplex(7);
        let mut output = Output::default();
        output.put("0123456789");
        assert!(matches!(output.flush(&mut ours, SOON).await, Err(WriteError::Stalled)));
    }

    #[tokio::test]
    async fn dropped_flush_loses_nothing() {
        let (mut ours, mut theirs) = tokio::io::duplex(4);
        let mut output = Output::default();
        output.put("0123456789");
        tokio::select! {
            biased;
            _ = output.flush(&mut ours, SOON) => panic!("nobody reads"),
            () = std::future::ready(()) => {}
        }
        output.put("abc");
        let mut all = [0; 13];
        let (written, read) = tokio::join!(output.flush(&mut ours, SOON), theirs.read_exact(&mut all));
        written.unwrap();
        read.unwrap();
        assert_eq!(&all, b"0123456789abc");
    }

    /// As TLS does it, which calls written what it has only encrypted.
    #[tokio::test]
    async fn what_the_stream_holds_back_is_flushed_later() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let mut ours = tokio::io::BufWriter::new(ours);
        let mut output = Output::default();
        output.put("0123456789");
        tokio::select! {
            biased;
            _ = output.flush(&mut ours, SOON) => panic!("nobody reads"),
            () = std::future::ready(()) => {}
        }
        assert!(output.is_empty() && output.needs_flush());
        let mut all = [0; 10];
        let (written, read) = tokio::join!(output.flush(&mut ours, SOON), theirs.read_exact(&mut all));
        written.unwrap();
        read.unwrap();
        assert_eq!(&all, b"0123456789");
        assert!(!output.needs_flush());
    }

    #[test]
    fn high_water() {
        let mut output = Output::default();
        output.put(vec![0; limits::OUTPUT_HIGH_WATER - 1]);
        assert!(!output.is_full());
        output.put("x");
        assert!(output.is_full());
    }
}
