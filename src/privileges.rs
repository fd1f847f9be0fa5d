//! Giving up what the server does not need: root, once the ports are bound, then capabilities, then (where it is asked for)
//! the right to write anywhere but to its own directories.
//!
//! Credentials, `no_new_privs` and Landlock are a thread's, and inherited by the threads it makes: all of this happens
//! while there is only one.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus,
};
use nix::unistd::{User, initgroups, setresgid, setresuid};
use rustix::process::{Resource, Rlimit, geteuid, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};
use tools::Exit;
use tracing::{info, warn};

use crate::config::Config;
use crate::failure::Failure;

/// What is written to beside the store.
const WRITABLE: &str = "/dev/null";

/// The rights of Landlock that we know; an older kernel enforces those it has.
const LANDLOCK: ABI = ABI::V5;

/// Becomes the user that `server.user` names, for good. Without one, or as that user already, nothing changes.
///
/// Directories of the store that are not there yet are made for that user; those that belong to somebody else are refused:
/// the server would find half of its files unreadable.
///
/// # Errors
/// There is no such user, or we may not become it.
pub(crate) fn become_user(config: &Config) -> Result<(), Failure> {
    let Some(name) = &config.server.user else {
        if geteuid().is_root() {
            warn!(event = "privileges.root", "running as root: name a user in server.user");
        }
        return Ok(());
    };
    let looked_up = User::from_name(name).map_err(|problem| cannot_become(name, &problem))?;
    let user = looked_up
        .ok_or_else(|| Failure::new(Exit::Config, format!("[server] user: there is no user {name} on this machine")))?;
    if geteuid().as_raw() == user.uid.as_raw() {
        return Ok(());
    }
    if !geteuid().is_root() {
        let what = format!("[server] user: only root can become {name}; start the server as root or as {name}");
        return Err(Failure::new(Exit::NoPermission, what));
    }
    for directory in [config.config_dir(), config.spool()] {
        hand_over(&directory, &user)?;
    }
    let login = std::ffi::CString::new(user.name.as_str()).map_err(|problem| cannot_become(name, &problem))?;
    initgroups(&login, user.gid)
        .and_then(|()| setresgid(user.gid, user.gid, user.gid))
        .and_then(|()| setresuid(user.uid, user.uid, user.uid))
        .map_err(|problem| cannot_become(name, &problem))?;
    // A way back would make all of this worthless.
    if setresuid(0.into(), 0.into(), 0.into()).is_ok() && !user.uid.is_root() {
        return Err(Failure::new(Exit::Os, format!("became {name}, but root again without being asked")));
    }
    info!(event = "privileges.dropped", user = %user.name, uid = user.uid.as_raw());
    Ok(())
}

/// Refuses to work as root on a store of another user's: what root writes there that user could not read, and would find out
/// one by one.
///
/// # Errors
/// Whose it is, and what to do.
pub(crate) fn check_owner(config: &Config) -> Result<(), Failure> {
    for directory in [config.config_dir(), config.spool()] {
        // What is not there yet is made; what cannot be looked at is somebody else's error to tell.
        let Ok(found) = fs::metadata(&directory) else { continue };
        let user = User::from_uid(found.uid().into()).ok().flatten();
        let owner = Owner { uid: found.uid(), name: user.map(|user| user.name) };
        match owner.refusal(geteuid().as_raw(), &directory) {
            Some(what) => return Err(Failure::new(Exit::NoPermission, what)),
            None => continue,
        }
    }
    Ok(())
}

/// Whose a directory is.
struct Owner {
    uid: u32,
    /// `None`: this machine knows no such user.
    name: Option<String>,
}

impl Owner {
    /// Why a process of the user `uid` must leave the directory alone, if it must.
    fn refusal(&self, uid: u32, directory: &Path) -> Option<String> {
        // Whoever is neither root nor the owner is stopped by the system.
        if uid != 0 || self.uid == 0 {
            return None;
        }
        let (directory, owner) = (directory.display(), self.uid);
        Some(match &self.name {
            Some(name) => format!(
                "{directory} belongs to user {owner} ({name}), who could not read what root leaves there: name that user in \
                 server.user (user = \"{name}\" in [server]), or run this as that user (runuser -u {name} -- angarium ...)"
            ),
            None => format!(
                "{directory} belongs to user {owner}, whom this machine does not know and who could not read what root \
                 leaves there: give it to the user who is to run the server (chown -R) and name that user in server.user"
            ),
        })
    }
}

