//! Client names and internal names, translated in this one place.
//!
//! The store knows a mailbox by one internal name (`user/joe/Drafts`, `team/plans`). What a client sees depends on who it
//! is:
//!
//! - A user has the alternate namespace: `INBOX` is the mailbox `user/joe`, its siblings (`Drafts`) are the folders inside
//!   it, other people's mailboxes stand below `Other Users/` and shared ones below `Shared Folders/`. `INBOX` itself has no
//!   folders, so `INBOX/x` is refused rather than made a second spelling of something.
//! - An administrator sees internal names, as cyradm expects; `INBOX` is the administrator's own mailbox besides.
//!
//! Client names are UTF-8 here; modified UTF-7 exists only on the wire ([`crate::syntax`]). They are brought to
//! normalisation form C, so that two spellings of one word can't be two mailboxes (RFC 9051, 5.1; RFC 5198, 3).

use std::borrow::Cow;
use std::sync::Arc;

use mailstore::{MailboxName, NameError};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::types::MailboxArg;

/// The hierarchy separator, the same everywhere.
pub(crate) const SEPARATOR: char = '/';

/// The one name that every user has (RFC 9051, 5.1).
pub(crate) const INBOX: &str = "INBOX";

/// Where all users' mailboxes stand in the store.
const USERS: &str = "user/";

/// Where deleted mailboxes stand in the store until their end.
const DELETED: &str = "DELETED";

/// The prefixes a site has chosen. Both end in the separator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes {
    /// Before other people's mailboxes; default `Other Users/`, as in Cyrus.
    pub other_users: Arc<str>,
    /// Before shared mailboxes; default `Shared Folders/`, as in Cyrus.
    pub shared: Arc<str>,
}

impl Default for Prefixes {
    fn default() -> Self {
        Prefixes { other_users: "Other Users/".into(), shared: "Shared Folders/".into() }
    }
}

/// Why a client's name names no mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    /// It breaks a rule of the store.
    #[error(transparent)]
    Rule(#[from] NameError),
    /// `INBOX/x`
    #[error("INBOX cannot have folders, create them beside it")]
    BelowInbox,
    /// A place where mailboxes stand, and no mailbox itself (`Other Users`).
    #[error("that is a namespace, not a mailbox")]
    Namespace,
}

/// One reader's view of the names.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    /// The internal name of the reader's INBOX; `None` for one whose identity can't own mailboxes.
    inbox: Option<MailboxName>,
    admin: bool,
    prefixes: Prefixes,
}

/// A stretch of the client's names that maps to a stretch of internal names by changing a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// Which.
    pub(crate) kind: SectionKind,
    /// What client names in it begin with.
    pub(crate) client: Box<str>,
    /// What internal names in it begin with.
    pub(crate) internal: Box<str>,
}

/// The kinds of namespaces, in the order in which LIST tells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    /// `INBOX` alone.
    Inbox,
    /// The reader's folders.
    Personal,
    /// Other people's mailboxes.
    OtherUsers,
    /// What belongs to nobody.
    Shared,
    /// Everything, under internal names.
    Internal,
}

impl Namespace {
    /// The names as `user` sees them.
    pub(crate) fn new(user: &str, admin: bool, prefixes: &Prefixes) -> Namespace {
        Namespace { inbox: MailboxName::inbox(user).ok(), admin, prefixes: prefixes.clone() }
    }

    /// The names as nobody in particular sees them: others' and shared ones.
    pub(crate) fn nobody(prefixes: &Prefixes) -> Namespace {
        Namespace { inbox: None, admin: false, prefixes: prefixes.clone() }
    }

