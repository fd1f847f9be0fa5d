//! ENABLE (RFC 5161; RFC 9051, 6.3.1): `a ENABLE IMAP4rev2 QRESYNC` switches on what changes the server's replies.

use crate::context::{Context, Enabled};
use crate::outcome::{Done, Outcome};
use crate::reply;
use crate::session::Session;
use crate::types::Atom;

pub(crate) async fn run(context: &mut Context, session: &mut Session, capabilities: Vec<Atom>) -> Outcome {
    let before = context.enabled;
    let mut now = before;
    for capability in &capabilities {
        now = with(now, capability);
    }
    if now.condstore {
        context.enable_condstore(session.selected());
    }
    context.enabled = now;
    let switched = [
        ("CONDSTORE", now.condstore && !before.condstore),
        ("QRESYNC", now.qresync && !before.qresync),
        ("IMAP4rev2", now.rev2 && !before.rev2),
    ];
    let names = switched.iter().filter(|(_, on)| *on).map(|(name, _)| *name);
    context.send(|out| reply::enabled(out, names));
    Ok(Done::ok("ENABLE completed"))
}

/// RFC 5161, 3.1: what is not known, or cannot be enabled, is passed over. RFC 7162, 3.2.3: QRESYNC implies CONDSTORE.
fn with(enabled: Enabled, capability: &Atom) -> Enabled {
    match () {
        () if capability.is("CONDSTORE") => Enabled { condstore: true, ..enabled },
        () if capability.is("QRESYNC") => Enabled { condstore: true, qresync: true, ..enabled },
        () if capability.is("IMAP4rev2") => Enabled { rev2: true, ..enabled },
        () => enabled,
    }
}
