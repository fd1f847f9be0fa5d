//! Lists of users, and one user at length.

use std::io::{self, BufRead};
use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches};
use directory::{ContactField, Page, User, UserId, UserOrder, UserQuery, UserState, Words};
use mailstore::{MailboxName, Store};
use serde::Serialize;
use tools::user::show_user;
use tools::{CommandError, Console, Progress};

use super::automatic;
use crate::commands::listing::{self, in_domain, print, print_fields, with_revision};
use crate::services::Services;

/// Quotas in KiB in a megabyte, as people see it (QUO-1).
const KIB: u64 = 1024;

/// The options of a list of users.
pub(in crate::commands) fn args() -> Vec<Arg> {
    let mut args = vec![
        listing::domain("Of this domain only"),
        Arg::new("by-mail")
            .long("by-mail")
            .action(ArgAction::SetTrue)
            .help("Sorted by mail address, which is what --after takes then [default: by user ID]"),
        Arg::new("quota")
            .long("quota")
            .action(ArgAction::SetTrue)
            .help("What each may store, stores and has left, in megabytes, and percent; by mail address"),
    ];
    args.extend(listing::args("USER"));
    args
}

/// Lists the users that have `words` in their user ID or names.
pub(in crate::commands) fn list(
    words: Words,
    in_addresses: bool,
    matches: &ArgMatches,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = in_domain(services.operator(), matches)?;
    let quota = matches.get_flag("quota");
    let order = if quota || matches.get_flag("by-mail") { UserOrder::Mail } else { UserOrder::UserId };
    let query = UserQuery { words, in_addresses, order, ..UserQuery::default() };
    let mut users = |page: &Page| service.users(&query, page);
    if !quota {
        return print(matches, console, &mut users, &mut line);
    }
    if !matches.get_flag("json") {
        console.out(&format!("{:40} {:>9} {:>9} {:>9} {:>5}", "address", "limit", "used", "free", "%"))?;
    }
    let mut usages = |page: &Page| {
        let found = users(page)?;
        let rows = found.rows.iter().map(|user| Usage::of(&services.store, user)).collect();
        Ok(directory::Listing { rows, next: found.next })
    };
    print(matches, console, &mut usages, &mut Usage::line)
}

fn line(user: &User) -> String {
    let state = match user.state {
        UserState::Active => "",
        UserState::Pending => " (pending)",
        UserState::Disabled => " (disabled)",
        UserState::Deleting => " (being deleted)",
    };
    let admin = if user.admin { " (admin)" } else { "" };
    format!("{:20} {} {}{admin}{state}", user.uid.as_str(), user.mail, user.display_name)
}

/// What a user stores, in megabytes (QUO-7).
#[derive(Serialize)]
struct Usage {
    uid: UserId,
    mail: String,
    /// `None` is no limit.
    limit_mib: Option<u64>,
    used_mib: Option<f64>,
    free_mib: Option<f64>,
    /// Of the limit, rounded down; `None` without a limit, and where the limit is 0.
    percent: Option<u64>,
}

impl Usage {
    fn of(store: &Store, user: &User) -> Usage {
        let found = MailboxName::inbox(user.uid.as_str()).ok().and_then(|inbox| store.quota(&inbox).ok());
        let limit = found.as_ref().and_then(|usage| usage.limits.storage_kib);
        let (mut used_mib, mut free_mib, mut percent) = (None, None, None);
        if let (Some(usage), Some(limit)) = (&found, limit) {
            let used = usage.used.bytes / KIB;
            used_mib = Some(megabytes(used));
            free_mib = Some(megabytes(limit.saturating_sub(used)));
            percent = used.saturating_mul(100).checked_div(limit);
        }
        let limit_mib = limit.map(|limit| limit / KIB);
        Usage { uid: user.uid.clone(), mail: user.mail.to_string(), limit_mib, used_mib, free_mib, percent }
    }

    fn line(&self) -> String {
        let number = |value: Option<f64>| value.map(|value| format!("{value:.1}")).unwrap_or_default();
        let limit = self.limit_mib.map_or_else(|| "OFF".to_owned(), |limit| limit.to_string());
        let percent = self.percent.map(|percent| percent.to_string()).unwrap_or_default();
        let (used, free) = (number(self.used_mib), number(self.free_mib));
        format!("{:40} {limit:>9} {used:>9} {free:>9} {percent:>5}", self.mail)
    }
}

/// Megabytes with one digit behind the point, rounded down.
fn megabytes(kib: u64) -> f64 {
    (kib.saturating_mul(10) / KIB) as f64 / 10.0
}

/// Shows a user at length, and the aliases that name him.
pub(in crate::commands) fn show(
    name: &str,
    as_json: bool,
    services: &Services,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let service = services.operator();
    let uid = UserId::parse(name)?;
    let user = service.user(&uid)?.ok_or_else(|| directory::Error::NoUser(uid.to_string()))?;
    let aliases: Vec<_> = service.aliases_of(&uid)?.iter().map(|alias| alias.address.to_string()).collect();
    if as_json {
        let mut said = Said { console, lines: Vec::new() };
        show_user(&*services.directory, name, true, &mut said)?;
        let mut object: serde_json::Value = serde_json::from_str(&said.lines.join("\n")).map_err(io::Error::other)?;
        with_revision(&mut object);
        object["aliases"] = aliases.into();
        return Ok(console.out(&object.to_string())?);
    }
    show_user(&*services.directory, name, false, console)?;
    print_fields(&more(&user, &aliases.join(" ")), console)
}

/// What else there is to say.
fn more(user: &User, aliases: &str) -> Vec<(&'static str, String)> {
    let forwarding = user.forwarding.as_ref().map(|forwarding| {
        let to: Vec<_> = forwarding.to.iter().map(ToString::to_string).collect();
        format!("{}{}", to.join(" "), if forwarding.keep_copy { " (with a copy here)" } else { "" })
    });
    let mut rows = vec![
        ("first name", user.given_name.clone()),
        ("last name", user.surname.clone()),
        ("forwarding", forwarding.unwrap_or_default()),
        ("aliases", aliases.to_owned()),
    ];
    rows.extend(automatic::rows(user));
    let label = |field: ContactField| match field {
        ContactField::Title => "title",
        ContactField::Office => "office",
        ContactField::BusinessPhone => "business phone",
        ContactField::MobilePhone => "mobile phone",
        ContactField::HomePhone => "home phone",
        ContactField::Pager => "pager",
        ContactField::Fax => "fax",
        ContactField::CalendarNode => "calendar node",
    };
    rows.extend(ContactField::ALL.into_iter().map(|field| (label(field), user.contact.get(field).to_owned())));
    rows.push(("revision", user.revision.to_string()));
    rows
}

/// A console that keeps what is said on standard output.
struct Said<'a> {
    console: &'a mut dyn Console,
    lines: Vec<String>,
}

impl Console for Said<'_> {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.lines.push(line.to_owned());
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.console.octets(octets)
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.console.err(line)
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        self.console.progress(progress)
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        self.console.stdin()
    }

    fn directory(&self) -> &Path {
        self.console.directory()
    }
}
