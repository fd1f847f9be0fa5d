//! Making, changing, disabling and deleting users, for the modern and the classic commands.

use clap::ArgMatches;
use directory::{NewUser, Service, User, UserId};
use tools::accounts::{self, Deletion};
use tools::user::{delete_user, read_password, set_enabled, set_password_hash};
use tools::{CommandError, Console};

use super::{automatic, end_sessions, fields};
use crate::commands::listing::{in_domain, revision, text};
use crate::services::Services;

/// Makes the user `name`, as the options say.
pub(in crate::commands) fn create(
    name: &str,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = in_domain(services.operator(), matches)?;
    let mut user = new_user(name, matches, &service)?;
    fields::edit(matches, &mut user)?;
    // The display name goes with the names.
    if text(matches, "display-name").is_none() {
        let name = |option: &str| text(matches, option).unwrap_or_default();
        user.display_name = User::display_name_of(&name("given-name"), &name("surname"));
    }
    let password = read_password(console)?;
    let user = accounts::create_user(&services.store, &service, &user, &password)?;
    console.out(&format!("{} added with address {}", user.uid, user.mail))?;
    automatic::warn(user.uid.as_str(), matches, console)
}

/// A user of whom the ID is known, the address, and what all new users get.
fn new_user(name: &str, matches: &ArgMatches, service: &Service<'_>) -> Result<User, CommandError> {
    let uid = UserId::parse(name)?;
    let domain = service.current_domain()?;
    let mail = match fields::mail(matches, &domain)? {
        Some(mail) => mail,
        None => directory::Address::new(uid.as_str(), domain)?,
    };
    let new = NewUser { admin: uid == UserId::admin(), uid, mail, given_name: String::new(), surname: String::new() };
    accounts::with_default_quota(service, User::from(new))
}

/// Changes the user `name`, as the options say.
pub(in crate::commands) fn modify(
    name: &str,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = services.operator();
    let uid = UserId::parse(name)?;
    service.user(&uid)?.ok_or_else(|| directory::Error::NoUser(uid.to_string()))?;
    if !fields::any(matches) {
        return Err(CommandError::Usage("nothing to change: say what".to_owned()));
    }
    let expected = revision(matches)?;
    accounts::edit_user(&services.store, &service, &uid, expected, &mut |user| fields::edit(matches, user))?;
    automatic::warn(uid.as_str(), matches, console)
}

/// Lets the user `name` in, or not.
pub(in crate::commands) fn enable(name: &str, enabled: bool, services: &Services) -> Result<(), CommandError> {
    set_enabled(&services.operator(), name, enabled)?;
    if !enabled {
        end_sessions(services, name);
    }
    Ok(())
}

/// Deletes the users `names`, each with everything. All must be there, or none is deleted.
pub(in crate::commands) fn delete(
    names: &[String],
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = services.operator();
    for name in names {
        accounts::require_deletable(&service, &UserId::parse(name)?)?;
    }
    for name in names {
        let done = delete_user(&services.store, &service, name, console);
        end_sessions(services, name);
        done?;
    }
    Ok(())
}

/// Says what would go with the users `names`.
pub(in crate::commands) fn preview_deletion(
    names: &[String],
    services: &Services,
    say: &mut dyn FnMut(&str) -> std::io::Result<()>,
) -> Result<(), CommandError> {
    let service = services.operator();
    for name in names {
        let uid = UserId::parse(name)?;
        let Deletion { vanishing, left } = accounts::preview_deletion(&service, &uid)?;
        say(&format!("{uid} would be deleted"))?;
        for alias in left {
            say(&format!("alias {alias} would be without {uid}"))?;
        }
        for alias in vanishing {
            say(&format!("alias {alias} would be deleted: it would have no owner or no member left"))?;
        }
    }
    Ok(())
}

/// Takes the hash that standard input holds as the user's password.
pub(in crate::commands) fn take_hash(
    name: &str,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let hash = read_password(console)?;
    set_password_hash(&services.operator(), name, &hash)
}