    /// The internal name of what the client calls `client`.
    pub(crate) fn to_internal(&self, client: &MailboxArg) -> Result<MailboxName, BadName> {
        let name = compose(client.as_str());
        if *name == *INBOX {
            return self.inbox.clone().ok_or(BadName::Rule(NameError::Owner));
        }
        if self.admin {
            return Ok(MailboxName::parse(&name)?);
        }
        if below(&name, INBOX) {
            return Err(BadName::BelowInbox);
        }
        if let Some(rest) = inside(&name, &self.prefixes.other_users)? {
            return Ok(MailboxName::parse(&format!("{USERS}{rest}"))?);
        }
        if let Some(rest) = inside(&name, &self.prefixes.shared)? {
            let name = MailboxName::parse(rest)?;
            // Not a second way to people's mailboxes, nor one to the deleted ones.
            return if is_shared(name.as_str()) { Ok(name) } else { Err(BadName::Rule(NameError::Reserved)) };
        }
        let inbox = self.inbox.as_ref().ok_or(BadName::Rule(NameError::Owner))?;
        Ok(inbox.child(&name)?)
    }

    /// What the client calls `name`; `None` if it has no name for it: a deleted mailbox, or one that an administrator made
    /// where a user's names mean something else (`user/joe/INBOX`, `user/joe/Other Users/x`).
    pub(crate) fn to_client(&self, name: &MailboxName) -> Option<String> {
        if self.admin {
            return Some(name.as_str().to_owned());
        }
        if self.inbox.as_ref() == Some(name) {
            return Some(INBOX.to_owned());
        }
        if let Some(inbox) = self.inbox.as_ref().filter(|inbox| name.is_below(inbox)) {
            let own = name.as_str().get(inbox.as_str().len() + 1..)?;
            return (!self.is_shadowed(own)).then(|| own.to_owned());
        }
        if let Some(rest) = name.as_str().strip_prefix(USERS) {
            return Some(format!("{}{rest}", self.prefixes.other_users));
        }
        is_shared(name.as_str()).then(|| format!("{}{name}", self.prefixes.shared))
    }

    /// The stretches of names, in LIST's order. They overlap where a mailbox has two names: in `OtherUsers` the reader's own
    /// mailboxes are to be left out, which [`Namespace::in_section`] does.
    pub(crate) fn sections(&self) -> Vec<Section> {
        let section =
            |kind, client: &str, internal: &str| Section { kind, client: client.into(), internal: internal.into() };
        let inbox = self.inbox.as_ref().map(MailboxName::as_str);
        let mut sections: Vec<Section> =
            inbox.map(|inbox| section(SectionKind::Inbox, INBOX, inbox)).into_iter().collect();
        if self.admin {
            sections.push(section(SectionKind::Internal, "", ""));
            return sections;
        }
        if let Some(inbox) = inbox {
            sections.push(section(SectionKind::Personal, "", &format!("{inbox}/")));
        }
        sections.push(section(SectionKind::OtherUsers, &self.prefixes.other_users, USERS));
        sections.push(section(SectionKind::Shared, &self.prefixes.shared, ""));
        sections
    }

    /// The client's name of `name` as part of `section`; `None` if it is told elsewhere or not at all.
    pub(crate) fn in_section(&self, section: &Section, name: &MailboxName) -> Option<String> {
        let own = || self.inbox.as_ref().is_some_and(|inbox| name == inbox || name.is_below(inbox));
        match section.kind {
            SectionKind::Inbox => (self.inbox.as_ref() == Some(name)).then(|| INBOX.to_owned()),
            SectionKind::Internal => Some(name.as_str().to_owned()),
            SectionKind::OtherUsers if own() => None,
            SectionKind::Shared if !is_shared(name.as_str()) => None,
            _ => self.to_client(name),
        }
    }

