//! UIDL (RFC 1939, 7): `UIDL 2` is answered `+OK 2 1700000000.17`, `UIDL` with a line for each message.

use crate::commands::list::BATCH;
use crate::commands::one_message;
use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply::{self, END};
use crate::session::Transaction;
use crate::syntax::Line;

pub(crate) async fn run(context: &mut Context, state: &Transaction, line: &Line<'_>) -> Outcome {
    let server = std::sync::Arc::clone(&context.server);
    let (format, validity) = (&server.options.uidl, state.maildrop.validity);
    if let Some(number) = one_message(line)? {
        let message = state.maildrop.message(number)?;
        return Done::ok(format!("{number} {}", format.id(message.uid.get(), validity)));
    }
    reply::ok(context.connection.output(), "Unique ids:");
    for (line, (number, message)) in (1..).zip(state.maildrop.from(1)) {
        let id = format.id(message.uid.get(), validity);
        write!(context.connection.output(), "{number} {id}\r\n");
        if line % BATCH == 0 {
            context.connection.relieve().await?;
        }
    }
    context.connection.output().put(END);
    Ok(Done::Said)
}
