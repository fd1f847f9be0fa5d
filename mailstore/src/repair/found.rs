//! cyrus.header and cyrus.seen as they are found, and what they should say.

use std::path::Path;

use durable::disk::Disk;

use super::event::Events;
use crate::acl::Acl;
use crate::error::Result;
use crate::flags::{Keyword, KeywordBits, MAX_KEYWORDS};
use crate::header::{self, MailboxHeader};
use crate::ident::UidValidity;
use crate::list::Row;
use crate::mailbox::{Identity, SeenChoice, Snapshot, contents, is_same};
use crate::seen::{self, Seen};

/// What is to be done about cyrus.header.
pub(super) struct HeaderFile {
    /// The keyword names in force afterwards.
    pub(super) keywords: Vec<Keyword>,
    /// What becomes of the bits of records on the disk: bit n stands for the keyword `meaning[n]` of the list above. A
    /// record's bits beyond are lost.
    pub(super) meaning: Vec<usize>,
    /// It is written again.
    pub(super) rewrite: bool,
    /// What is there is kept under another name.
    pub(super) keep_bad: bool,
    /// The ACL that it has, where that is not the one of the mailboxes database.
    pub(super) other_acl: Option<Acl>,
}

impl HeaderFile {
    /// Reads cyrus.header.
    pub(super) fn find(
        disk: &dyn Disk,
        identity: &Identity,
        row: &Row,
        memory: Option<&Snapshot>,
        events: &mut Events,
    ) -> Result<HeaderFile> {
        let known = memory.map(|memory| memory.keywords.clone());
        let path = identity.dir.join(header::FILE);
        let decoded = match disk.read(&path, header::MAX_SIZE) {
            Ok(bytes) => MailboxHeader::decode(&bytes).map_err(|what| (what, true)),
            Err(error) if error.is_not_found() => Err(("missing", false)),
            Err(error) if error.is_not_regular() => Err(("not a regular file", true)),
            Err(error) => return Err(error.into()),
        };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err((what, keep_bad)) => {
                let kept = match &known {
                    Some(_) => "keyword names are known to the running server",
                    None => "keyword names are lost",
                };
                let what = format!("cyrus.header is {what}: made anew from the mailboxes database; {kept}");
                events.change("header.rebuilt", None, what);
                let keywords = known.unwrap_or_default();
                let meaning = (0..keywords.len()).collect();
                return Ok(HeaderFile { keywords, meaning, rewrite: true, keep_bad, other_acl: None });
            }
        };
        if let Some(what) = decoded.damage {
            events.change("header.rebuilt", None, format!("cyrus.header is damaged ({what}): written again"));
        }
        let found = decoded.header;
        let names = believed_names(&found, row, decoded.damage.is_some(), events);
        let (keywords, meaning) = merge(known.unwrap_or_default(), &names);
        let current = contents(identity, keywords.clone());
        let other_acl = (found.acl != current.acl).then(|| Acl::parse_lenient(&found.acl).0);
        let rewrite = decoded.damage.is_some() || found != current;
        if rewrite && decoded.damage.is_none() {
            let what = match other_acl {
                Some(_) => "cyrus.header has another ACL than the mailboxes database, which counts: written again",
                None => "cyrus.header does not say what the mailboxes database says: written again",
            };
            events.change("header.updated", None, what);
        }
        Ok(HeaderFile { keywords, meaning, rewrite, keep_bad: decoded.damage.is_some(), other_acl })
    }

    /// What is there is kept aside and not believed.
    pub(super) fn ignored() -> HeaderFile {
        HeaderFile { keywords: Vec::new(), meaning: Vec::new(), rewrite: true, keep_bad: true, other_acl: None }
    }

    /// The bits of a record on the disk as they are to be read, and those that are lost.
    pub(super) fn translate(&self, bits: KeywordBits) -> (KeywordBits, KeywordBits) {
        let (mut out, mut lost, mut rest) = (0, 0, bits);
        while rest != 0 {
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            match self.meaning.get(bit) {
                Some(&now) => out |= 1 << now,
                None => lost |= 1 << bit,
            }
        }
        (out, lost)
    }
}

