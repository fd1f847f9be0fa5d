//! Which mailboxes a user has subscribed to: `<config>/user/<c>/<userid>.sub`, one name a line, each followed by a tab,
//! in byte order. No tool can rebuild this file, so reading keeps every good line of a damaged one, and writing
//! replaces the file as a whole. A name stays subscribed when its mailbox goes (RFC 9051, 6.3.7).

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use durable::disk::{self, Disk};
use parking_lot::Mutex;

use crate::{
    error::{Error, Result},
    layout::Layout,
    mailbox::make_file,
    name::MailboxName,
};

/// Most subscriptions of one user: LIST (SUBSCRIBED) reads them all.
pub const MAX_SUBSCRIPTIONS: usize = 10_000;

/// Longest file read: [`MAX_SUBSCRIPTIONS`] names of full length.
const MAX_FILE: u64 = 8 << 20;

/// Writers of the same user exclude each other, those of different users seldom.
const STRIPES: usize = 64;

/// The subscriptions of all users.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    disk: Arc<dyn Disk>,
    layout: Layout,
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

/// What a subscription file holds.
#[derive(Default, Debug)]
pub(crate) struct Loaded {
    /// The names, in byte order.
    pub(crate) names: BTreeSet<MailboxName>,
    /// Lines that are no mailbox names.
    pub(crate) bad_lines: usize,
    /// Whether the lines were not in strict byte order.
    pub(crate) unsorted: bool,
}

impl Subscriptions {
    pub(crate) fn new(disk: Arc<dyn Disk>, layout: Layout) -> Subscriptions {
        let stripes = (0..STRIPES).map(|_| Mutex::new(())).collect();
        Subscriptions { disk, layout, stripes, hasher: RandomState::new() }
    }

    /// The subscriptions of `user`, in byte order.
    pub(crate) fn list(&self, user: &str) -> Result<Vec<MailboxName>> {
        let loaded = self.load(user)?;
        if loaded.bad_lines > 0 {
            tracing::warn!(
                event = "subscription.read.damaged",
                user,
                lines = loaded.bad_lines,
                "bad lines of a subscription file were skipped"
            );
        }
        Ok(loaded.names.into_iter().collect())
    }

    /// Adds or removes a name; whether that changed anything.
    pub(crate) fn set(&self, user: &str, name: &MailboxName, subscribed: bool) -> Result<bool> {
        let _writing = self.stripe(user).lock();
        let mut names = self.load(user)?.names;
        let changed = if subscribed { names.insert(name.clone()) } else { names.remove(name) };
        if !changed {
            return Ok(false);
        }
        if names.len() > MAX_SUBSCRIPTIONS {
            return Err(Error::Limit("subscriptions"));
        }
        self.write(user, &names)?;
        Ok(true)
    }

    /// The first names of a user who is being made: not durable before the file system is synced, unless there is a file.
    pub(crate) fn begin(&self, user: &str, names: impl Iterator<Item = MailboxName>) -> Result<()> {
        let _writing = self.stripe(user).lock();
        let mut all = self.load(user)?.names;
        let is_new = all.is_empty();
        all.extend(names);
        if !is_new {
            return self.write(user, &all);
        }
        let path = self.layout.subscriptions(user);
        let made = make_file(&*self.disk, &path, encode(&all).as_bytes());
        // Its directory may be missing, or there is a file without a name in it.
        if made.is_err() { self.write(user, &all) } else { Ok(()) }
    }

    /// Whose files there are.
    pub(crate) fn users(&self) -> Result<Vec<String>> {
        let top = self.layout.config().join("user");
        let mut todo = vec![top];
        let mut users = BTreeSet::new();
        while let Some(dir) = todo.pop() {
            let entries = match self.disk.read_dir(&dir) {
                Err(error) if error.is_not_found() => continue,
                read => read?,
            };
            for entry in entries {
                let Some(name) = entry.name.to_str() else { continue };
                if entry.kind == disk::FileKind::Directory && name.len() == 1 {
                    todo.push(dir.join(name));
                } else if let Some(user) = name.strip_suffix(".sub").filter(|user| check_user(user).is_ok()) {
                    users.insert(user.to_owned());
                }
            }
        }
        Ok(users.into_iter().collect())
    }

    /// Writes the good lines of a damaged file back, sorted.
    pub(crate) fn repair(&self, user: &str) -> Result<()> {
        let _writing = self.stripe(user).lock();
        let names = self.load(user)?.names;
        self.write(user, &names)
    }

