//! cyrus.header: what can't be derived from message files and is known when no message is: quota root, unique id, keyword
//! names, ACL, and a copy of the mailbox's row of the mailboxes database, from which that database can be rebuilt
//! (docs/formats/header.md). Text, six lines:
//!
//! 1. the bytes A1 02 8B 0D, `Angarium mailbox header 1`
//! 2. quota root or nothing, TAB, unique id
//! 3. keyword names separated by blanks; the position is the bit in an index record
//! 4. ACL: `id TAB rights TAB` for each entry
//! 5. the row as JSON
//! 6. `crc ` and the CRC-32 of all lines before, as 8 hexadecimal digits

use crate::flags::{Keyword, MAX_KEYWORDS};
use crate::ident::UniqueId;

/// The file's name in a mailbox directory.
pub(crate) const FILE: &str = "cyrus.header";

/// Largest header: 128 keywords of 255 octets, an ACL of thousands of entries and the row stay far below.
pub(crate) const MAX_SIZE: u64 = 4 << 20;

const MAGIC: &[u8] = b"\xa1\x02\x8b\x0dAngarium mailbox header 1\n";

/// The file's contents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct MailboxHeader {
    pub(crate) quota_root: Option<String>,
    pub(crate) unique_id: UniqueId,
    pub(crate) keywords: Vec<Keyword>,
    pub(crate) acl: String,
    pub(crate) row: String,
}

/// Contents with a note of what was wrong with them.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) header: MailboxHeader,
    /// Why the header should be written again although it could be read.
    pub(crate) damage: Option<&'static str>,
}

impl MailboxHeader {
    /// The file as it is written.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let keywords = self.keywords.iter().map(Keyword::as_str).collect::<Vec<_>>().join(" ");
        let mut out = MAGIC.to_vec();
        let root = self.quota_root.as_deref().unwrap_or_default();
        out.extend_from_slice(format!("{root}\t{}\n{keywords}\n", self.unique_id).as_bytes());
        out.extend_from_slice(format!("{}\n{}\n", self.acl, self.row).as_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(format!("crc {crc:08x}\n").as_bytes());
        out
    }

    /// Reads the file. Keyword names are lost for good where they can't be read, so a header that an editor or a torn
    /// write spoiled gives what its readable lines hold.
    ///
    /// # Errors
    /// When nothing can be trusted: bad magic, or no unique id.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded, &'static str> {
        let body = bytes.strip_prefix(MAGIC).ok_or("not a mailbox header (bad magic)")?;
        let mut lines = body.split(|b| *b == b'\n').map(|line| std::str::from_utf8(line).ok());
        let mut damage = None;
        let mut line = || {
            let text = lines.next().flatten();
            if text.is_none() {
                damage = Some("a line is missing or is not UTF-8");
            }
            text.unwrap_or_default()
        };
        let (root, id) = line().split_once('\t').ok_or("its second line has no unique id")?;
        let unique_id = UniqueId::parse(id).ok_or("its unique id is not one")?;
        let names = line();
        let (acl, row) = (line().to_owned(), line().to_owned());
        let crc = line().to_owned();
        let covered = bytes.len().saturating_sub("crc 00000000\n".len());
        if crc != format!("crc {:08x}", crc32fast::hash(&bytes[..covered])) {
            damage = Some("its checksum is wrong");
        }
        let mut keywords = Vec::new();
        for name in names.split(' ').filter(|n| !n.is_empty()) {
            // A name that is gone would shift all behind it to other bits: the rest can't be believed.
            match Keyword::parse(name) {
                Some(keyword) if keywords.len() < MAX_KEYWORDS => keywords.push(keyword),
                _ => {
                    damage = Some("a keyword is not one");
                    break;
                }
            }
        }
        let quota_root = (!root.is_empty()).then(|| root.to_owned());
        Ok(Decoded { header: MailboxHeader { quota_root, unique_id, keywords, acl, row }, damage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> MailboxHeader {
        MailboxHeader {
            quota_root: Some("user/joe".into()),
            unique_id: UniqueId::parse("0123abcd").unwrap(),
            keywords: ["$Work", "Todo"].iter().map(|k| Keyword::parse(k).unwrap()).collect(),
            acl: "joe\tlrswipkxtecdan\tanyone\tp\t".into(),
            row: r#"{"name":"user/joe"}"#.into(),
        }
    }

    #[test]
    fn reads_back_what_it_wrote() {
        let decoded = MailboxHeader::decode(&sample().encode()).unwrap();
        assert_eq!((decoded.header, decoded.damage), (sample(), None));
        let bare =
            MailboxHeader { quota_root: None, keywords: vec![], acl: String::new(), row: String::new(), ..sample() };
        let decoded = MailboxHeader::decode(&bare.encode()).unwrap();
        assert_eq!((decoded.header, decoded.damage), (bare, None));
    }

    #[test]
    fn damage_is_noticed_and_survived() {
        let good = sample().encode();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x04;
            for bytes in [&bad[..], &good[..at]] {
                if let Ok(decoded) = MailboxHeader::decode(bytes) {
                    assert!(decoded.damage.is_some(), "byte {at}");
                }
            }
        }
        let mut bad = good.clone();
        let at = bad.windows(4).position(|w| w == b"Todo").unwrap();
        bad[at] = b'(';
        assert_eq!(MailboxHeader::decode(&bad).unwrap().header.keywords.len(), 1);
    }
}
