//! Why a quota is full: what each folder uses, what is only kept for a while, and the largest messages.

use mailstore::{FolderUse, LargeMessage, MailboxName, QuotaLedger, Store};
use serde::Serialize;

use crate::error::CommandError;
use crate::time::moment;
use crate::{Console, Exit, Lines};

/// Octets in a megabyte.
const MEGABYTE: u64 = 1 << 20;

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRequest {
    /// The quota root, or a mailbox without one.
    pub root: MailboxName,
    /// How many of the largest messages to name.
    pub messages: usize,
    /// One JSON object.
    pub json: bool,
}

/// What is used below a quota root, for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    /// The root.
    pub root: String,
    /// The limit in megabytes, rounded up; `None` is none.
    pub limit_mib: Option<u64>,
    /// The limit in KiB.
    pub limit_kib: Option<u64>,
    /// The limit of messages.
    pub limit_messages: Option<u64>,
    /// Percent of the limit in use, rounded down; `None` without a limit, and where it is 0.
    pub percent: Option<u64>,
    /// What the quota root says; `None` if there is none.
    pub charged: Option<Amount>,
    /// What its mailboxes use together.
    pub used: Amount,
    /// Whether the two are the same. Where they are not, `quota -f` puts the root right.
    pub right: bool,
    /// Expunged messages that are kept for a while; nobody is charged for them.
    pub expunged: Amount,
    /// Folder by folder, the largest first.
    pub folders: Vec<Folder>,
    /// The largest messages, the largest first.
    pub largest: Vec<Large>,
}

/// How much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Octets.
    pub octets: u64,
    /// Messages.
    pub messages: u64,
}

/// What a folder uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Folder {
    /// Its internal name.
    pub mailbox: String,
    /// What it is charged for.
    #[serde(flatten)]
    pub used: Amount,
    /// Expunged messages that are kept.
    pub expunged: Amount,
}

/// A large message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Large {
    /// Octets.
    pub octets: u32,
    /// The folder's internal name.
    pub mailbox: String,
    /// Its UID.
    pub uid: u32,
    /// When it came (RFC 3339).
    pub date: String,
}

/// What is used below a quota root, with so many of the largest messages. Blocks; it reads indexes, no messages.
///
/// # Errors
/// [`CommandError::Store`]: there is neither such a root nor such a mailbox, or the store fails.
pub fn usage(store: &Store, root: &MailboxName, messages: usize) -> Result<Usage, CommandError> {
    let ledger = store.quota_ledger(root, messages)?;
    let right = ledger.is_right();
    let QuotaLedger { usage, counted, folders, largest } = ledger;
    let limits = usage.as_ref().map(|usage| usage.limits).unwrap_or_default();
    let folders: Vec<Folder> = folders.into_iter().map(Folder::from).collect();
    Ok(Usage {
        root: root.to_string(),
        limit_mib: limits.storage_mib(),
        limit_kib: limits.storage_kib,
        limit_messages: limits.messages,
        percent: usage.as_ref().and_then(mailstore::QuotaUsage::percent),
        charged: usage.map(|usage| usage.used.into()),
        used: counted.into(),
        right,
        expunged: folders.iter().fold(Amount::default(), |sum, folder| sum.plus(folder.expunged)),
        folders,
        largest: largest.into_iter().map(Large::from).collect(),
    })
}

/// Shows what is used below a quota root. Ends with [`Exit::Found`] if the root says something else.
///
/// # Errors
/// As [`usage`], and [`CommandError::Io`] if nobody reads the answer any more.
pub fn show_usage(store: &Store, request: &UsageRequest, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let usage = usage(store, &request.root, request.messages)?;
    let mut lines = Lines::new(console);
    if request.json {
        let object = serde_json::to_string(&usage).map_err(std::io::Error::other)?;
        lines.line(|text| text.push_str(&object))?;
    } else {
        for line in usage.lines() {
            lines.line(|text| text.push_str(&line))?;
        }
    }
    lines.flush()?;
    Ok(if usage.right { Exit::Ok } else { Exit::Found })
}

impl Usage {
    /// As people read it: in megabytes.
    fn lines(&self) -> Vec<String> {
        let limit = match (self.limit_mib, self.percent) {
            (Some(limit), Some(percent)) => format!(" of {limit} MB, {percent}%"),
            (Some(limit), None) => format!(" of {limit} MB"),
            (None, _) => String::new(),
        };
        let messages = self.limit_messages.map(|limit| format!(" of {limit}")).unwrap_or_default();
        let Amount { octets, messages: count } = self.used;
        let mut lines = vec![
            format!("{}: {} MB{limit}, {count}{messages} messages", self.root, megabytes(octets)),
            row("MB", "octets", "messages", "expunged", "folder"),
        ];
        let numbers = |used: Amount, expunged: Amount, name: &str| {
            let (octets, messages) = (used.octets.to_string(), used.messages.to_string());
            row(&megabytes(used.octets), &octets, &messages, &megabytes(expunged.octets), name)
        };
        lines.extend(self.folders.iter().map(|folder| numbers(folder.used, folder.expunged, &folder.mailbox)));
        lines.push(numbers(self.used, self.expunged, "together"));
        if !self.largest.is_empty() {
            lines.push(row("MB", "octets", "UID", "", "folder"));
        }
        lines.extend(self.largest.iter().map(|large| {
            let Large { octets, mailbox, uid, date } = large;
            let place = format!("{mailbox} ({date})");
            row(&megabytes(u64::from(*octets)), &octets.to_string(), &uid.to_string(), "", &place)
        }));
        if let Some(charged) = self.charged.filter(|_| !self.right) {
            let Amount { octets, messages } = charged;
            lines.push(format!(
                "the quota root says {octets} octets in {messages} messages: run quota -f {}",
                self.root
            ));
        }
        lines
    }
}

