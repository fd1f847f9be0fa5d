//! A message on its way from the connection to the stage.

use std::sync::Arc;

use bytes::Bytes;
use mailstore::{Mailbox, StageWriter, Timestamp};
use wire::framing::Literal;

use crate::context::Context;
use crate::outcome::CommandError;
use crate::reply::Code;

/// Receives the announced literal; it is neither analysed nor durable yet. Nothing of it is asked for if it cannot be taken.
pub(super) async fn receive(
    context: &mut Context,
    mailbox: &Arc<Mailbox>,
    date: Option<Timestamp>,
    literal: Literal,
) -> Result<StageWriter, CommandError> {
    let limit = context.server.options.message_size;
    if literal.len > limit {
        return Err(CommandError::refused(Code::TooBig, format!("Messages may have {limit} octets")));
    }
    // RFC 3502, 6.3.11: a client calls an APPEND off with an empty literal.
    if literal.len == 0 {
        return Err(CommandError::Refused(None, "An empty message is not stored".into()));
    }
    context.connection.set_aside(literal.len.min(StageWriter::IN_MEMORY))?;
    let store = &context.server.store;
    // Makes no file yet.
    let mut stage = store.stage(&store.partition_of(&mailbox.name()))?;
    if let Some(date) = date {
        stage.set_internal_date(date);
    }
    let mut holds_nul = false;
    while let Some(piece) = context.connection.read_literal_piece().await? {
        holds_nul |= memchr::memchr(0, &piece).is_some();
        stage = write(context, stage, piece).await?;
    }
    // RFC 9051, 4.3: only a literal8 may. Said once the literal is over, because the client is sending it anyway.
    if holds_nul && !literal.binary {
        return Err(CommandError::bad("NUL in a message needs a literal8"));
    }
    Ok(stage)
}

/// Adds a piece: in memory at once, to the disk on a thread that may block.
async fn write(context: &Context, mut stage: StageWriter, piece: Bytes) -> Result<StageWriter, CommandError> {
    if !stage.would_spill(piece.len()) {
        stage.write(&piece)?;
        return Ok(stage);
    }
    let write = move |_: &_| {
        stage.write(&piece)?;
        Ok::<_, mailstore::Error>(stage)
    };
    context.blocking(write).await
}
