//! What users may do without an administrator, and what new users get: one record for the whole server.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::junk::{Decision, JunkException, check_exceptions, set_patterns};
use crate::revision::Revision;
use crate::sender_pattern::SenderPattern;

/// Most default folders: they are made one by one with every user.
const MAX_FOLDERS: usize = 20;

/// Longest name of a default folder in octets.
const MAX_FOLDER: usize = 100;

/// Largest quota in MiB: as KiB it fits what IMAP can say (RFC 9208, 63 bits), with room for sums.
pub const MAX_QUOTA_MIB: u64 = 1 << 40;

/// The global record, which `msgaclset` edits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Privileges {
    /// The quota of new users in MiB: `None` is none, 0 takes no mail at all. Users who are there keep theirs.
    pub default_quota_mib: Option<u64>,
    /// Folders of new users beside the INBOX, such as `Sent`; made and subscribed to with it.
    pub default_folders: Vec<String>,
    /// May change names, telephone numbers, title and office of their own.
    pub allow_profile_edit: bool,
    /// May change the own password, and have app passwords.
    pub allow_password_change: bool,
    /// May have their mail forwarded.
    pub allow_forwarding: bool,
    /// May have replies sent while they are away.
    pub allow_vacation: bool,
    /// May set their junk filter.
    pub allow_junk_filter: bool,
    /// May make aliases.
    pub allow_alias_create: bool,
    /// May join and leave open aliases.
    pub allow_alias_join: bool,
    /// May look for other users.
    pub allow_user_search: bool,
    /// Senders who are exceptions for everybody, beside those of each user's junk filter, which count first. Kept sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub junk_exceptions: Vec<JunkException>,
    /// Which state of the record this is.
    #[serde(skip_serializing_if = "Revision::is_none")]
    pub revision: Revision,
    /// Fields of a newer version, kept as they are.
    #[serde(flatten)]
    pub(crate) unknown: BTreeMap<String, serde_json::Value>,
}

impl Default for Privileges {
    /// As the server starts: no quota, everything allowed.
    fn default() -> Privileges {
        Privileges {
            default_quota_mib: None,
            default_folders: Vec::new(),
            allow_profile_edit: true,
            allow_password_change: true,
            allow_forwarding: true,
            allow_vacation: true,
            allow_junk_filter: true,
            allow_alias_create: true,
            allow_alias_join: true,
            allow_user_search: true,
            junk_exceptions: Vec::new(),
            revision: Revision::NONE,
            unknown: BTreeMap::new(),
        }
    }
}

/// One of the switches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Privilege {
    /// [`Privileges::allow_profile_edit`].
    ProfileEdit,
    /// [`Privileges::allow_password_change`].
    PasswordChange,
    /// [`Privileges::allow_forwarding`].
    Forwarding,
    /// [`Privileges::allow_vacation`].
    Vacation,
    /// [`Privileges::allow_junk_filter`].
    JunkFilter,
    /// [`Privileges::allow_alias_create`].
    AliasCreate,
    /// [`Privileges::allow_alias_join`].
    AliasJoin,
    /// [`Privileges::allow_user_search`].
    UserSearch,
}

impl Privilege {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Privilege; 8] = [
        Privilege::ProfileEdit,
        Privilege::PasswordChange,
        Privilege::Forwarding,
        Privilege::Vacation,
        Privilege::JunkFilter,
        Privilege::AliasCreate,
        Privilege::AliasJoin,
        Privilege::UserSearch,
    ];

    /// The switch's name in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Privilege::ProfileEdit => "AllowProfileEdit",
            Privilege::PasswordChange => "AllowPasswordChange",
            Privilege::Forwarding => "AllowForwarding",
            Privilege::Vacation => "AllowVacation",
            Privilege::JunkFilter => "AllowJunkFilter",
            Privilege::AliasCreate => "AllowAliasCreate",
            Privilege::AliasJoin => "AllowAliasJoin",
            Privilege::UserSearch => "AllowUserSearch",
        }
    }
}

impl Privileges {
    /// What the list of exceptions is called in errors.
    pub const JUNK_EXCEPTIONS: &'static str = "junk_exceptions";

