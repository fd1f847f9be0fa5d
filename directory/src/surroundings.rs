//! What rules need to know of the machine around the directory: accounts of the operating system, and where nobody may have
//! mail appended to.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::user::UserId;

/// Longest list of accounts that is read: one of a million accounts.
const MAX_PASSWD: u64 = 64 << 20;

/// The machine, as far as rules look at it. The default looks at nothing.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The accounts of the operating system, a file like `/etc/passwd`. No user may be called like one of them.
    pub accounts: Option<PathBuf>,
    /// Directories below which no alias may append to a file: the spool, the configuration.
    pub guarded: Vec<PathBuf>,
}

impl Surroundings {
    /// Refuses a user ID that is the name of an account of the operating system.
    ///
    /// # Errors
    /// [`Error::Rule`]; [`Error::Unavailable`] when the accounts can't be read.
    pub(crate) fn check_user(&self, user: &UserId) -> Result<()> {
        let Some(path) = &self.accounts else { return Ok(()) };
        let unreadable = |error: &dyn std::fmt::Display| Error::Unavailable(format!("{}: {error}", path.display()));
        let size = fs::metadata(path).map_err(|error| unreadable(&error))?.len();
        if size > MAX_PASSWD {
            return Err(unreadable(&"it is too long for a list of accounts"));
        }
        let text = fs::read(path).map_err(|error| unreadable(&error))?;
        let name = |line: &[u8]| line.split(|octet| *octet == b':').next().unwrap_or_default().to_ascii_lowercase();
        if text.split(|octet| *octet == b'\n').any(|line| name(line) == user.as_str().as_bytes()) {
            return Err(Error::rule(
                "uid",
                user.as_str(),
                "an account of this machine's operating system is called so",
            ));
        }
        Ok(())
    }

    /// Refuses a file that mail can't, or must not, be appended to. The MTA, which appends, checks again: it may be another
    /// file by then.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub(crate) fn check_file(&self, text: &str) -> Result<()> {
        check_path("file", text)?;
        let path = Path::new(text);
        if text.ends_with('/') || path.components().any(|part| part == Component::ParentDir) {
            return Err(Error::rule("file", text, "it names a file, without .. on the way"));
        }
        let parent = path.parent().unwrap_or(path);
        // Links on the way must not lead to where the path alone would not.
        let real =
            fs::canonicalize(parent).map_err(|_| Error::rule("file", text, "there is no directory to hold it"))?;
        let target = real.join(path.file_name().unwrap_or_default());
        let real_guard = |guard: &PathBuf| fs::canonicalize(guard).unwrap_or_else(|_| guard.clone());
        if self.guarded.iter().any(|guard| target.starts_with(real_guard(guard)) || path.starts_with(guard)) {
            return Err(Error::rule("file", text, "it must not be inside the mail store or its configuration"));
        }
        match fs::symlink_metadata(&target) {
            Ok(metadata) => check_target(text, &Target::of(&target, &metadata)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::rule("file", text, format!("it can't be looked at: {}", error.kind()))),
        }
    }
}

/// What a program must look like: the MTA runs it, with `/bin/sh` only if there is something in it for a shell.
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn check_program(text: &str) -> Result<()> {
    check_path("program", text)
}

/// Longest path or command in octets.
const MAX_PATH: usize = 1024;

fn check_path(field: &'static str, text: &str) -> Result<()> {
    if !text.starts_with('/') {
        return Err(Error::rule(field, text, "it must begin with /"));
    }
    if text.len() > MAX_PATH || text.chars().any(char::is_control) {
        return Err(Error::rule(field, text, "it has at most 1024 octets, and no control characters"));
    }
    Ok(())
}

/// What is known of a file that is there.
struct Target {
    /// `/dev/null`, which everybody may write to.
    sink: bool,
    regular: bool,
    link: bool,
    names: u64,
    mode: u32,
    owner: u32,
}

impl Target {
    fn of(path: &Path, metadata: &fs::Metadata) -> Target {
        Target {
            sink: path == Path::new("/dev/null") && metadata.file_type().is_char_device(),
            regular: metadata.is_file(),
            link: metadata.is_symlink(),
            names: metadata.nlink(),
            mode: metadata.mode(),
            owner: metadata.uid(),
        }
    }
}

