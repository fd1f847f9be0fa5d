//! CAPABILITY (RFC 9051, 6.1.1): `a CAPABILITY` is answered with what the server can do in this state.

use std::borrow::Cow;

use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply;
use crate::session::Session;

/// What is offered in every state. CONDSTORE and those that depend on login follow in [`list`].
const ALWAYS: &[&str] = &["IMAP4rev2", "IMAP4rev1", "LITERAL+", "SASL-IR", "ID", "ENABLE"];

/// What needs a login. A stranger is not told: it is no use to him, and the greeting stays short.
const LOGGED_IN: &[&str] = &[
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "LIST-MYRIGHTS",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "MULTIAPPEND",
    "BINARY",
    "ESEARCH",
    "SEARCHRES",
    "WITHIN",
    "CONDSTORE",
    "QRESYNC",
    "STATUS=SIZE",
    "ACL",
    "RIGHTS=texkn",
    "QUOTA",
    "QUOTASET",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
];

pub(crate) async fn run(context: &mut Context, session: &mut Session) -> Outcome {
    let capabilities = list(context, session.account().is_some());
    context.send(|out| reply::capability(out, capabilities.iter().map(AsRef::as_ref)));
    Ok(Done::ok("CAPABILITY completed"))
}

/// The capabilities before or after login.
pub(crate) fn list(context: &Context, logged_in: bool) -> Vec<Cow<'static, str>> {
    let mut list: Vec<Cow<'static, str>> = ALWAYS.iter().copied().map(Cow::from).collect();
    if logged_in {
        list.extend(LOGGED_IN.iter().copied().map(Cow::from));
        list.push(format!("APPENDLIMIT={}", context.server.options.message_size).into());
        return list;
    }
    if context.server.tls.is_some() && context.connection.info().tls.is_none() {
        list.push("STARTTLS".into());
    }
    if context.may_log_in() {
        let offer = context.server.door.offer(&context.connection);
        list.extend(offer.names().iter().map(|mechanism| format!("AUTH={mechanism}").into()));
    } else {
        list.push("LOGINDISABLED".into());
    }
    list
}
