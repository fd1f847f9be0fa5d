//! LIST (RFC 1939, 5): `LIST 2` is answered `+OK 2 200`, `LIST` with a line for each message.

use crate::commands::one_message;
use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply::{self, END};
use crate::session::Transaction;
use crate::syntax::Line;

/// Lines between two looks at how much the client has taken: some 4 KiB.
pub(crate) const BATCH: u32 = 256;

pub(crate) async fn run(context: &mut Context, state: &Transaction, line: &Line<'_>) -> Outcome {
    if let Some(number) = one_message(line)? {
        let message = state.maildrop.message(number)?;
        return Done::ok(format!("{number} {}", message.size));
    }
    let (count, octets) = state.maildrop.left();
    reply::ok(context.connection.output(), &format!("{count} messages ({octets} octets)"));
    for (line, (number, message)) in (1..).zip(state.maildrop.from(1)) {
        write!(context.connection.output(), "{number} {}\r\n", message.size);
        if line % BATCH == 0 {
            context.connection.relieve().await?;
        }
    }
    context.connection.output().put(END);
    Ok(Done::Said)
}
