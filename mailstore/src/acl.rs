//! Who may do what with a mailbox: access control lists (RFC 4314) and how they are evaluated.
//!
//! A list maps identifiers to rights. What somebody may do is the union of the positive entries that apply to them,
//! minus the union of the negative ones (identifier with a leading `-`), plus what nobody can take away: the owner of a
//! mailbox and the administrators always keep the rights they need to put a list in order again. An administrator has
//! no implicit right to delete or to read: whoever wants that must grant it, which leaves a trace in the list.

mod identifier;
mod rights;

use std::fmt;
use std::sync::Arc;

pub use identifier::{Access, Identifier};
pub use rights::{Rights, RightsError};

/// Most entries of one list: GETACL sends it in one reply, and every access check reads it whole.
pub(crate) const MAX_ENTRIES: usize = 1000;

/// What the owner of a mailbox can do whatever its list says: see it, administer it, make and delete folders, annotate.
pub const OWNER_RIGHTS: Rights =
    Rights::LOOKUP.with(Rights::CREATE).with(Rights::DELETE_MAILBOX).with(Rights::ADMINISTER).with(Rights::ANNOTATE);

/// What an administrator can do whatever the list says.
pub const ADMIN_RIGHTS: Rights = Rights::LOOKUP.with(Rights::ADMINISTER);

/// How SETACL changes an entry (RFC 4314, 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AclMode {
    /// The entry gets exactly these rights; with none it is removed.
    Replace,
    /// `+`: the entry gets these rights too.
    Add,
    /// `-`: the entry loses these rights; without any left it is removed.
    Remove,
}

/// An access control list. A copy shares the entries until one of them changes: most mailboxes of a user have the same.
/// Entries keep the order in which they were made; there is one per identifier.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Acl(Arc<Vec<(Identifier, Rights)>>);

impl Acl {
    /// A list without entries: only implicit rights.
    #[must_use]
    pub fn new() -> Acl {
        Acl::default()
    }

    /// The list of a new INBOX: everything for its owner, nothing for anybody else.
    #[must_use]
    pub fn of_inbox(owner: &str) -> Acl {
        Identifier::parse(owner).map_or_else(Acl::new, |owner| Acl(Arc::new(vec![(owner, Rights::ALL)])))
    }

    /// The list of a new mailbox at the top of the shared hierarchy (`defaultacl`): everybody may see and read it.
    #[must_use]
    pub fn of_shared() -> Acl {
        let reader = Rights::LOOKUP.with(Rights::READ).with(Rights::SEEN);
        Acl(Arc::new(vec![(Identifier::anyone(), reader)]))
    }

    /// Reads the text form `id TAB rights TAB id TAB rights TAB`; the last tab may be missing.
    ///
    /// Damage must not take a mailbox away from its users: entries that make no sense are left out, and the second value
    /// says how many those were.
    #[must_use]
    pub fn parse_lenient(text: &str) -> (Acl, usize) {
        let (mut acl, mut bad) = (Acl::new(), 0);
        let mut fields = text.trim_end_matches(['\t', '\r', '\n']).split('\t');
        while let Some(id) = fields.next() {
            match (Identifier::parse(id), fields.next().map(Rights::parse)) {
                (Some(id), Some(Ok(rights))) if acl.0.len() < MAX_ENTRIES => acl.set(id, AclMode::Replace, rights),
                (None, None) if id.is_empty() => {}
                _ => bad += 1,
            }
        }
        (acl, bad)
    }

    /// Reads the text form; nothing if any entry is bad.
    #[must_use]
    pub fn parse(text: &str) -> Option<Acl> {
        match Acl::parse_lenient(text) {
            (acl, 0) => Some(acl),
            _ => None,
        }
    }

    /// The entries in their order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (&Identifier, Rights)> {
        self.0.iter().map(|(id, rights)| (id, *rights))
    }

    /// The rights of one entry; none if it does not exist.
    #[must_use]
    pub fn entry(&self, id: &Identifier) -> Rights {
        self.0.iter().find(|(other, _)| other == id).map_or(Rights::NONE, |(_, rights)| *rights)
    }

    /// Whether another entry would be one too many.
    #[must_use]
    pub fn is_full_for(&self, id: &Identifier) -> bool {
        self.0.len() >= MAX_ENTRIES && !self.0.iter().any(|(other, _)| other == id)
    }

    /// Changes the entry of `id`.
    pub fn set(&mut self, id: Identifier, mode: AclMode, rights: Rights) {
        let at = self.0.iter().position(|(other, _)| *other == id);
        let old = at.map_or(Rights::NONE, |at| self.0[at].1);
        let new = match mode {
            AclMode::Replace => rights,
            AclMode::Add => old.with(rights),
            AclMode::Remove => old.without(rights),
        };
        let entries = Arc::make_mut(&mut self.0);
        match at {
            Some(at) if new.is_empty() => {
                entries.remove(at);
            }
            Some(at) => entries[at].1 = new,
            None if new.is_empty() => {}
            None => entries.push((id, new)),
        }
    }

    /// Removes the positive and the negative entry of `user`, who ceases to exist; whether there was one.
    pub fn forget(&mut self, user: &str) -> bool {
        let found = self.0.iter().any(|(id, _)| id.name() == user);
        if found {
            Arc::make_mut(&mut self.0).retain(|(id, _)| id.name() != user);
        }
        found
    }

    /// What `access` may do with a mailbox of `owner` (nobody for a shared mailbox) that has this list.
    #[must_use]
    pub fn rights(&self, access: &Access, owner: Option<&str>) -> Rights {
        let (mut granted, mut denied) = (Rights::NONE, Rights::NONE);
        for (id, rights) in self.0.iter() {
            if !id.covers(access) {
                continue;
            }
            if id.is_negative() {
                denied = denied.with(*rights);
            } else {
                granted = granted.with(*rights);
            }
        }
        let mut rights = granted.without(denied);
        if !access.anonymous && owner == Some(access.user.as_str()) {
            rights = rights.with(OWNER_RIGHTS);
        }
        if access.admin {
            rights = rights.with(ADMIN_RIGHTS);
        }
        rights
    }
}