fn cannot_become(name: &str, problem: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Os, format!("cannot become user {name}: {problem}"))
}

/// Makes a directory for the user, if it is missing; says what to do if it is somebody else's.
fn hand_over(directory: &Path, user: &User) -> Result<(), Failure> {
    let failed = |problem: std::io::Error| {
        Failure::new(Exit::CantCreate, format!("cannot create {}: {problem}", directory.display()))
    };
    match fs::metadata(directory) {
        Ok(found) if found.uid() == user.uid.as_raw() => Ok(()),
        Ok(_) => {
            let (path, name) = (directory.display(), &user.name);
            let what = format!("{path} does not belong to {name}, whom [server] user names: chown -R {name} {path}");
            Err(Failure::new(Exit::NoPermission, what))
        }
        Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => {
            // Directories above it that are made now are his as well: he has to pass through them.
            let missing: Vec<_> = directory.ancestors().take_while(|above| !above.exists()).collect();
            fs::create_dir_all(directory).map_err(failed)?;
            let theirs = |above: &&Path| chown(above, Some(user.uid.as_raw()), Some(user.gid.as_raw()));
            missing.iter().try_for_each(theirs).map_err(failed)
        }
        Err(problem) => Err(failed(problem)),
    }
}

/// Gives up whatever the server can do without once it is set up. No memory of it is ever written to a core file: mail
/// and keys would be in it.
///
/// # Errors
/// The system refuses.
pub(crate) fn give_up(config: &Config) -> Result<(), Failure> {
    let refused = |what: &str, problem: &dyn std::fmt::Display| Failure::new(Exit::Os, format!("{what}: {problem}"));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .map_err(|problem| refused("cannot turn core files off", &problem))?;
    rustix::thread::set_no_new_privs(true).map_err(|problem| refused("cannot give up privileges", &problem))?;
    if !geteuid().is_root() {
        drop_capabilities().map_err(|problem| refused("cannot give up capabilities", &problem))?;
    }
    if config.confined() {
        confine(config).map_err(|problem| refused("cannot confine the server to its directories", &problem))?;
    }
    Ok(())
}

/// That of binding low ports, which a service manager may have given us.
fn drop_capabilities() -> rustix::io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}

/// Confines writing to the store's directories and to those that the configuration adds. Reading stays free: certificates,
/// archives to import and the time zone are anywhere.
fn confine(config: &Config) -> Result<(), landlock::RulesetError> {
    let write = AccessFs::from_write(LANDLOCK);
    // A kernel that knows Landlock but not this right refuses every link and rename between directories: better not at all.
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::SoftRequirement)
        .handle_access(AccessFs::Refer)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(write)?
        .create()?;
    let named = config.server.writable.iter().map(|path| config.absolute(path));
    let places: Vec<PathBuf> =
        [config.config_dir(), config.spool(), WRITABLE.into()].into_iter().chain(named).collect();
    for place in &places {
        // What does not exist cannot be written to either.
        let Ok(opened) = PathFd::new(place) else { continue };
        let directory = fs::metadata(place).is_ok_and(|found| found.is_dir());
        let access = if directory { write } else { write & AccessFs::from_file(LANDLOCK) };
        rules = rules.add_rule(PathBeneath::new(opened, access))?;
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::NotEnforced => warn!(event = "privileges.unconfined", "this kernel has no Landlock"),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => {
            let places: Vec<_> = places.iter().map(|place| place.display().to_string()).collect();
            info!(event = "privileges.confined", writable = places.join(" "));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_leaves_others_stores_alone() {
        let check = |uid: u32, owner: u32, name: Option<&str>, expected: &[&str]| {
            let owner = Owner { uid: owner, name: name.map(str::to_owned) };
            let said = owner.refusal(uid, Path::new("/var/imap")).unwrap_or_default();
            assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
            expected.iter().for_each(|part| assert!(said.contains(part), "{said}"));
        };
        check(0, 0, Some("root"), &[]);
        check(107, 107, Some("cyrus"), &[]);
        check(1000, 107, Some("cyrus"), &[]);
        check(0, 107, Some("cyrus"), &["/var/imap belongs to user 107 (cyrus)", "user = \"cyrus\"", "-u cyrus"]);
        check(0, 4711, None, &["/var/imap belongs to user 4711", "server.user", "chown -R"]);
    }
}
