//! Who has logged in as a user.

use std::io;

use directory::{Directory, Login, UserId};
use serde_json::json;

use crate::Console;
use crate::error::CommandError;
use crate::time::moment;

/// Lists the last attempts to log in as a user, the latest first.
///
/// # Errors
/// [`CommandError`].
pub fn list_logins(
    directory: &dyn Directory,
    user: &str,
    as_json: bool,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let user = UserId::parse(user)?;
    if directory.user(&user)?.is_none() {
        return Err(directory::Error::NoUser(user.to_string()).into());
    }
    if !as_json {
        let head = row(["LAST", "TIMES", "FROM", "PROTOCOL", "MECHANISM", "TLS", "RESULT", "WITH"]);
        console.out(&head)?;
    }
    for login in directory.logins(&user)? {
        console.out(&if as_json { object(&login) } else { line(&login) })?;
    }
    Ok(())
}

/// What is known of a user's logins, for commands that are about something else: a history that can't be read is worth a
/// line.
pub(crate) fn known(directory: &dyn Directory, user: &UserId, console: &mut dyn Console) -> io::Result<Vec<Login>> {
    match directory.logins(user) {
        Ok(logins) => Ok(logins),
        Err(problem) => {
            console.err(&problem.to_string())?;
            Ok(Vec::new())
        }
    }
}

/// From where, and how: `192.0.2.1 over imap with PLAIN`.
pub(crate) fn describe(login: &Login) -> String {
    let from = login.from.map_or_else(|| "this machine".to_owned(), |from| from.to_string());
    format!("from {from} over {} with {}", login.protocol, login.mechanism)
}

fn line(login: &Login) -> String {
    let with = [
        login.app.as_ref().map(|app| format!("app password {app:?}")),
        login.client.as_ref().map(|client| format!("client {client:?}")),
        login.by.as_ref().map(|by| format!("by {by}")),
        login.acting_as.as_ref().map(|other| format!("as {other}")),
    ];
    row([
        &moment(login.last),
        &login.count.to_string(),
        &login.from.map_or_else(|| "-".to_owned(), |from| from.to_string()),
        &login.protocol,
        &login.mechanism,
        login.tls.as_deref().unwrap_or("-"),
        login.refused.as_deref().unwrap_or("ok"),
        &with.into_iter().flatten().collect::<Vec<_>>().join(", "),
    ])
}

fn row(cells: [&str; 8]) -> String {
    let [last, times, from, protocol, mechanism, tls, result, with] = cells;
    let line = format!("{last:20} {times:>6} {from:22} {protocol:8} {mechanism:18} {tls:7} {result:12} {with}");
    line.trim_end().to_owned()
}

fn object(login: &Login) -> String {
    let Login { first, last, count, refused, from, protocol, mechanism, tls, app, client, by, acting_as } = login;
    json!({
        "first": moment(*first),
        "last": moment(*last),
        "count": count,
        "result": if refused.is_some() { "refused" } else { "ok" },
        "reason": refused,
        "from": from,
        "protocol": protocol,
        "mechanism": mechanism,
        "tls": tls,
        "app_password": app,
        "client": client,
        "by": by,
        "acting_as": acting_as,
    })
    .to_string()
}
