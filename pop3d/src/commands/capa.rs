//! CAPA (RFC 2449, 5): what the server can do, in this state.

use crate::commands::no_arguments;
use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply::{self, END};
use crate::syntax::Line;

pub(crate) async fn run(context: &mut Context, before_login: bool, line: &Line<'_>) -> Outcome {
    no_arguments(line)?;
    let lines = capabilities(context, before_login);
    let output = context.connection.output();
    reply::ok(output, "Capabilities:");
    for line in lines {
        write!(output, "{line}\r\n");
    }
    output.put(END);
    Ok(Done::Said)
}

/// The lines. RFC 2449, 5: those that concern logging in may be left out afterwards; clients cope better with a list that
/// stays the same, so only what has become impossible goes.
fn capabilities(context: &Context, before_login: bool) -> Vec<String> {
    let options = &context.server.options;
    let mut lines: Vec<String> =
        ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING"].map(str::to_owned).into();
    if context.may_log_in() {
        lines.push("USER".into());
        let offer = context.server.door.offer(&context.connection);
        lines.push(format!("SASL {}", offer.names().join(" ")));
    }
    if before_login && context.offers_tls() {
        lines.push("STLS".into());
    }
    lines.push(match options.expire_days {
        Some(days) => format!("EXPIRE {days}"),
        None => "EXPIRE NEVER".into(),
    });
    if !options.login_delay.is_zero() {
        lines.push(format!("LOGIN-DELAY {}", options.login_delay.as_secs()));
    }
    // Names and passwords are UTF-8 with and without the command (RFC 6856, 2.1).
    lines.push("UTF8 USER".into());
    lines.push("LANG".into());
    lines.push(format!("IMPLEMENTATION Angarium {}", options.version).trim_end().to_owned());
    lines
}