    /// The namespaces as NAMESPACE tells them: personal, other users', shared (RFC 9051, 6.3.10). Who cannot own mailboxes has
    /// none of the first kind.
    pub(crate) fn prefixes(&self) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
        let own = |prefix| self.inbox.iter().map(|_| prefix).collect();
        match self.admin {
            // An administrator's shared mailboxes stand at the top, and so do all users'.
            true => (own("INBOX"), vec![USERS], vec![""]),
            false => (own(""), vec![&self.prefixes.other_users], vec![&self.prefixes.shared]),
        }
    }

    /// Whether mailboxes of the reader can stand below the client's name `client`.
    pub(crate) fn may_have_children(&self, client: &str) -> bool {
        self.admin || client != INBOX
    }

    /// Whether a folder of the reader's own would, told as `own`, be taken for something else.
    fn is_shadowed(&self, own: &str) -> bool {
        let first = own.split(SEPARATOR).next().unwrap_or(own);
        let taken = |prefix: &str| own.starts_with(prefix) || own == bare(prefix);
        first.eq_ignore_ascii_case(INBOX) || taken(&self.prefixes.other_users) || taken(&self.prefixes.shared)
    }
}

/// Whether an internal name is neither a user's nor a deleted mailbox.
fn is_shared(name: &str) -> bool {
    let first = name.split(SEPARATOR).next().unwrap_or(name);
    first != "user" && first != DELETED
}

/// What follows `prefix` in `name`; an error for the prefix itself, with or without its separator.
fn inside<'a>(name: &'a str, prefix: &str) -> Result<Option<&'a str>, BadName> {
    if name == bare(prefix) || name == prefix {
        return Err(BadName::Namespace);
    }
    Ok(name.strip_prefix(prefix))
}

fn bare(prefix: &str) -> &str {
    prefix.strip_suffix(SEPARATOR).unwrap_or(prefix)
}

fn below(name: &str, ancestor: &str) -> bool {
    name.strip_prefix(ancestor).is_some_and(|rest| rest.starts_with(SEPARATOR))
}

