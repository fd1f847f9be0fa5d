//! Messages of a Maildir: one file each in `cur/` and `new/`, flags in the file's name, and (Maildir++) folders in
//! directories that begin with a dot.
//!
//! ```abnf
//! file-name = unique [":2," *flag]             ; ";" or "!" for ":" where a file system knows no ":"
//! flag      = "D" / "F" / "P" / "R" / "S" / "T" / keyword
//! keyword   = %x61-7A                          ; a line of dovecot-keywords, "a" for line 0
//! folder    = "." name *("." name)             ; modified UTF-7, or UTF-8
//! ```

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use mailstore::{SystemFlags, Timestamp};

use super::folder_name::decode_folder_name;
use super::status::Flags;
use crate::regular_file::open_regular;

/// Folders of one Maildir; more are a mistake, or an attack.
const FOLDERS: usize = 10_000;

/// Octets of dovecot-keywords that are read: 26 names fit thrice.
const KEYWORDS_FILE: u64 = 64 * 1024;

/// One folder of a Maildir.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MaildirFolder {
    /// The folder's name below the target, with `/`; empty for the Maildir itself.
    pub(crate) name: String,
    path: PathBuf,
}

/// A message file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MessageFile {
    pub(crate) path: PathBuf,
    /// Modification time, which is when the message arrived.
    pub(crate) date: Timestamp,
    pub(crate) flags: Flags,
}

