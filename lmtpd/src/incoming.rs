//! A message on its way to the stage: through [`Intake`], within the size limit, off the reactor where it may block.
//!
//! Once refused, the rest of the message is counted and thrown away; the stage file is gone by then.

use bytes::Bytes;

use crate::deposit::{Deposit, Stage};
use crate::intake::Intake;
use crate::limits;
use crate::reply::Refusal;

/// A message being received.
pub(crate) struct Incoming<D: Deposit> {
    intake: Intake,
    stage: Result<D::Stage, Refusal>,
    /// Octets received, refused ones included.
    size: u64,
    limit: u64,
    /// Octets thrown away.
    discarded: u64,
    /// Filtered octets not yet written: what one piece became.
    filtered: Vec<Bytes>,
}

impl<D: Deposit> Incoming<D> {
    /// A new message of at most `limit` octets.
    pub(crate) fn new(stage: Result<D::Stage, mailstore::Error>, intake: Intake, limit: u64) -> Self {
        let stage = stage.map_err(|error| store_refusal("stage", &error));
        Self { intake, stage, size: 0, limit, discarded: 0, filtered: Vec::new() }
    }

    /// Takes octets of the message.
    pub(crate) async fn push(&mut self, piece: Bytes) {
        self.size = self.size.saturating_add(piece.len() as u64);
        if self.size > self.limit {
            self.refuse(Refusal::TooBig);
        }
        if self.stage.is_err() {
            self.discarded = self.discarded.saturating_add(piece.len() as u64);
            return;
        }
        let result = self.intake.push(piece, &mut self.filtered);
        self.write(result).await;
    }

    /// Refuses the message, if it was not refused before.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        if self.stage.is_ok() {
            self.stage = Err(refusal);
            self.filtered = Vec::new();
        }
    }

    /// Why the message is refused, if it is.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.stage.as_ref().err().copied()
    }

    /// Whether reading on only serves a client that is broken.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.discarded > limits::DISCARD
    }

    /// Octets received.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Ends the message: what was written, or why it is refused.
    pub(crate) async fn finish(mut self) -> Result<D::Stage, Refusal> {
        if self.stage.is_ok() {
            let result = self.intake.end(&mut self.filtered);
            self.write(result).await;
        }
        self.stage
    }

    async fn write(&mut self, result: Result<(), crate::reply::Defect>) {
        if let Err(defect) = result {
            return self.refuse(Refusal::BadMessage(defect));
        }
        let more = self.filtered.iter().map(Bytes::len).sum();
        let Ok(stage) = &mut self.stage else { return };
        if !stage.would_block(more) {
            if let Err(error) = write_all(stage, self.filtered.drain(..)) {
                self.refuse(store_refusal("stage", &error));
            }
            return;
        }
        // The stage moves to a blocking thread and back. If this future is dropped meanwhile, the thread drops it.
        let Ok(mut stage) = std::mem::replace(&mut self.stage, Err(Refusal::Store(mailstore::ErrorKind::Io))) else {
            return;
        };
        let pieces = std::mem::take(&mut self.filtered);
        let written = wire::work::blocking(move || {
            write_all(&mut stage, pieces.into_iter())?;
            Ok::<_, mailstore::Error>(stage)
        });
        self.stage = match written.await {
            Ok(Ok(stage)) => Ok(stage),
            Ok(Err(error)) => Err(store_refusal("stage", &error)),
            Err(panic) => {
                tracing::error!(event = "lmtp.stage.panicked", error = %panic);
                Err(Refusal::Store(mailstore::ErrorKind::Io))
            }
        };
    }
}

/// The refusal that a store's error amounts to. What is the system's fault is logged in full: the client is not told.
pub(crate) fn store_refusal(what: &'static str, error: &mailstore::Error) -> Refusal {
    let refusal = Refusal::Store(error.kind());
    if !matches!(error.kind(), mailstore::ErrorKind::OverQuota | mailstore::ErrorKind::TooBig) {
        tracing::error!(event = "lmtp.store.failed", what, error = %error);
    }
    refusal
}

fn write_all(stage: &mut impl Stage, pieces: impl Iterator<Item = Bytes>) -> Result<(), mailstore::Error> {
    for piece in pieces {
        stage.write(&piece)?;
    }
    Ok(())
}
