//! The options that say what a user is like: one table for the commands that make and change users, whatever their options
//! are called.

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, ArgMatches};
use directory::{Address, ContactField, DomainName, Forwarding, RemoteAddress, User};
use tools::CommandError;

use super::automatic;
use crate::commands::listing::{text, texts};

/// How options are called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::commands) enum Style {
    /// In words: `--given-name`.
    Words,
    /// By LDAP attributes, as the classic commands: `--givenName`.
    Attributes,
}

/// An option for one text: how it is called in words, by attribute, and what it is for.
pub(super) type Option_ = (&'static str, &'static str, &'static str, &'static str);

/// Texts. An empty one takes away what was there.
const TEXTS: [Option_; 5] = [
    ("mail", "mail", "ADDRESS", "Mail address; without an @ in the user's domain [default: the user ID]"),
    ("given-name", "givenName", "NAME", "First name"),
    ("surname", "sn", "NAME", "Last name"),
    ("display-name", "displayName", "NAME", "The name that others see [default: first and last name]"),
    (
        "quota",
        "quota",
        "MB",
        "Most mail in megabytes, INBOX and folders together; NONE for no limit, 0 for no mail at all",
    ),
];

/// Lists. Each replaces what was there; an empty one takes it away.
const LISTS: [Option_; 3] = [
    ("alternate", "mailAlternateAddress", "ADDRESS", "Another address in the user's domain; again for more"),
    ("forward", "mailForwardingAddress", "ADDRESS", "Mail goes to this address instead; again for more"),
    ("group", "group", "GROUP", "A group that the user is in, for access lists and aliases; again for more"),
];

/// Switches.
const SWITCHES: [Option_; 2] = [
    ("keep-copy", "keepCopy", "BOOL", "Mail that is forwarded comes here, too"),
    ("admin", "admin", "BOOL", "May manage all mailboxes, users and domains"),
];

/// What each contact field is to people.
fn contact_help(field: ContactField) -> &'static str {
    match field {
        ContactField::Title => "Job title",
        ContactField::Office => "Office",
        ContactField::BusinessPhone => "Business phone",
        ContactField::MobilePhone => "Mobile phone",
        ContactField::HomePhone => "Home phone",
        ContactField::Pager => "Pager",
        ContactField::Fax => "Fax",
        ContactField::CalendarNode => "The server of the user's calendar",
    }
}

/// The option of a contact field.
fn contact_option(field: ContactField) -> &'static str {
    match field {
        ContactField::Title => "title",
        ContactField::Office => "office",
        ContactField::BusinessPhone => "business-phone",
        ContactField::MobilePhone => "mobile-phone",
        ContactField::HomePhone => "home-phone",
        ContactField::Pager => "pager",
        ContactField::Fax => "fax",
        ContactField::CalendarNode => "calendar-node",
    }
}

/// All of these options.
pub(in crate::commands) fn args(style: Style) -> Vec<Arg> {
    let arg = |(words, attribute, value, help): Option_| {
        let long = if style == Style::Words { words } else { attribute };
        Arg::new(words).long(long).value_name(value).help(help)
    };
    let mut args: Vec<Arg> = TEXTS.into_iter().map(arg).collect();
    args.extend(LISTS.into_iter().map(|option| arg(option).action(ArgAction::Append).value_delimiter(',')));
    args.extend(SWITCHES.into_iter().map(|option| switch(arg(option))));
    args.extend(automatic::args(arg));
    args.extend(ContactField::ALL.into_iter().map(|field| {
        arg((contact_option(field), field.attribute(), "TEXT", contact_help(field))).help_heading("Contact")
    }));
    args
}

/// An option that is on by itself, or says which: `--admin`, `--admin=no`.
pub(in crate::commands) fn switch(arg: Arg) -> Arg {
    arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_parser(BoolishValueParser::new())
}

/// Whether any of them is given.
pub(in crate::commands) fn any(matches: &ArgMatches) -> bool {
    let options = TEXTS.iter().chain(&LISTS).chain(&SWITCHES).map(|option| option.0);
    options.chain(ContactField::ALL.map(contact_option)).any(|name| matches.contains_id(name))
        || automatic::any(matches)
}

/// The mail address that the options say, where they do; a local part alone is in `domain`.
pub(in crate::commands) fn mail(matches: &ArgMatches, domain: &DomainName) -> Result<Option<Address>, CommandError> {
    text(matches, "mail").map(|text| address(&text, domain, "mail")).transpose()
}

/// Changes `user` as the options say.
pub(in crate::commands) fn edit(matches: &ArgMatches, user: &mut User) -> Result<(), CommandError> {
    if let Some(mail) = mail(matches, user.mail.domain())? {
        user.mail = mail;
    }
    let fields = [
        ("given-name", &mut user.given_name),
        ("surname", &mut user.surname),
        ("display-name", &mut user.display_name),
    ];
    for (name, field) in fields {
        if let Some(text) = text(matches, name) {
            *field = text;
        }
    }
    if let Some(quota) = text(matches, "quota") {
        user.quota_limit_mib = parse_quota("quota_limit_mib", &quota)?;
    }
    if let Some(alternates) = list(matches, "alternate") {
        let domain = user.mail.domain();
        let parse = |text: &String| address(text, domain, "alternates");
        user.alternates = alternates.iter().map(parse).collect::<Result<_, _>>()?;
    }
    if let Some(groups) = list(matches, "group") {
        user.groups = groups;
    }
    if let Some(admin) = matches.get_one::<bool>("admin") {
        user.admin = *admin;
    }
    for field in ContactField::ALL {
        if let Some(text) = text(matches, contact_option(field)) {
            user.contact.set(field, &text);
        }
    }
    automatic::edit(matches, user)?;
    edit_forwarding(matches, user)
}

fn edit_forwarding(matches: &ArgMatches, user: &mut User) -> Result<(), CommandError> {
    let wrong = |error: directory::Error| error.of_field("forwarding");
    if let Some(to) = list(matches, "forward") {
        let to = to.iter().map(|text| RemoteAddress::parse(text)).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        let keep_copy = user.forwarding.as_ref().is_some_and(|before| before.keep_copy);
        user.forwarding = (!to.is_empty()).then(|| Box::new(Forwarding { to, keep_copy }));
    }
    if let Some(keep_copy) = matches.get_one::<bool>("keep-copy") {
        match &mut user.forwarding {
            Some(forwarding) => forwarding.keep_copy = *keep_copy,
            None if !*keep_copy => {}
            None => {
                let rule = "a copy is kept of mail that is forwarded: say where to, too";
                return Err(directory::Error::rule("keep_copy", "", rule).into());
            }
        }
    }
    Ok(())
}

/// A quota as people write it: a number of megabytes, or `NONE`.
pub(in crate::commands) fn parse_quota(field: &'static str, text: &str) -> Result<Option<u64>, CommandError> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let number = text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    let number = number.ok_or_else(|| directory::Error::rule(field, text, "a number of megabytes, or NONE"))?;
    Ok(Some(number))
}

/// A list that is given; empty texts in it are nothing.
pub(super) fn list(matches: &ArgMatches, name: &str) -> Option<Vec<String>> {
    let is_given = matches.contains_id(name);
    is_given.then(|| texts(matches, name).into_iter().filter(|text| !text.is_empty()).collect())
}

/// An address, or a local part in `domain`.
fn address(text: &str, domain: &DomainName, field: &'static str) -> Result<Address, CommandError> {
    let found = if text.contains('@') { Address::parse(text) } else { Address::new(text, domain.clone()) };
    Ok(found.map_err(|error| error.of_field(field))?)
}
