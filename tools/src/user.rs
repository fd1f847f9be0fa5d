//! Users: an account in the directory and an INBOX in the store, made together.

use std::io::{self, BufRead, Read};

use directory::{Address, Directory, DomainName, Login, NewUser, Secret, Service, User, UserId, UserState};
use mailstore::Store;

use crate::Console;
use crate::accounts;
use crate::error::CommandError;
use crate::logins::{describe, known};
use crate::time::moment;

/// Longest password: 1,020 octets, what a SASL exchange can carry.
pub(crate) const MAX_PASSWORD: u64 = 1020;

/// A user to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddUser {
    /// The user ID.
    pub user: String,
    /// The mail address; `None`: the user ID in the primary domain.
    pub mail: Option<String>,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub surname: String,
    /// Whether the user administers the server.
    pub admin: bool,
    /// The quota of the INBOX and all folders in MiB; `None` is that of new users.
    pub quota_mib: Option<u64>,
}

impl AddUser {
    /// A user of whom only the ID is known.
    pub fn new(user: &str) -> Self {
        Self { user: user.to_owned(), ..Self::default() }
    }
}

/// Makes a user and everything that belongs to one ([`accounts::create_user`]).
///
/// # Errors
/// [`CommandError`].
pub fn add_user<D: Directory + ?Sized>(
    store: &Store,
    service: &Service<'_, D>,
    request: &AddUser,
    password: &Secret,
) -> Result<User, CommandError> {
    let uid = UserId::parse(&request.user)?;
    let mail = match &request.mail {
        Some(mail) => Address::parse(mail)?,
        None => Address::new(uid.as_str(), service.current_domain()?)?,
    };
    let new = NewUser {
        // Whoever else may: this user was made for it.
        admin: request.admin || uid == UserId::admin(),
        uid,
        mail,
        given_name: request.given_name.clone(),
        surname: request.surname.clone(),
    };
    let mut user = User::from(new);
    user.display_name = User::display_name_of(&request.given_name, &request.surname);
    let mut user = accounts::with_default_quota(service, user)?;
    user.quota_limit_mib = request.quota_mib.or(user.quota_limit_mib);
    accounts::create_user(store, service, &user, password)
}

/// Changes a password.
///
/// # Errors
/// [`CommandError`].
pub fn set_password(service: &Service<'_>, user: &str, password: &Secret) -> Result<(), CommandError> {
    Ok(service.set_password(&UserId::parse(user)?, password)?)
}

/// Takes a password hash that another server has made.
///
/// # Errors
/// [`CommandError`].
pub fn set_password_hash(service: &Service<'_>, user: &str, hash: &Secret) -> Result<(), CommandError> {
    Ok(service.set_password_hash(&UserId::parse(user)?, hash)?)
}

/// Disables a user, or enables one again.
///
/// # Errors
/// [`CommandError`].
pub fn set_enabled(service: &Service<'_>, user: &str, enabled: bool) -> Result<(), CommandError> {
    Ok(service.set_user_enabled(&UserId::parse(user)?, enabled, None)?)
}

/// Deletes a user and everything of the user's ([`accounts::delete_user`]), and says which aliases went along.
///
/// # Errors
/// [`CommandError`].
pub fn delete_user(
    store: &Store,
    service: &Service<'_>,
    user: &str,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let uid = UserId::parse(user)?;
    // One who is half gone has none any more.
    let vanishing = service.vanishing_with(&uid).unwrap_or_default();
    accounts::delete_user(store, service, &uid, None)?;
    console.out(&format!("{uid} deleted"))?;
    for alias in vanishing {
        console.out(&format!("alias {alias} deleted: it had no owner or no member left"))?;
    }
    Ok(())
}

/// Lists all users or those of a domain, a line for each.
///
/// # Errors
/// [`CommandError`].
pub fn list_users(
    directory: &dyn Directory,
    domain: Option<&str>,
    json: bool,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let domain = domain.map(DomainName::parse).transpose()?;
    for user in directory.users(domain.as_ref())? {
        let line = if json {
            serde_json::to_string(&user).map_err(io::Error::other)?
        } else {
            let admin = if user.admin { " (admin)" } else { "" };
            format!("{:20} {} {}{admin}", user.uid.as_str(), user.mail, user.display_name).trim_end().to_owned()
        };
        console.out(&line)?;
    }
    Ok(())
}

/// Shows a user: one thing a line.
///
/// # Errors
/// [`CommandError`].
pub fn show_user(
    directory: &dyn Directory,
    user: &str,
    as_json: bool,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let uid = UserId::parse(user)?;
    let user = directory.user(&uid)?.ok_or_else(|| directory::Error::NoUser(uid.to_string()))?;
    let apps = directory.app_passwords(&uid)?;
    let last = known(directory, &uid, console)?.into_iter().find(Login::is_success);
    if as_json {
        let mut object = serde_json::to_value(&user).map_err(io::Error::other)?;
        object["app_passwords"] = apps.len().into();
        object["last_login"] = last.map(|login| moment(login.last)).into();
        return Ok(console.out(&object.to_string())?);
    }
    let state = match user.state {
        UserState::Pending => "pending: the mailbox is not there yet",
        UserState::Active => "active",
        UserState::Disabled => "disabled",
        UserState::Deleting => "being deleted",
    };
    let addresses: Vec<_> = user.alternates.iter().map(ToString::to_string).collect();
    let quota = user.quota_limit_mib.map_or_else(|| "none".to_owned(), |mib| format!("{mib} MiB"));
    let seen = last.map(|login| format!("{} {}", moment(login.last), describe(&login)));
    let rows: [(&str, String); 10] = [
        ("user", user.uid.to_string()),
        ("name", user.display_name),
        ("state", state.to_owned()),
        ("address", user.mail.to_string()),
        ("others", addresses.join(" ")),
        ("groups", user.groups.join(" ")),
        ("administrator", if user.admin { "yes" } else { "no" }.to_owned()),
        ("quota", quota),
        ("app passwords", apps.len().to_string()),
        ("last login", seen.unwrap_or_else(|| "none known".to_owned())),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        console.out(&format!("{name:14} {value}"))?;
    }
    Ok(())
}

/// Reads a password: one line of standard input, without its end.
///
/// # Errors
/// [`CommandError::NoPassword`], [`CommandError::BadPassword`].
pub fn read_password(console: &mut dyn Console) -> Result<Secret, CommandError> {
    let mut line = Vec::new();
    console.stdin().take(MAX_PASSWORD + 2).read_until(b'\n', &mut line)?;
    let end = line.iter().rposition(|octet| !matches!(octet, b'\n' | b'\r')).map_or(0, |last| last + 1);
    line.truncate(end);
    if line.is_empty() {
        return Err(CommandError::NoPassword);
    }
    if line.len() as u64 > MAX_PASSWORD || line.contains(&0) {
        return Err(CommandError::BadPassword);
    }
    Ok(Secret::new(line))
}