impl Amount {
    fn plus(self, more: Amount) -> Amount {
        Amount {
            octets: self.octets.saturating_add(more.octets),
            messages: self.messages.saturating_add(more.messages),
        }
    }
}

impl From<mailstore::QuotaUsed> for Amount {
    fn from(used: mailstore::QuotaUsed) -> Amount {
        Amount { octets: used.bytes, messages: used.messages }
    }
}

impl From<FolderUse> for Folder {
    fn from(folder: FolderUse) -> Folder {
        let FolderUse { mailbox, used, expunged } = folder;
        Folder { mailbox: mailbox.to_string(), used: used.into(), expunged: expunged.into() }
    }
}

impl From<LargeMessage> for Large {
    fn from(message: LargeMessage) -> Large {
        let LargeMessage { size, mailbox, uid, internal_date } = message;
        let date = moment(u64::try_from(internal_date).unwrap_or_default());
        Large { octets: size, mailbox: mailbox.to_string(), uid, date }
    }
}

/// With one digit behind the point, rounded down.
fn megabytes(octets: u64) -> String {
    let tenths = u128::from(octets) * 10 / u128::from(MEGABYTE);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn row(megabytes: &str, octets: &str, messages: &str, expunged: &str, name: &str) -> String {
    format!("{megabytes:>9} {octets:>13} {messages:>9} {expunged:>9} {name}")
}

#[cfg(test)]
mod tests {
    use mailstore::{Layout, StoreOptions};

    use super::*;
    use crate::fixture::{Fixture, Recorder, name};
    use crate::{DeliverRequest, deliver};

    fn shown(store: &Store, root: &str, messages: usize, json: bool) -> (Exit, Vec<String>) {
        let mut console = Recorder::default();
        let request = UsageRequest { root: name(root), messages, json };
        let exit = show_usage(store, &request, &mut console).unwrap();
        (exit, console.out)
    }

    fn send(store: &Store, octets: usize) {
        let mut console = Recorder::with_stdin(format!("Subject: x\n\n{}\n", "y".repeat(octets)));
        let request = DeliverRequest { users: vec!["joe".to_owned()], ..DeliverRequest::default() };
        assert_eq!(deliver(store, &mut console, &request), Exit::Ok, "{:?}", console.err);
    }

    #[test]
    fn folders_messages_and_a_root_that_is_wrong() {
        let fixture = Fixture::new();
        fixture.limit("joe", 10_000);
        send(&fixture.store, 300_000);
        send(&fixture.store, 10);
        let (exit, lines) = shown(&fixture.store, "user/joe", 0, false);
        assert_eq!((exit, lines.len()), (Exit::Ok, 5), "{lines:#?}");
        assert_eq!(lines[0], "user/joe: 0.2 MB of 10 MB, 2%, 2 messages");
        assert!(lines[2].ends_with(" user/joe") && lines[3].ends_with(" user/joe/Lists"), "{lines:#?}");
        let usage = usage(&fixture.store, &name("user/joe"), 1).unwrap();
        assert_eq!((usage.limit_mib, usage.limit_kib, usage.charged), (Some(10), Some(10_000), Some(usage.used)));
        assert_eq!((usage.largest.len(), usage.largest[0].uid), (1, 1));
        let total = usage.used.octets;
        assert_eq!(lines[4], row("0.2", &total.to_string(), "2", "0.0", "together"));
        let (_, lines) = shown(&fixture.store, "user/joe", 1, false);
        assert!(lines.len() == 7 && lines[6].contains(" user/joe (20"), "{lines:#?}");
        // Without a quota there is no percentage, and nothing to be wrong.
        assert_eq!(shown(&fixture.store, "user/sue", 0, false).1[0], "user/sue: 0.0 MB, 0 messages");

        fixture.store.close().unwrap();
        let Fixture { dir, store } = fixture;
        drop(store);
        std::fs::write(dir.path().join("config/quota/j/user.joe"), "7\n10000\nM 1 -1\n").unwrap();
        let layout = Layout::new(dir.path().join("config"), dir.path().join("spool"));
        let (store, _) =
            Store::open(StoreOptions::new(layout), std::sync::Arc::new(mailstore::disk::RealDisk)).unwrap();
        let (exit, lines) = shown(&store, "user/joe", 0, false);
        assert_eq!(exit, Exit::Found);
        assert_eq!(lines[5], "the quota root says 7 octets in 1 messages: run quota -f user/joe");
        let (exit, lines) = shown(&store, "user/joe", 0, true);
        let object: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!((exit, lines.len()), (Exit::Found, 1));
        assert_eq!((&object["right"], &object["charged"]["octets"]), (&false.into(), &7.into()));
        assert_eq!(object["folders"][0]["octets"], total);
    }

    #[test]
    fn megabytes_are_rounded_down() {
        for (octets, expected) in
            [(0, "0.0"), (104_857, "0.0"), (104_858, "0.1"), (1 << 20, "1.0"), (u64::MAX, "17592186044415.9")]
        {
            assert_eq!(megabytes(octets), expected);
        }
    }
}