fn compose(name: &str) -> Cow<'_, str> {
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joe() -> Namespace {
        Namespace::new("joe", false, &Prefixes::default())
    }

    fn admin() -> Namespace {
        Namespace::new("admin", true, &Prefixes::default())
    }

    fn internal(namespace: &Namespace, client: &str) -> Result<String, BadName> {
        namespace.to_internal(&MailboxArg::new(client).unwrap()).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn names_go_both_ways() {
        let check = |namespace: &Namespace, client: &str, expected: &str| {
            assert_eq!(internal(namespace, client).as_deref(), Ok(expected));
            let name = MailboxName::parse(expected).unwrap();
            assert_eq!(namespace.to_client(&name).as_deref(), Some(client));
        };
        check(&joe(), "INBOX", "user/joe");
        check(&joe(), "Drafts", "user/joe/Drafts");
        check(&joe(), "Drafts/2026/Ä", "user/joe/Drafts/2026/Ä");
        check(&joe(), "inboxes", "user/joe/inboxes");
        check(&joe(), "user/sue", "user/joe/user/sue");
        check(&joe(), "Other Users/sue", "user/sue");
        check(&joe(), "Other Users/sue/Drafts", "user/sue/Drafts");
        check(&joe(), "Other Users/joey", "user/joey");
        check(&joe(), "Shared Folders/team", "team");
        check(&joe(), "Shared Folders/users/x", "users/x");
        check(&joe(), "DELETED/x", "user/joe/DELETED/x");
        check(&admin(), "user/joe/Drafts", "user/joe/Drafts");
        check(&admin(), "user/admin", "user/admin");
        check(&admin(), "team/x", "team/x");
        check(&admin(), "DELETED/user/joe/x/66e1", "DELETED/user/joe/x/66e1");
    }

    #[test]
    fn some_names_have_a_second_spelling() {
        let check = |namespace: &Namespace, client: &str, expected: &str| {
            assert_eq!(internal(namespace, client).as_deref(), Ok(expected));
        };
        check(&joe(), "inBox", "user/joe");
        check(&joe(), "Other Users/joe/Drafts", "user/joe/Drafts");
        check(&joe(), "A\u{308}", "user/joe/\u{c4}");
        check(&admin(), "INBOX", "user/admin");
    }

    #[test]
    fn names_that_are_no_mailbox() {
        let check = |namespace: &Namespace, client: &str, expected: BadName| {
            assert_eq!(internal(namespace, client), Err(expected), "{client}");
        };
        check(&joe(), "INBOX/x", BadName::BelowInbox);
        check(&joe(), "inbox/x", BadName::BelowInbox);
        check(&joe(), "Other Users", BadName::Namespace);
        check(&joe(), "Other Users/", BadName::Namespace);
        check(&joe(), "Shared Folders", BadName::Namespace);
        check(&joe(), "Other Users/Sue", BadName::Rule(NameError::Owner));
        check(&joe(), "Shared Folders/user/sue", BadName::Rule(NameError::Reserved));
        check(&joe(), "Shared Folders/DELETED/user/joe", BadName::Rule(NameError::Reserved));
        check(&joe(), "", BadName::Rule(NameError::Empty));
        check(&joe(), "a//b", BadName::Rule(NameError::Empty));
        check(&joe(), "../sue", BadName::Rule(NameError::Reserved));
        check(&joe(), "a*", BadName::Rule(NameError::Wildcard));
        check(&admin(), "user", BadName::Rule(NameError::Owner));
    }

    #[test]
    fn names_that_a_client_has_no_word_for() {
        let check = |internal: &str| {
            assert_eq!(joe().to_client(&MailboxName::parse(internal).unwrap()), None, "{internal}");
        };
        check("DELETED/user/joe/Drafts/66e1");
        check("user/joe/INBOX");
        check("user/joe/Inbox/x");
        check("user/joe/Other Users");
        check("user/joe/Shared Folders/x");
    }

    #[test]
    fn every_mailbox_is_in_one_section() {
        let check = |namespace: &Namespace, internal: &str, expected: &[&str]| {
            let name = MailboxName::parse(internal).unwrap();
            let sections = namespace.sections();
            let told = sections.iter().filter(|section| name.as_str().starts_with(&*section.internal));
            let told: Vec<String> = told.filter_map(|section| namespace.in_section(section, &name)).collect();
            assert_eq!(told, expected, "{internal}");
        };
        check(&joe(), "user/joe", &["INBOX"]);
        check(&joe(), "user/joe/a", &["a"]);
        check(&joe(), "user/joey", &["Other Users/joey"]);
        check(&joe(), "user/sue/a", &["Other Users/sue/a"]);
        check(&joe(), "team", &["Shared Folders/team"]);
        check(&joe(), "DELETED/user/joe/a/1", &[]);
        check(&joe(), "user/joe/INBOX", &[]);
        check(&admin(), "user/admin", &["INBOX", "user/admin"]);
        check(&admin(), "team", &["team"]);
    }

    #[test]
    fn who_owns_nothing_has_no_names_of_its_own() {
        let prefixes = Prefixes::default();
        let (own, others, shared) = (vec![""], vec!["Other Users/"], vec!["Shared Folders/"]);
        assert_eq!(joe().prefixes(), (own, others.clone(), shared.clone()));
        let nobody = Namespace::nobody(&prefixes);
        assert_eq!(nobody.prefixes(), (vec![], others, shared));
        assert_eq!(internal(&nobody, "INBOX"), Err(BadName::Rule(NameError::Owner)));
        assert_eq!(internal(&nobody, "Drafts"), Err(BadName::Rule(NameError::Owner)));
        assert_eq!(internal(&nobody, "Other Users/sue").as_deref(), Ok("user/sue"));
        assert_eq!(admin().prefixes(), (vec!["INBOX"], vec!["user/"], vec![""]));
    }

    #[test]
    fn a_site_may_choose_its_prefixes() {
        let prefixes = Prefixes { other_users: "~/".into(), shared: "#/all/".into() };
        let joe = Namespace::new("joe", false, &prefixes);
        assert_eq!(internal(&joe, "~/sue").as_deref(), Ok("user/sue"));
        assert_eq!(internal(&joe, "#/all/team").as_deref(), Ok("team"));
        assert_eq!(internal(&joe, "#/all"), Err(BadName::Namespace));
    }
}