/// The text form: each entry as `id TAB rights TAB`.
impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(id, rights)| write!(f, "{id}\t{rights}\t"))
    }
}

/// What LISTRIGHTS answers for `id` on a mailbox of `owner` (RFC 4314, 3.7): first the rights that `id` always has
/// (maybe none), then each group of rights that can only be granted together. Ours stand alone, all of them.
#[must_use]
pub(crate) fn grantable(id: &Identifier, owner: Option<&str>) -> (Rights, Vec<Rights>) {
    let required = match owner {
        Some(owner) if !id.is_negative() && id.name() == owner => OWNER_RIGHTS,
        _ => Rights::NONE,
    };
    (required, Rights::ALL_WITH_SITE.without(required).each().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(text: &str) -> Rights {
        Rights::parse(text).unwrap()
    }

    fn acl(text: &str) -> Acl {
        Acl::parse(&text.replace(' ', "\t")).unwrap()
    }

    #[test]
    fn evaluation() {
        let joe = Access::user("joe");
        let sue = Access::user("sue").in_groups(["staff"]);
        let admin = Access::admin("admin");
        let nobody = Access::anonymous();
        let list = "joe lrswipkxtean anyone lr group:staff p -sue r";
        let rows: &[(&str, &Access, Option<&str>, &str)] = &[
            (list, &joe, Some("joe"), "lrswipkxtean"),
            (list, &sue, Some("joe"), "lp"),
            (list, &nobody, Some("joe"), "lr"),
            (list, &admin, Some("joe"), "lra"),
            // The owner's implicit rights survive everything.
            ("-joe lrswipkxtean anyone lr", &joe, Some("joe"), "lkxan"),
            ("-anyone l anyone lr", &admin, None, "lra"),
            // Somebody who calls himself joe but is not logged in is not joe.
            ("joe lr", &nobody, Some("joe"), ""),
            ("anonymous p", &nobody, None, "p"),
            ("anonymous p", &joe, None, ""),
            // Negative entries for a group and for everybody.
            ("sue lrs -group:staff s", &sue, None, "lr"),
            ("sue lrs -anyone rs", &sue, None, "l"),
            // An identifier is compared whole: rights of "jo" are not joe's.
            ("jo lrs joey lrs", &joe, None, ""),
            ("", &joe, None, ""),
            ("", &joe, Some("joe"), "lkxan"),
        ];
        for (list, access, owner, expected) in rows {
            assert_eq!(acl(list).rights(access, *owner), rights(expected), "{list} for {access:?} of {owner:?}");
        }
    }

    #[test]
    fn changing_entries() {
        let rows: &[(&str, AclMode, &str, &str)] = &[
            ("sue lr", AclMode::Replace, "p", "sue p"),
            ("sue lr", AclMode::Add, "p", "sue lrp"),
            ("sue lr", AclMode::Remove, "r", "sue l"),
            ("sue lr", AclMode::Remove, "lr", ""),
            ("sue lr", AclMode::Replace, "", ""),
            ("", AclMode::Add, "lr", "sue lr"),
            ("", AclMode::Remove, "lr", ""),
            ("joe l sue l bob l", AclMode::Replace, "r", "joe l sue r bob l"),
            ("sue lrcd", AclMode::Remove, "d", "sue lrkx"),
        ];
        for (before, mode, change, after) in rows {
            let mut list = acl(before);
            list.set(Identifier::parse("sue").unwrap(), *mode, rights(change));
            assert_eq!(list, acl(after), "{before} {mode:?} {change}");
        }
    }

    #[test]
    fn text_form_reads_back() {
        let list = acl("joe lrswipkxtean group:staff lk -sue d");
        assert_eq!(list.to_string(), "joe\tlrswipkxtecdan\tgroup:staff\tlkc\t-sue\tted\t");
        assert_eq!(Acl::parse(&list.to_string()), Some(list));
        assert_eq!(Acl::parse(""), Some(Acl::new()));
    }

    #[test]
    fn damaged_entries_cost_only_themselves() {
        let (list, bad) = Acl::parse_lenient("joe\tlr\tsu\u{7}e\tlr\tbob\tl?\tann\ts\tlast");
        assert_eq!((list, bad), (acl("joe lr ann s"), 3));
    }

    #[test]
    fn a_deleted_user_leaves_no_entry() {
        let mut list = acl("joe lr -joe s sue lr joey l");
        assert!(list.forget("joe"));
        assert_eq!(list, acl("sue lr joey l"));
        assert!(!list.forget("joe"));
    }

    #[test]
    fn what_can_be_granted() {
        let (required, optional) = grantable(&Identifier::parse("joe").unwrap(), Some("joe"));
        assert_eq!(required, rights("lkxan"));
        assert!(optional.contains(&rights("r")) && !optional.contains(&rights("l")));
        let (required, optional) = grantable(&Identifier::parse("-joe").unwrap(), Some("joe"));
        assert_eq!((required, optional.len()), (Rights::NONE, 22));
    }
}
