//! Where a scrub is, and what the last whole one found: `scrub.state` in the configuration directory. docs/formats/state.md
//! has it byte by byte.

use std::path::{Path, PathBuf};

use mailstore::MailboxName;
use mailstore::disk::Disk;
use parking_lot::Mutex;
use serde::Serialize;

/// Its name.
const FILE: &str = "scrub.state";
/// Longest file that is read. A mailbox name has at most some hundred octets.
const MAX_SIZE: u64 = 8192;
/// What it begins with: its name and version.
const MAGIC: &str = "angarium-scrub 1";

/// Who changes the file reads it first: the server's own scrub and one by hand may run at the same time, in one process.
static CHANGE: Mutex<()> = Mutex::new(());

/// What a scrub has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Mailboxes looked at to their end.
    pub mailboxes: u64,
    /// Message files compared.
    pub messages: u64,
    /// Octets read.
    pub octets: u64,
    /// Findings that were repaired.
    pub repaired: u64,
    /// Findings that are left.
    pub left: u64,
}

/// A pass over the whole store that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pass {
    /// When it began, Unix seconds.
    pub started: u64,
    /// So far.
    pub tally: Tally,
    /// The mailbox where it is; nothing at the beginning.
    #[serde(serialize_with = "as_text")]
    pub mailbox: Option<MailboxName>,
    /// The last message of it that is done; `u32::MAX` if the mailbox is.
    pub uid: u32,
}

/// A pass that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// When it began, Unix seconds.
    pub started: u64,
    /// When it ended, Unix seconds.
    pub ended: u64,
    /// In all.
    pub tally: Tally,
}

/// All of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct State {
    /// The pass that is under way.
    pub pass: Option<Pass>,
    /// The last one that came to its end.
    pub last: Option<Ended>,
}

impl State {
    /// Reads the file below `config`. Without one, and where it is damaged, a new pass begins: the second is logged.
    #[must_use]
    pub fn read(disk: &dyn Disk, config: &Path) -> State {
        let read = match disk.read(&path(config), MAX_SIZE) {
            Ok(bytes) => State::decode(&bytes).ok_or_else(|| "damaged".to_owned()),
            Err(error) if error.is_not_found() => return State::default(),
            Err(error) => Err(error.to_string()),
        };
        read.unwrap_or_else(|what| {
            tracing::warn!(event = "scrub.state.lost", what, "a new pass begins");
            State::default()
        })
    }

    /// Reads the file, changes what it says, and writes it again, whole or not at all.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn change(
        disk: &dyn Disk,
        config: &Path,
        change: impl FnOnce(&mut State),
    ) -> mailstore::disk::Result<State> {
        let _one_at_a_time = CHANGE.lock();
        let mut state = State::read(disk, config);
        change(&mut state);
        disk.replace_file(&path(config), &state.encode())?;
        Ok(state)
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let tally = |tally: &Tally| {
            let Tally { mailboxes, messages, octets, repaired, left } = tally;
            format!("{mailboxes} {messages} {octets} {repaired} {left}")
        };
        let last = self.last.as_ref().map_or_else(
            || "last -".to_owned(),
            |last| format!("last {} {} {}", last.started, last.ended, tally(&last.tally)),
        );
        let pass = self
            .pass
            .as_ref()
            .map_or_else(|| "pass -".to_owned(), |pass| format!("pass {} {}", pass.started, tally(&pass.tally)));
        let place = self.pass.as_ref().and_then(|pass| Some((pass.uid, pass.mailbox.as_ref()?)));
        let place = place.map_or_else(|| "at -".to_owned(), |(uid, mailbox)| format!("at {uid} {mailbox}"));
        let mut text = format!("{MAGIC}\n{last}\n{pass}\n{place}\n");
        text.push_str(&format!("crc {:08x}\n", crc32fast::hash(text.as_bytes())));
        text.into_bytes()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<State> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (body, crc) = text.strip_suffix('\n')?.rsplit_once("\ncrc ")?;
        let body_len = body.len() + 1;
        if format!("{:08x}", crc32fast::hash(bytes.get(..body_len)?)) != crc {
            return None;
        }
        let mut lines = body.split('\n');
        if lines.next()? != MAGIC {
            return None;
        }
        let last = match lines.next()?.strip_prefix("last ")? {
            "-" => None,
            last => {
                let [started, ended, rest @ ..] = numbers::<7>(last)?;
                Some(Ended { started, ended, tally: Tally::of(rest) })
            }
        };
        let pass = lines.next()?.strip_prefix("pass ")?;
        let place = match lines.next()?.strip_prefix("at ")? {
            "-" => (0, None),
            place => {
                let (uid, mailbox) = place.split_once(' ')?;
                (uid.parse().ok()?, Some(MailboxName::parse(mailbox).ok()?))
            }
        };
        let pass = match pass {
            "-" => None,
            pass => {
                let [started, rest @ ..] = numbers::<6>(pass)?;
                Some(Pass { started, tally: Tally::of(rest), uid: place.0, mailbox: place.1 })
            }
        };
        lines.next().is_none().then_some(State { pass, last })
    }
}