    /// Removes all subscriptions of a user who ceases to exist.
    pub(crate) fn forget(&self, user: &str) -> Result<()> {
        let _writing = self.stripe(user).lock();
        for path in [self.layout.subscriptions(user), self.layout.subscriptions_unhashed(user)] {
            match self.disk.unlink(&path) {
                Ok(()) => self.disk.sync_dir(disk::parent(&path))?,
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The content of the file, or of the unhashed one if there is no other; empty if there is none.
    pub(crate) fn load(&self, user: &str) -> Result<Loaded> {
        check_user(user)?;
        for path in [self.layout.subscriptions(user), self.layout.subscriptions_unhashed(user)] {
            match self.disk.read(&path, MAX_FILE) {
                Ok(bytes) => return Ok(parse(&bytes)),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Loaded::default())
    }

    fn write(&self, user: &str, names: &BTreeSet<MailboxName>) -> Result<()> {
        let path = self.layout.subscriptions(user);
        self.disk.create_dir_all(disk::parent(&path))?;
        self.disk.replace_file(&path, encode(names).as_bytes())?;
        // Else the old content would come back with the removal of the last hashed file.
        match self.disk.unlink(&self.layout.subscriptions_unhashed(user)) {
            Err(error) if !error.is_not_found() => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn stripe(&self, user: &str) -> &Mutex<()> {
        &self.stripes[self.hasher.hash_one(user) as usize % STRIPES]
    }
}

/// A user ID becomes a file name: it must be one that can own mailboxes.
fn check_user(user: &str) -> Result<()> {
    MailboxName::inbox(user)?;
    Ok(())
}

fn encode(names: &BTreeSet<MailboxName>) -> String {
    names.iter().map(|name| format!("{name}\t\n")).collect()
}

/// ```abnf
/// file = *(name TAB [anything] LF)
/// ```
fn parse(bytes: &[u8]) -> Loaded {
    let mut loaded = Loaded::default();
    for line in bytes.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        let key = line.split(|&b| b == b'\t').next().unwrap_or_default();
        match std::str::from_utf8(key).ok().and_then(|text| MailboxName::parse(text.trim_end_matches('\r')).ok()) {
            Some(name) => {
                loaded.unsorted |= loaded.names.last().is_some_and(|last| *last >= name);
                loaded.names.insert(name);
            }
            None => loaded.bad_lines += 1,
        }
    }
    loaded
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use durable::disk::RealDisk;

    use super::*;

    fn store(dir: &Path) -> Subscriptions {
        Subscriptions::new(Arc::new(RealDisk), Layout::new(dir.join("c"), dir.join("s")))
    }

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text).unwrap()
    }

    #[test]
    fn add_list_remove() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("c")).unwrap();
        let subs = store(dir.path());
        assert_eq!(subs.list("joe").unwrap(), []);
        for text in ["user/joe/b", "team", "user/joe"] {
            assert!(subs.set("joe", &name(text), true).unwrap());
        }
        assert!(!subs.set("joe", &name("team"), true).unwrap());
        let file = dir.path().join("c/user/j/joe.sub");
        assert_eq!(fs::read_to_string(&file).unwrap(), "team\t\nuser/joe\t\nuser/joe/b\t\n");
        assert!(subs.set("joe", &name("user/joe"), false).unwrap());
        assert!(!subs.set("joe", &name("user/joe"), false).unwrap());
        assert_eq!(store(dir.path()).list("joe").unwrap(), [name("team"), name("user/joe/b")]);
        assert_eq!(subs.list("jo").unwrap(), []);
        subs.forget("joe").unwrap();
        assert!(!file.exists());
    }

    #[test]
    fn a_damaged_file_keeps_its_good_lines() {
        let loaded = parse(b"team\t\n\xff\xfe\t\n../etc\t\n\nuser/joe\r\nalpha\nuser/joe\t");
        assert_eq!(loaded.names.into_iter().collect::<Vec<_>>(), [name("alpha"), name("team"), name("user/joe")]);
        assert_eq!((loaded.bad_lines, loaded.unsorted), (2, true));
    }

    #[test]
    fn the_unhashed_file_is_read_and_replaced() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("c/user")).unwrap();
        fs::write(dir.path().join("c/user/joe.sub"), "team\t\n").unwrap();
        let subs = store(dir.path());
        assert_eq!(subs.list("joe").unwrap(), [name("team")]);
        assert!(subs.set("joe", &name("user/joe"), true).unwrap());
        assert_eq!(subs.list("joe").unwrap(), [name("team"), name("user/joe")]);
        assert!(!dir.path().join("c/user/joe.sub").exists());
    }

    #[test]
    fn a_user_id_is_no_path() {
        let dir = tempfile::tempdir().unwrap();
        for bad in ["../x", "a/b", "", ".", "A"] {
            assert!(store(dir.path()).list(bad).is_err(), "{bad}");
        }
    }
}