    /// Whether users may.
    #[must_use]
    pub fn allow(&self, privilege: Privilege) -> bool {
        match privilege {
            Privilege::ProfileEdit => self.allow_profile_edit,
            Privilege::PasswordChange => self.allow_password_change,
            Privilege::Forwarding => self.allow_forwarding,
            Privilege::Vacation => self.allow_vacation,
            Privilege::JunkFilter => self.allow_junk_filter,
            Privilege::AliasCreate => self.allow_alias_create,
            Privilege::AliasJoin => self.allow_alias_join,
            Privilege::UserSearch => self.allow_user_search,
        }
    }

    /// Turns a switch.
    pub fn set(&mut self, privilege: Privilege, allowed: bool) {
        *match privilege {
            Privilege::ProfileEdit => &mut self.allow_profile_edit,
            Privilege::PasswordChange => &mut self.allow_password_change,
            Privilege::Forwarding => &mut self.allow_forwarding,
            Privilege::Vacation => &mut self.allow_vacation,
            Privilege::JunkFilter => &mut self.allow_junk_filter,
            Privilege::AliasCreate => &mut self.allow_alias_create,
            Privilege::AliasJoin => &mut self.allow_alias_join,
            Privilege::UserSearch => &mut self.allow_user_search,
        } = allowed;
    }

    /// Makes these the senders of one kind of exception.
    pub fn set_junk_exceptions(&mut self, decision: Decision, patterns: impl IntoIterator<Item = SenderPattern>) {
        set_patterns(&mut self.junk_exceptions, decision, patterns);
    }

    /// What must hold for the record.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub(crate) fn check(&self) -> Result<()> {
        check_quota("default_quota_mib", self.default_quota_mib)?;
        check_exceptions(Privileges::JUNK_EXCEPTIONS, &self.junk_exceptions)?;
        if self.default_folders.len() > MAX_FOLDERS {
            return Err(Error::rule("default_folders", "", "there are at most 20"));
        }
        for (position, folder) in self.default_folders.iter().enumerate() {
            let is_bad = |c: char| c.is_control() || matches!(c, '%' | '*' | '.' | '\\');
            if folder.is_empty() || folder.len() > MAX_FOLDER || folder.contains(is_bad) {
                let rule = "a folder's name has 1 to 100 octets, no control characters and none of % * . \\";
                return Err(Error::rule("default_folders", folder, rule));
            }
            if folder.split('/').any(|part| part.is_empty() || part != part.trim()) {
                return Err(Error::rule(
                    "default_folders",
                    folder,
                    "a level of its name is empty or has blanks around it",
                ));
            }
            if folder.eq_ignore_ascii_case("INBOX") || self.default_folders[..position].contains(folder) {
                return Err(Error::rule("default_folders", folder, "it is there already"));
            }
        }
        Ok(())
    }
}

/// What must hold for a quota in MiB.
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn check_quota(field: &'static str, mib: Option<u64>) -> Result<()> {
    match mib {
        Some(mib) if mib > MAX_QUOTA_MIB => {
            Err(Error::rule(field, mib.to_string(), "a quota is at most 2^40 megabytes; NONE is no limit"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches() {
        let mut privileges = Privileges::default();
        for privilege in Privilege::ALL {
            assert!(privileges.allow(privilege));
            privileges.set(privilege, false);
            assert!(!privileges.allow(privilege), "{}", privilege.name());
        }
        let stored = serde_json::to_string(&privileges).unwrap();
        assert_eq!(serde_json::from_str::<Privileges>(&stored).unwrap(), privileges);
        assert_eq!(serde_json::from_str::<Privileges>("{}").unwrap(), Privileges::default());
    }

    #[test]
    fn folders_and_quotas() {
        let with = |folders: &[&str]| Privileges {
            default_folders: folders.iter().map(|&folder| folder.to_owned()).collect(),
            ..Privileges::default()
        };
        with(&["Sent", "Archive/2026", "Entwürfe"]).check().unwrap();
        for bad in ["", "a//b", "/a", "a/", " a", "a.b", "a*", "inbox", "a\nb"] {
            assert!(matches!(with(&[bad]).check(), Err(Error::Rule { field: "default_folders", .. })), "{bad:?}");
        }
        assert!(with(&["Sent", "Sent"]).check().is_err());
        for (mib, good) in [(None, true), (Some(0), true), (Some(MAX_QUOTA_MIB), true), (Some(u64::MAX), false)] {
            assert_eq!(check_quota("quota_limit_mib", mib).is_ok(), good, "{mib:?}");
        }
    }
}