/// The folders of the Maildir at `path`, itself first.
pub(crate) fn folders(path: &Path) -> io::Result<Vec<MaildirFolder>> {
    if !path.join("cur").is_dir() && !path.join("new").is_dir() {
        let problem = format!("{}: no Maildir (no cur or new in it)", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let mut folders = vec![MaildirFolder { name: String::new(), path: path.to_owned() }];
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.as_bytes().strip_prefix(b".") else { continue };
        let is_folder = !name.is_empty() && name != b"." && entry.path().join("cur").is_dir();
        if is_folder {
            folders.push(MaildirFolder { name: folder_name(name), path: entry.path() });
        }
        if folders.len() > FOLDERS {
            return Err(io::Error::other(format!("more than {FOLDERS} folders")));
        }
    }
    folders.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(folders)
}

impl MaildirFolder {
    /// The messages, oldest first: the same order at every call unless the Maildir changes.
    pub(crate) fn messages(&self) -> io::Result<Vec<MessageFile>> {
        let keywords = self.keywords();
        let mut messages = Vec::new();
        for directory in ["cur", "new"] {
            let entries = match fs::read_dir(self.path.join(directory)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let name = entry.file_name();
                let metadata = entry.path().symlink_metadata()?;
                if name.as_bytes().starts_with(b".") || !metadata.is_file() {
                    continue;
                }
                let date = Timestamp { seconds: metadata.mtime(), zone_minutes: 0 };
                messages.push(MessageFile { path: entry.path(), date, flags: flags(&name, &keywords) });
            }
        }
        messages.sort_by(|a, b| (a.date.seconds, &a.path).cmp(&(b.date.seconds, &b.path)));
        Ok(messages)
    }

    /// The keywords that letters stand for in this folder, as Dovecot notes them: `0 $Forwarded`.
    fn keywords(&self) -> BTreeMap<u8, String> {
        let mut text = String::new();
        let file = open_regular(&self.path.join("dovecot-keywords"));
        if file.and_then(|file| file.take(KEYWORDS_FILE).read_to_string(&mut text)).is_err() {
            return BTreeMap::new();
        }
        let line = |line: &str| {
            let (number, name) = line.split_once(' ')?;
            let number: u8 = number.parse().ok().filter(|number| *number < 26)?;
            Some((b'a' + number, name.to_owned()))
        };
        text.lines().filter_map(line).collect()
    }
}

fn folder_name(directory: &[u8]) -> String {
    let parts = directory.split(|&byte| byte == b'.').map(|part| {
        let text = String::from_utf8_lossy(part);
        decode_folder_name(&text).unwrap_or_else(|| text.into_owned())
    });
    parts.collect::<Vec<_>>().join("/")
}

fn flags(name: &OsStr, keywords: &BTreeMap<u8, String>) -> Flags {
    let mut flags = Flags::default();
    let name = name.as_bytes();
    let info =
        name.iter().rposition(|byte| matches!(byte, b':' | b';' | b'!')).map_or(&name[..0], |at| &name[at + 1..]);
    for letter in info.strip_prefix(b"2,").unwrap_or_default() {
        match letter {
            b'S' => flags.seen = true,
            b'R' => flags.add(SystemFlags::ANSWERED),
            b'F' => flags.add(SystemFlags::FLAGGED),
            b'T' => flags.add(SystemFlags::DELETED),
            b'D' => flags.add(SystemFlags::DRAFT),
            b'P' => flags.add_keyword("$Forwarded"),
            letter => {
                if let Some(keyword) = keywords.get(letter) {
                    flags.add_keyword(keyword);
                }
            }
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use mailstore::Keyword;

    use super::*;

    #[test]
    fn names_carry_flags() {
        let keywords = BTreeMap::from([(b'a', "Todo".to_owned()), (b'b', "bad]name".to_owned())]);
        let rows: [(&str, SystemFlags, bool, &[&str]); 9] = [
            ("1.2.host", SystemFlags::NONE, false, &[]),
            ("1.2.host:2,", SystemFlags::NONE, false, &[]),
            ("1.2.host:2,S", SystemFlags::NONE, true, &[]),
            ("1.2.host,S=12,W=13:2,FRS", SystemFlags::FLAGGED.with(SystemFlags::ANSWERED), true, &[]),
            ("1.2.host;2,DT", SystemFlags::DRAFT.with(SystemFlags::DELETED), false, &[]),
            ("1.2.host!2,P", SystemFlags::NONE, false, &["$Forwarded"]),
            ("1.2.host:2,Sabz", SystemFlags::NONE, true, &["Todo"]),
            ("1.2.host:1,S", SystemFlags::NONE, false, &[]),
            ("S:2", SystemFlags::NONE, false, &[]),
        ];
        for (name, system, seen, expected) in rows {
            let flags = flags(OsStr::new(name), &keywords);
            let names: Vec<_> = flags.keywords.iter().map(Keyword::as_str).collect();
            assert_eq!((flags.system, flags.seen, &names[..]), (system, seen, expected), "{name}");
        }
    }

    #[test]
    fn folders_and_messages() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        for folder in ["", ".Sent", ".Lists.rust", ".Entw&APw-rfe", ".no folder/x"] {
            for part in ["cur", "new", "tmp"] {
                fs::create_dir_all(root.join(folder).join(part)).unwrap();
            }
        }
        fs::remove_dir_all(root.join(".no folder/cur")).ok();
        fs::write(root.join("cur/2.a:2,S"), "x").unwrap();
        fs::write(root.join("new/1.a"), "x").unwrap();
        fs::write(root.join("tmp/3.a"), "x").unwrap();
        fs::write(root.join("cur/.hidden"), "x").unwrap();
        fs::create_dir(root.join("cur/directory")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("cur/0.link")).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        fs::File::options().write(true).open(root.join("cur/2.a:2,S")).unwrap().set_modified(old).unwrap();

        let folders = folders(root).unwrap();
        let names: Vec<_> = folders.iter().map(|folder| folder.name.as_str()).collect();
        assert_eq!(names, ["", "Entwürfe", "Lists/rust", "Sent"]);
        let messages = folders[0].messages().unwrap();
        let files: Vec<_> = messages.iter().map(|m| m.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(files, ["2.a:2,S", "1.a"]);
        assert_eq!(messages[0].date.seconds, 1000);
        assert!(messages[0].flags.seen && !messages[1].flags.seen);
        assert!(super::folders(&root.join("cur")).is_err());
    }
}