/// The keyword names of a header that could be read. Those of another mailbox's header say nothing about the bits here,
/// unless it was put back with the rest of this mailbox, of which its copy of the row knows the name.
fn believed_names(found: &MailboxHeader, row: &Row, damaged: bool, events: &mut Events) -> Vec<Keyword> {
    if found.unique_id == row.unique_id {
        return found.keywords.clone();
    }
    let same_name = Row::decode(&found.row).is_ok_and(|copy| copy.name == row.name);
    if same_name && !damaged {
        events.note("header.other_id", None, "cyrus.header has the unique id of an earlier mailbox of this name");
        return found.keywords.clone();
    }
    events.note("header.other_id", None, "cyrus.header is that of another mailbox: its keyword names are not used");
    Vec::new()
}

/// The names that are `known`, then those that are new; and where the names of `found` stand among them.
fn merge(known: Vec<Keyword>, found: &[Keyword]) -> (Vec<Keyword>, Vec<usize>) {
    let mut all = known;
    let mut meaning = Vec::with_capacity(found.len());
    for name in found {
        let at = all.iter().position(|keyword| keyword == name).unwrap_or(all.len());
        if at == all.len() {
            if at == MAX_KEYWORDS {
                break;
            }
            all.push(name.clone());
        }
        meaning.push(at);
    }
    (all, meaning)
}

/// Reads cyrus.seen and says what becomes of it. `put_back`: the index was, and knows nothing of messages above that UID.
pub(super) fn find_seen(
    disk: &dyn Disk,
    dir: &Path,
    validity: UidValidity,
    memory: Option<&Snapshot>,
    put_back: Option<u32>,
    events: &mut Events,
) -> Result<SeenChoice> {
    let path = dir.join(seen::FILE);
    let bytes = match disk.read(&path, seen::MAX_SIZE) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() || error.is_not_regular() => {
            return Ok(unreadable("cyrus.seen is missing", memory, events));
        }
        Err(error) => return Err(error.into()),
    };
    let (mut dropped, mut first) = (0, None);
    let seen = Seen::decode(&bytes, validity, |line, what| {
        dropped += 1;
        first.get_or_insert((line, what));
    });
    let replaced = memory.is_some_and(|memory| !is_same(disk, &path, &memory.seen_file));
    match (first, memory) {
        (Some((line, what)), None) => {
            let what = format!("cyrus.seen is damaged (line {line}: {what}): {dropped} lines are dropped");
            events.change("seen.repaired", None, what);
            Ok(SeenChoice::Written(seen))
        }
        (Some((line, what)), Some(_)) if !replaced => {
            Ok(unreadable(&format!("cyrus.seen is damaged (line {line}: {what})"), memory, events))
        }
        (None, Some(memory)) if !replaced && seen.len < memory.seen.len => {
            Ok(unreadable("cyrus.seen was written over", Some(memory), events))
        }
        (_, Some(memory)) if replaced => {
            events.change("seen.restored", None, "cyrus.seen was put back: what it says counts");
            let above = put_back.unwrap_or(memory.header.last_uid);
            Ok(SeenChoice::PutBack(seen, above))
        }
        _ => Ok(SeenChoice::Stays),
    }
}

fn unreadable(what: &str, memory: Option<&Snapshot>, events: &mut Events) -> SeenChoice {
    let lost = match memory {
        Some(_) => "written again as the running server knows it",
        None => "all messages are unseen",
    };
    events.change("seen.repaired", None, format!("{what}: {lost}"));
    SeenChoice::Written(memory.map(|memory| memory.seen.clone()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keywords(names: &str) -> Vec<Keyword> {
        names.split(' ').filter_map(Keyword::parse).collect()
    }

    #[test]
    fn bits_keep_their_meaning() {
        let check = |known: &str, found: &str, bits: u128, expected: (&str, u128, u128)| {
            let (keywords, meaning) = merge(keywords(known), &keywords(found));
            let file = HeaderFile { keywords, meaning, rewrite: false, keep_bad: false, other_acl: None };
            let names: Vec<_> = file.keywords.iter().map(Keyword::as_str).collect();
            assert_eq!(names.join(" "), expected.0, "{known} and {found}");
            assert_eq!(file.translate(bits), (expected.1, expected.2), "{known} and {found}");
        };
        check("", "a b", 0b11, ("a b", 0b11, 0));
        check("a b c", "a b", 0b10, ("a b c", 0b10, 0));
        check("a b", "b a", 0b01, ("a b", 0b10, 0));
        check("a", "x a", 0b11, ("a x", 0b11, 0));
        check("", "a", 0b110, ("a", 0, 0b110));
    }
}
