//! What mail programs note in the header of a message in an mbox file: its flags. They become flags of the store, and the
//! fields are taken out, because they would lie from the first change on.
//!
//! | field | writer | means |
//! |---|---|---|
//! | `Status: RO` | all of them | R: \Seen; O: not new, which IMAP does not keep |
//! | `X-Status: AFDT` | UW IMAP, Mutt, Dovecot | A: \Answered, F: \Flagged, D: \Deleted, T: \Draft |
//! | `X-Keywords: a b` | UW IMAP, Dovecot | keywords |
//! | `X-Mozilla-Status: 000b` | Thunderbird | 1: \Seen, 2: \Answered, 4: \Flagged, 8: \Deleted, 1000: $Forwarded |
//! | `X-Mozilla-Keys: a b` | Thunderbird | keywords |
//! | `X-UID`, `X-IMAP`, `X-IMAPbase`, `X-Mozilla-Status2` | UW IMAP, Dovecot, Thunderbird | bookkeeping |
//! | `Content-Length` | mboxcl | where the message ends |

use mailstore::{Keyword, MAX_KEYWORDS, SystemFlags};
use message::header::Fields;

/// What is known of a message beside its text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Flags {
    /// All but \Seen.
    pub(crate) system: SystemFlags,
    /// \Seen.
    pub(crate) seen: bool,
    /// Keywords, each once.
    pub(crate) keywords: Vec<Keyword>,
}

/// What the header of an mbox message said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Status {
    /// The message's flags.
    pub(crate) flags: Flags,
    /// Octets of the body, if the writer noted it.
    pub(crate) content_length: Option<u64>,
    /// The pseudo message in which UW IMAP keeps its numbers; no mail.
    pub(crate) is_bookkeeping: bool,
}

impl Flags {
    /// Adds system flags.
    pub(crate) fn add(&mut self, flag: SystemFlags) {
        self.system = self.system.with(flag);
    }

    /// Adds a keyword, unless it is none or there is no room for more.
    pub(crate) fn add_keyword(&mut self, text: &str) {
        if let Some(keyword) = Keyword::parse(text)
            && self.keywords.len() < MAX_KEYWORDS
            && !self.keywords.contains(&keyword)
        {
            self.keywords.push(keyword);
        }
    }
}

/// Reads a header block and gives it back without the fields that were understood.
pub(crate) fn take_status(header: &[u8]) -> (Status, Vec<u8>) {
    let mut status = Status::default();
    let mut rest = Vec::with_capacity(header.len());
    let mut end = 0;
    let (mut internal, mut imap) = (false, false);
    for field in Fields::new(header) {
        let name = field.name.to_ascii_lowercase();
        let value = field.unfolded();
        let value = String::from_utf8_lossy(&value);
        end = field.lines.end;
        match name.as_slice() {
            b"status" => status.flags.seen |= value.contains('R'),
            b"x-status" => value.chars().for_each(|letter| add_letter(&mut status.flags, letter)),
            b"x-keywords" | b"x-mozilla-keys" => {
                value.split_ascii_whitespace().for_each(|word| status.flags.add_keyword(word));
            }
            b"x-mozilla-status" => add_mozilla(&mut status.flags, u32::from_str_radix(value.trim(), 16).unwrap_or(0)),
            b"x-imap" | b"x-imapbase" => imap = true,
            b"x-uid" | b"x-mozilla-status2" => {}
            b"content-length" => status.content_length = value.trim().parse().ok(),
            name => {
                internal |= name == b"subject" && value.ends_with("FOLDER INTERNAL DATA");
                rest.extend_from_slice(&header[field.lines.clone()]);
            }
        }
    }
    status.is_bookkeeping = internal && imap;
    rest.extend_from_slice(&header[end..]);
    (status, rest)
}

fn add_letter(flags: &mut Flags, letter: char) {
    match letter {
        'A' => flags.add(SystemFlags::ANSWERED),
        'F' => flags.add(SystemFlags::FLAGGED),
        'D' => flags.add(SystemFlags::DELETED),
        'T' => flags.add(SystemFlags::DRAFT),
        _ => {}
    }
}

fn add_mozilla(flags: &mut Flags, bits: u32) {
    flags.seen |= bits & 1 != 0;
    let table = [(2, SystemFlags::ANSWERED), (4, SystemFlags::FLAGGED), (8, SystemFlags::DELETED)];
    for (bit, flag) in table {
        if bits & bit != 0 {
            flags.add(flag);
        }
    }
    if bits & 0x1000 != 0 {
        flags.add_keyword("$Forwarded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, system: SystemFlags, seen: bool, keywords: &[&str], rest: &str) {
        let (status, got) = take_status(header.as_bytes());
        let names: Vec<_> = status.flags.keywords.iter().map(Keyword::as_str).collect();
        assert_eq!((status.flags.system, status.flags.seen, &names[..]), (system, seen, keywords), "{header}");
        assert_eq!(String::from_utf8_lossy(&got), rest);
    }

    #[test]
    fn flags() {
        const NONE: SystemFlags = SystemFlags::NONE;
        check("A: 1\n\n", NONE, false, &[], "A: 1\n\n");
        check("Status: RO\nA: 1\n\n", NONE, true, &[], "A: 1\n\n");
        check("A: 1\nSTATUS: O\nX-UID: 7\n\n", NONE, false, &[], "A: 1\n\n");
        check("X-Status: AF\nB: 2\n\n", SystemFlags::ANSWERED.with(SystemFlags::FLAGGED), false, &[], "B: 2\n\n");
        check("X-Status: DTx\n\n", SystemFlags::DELETED.with(SystemFlags::DRAFT), false, &[], "\n");
        check("X-Keywords: $Todo\n todo $TODO b]d\n\n", NONE, false, &["$Todo", "todo"], "\n");
        check(
            "X-Mozilla-Status: 1003\r\nX-Mozilla-Keys: $label1 \r\n\r\n",
            SystemFlags::ANSWERED,
            true,
            &["$Forwarded", "$label1"],
            "\r\n",
        );
        check("X-Mozilla-Status: zz\n\n", NONE, false, &[], "\n");
    }

    #[test]
    fn lengths_and_bookkeeping() {
        assert_eq!(take_status(b"Content-Length: 12\n\n").0.content_length, Some(12));
        assert_eq!(take_status(b"Content-Length: -1\n\n").0.content_length, None);
        let uw = b"Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\nX-IMAP: 1 2\nStatus: RO\n\n";
        assert!(take_status(uw).0.is_bookkeeping);
        assert!(!take_status(b"Subject: about FOLDER INTERNAL DATA\n\n").0.is_bookkeeping);
    }
}