fn check_target(text: &str, target: &Target) -> Result<()> {
    let refuse = |rule: &'static str| Err(Error::rule("file", text, rule));
    match target {
        Target { sink: true, .. } => Ok(()),
        Target { link: true, .. } => refuse("it is a symbolic link"),
        Target { regular: false, .. } => refuse("it is no regular file"),
        Target { owner: 0, .. } => refuse("it belongs to root"),
        Target { names: 2.., .. } => refuse("it has more than one name (hard links)"),
        Target { mode, .. } if mode & 0o111 != 0 => refuse("it can be executed"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_not_called_like_accounts() {
        let dir = tempfile::tempdir().unwrap();
        let accounts = dir.path().join("passwd");
        fs::write(&accounts, b"root:x:0:0::/:/bin/sh\nNews:x:9:9::/:\n\xff\xfe:x:\nlast").unwrap();
        let around = Surroundings { accounts: Some(accounts.clone()), guarded: vec![] };
        for (user, free) in [("joe", true), ("news", false), ("last", false), ("x", true), ("new", true)] {
            assert_eq!(around.check_user(&UserId::parse(user).unwrap()).is_ok(), free, "{user}");
        }
        fs::remove_file(accounts).unwrap();
        let joe = UserId::parse("joe").unwrap();
        assert!(matches!(around.check_user(&joe), Err(Error::Unavailable(_))));
        Surroundings::default().check_user(&joe).unwrap();
    }

    /// [ALI-11]
    #[test]
    fn files_that_mail_may_be_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let (spool, open) = (dir.path().join("spool"), dir.path().join("open"));
        fs::create_dir(&spool).unwrap();
        fs::create_dir(&open).unwrap();
        std::os::unix::fs::symlink(&spool, open.join("way")).unwrap();
        std::os::unix::fs::symlink("/dev/null", open.join("link")).unwrap();
        let around = Surroundings { accounts: None, guarded: vec![spool.clone()] };
        let check = |path: String, rule: Option<&str>| {
            let found = around.check_file(&path).map_err(|error| error.to_string());
            let fits = rule.map_or(found.is_ok(), |rule| found.as_ref().is_err_and(|text| text.contains(rule)));
            assert!(fits, "{path}: {found:?}");
        };
        let at = |name: &str| open.join(name).to_str().unwrap().to_owned();
        check(at("new"), None);
        check("/dev/null".into(), None);
        check("relative".into(), Some("must begin with /"));
        check(at("a\nb"), Some("control characters"));
        check(at("x/../../y"), Some("without .."));
        check(at("maildir/"), Some("names a file"));
        check(at("no/such"), Some("no directory to hold it"));
        check(at("way/1."), Some("inside the mail store"));
        check(spool.join("x").to_str().unwrap().into(), Some("inside the mail store"));
        check(at("link"), Some("symbolic link"));
        check(at("way"), Some("symbolic link"));
        check(open.to_str().unwrap().into(), Some("no regular file"));
        check("/dev/zero".into(), Some("no regular file"));
        check("/etc/passwd".into(), Some("belongs to root"));
    }

    /// [ALI-11], of files that a test can't always make.
    #[test]
    fn what_a_target_must_be() {
        let plain = Target { sink: false, regular: true, link: false, names: 1, mode: 0o100_600, owner: 1000 };
        check_target("/x", &plain).unwrap();
        for (target, rule) in [
            (Target { owner: 0, ..plain }, "root"),
            (Target { names: 2, ..plain }, "hard links"),
            (Target { mode: 0o100_755, ..plain }, "executed"),
            (Target { regular: false, ..plain }, "regular"),
        ] {
            let error = check_target("/x", &target).unwrap_err();
            assert!(error.to_string().contains(rule), "{error}");
        }
    }

    #[test]
    fn programs_have_a_path() {
        for (program, good) in [("/usr/bin/filter -x 'a b'", true), ("filter", false), ("", false), ("/a\n|b", false)] {
            assert_eq!(check_program(program).is_ok(), good, "{program:?}");
        }
    }
}
