//! ID (RFC 2971): `a ID ("name" "Thunderbird" "version" "128.0")` tells client and server of each other, for the log.

use directory::UserId;
use tracing::debug;

use crate::context::Context;
use crate::outcome::{Done, Outcome};
use crate::reply;
use crate::session::Session;
use crate::types::IdField;

/// Octets of a field that reach the log: enough for a name and a version; a client may send thirty thousand.
const LOGGED: usize = 64;

pub(crate) async fn run(context: &mut Context, session: &mut Session, fields: Option<Vec<IdField>>) -> Outcome {
    let conn = context.connection.info().id;
    let field = |name: &str| {
        let named = |field: &&IdField| field.name.as_bytes().eq_ignore_ascii_case(name.as_bytes());
        let found = fields.iter().flatten().find(named)?.value.as_ref()?.as_bytes();
        Some(found[..found.len().min(LOGGED)].escape_ascii().to_string())
    };
    debug!(event = "imap.client.named", conn, client = field("name"), version = field("version"));
    if let Some(name) = field("name") {
        let client = field("version").map_or(name.clone(), |version| format!("{name} {version}"));
        context.connection.show_client(&client);
        if let Some(user) = session.account().and_then(|account| UserId::parse(account.access.user.as_str()).ok()) {
            context.server.door.directory.name_client(&user, conn, &client);
        }
    }
    let version = context.server.options.version.clone();
    let named: &[(&str, &str)] = &[("name", "Angarium"), ("version", &version)];
    let told = if version.is_empty() { &named[..1] } else { named };
    context.send(|out| reply::id(out, told));
    Ok(Done::ok("ID completed"))
}
