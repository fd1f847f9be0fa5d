//! Who changes the hierarchy, and who only opens mailboxes in it. The unit is the tree of one user, or of one name at the
//! top of the shared hierarchy, together with what was deleted from it: users don't wait for each other.

use std::hash::{BuildHasher, RandomState};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::name::{DELETED_PREFIX, MailboxName};

/// Trees share locks by their hash; this many are enough for users to meet seldom.
const STRIPES: usize = 256;

/// The locks of all trees.
#[derive(Debug)]
pub(super) struct NameLocks {
    stripes: Vec<RwLock<()>>,
    hasher: RandomState,
}

impl NameLocks {
    pub(super) fn new() -> NameLocks {
        NameLocks { stripes: (0..STRIPES).map(|_| RwLock::new(())).collect(), hasher: RandomState::new() }
    }

    /// No name of the tree changes while this is held.
    pub(super) fn shared(&self, name: &MailboxName) -> RwLockReadGuard<'_, ()> {
        self.stripes[self.stripe(name)].read()
    }

    /// The holder alone may change names in the trees of `names`.
    pub(super) fn exclusive(&self, names: &[&MailboxName]) -> Vec<RwLockWriteGuard<'_, ()>> {
        // Always in the same order, so that two who want two trees don't wait for each other.
        let mut stripes: Vec<_> = names.iter().map(|name| self.stripe(name)).collect();
        stripes.sort_unstable();
        stripes.dedup();
        stripes.into_iter().map(|stripe| self.stripes[stripe].write()).collect()
    }

    fn stripe(&self, name: &MailboxName) -> usize {
        self.hasher.hash_one(tree_of(name)) as usize % STRIPES
    }
}

/// The tree that a name belongs to: `user/joe`, `team`; a deleted mailbox belongs to the tree it was deleted from.
pub(super) fn tree_of(name: &MailboxName) -> &str {
    let text = name.as_str();
    let text = text.strip_prefix(DELETED_PREFIX).and_then(|rest| rest.strip_prefix('/')).unwrap_or(text);
    let levels = if text.starts_with("user/") { 2 } else { 1 };
    text.match_indices('/').nth(levels - 1).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees() {
        for (name, tree) in [
            ("user/joe", "user/joe"),
            ("user/joe/a/b", "user/joe"),
            ("team", "team"),
            ("team/x", "team"),
            ("DELETED/user/joe/a/5f", "user/joe"),
            ("DELETED/team/5f", "team"),
            ("DELETED", "DELETED"),
        ] {
            assert_eq!(tree_of(&MailboxName::parse(name).unwrap()), tree, "{name}");
        }
    }

    #[test]
    fn one_tree_twice_is_locked_once() {
        let locks = NameLocks::new();
        let (a, b) = (MailboxName::parse("user/joe").unwrap(), MailboxName::parse("user/joe/x").unwrap());
        assert_eq!(locks.exclusive(&[&a, &b]).len(), 1);
        let held = locks.shared(&a);
        assert!(locks.stripes[locks.stripe(&b)].try_write().is_none());
        drop(held);
    }
}