impl Tally {
    fn of([mailboxes, messages, octets, repaired, left]: [u64; 5]) -> Tally {
        Tally { mailboxes, messages, octets, repaired, left }
    }
}

fn path(config: &Path) -> PathBuf {
    config.join(FILE)
}

fn numbers<const N: usize>(text: &str) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = text.split(' ').map(|number| number.parse().ok()).collect();
    numbers?.try_into().ok()
}

fn as_text<S: serde::Serializer>(name: &Option<MailboxName>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_ref().map(MailboxName::as_str).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(n: u64) -> Tally {
        Tally { mailboxes: n, messages: n + 1, octets: n + 2, repaired: n + 3, left: n + 4 }
    }

    fn all() -> Vec<State> {
        let last = Ended { started: 1, ended: u64::MAX, tally: tally(10) };
        let begun = Pass { started: 5, tally: Tally::default(), mailbox: None, uid: 0 };
        let mailbox = MailboxName::parse("user/joe/Zürich und mehr").unwrap();
        let under_way = Pass { started: 5, tally: tally(20), mailbox: Some(mailbox), uid: u32::MAX };
        vec![
            State::default(),
            State { pass: None, last: Some(last) },
            State { pass: Some(begun), last: None },
            State { pass: Some(under_way), last: Some(last) },
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for state in all() {
            assert_eq!(State::decode(&state.encode()), Some(state));
        }
        let text = String::from_utf8(all()[3].encode()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "angarium-scrub 1",
                "last 1 18446744073709551615 10 11 12 13 14",
                "pass 5 20 21 22 23 24",
                "at 4294967295 user/joe/Zürich und mehr",
            ]
        );
        assert!(lines[4].starts_with("crc ") && lines.len() == 5);
    }

    #[test]
    fn damage_is_noticed_wherever_it_is() {
        for state in all() {
            let good = state.encode();
            for at in 0..good.len() {
                assert_eq!(State::decode(&good[..at]), None, "cut at {at}");
                for bit in [1, 0x20, 0x80] {
                    let mut bad = good.clone();
                    bad[at] ^= bit;
                    assert_ne!(State::decode(&bad), Some(state.clone()), "bit {bit} at {at}");
                }
            }
            assert_eq!(State::decode(&[&good[..], b"x"].concat()), None);
        }
        let sealed = |body: &str| format!("{body}crc {:08x}\n", crc32fast::hash(body.as_bytes())).into_bytes();
        for body in [
            "angarium-scrub 2\nlast -\npass -\nat -\n",
            "angarium-scrub 1\nlast -\npass -\nat -\nmore\n",
            "angarium-scrub 1\nlast 1 2\npass -\nat -\n",
            "angarium-scrub 1\nlast -\npass 1 2 3 4 5 6 7\nat -\n",
            "angarium-scrub 1\nlast -\npass 1 2 3 4 5 -6\nat -\n",
            "angarium-scrub 1\nlast -\npass 1 2 3 4 5 6\nat 1 ../x//y\n",
            "angarium-scrub 1\nlast -\npass 1 2 3 4 5 6\nat 4294967296 a\n",
            "",
        ] {
            assert_eq!(State::decode(&sealed(body)), None, "{body}");
        }
        assert!(State::decode(&sealed("angarium-scrub 1\nlast -\npass -\nat -\n")).is_some());
    }
}
