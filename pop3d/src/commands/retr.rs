//! RETR (RFC 1939, 5): `RETR 1` is answered `+OK 120 octets` and the message.

use mailstore::disk::DiskFile;
use wire::framing::DotStuffer;

use crate::ahead::{self, Body};
use crate::commands::{one_message, readable};
use crate::context::Context;
use crate::maildrop::Message;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply::{self, Code};
use crate::session::Transaction;
use crate::syntax::{Line, MessageNumber};

pub(crate) async fn run(context: &mut Context, state: &mut Transaction, line: &Line<'_>) -> Outcome {
    let number = one_message(line)?.ok_or_else(|| Refused::bad("A message number belongs here"))?;
    let record = readable(&state.maildrop, number)?;
    let body = body(context, state, number).await?;
    check_utf8(context, &body, record.header_size).await?;
    reply::ok(context.connection.output(), &format!("{} octets", record.size));
    let mut stuffer = DotStuffer::default();
    match body {
        Body::Whole(text) => stuffer.put(text, context.connection.output()),
        Body::File(file, size) => {
            context.connection.write_stuffed(&mut stuffer, file.as_file(), 0, size).await?;
        }
    }
    stuffer.finish(context.connection.output());
    context.connection.relieve().await?;
    state.maildrop.note_retrieved(record.uid);
    Ok(Done::Said)
}

/// A message, from what was read ahead or from the disk.
pub(crate) async fn body(
    context: &mut Context,
    state: &mut Transaction,
    number: MessageNumber,
) -> Result<Body, Refused> {
    let body = match state.ahead.take(number.get()) {
        Some(body) => body,
        None => {
            let reach = state.ahead.reach(number.get());
            let reach = if context.connection.is_tight() { 1 } else { reach };
            let wanted: Vec<(u32, Message)> = state.maildrop.from(number.get()).take(reach).collect();
            let mailbox = std::sync::Arc::clone(&state.maildrop.mailbox);
            let bodies = context.blocking(move |_| Ok(ahead::read(&mailbox, &wanted))).await?;
            state.ahead.fill(bodies);
            let body = state.ahead.take(number.get()).ok_or_else(Refused::gone)?;
            if context.connection.set_aside(state.ahead.octets()).is_err() {
                state.ahead.clear();
            }
            body
        }
    };
    if state.ahead.is_empty() {
        context.connection.release();
    }
    Ok(body?)
}

/// RFC 6856, 5: a message with UTF-8 in its header, for a client that has not said UTF8, where the site wants that refused.
pub(crate) async fn check_utf8(context: &Context, body: &Body, header_size: u32) -> Result<(), Refused> {
    if context.utf8 || !context.server.options.refuse_utf8 {
        return Ok(());
    }
    let length = header_size as usize;
    let is_ascii = match body {
        Body::Whole(text) => text[..text.len().min(length)].is_ascii(),
        Body::File(file, _) => {
            let file = file.clone();
            context.blocking(move |_| header_is_ascii(&file, length).map_err(Refused::Server)).await?
        }
    };
    if is_ascii { Ok(()) } else { Err(Refused::with(Code::Utf8, "That message needs a session with UTF8")) }
}

/// Reads a header piece by piece: it may be as long as the message.
fn header_is_ascii(file: &DiskFile, length: usize) -> Result<bool, mailstore::Error> {
    let mut piece = [0; 16 * 1024];
    let mut at = 0;
    while at < length {
        let wanted = piece.len().min(length - at);
        let read = file.read_at(&mut piece[..wanted], at as u64)?;
        if read == 0 {
            break;
        }
        if !piece[..read].is_ascii() {
            return Ok(false);
        }
        at += read;
    }
    Ok(true)
}
