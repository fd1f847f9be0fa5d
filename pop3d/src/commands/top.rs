//! TOP (RFC 1939, 7): `TOP 1 10` is answered with the header, the empty line behind it, and ten lines of the body.

use wire::framing::DotStuffer;

use crate::ahead::Body;
use crate::commands::{number, readable, retr};
use crate::context::Context;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply;
use crate::session::Transaction;
use crate::syntax::{self, Line};

pub(crate) async fn run(context: &mut Context, state: &mut Transaction, line: &Line<'_>) -> Outcome {
    let [first, second] = line.words()[..] else {
        return Err(Refused::bad("A message number and a number of lines belong here"));
    };
    let (number, lines) = (number(first)?, syntax::lines(second).ok_or_else(|| Refused::bad("Not a number of lines"))?);
    let record = readable(&state.maildrop, number)?;
    let body = retr::body(context, state, number).await?;
    retr::check_utf8(context, &body, record.header_size).await?;
    reply::ok(context.connection.output(), "The top of it:");
    let mut stuffer = DotStuffer::default();
    match body {
        Body::Whole(mut text) => {
            let output = context.connection.output();
            stuffer.put(text.split_to(text.len().min(record.header_size as usize)), output);
            stuffer.limit(lines);
            stuffer.put(text, output);
        }
        Body::File(file, size) => {
            let header = u64::from(record.header_size).min(size);
            context.connection.write_stuffed(&mut stuffer, file.as_file(), 0, header).await?;
            stuffer.limit(lines);
            context.connection.write_stuffed(&mut stuffer, file.as_file(), header, size - header).await?;
        }
    }
    stuffer.finish(context.connection.output());
    context.connection.relieve().await?;
    Ok(Done::Said)
}
