//! App passwords: made, listed, taken back.

use directory::{AppPassword, Directory, Network, Service, UserId};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::error::CommandError;
use crate::logins::known;
use crate::time::{moment, now};
use crate::{Console, interval};

/// An app password to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddAppPassword {
    /// Whose.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// The protocols it is good for.
    pub protocols: Vec<String>,
    /// The networks it is good from; none: everywhere.
    pub networks: Vec<String>,
    /// When it ends: a stretch of time from now ([`interval`]), or the last day as `2026-12-31` (UTC).
    pub expires: Option<String>,
}

/// Makes an app password and prints it: the only time that anybody sees it.
///
/// # Errors
/// [`CommandError`].
pub fn add_app_password(
    service: &Service<'_>,
    request: &AddAppPassword,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let user = UserId::parse(&request.user)?;
    let now = now();
    let network = |text: &String| text.parse::<Network>().map_err(|problem| CommandError::Usage(problem.to_string()));
    let mut protocols = request.protocols.clone();
    protocols.sort();
    protocols.dedup();
    let app = AppPassword {
        name: request.name.clone(),
        protocols,
        networks: request.networks.iter().map(network).collect::<Result<_, _>>()?,
        created: now,
        expires: request.expires.as_deref().map(|text| end(text, now)).transpose()?,
    };
    let password = service.add_app_password(&user, &app)?;
    console.out(&String::from_utf8_lossy(password.expose()))?;
    console.err("this is the only time that the password is shown")?;
    Ok(())
}

/// Lists a user's app passwords, a line for each.
///
/// # Errors
/// [`CommandError`].
pub fn list_app_passwords(
    directory: &dyn Directory,
    user: &str,
    as_json: bool,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let user = UserId::parse(user)?;
    let apps = directory.app_passwords(&user)?;
    let logins = known(directory, &user, console)?;
    let now = now();
    for app in apps {
        // A name may have been used before.
        let uses = logins.iter().filter(|login| login.is_success() && login.app.as_ref() == Some(&app.name));
        let used = uses.map(|login| login.last).filter(|last| *last >= app.created).max();
        console.out(&if as_json { object(&app, used) } else { line(&app, used, now) })?;
    }
    Ok(())
}

/// Takes an app password back, or all of a user's.
///
/// # Errors
/// [`CommandError::Missing`] if there is none of that name, or another [`CommandError`].
pub fn remove_app_passwords(
    service: &Service<'_>,
    user: &str,
    name: Option<&str>,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let user = UserId::parse(user)?;
    let removed = service.remove_app_passwords(&user, name)?;
    match name {
        Some(name) if removed == 0 => Err(CommandError::Missing(format!("{user} has no app password called {name:?}"))),
        Some(_) => Ok(()),
        None => Ok(console.out(&format!("{removed} app passwords taken back"))?),
    }
}

fn line(app: &AppPassword, used: Option<u64>, now: u64) -> String {
    let networks: Vec<_> = app.networks.iter().map(ToString::to_string).collect();
    let mut line = format!("{:20} {}", app.name, app.protocols.join(","));
    if !networks.is_empty() {
        line += &format!(" from {}", networks.join(","));
    }
    match app.expires {
        Some(end) if end <= now => line += &format!(" expired {}", moment(end)),
        Some(end) => line += &format!(" until {}", moment(end)),
        None => {}
    }
    line + &used.map_or_else(|| ", no use known".to_owned(), |last| format!(", last used {}", moment(last)))
}

fn object(app: &AppPassword, used: Option<u64>) -> String {
    let networks: Vec<_> = app.networks.iter().map(ToString::to_string).collect();
    json!({
        "name": app.name,
        "protocols": app.protocols,
        "networks": networks,
        "created": moment(app.created),
        "expires": app.expires.map(moment),
        "last_used": used.map(moment),
    })
    .to_string()
}

/// When a password ends that is made now.
fn end(text: &str, now: u64) -> Result<u64, CommandError> {
    let wrong = || CommandError::Usage(format!("{text:?} is no end: write 90d, 12h, or the last day as 2026-12-31"));
    if let Ok(day) = text.parse::<Date>() {
        let next = day.tomorrow().ok().and_then(|next| next.to_zoned(TimeZone::UTC).ok()).ok_or_else(wrong)?;
        return u64::try_from(next.timestamp().as_second()).map_err(|_| wrong());
    }
    let seconds = interval::seconds(text).ok().and_then(|seconds| u64::try_from(seconds).ok()).ok_or_else(wrong)?;
    now.checked_add(seconds).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends() {
        for (text, expected) in [
            ("90d", Some(1_000 + 90 * 86_400)),
            ("12h", Some(1_000 + 43_200)),
            ("1970-01-02", Some(2 * 86_400)),
            ("2026-12-31", Some(1_798_761_600)),
            ("2026-02-30", None),
            ("tomorrow", None),
            ("-1d", None),
            ("", None),
        ] {
            assert_eq!(end(text, 1_000).ok(), expected, "{text}");
        }
    }
}
