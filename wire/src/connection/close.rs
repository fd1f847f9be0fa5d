//! The end of a connection, so that its last words arrive.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout, timeout_at};

use super::Connection;
use super::read::SCRATCH;
use crate::limits;
use crate::output::WriteError;

impl Connection {
    /// To be called before closing where what the peer is sending will not be read to its end: a message that is refused
    /// half-way. [`Connection::close`] sees by itself what has come already.
    pub fn leave_unread(&mut self) {
        self.unread = true;
    }

    /// Sends what waits and says goodbye on the TLS layer. Errors mean that the peer is gone already.
    ///
    /// A system answers octets that nobody reads with a reset, and the reset takes along what the peer has not read yet: the
    /// reason why we close. So a peer that is still sending is heard out for a while, for nothing.
    pub async fn close(mut self) {
        self.output.encrypt(&mut self.stream);
        let say = async {
            self.flush().await?;
            self.stream.shutdown().await.map_err(WriteError::Io)
        };
        // A peer that does not read must not hold us: it gets a moment, not the five minutes of a working session.
        if let Ok(Ok(())) = timeout(limits::TLS_HANDSHAKE, say).await {
            self.hear_out().await;
        }
    }

    /// Reads for nothing until the peer closes too, or is silent, or has been heard for long enough. A peer that has sent
    /// nothing which was not read is not waited for.
    async fn hear_out(&mut self) {
        let unread = self.unread || self.has_input();
        self.input = BytesMut::new();
        self.settle();
        // A task that has done much in one go would be told that there is nothing.
        if !unread && !unconstrained(self.read_for_nothing(false)).await {
            return;
        }
        let until = Instant::now() + limits::HEARD_OUT;
        while Instant::now() < until {
            let silence = until.min(Instant::now() + limits::HEARD_OUT_SILENCE);
            let Ok(true) = timeout_at(silence, self.read_for_nothing(true)).await else { return };
        }
    }

    /// Whether there was something to read; waits for it if asked to.
    async fn read_for_nothing(&mut self, wait: bool) -> bool {
        let stream = &mut self.stream;
        std::future::poll_fn(|cx| {
            let mut scratch = [const { MaybeUninit::uninit() }; SCRATCH];
            let mut scratch = ReadBuf::uninit(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut scratch) {
                Poll::Pending if wait => Poll::Pending,
                Poll::Ready(Ok(())) => Poll::Ready(!scratch.filled().is_empty()),
                Poll::Pending | Poll::Ready(Err(_)) => Poll::Ready(false),
            }
        })
        .await
    }
}
