//! Where everything lies: the only place that turns names into paths.
//!
//! Mailbox names are checked before they get here ([`MailboxName`]), so a path never leaves its partition. The
//! directories of the store itself end in a dot (`stage.`), which a mailbox name can't.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    name::MailboxName,
    stage,
};

/// The partition of mailboxes that were not given another.
pub const DEFAULT_PARTITION: &str = "default";

/// Longest encoded quota root used as a file name: NAME_MAX is 255, and replacing the file needs a longer temporary name.
const MAX_ROOT_FILE: usize = 200;

/// The directories of a store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    config: PathBuf,
    partitions: BTreeMap<String, PathBuf>,
}

impl Layout {
    /// A store with its configuration directory at `config` and one partition, at `spool`.
    #[must_use]
    pub fn new(config: impl Into<PathBuf>, spool: impl Into<PathBuf>) -> Layout {
        let partitions = BTreeMap::from([(DEFAULT_PARTITION.to_owned(), spool.into())]);
        Layout { config: config.into(), partitions }
    }

    /// The same with another partition (`partition-NAME`).
    #[must_use]
    pub fn with_partition(mut self, name: impl Into<String>, spool: impl Into<PathBuf>) -> Layout {
        self.partitions.insert(name.into(), spool.into());
        self
    }

    /// The configuration directory.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The partitions by name.
    pub fn partitions(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.partitions.iter().map(|(name, path)| (name.as_str(), path.as_path()))
    }

    /// The directory of a partition.
    ///
    /// # Errors
    /// When the configuration has no such partition.
    pub fn partition(&self, name: &str) -> Result<&Path> {
        let unknown = || Error::Invalid(format!("there is no partition {name}"));
        self.partitions.get(name).map(PathBuf::as_path).ok_or_else(unknown)
    }

    /// The directory of a mailbox.
    ///
    /// # Errors
    /// When the configuration has no such partition.
    pub fn mailbox_dir(&self, partition: &str, name: &MailboxName) -> Result<PathBuf> {
        Ok(self.partition(partition)?.join(name.as_str()))
    }

    /// Where incoming messages of a partition wait to be linked into mailboxes.
    ///
    /// # Errors
    /// When the configuration has no such partition.
    pub fn stage_dir(&self, partition: &str) -> Result<PathBuf> {
        Ok(self.partition(partition)?.join(stage::DIRECTORY))
    }

    /// Locked by the store's owner.
    #[must_use]
    pub fn store_lock(&self) -> PathBuf {
        self.config.join("store.lock")
    }

    /// The mailboxes database.
    #[must_use]
    pub fn mailboxes_db(&self) -> PathBuf {
        self.config.join("mailboxes.db")
    }

    /// There while the mailboxes database holds less than was promised: a repair has salvaged it and is not done.
    #[must_use]
    pub fn repair_marker(&self) -> PathBuf {
        self.config.join("mailboxes.unproven")
    }

    /// The journal and the dumps of the mailboxes database.
    #[must_use]
    pub fn copies(&self) -> PathBuf {
        self.config.join("copies")
    }

    /// The duplicate delivery database.
    #[must_use]
    pub fn deliver_db(&self) -> PathBuf {
        self.config.join("deliver.db")
    }

    /// The marker of an orderly stop.
    #[must_use]
    pub fn clean_marker(&self) -> PathBuf {
        self.config.join("store.clean")
    }

    /// The directory of the quota files.
    #[must_use]
    pub fn quota_dir(&self) -> PathBuf {
        self.config.join("quota")
    }

    /// The quota file of a root: `quota/<c>/<root>`, where `<c>` is the first letter after the first separator.
    #[must_use]
    pub fn quota_file(&self, root: &MailboxName) -> PathBuf {
        let text = root.as_str();
        let second = text.split_once('/').map_or(text, |(_, rest)| rest);
        self.quota_dir().join(hash_letter(second).to_string()).join(root_file_name(root))
    }

    /// The subscriptions of a user: `user/<c>/<userid>.sub`.
    #[must_use]
    pub fn subscriptions(&self, user: &str) -> PathBuf {
        self.config.join("user").join(hash_letter(user).to_string()).join(format!("{user}.sub"))
    }

    /// Where an installation without hashed directories keeps them; only read.
    #[must_use]
    pub fn subscriptions_unhashed(&self, user: &str) -> PathBuf {
        self.config.join("user").join(format!("{user}.sub"))
    }
}

/// A directory entry that the store itself makes in a mailbox's directory: not another mailbox.
#[must_use]
pub(crate) fn is_own_directory(name: &str) -> bool {
    name.ends_with('.')
}

/// The letter that spreads a directory's files: the first one of `text` in lower case, or `q`.
fn hash_letter(text: &str) -> char {
    text.chars().next().map(|c| c.to_ascii_lowercase()).filter(char::is_ascii_lowercase).unwrap_or('q')
}

/// A quota root as a file name, as Cyrus writes it: dots for separators, `^` for a dot. A `^` becomes `%5E` (names have
/// no `%`), so that no two roots share a file; what would be too long ends in a hash.
fn root_file_name(root: &MailboxName) -> String {
    let name: String = root
        .as_str()
        .chars()
        .map(|c| match c {
            '/' => ".".to_owned(),
            '.' => "^".to_owned(),
            '^' => "%5E".to_owned(),
            other => other.to_string(),
        })
        .collect();
    if name.len() <= MAX_ROOT_FILE {
        return name;
    }
    let hash = blake3::hash(root.as_str().as_bytes()).to_hex();
    let cut = name.floor_char_boundary(MAX_ROOT_FILE - 33);
    format!("{}%{}", &name[..cut], &hash[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::parse(text).unwrap()
    }

    #[test]
    fn paths() {
        let layout = Layout::new("/c", "/s").with_partition("big", "/b");
        assert_eq!(layout.mailbox_dir("default", &name("user/joe/Lists")).unwrap(), Path::new("/s/user/joe/Lists"));
        assert_eq!(layout.mailbox_dir("big", &name("team")).unwrap(), Path::new("/b/team"));
        assert!(layout.mailbox_dir("none", &name("team")).is_err());
        for (root, expected) in [
            ("user/joe", "/c/quota/j/user.joe"),
            ("user/joe/a.b", "/c/quota/j/user.joe.a^b"),
            ("user/joe/a^b", "/c/quota/j/user.joe.a%5Eb"),
            ("user/7up", "/c/quota/q/user.7up"),
            ("Team", "/c/quota/t/Team"),
        ] {
            assert_eq!(layout.quota_file(&name(root)), Path::new(expected), "{root}");
        }
        assert_eq!(layout.subscriptions("joe"), Path::new("/c/user/j/joe.sub"));
    }

    #[test]
    fn long_roots_have_files_of_their_own() {
        let (a, b) = (format!("user/joe/{}a", "ü".repeat(109)), format!("user/joe/{}b", "ü".repeat(109)));
        let (a, b) = (root_file_name(&name(&a)), root_file_name(&name(&b)));
        assert!(a.len() <= MAX_ROOT_FILE);
        assert_ne!(a, b);
    }
}
