//! NAMESPACE (RFC 2342; RFC 9051, 6.3.10): `a NAMESPACE` is answered with `* NAMESPACE (("" "/")) (("Other Users/" "/"))
//! (("Shared Folders/" "/"))`.

use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply;
use crate::session::Authenticated;

pub(crate) async fn run(context: &mut Context, user: &mut Authenticated) -> Outcome {
    let encoding = context.encoding();
    let (personal, others, shared) = user.account.namespace.prefixes();
    context.send(|out| reply::namespace(out, [&personal, &others, &shared], encoding));
    Ok(Done::ok("NAMESPACE completed"))
}
