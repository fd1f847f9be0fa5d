//! The server is killed with SIGKILL in the middle of deliveries, APPENDs, STOREs and EXPUNGEs, fifty times over. Whatever
//! it acknowledged must be there afterwards, once and unchanged; no UID may ever stand for two messages. The same for
//! flags, right after they were acknowledged.

#![allow(clippy::unwrap_used, reason = "a test reports trouble by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use harness::trial::Trial;
use harness::{Home, Imap, Server};

const ROUNDS: usize = 50;

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let mut trial = Trial::begin(Home::new(env!("CARGO_BIN_EXE_angarium"), &[]));
    for round in 0..ROUNDS {
        // Another moment every round, without asking a clock or a dice.
        trial = trial.round(5 + round * 7 % 40, true, Server::kill, |tally| tally);
    }
    // The starts after a kill say what they recovered.
    trial.end(&["mailbox.index.repaired", "store.recovered", "ledger.tail.cut"]);
}

/// How often flags are stored and the server is killed.
const FLAG_ROUNDS: usize = 30;

/// Messages whose flags change.
const MESSAGES: u32 = 8;

/// Changes that are sent at once; the kill comes when the server has acknowledged some of them.
const CHANGES: usize = 24;

/// The flags of each message.
type Flags = BTreeMap<u32, BTreeSet<String>>;

/// A STORE.
struct Change {
    op: &'static str,
    uids: Vec<u32>,
    flags: Vec<String>,
}

impl Change {
    /// Another one for each number: of one flag and of several, of the messages and of the reader, keywords old and new.
    fn numbered(number: usize) -> Self {
        let all = ["\\Flagged", "\\Seen", "\\Deleted", "\\Answered", "\\Draft", "$Work", "Kept"];
        let mut flags: Vec<String> = [all[number % 7], all[(number / 3) % 7]].map(str::to_owned).to_vec();
        if number.is_multiple_of(5) {
            flags.push(format!("new{}", number / 5 % 60));
        }
        let first = 1 + number as u32 % MESSAGES;
        let uids = if number.is_multiple_of(4) { (first..=MESSAGES).collect() } else { vec![first] };
        Self { op: ["+FLAGS", "FLAGS", "+FLAGS", "-FLAGS"][number % 4], uids, flags }
    }

    fn command(&self) -> String {
        let uids: Vec<String> = self.uids.iter().map(u32::to_string).collect();
        format!("UID STORE {} {}.SILENT ({})", uids.join(","), self.op, self.flags.join(" "))
    }

    fn apply(&self, to: &Flags) -> Flags {
        let mut after = to.clone();
        for uid in &self.uids {
            let flags = after.entry(*uid).or_default();
            match self.op {
                "FLAGS" => *flags = self.flags.iter().cloned().collect(),
                "+FLAGS" => flags.extend(self.flags.iter().cloned()),
                _ => flags.retain(|flag| !self.flags.contains(flag)),
            }
        }
        after
    }
}

/// What a mailbox says of itself when it is selected.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Numbers {
    uid_validity: u64,
    uid_next: u64,
    highest_modseq: u64,
}

#[test]
fn flags_that_were_acknowledged_survive_kill_9() {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.add_user("joe");
    let mut server = home.start();
    let mut joe = server.imap("joe");
    for _ in 0..MESSAGES {
        assert!(joe.append("INBOX", "", b"Subject: x\r\n\r\nx\r\n").unwrap().ok());
    }
    let (mut before, mut flags) = look(&mut joe);
    for round in 0..FLAG_ROUNDS {
        let changes: Vec<Change> = (0..CHANGES).map(|n| Change::numbered(round * 17 + n)).collect();
        // How far it may have come with each of them: the last state that was acknowledged, and those after it.
        let mut states = vec![flags.clone()];
        states.extend(changes.iter().scan(flags.clone(), |state, change| {
            *state = change.apply(state);
            Some(state.clone())
        }));
        let tags: Vec<String> = changes.iter().map(|change| joe.send(change.command().as_bytes()).unwrap()).collect();
        let acknowledged = 1 + round * 5 % CHANGES;
        for tag in &tags[..acknowledged] {
            let answer = joe.answer(tag).unwrap();
            assert!(answer.ok(), "{answer:?}");
        }
        server.kill();
        server = home.start();
        joe = server.imap("joe");
        let after;
        (after, flags) = look(&mut joe);
        let context = format!("round {round}: {acknowledged} of {CHANGES} were acknowledged\n{}", server.log());
        assert_eq!(after.uid_validity, before.uid_validity, "{context}");
        assert!(after.uid_next >= before.uid_next, "{before:?}, {after:?}: {context}");
        assert!(after.highest_modseq >= before.highest_modseq, "{before:?}, {after:?}: {context}");
        let possible = &states[acknowledged..];
        let names: BTreeSet<&String> =
            flags.values().chain(possible.iter().flat_map(BTreeMap::values)).flatten().collect();
        for uid in 1..=MESSAGES {
            for name in &names {
                let has = |state: &Flags| state.get(&uid).is_some_and(|flags| flags.contains(*name));
                let is = has(&flags);
                assert!(possible.iter().any(|state| has(state) == is), "{name} of {uid}: {is}: {context}");
            }
        }
        // A message between two kills, so that UIDs move on.
        assert!(joe.append("INBOX", "", b"Subject: y\r\n\r\ny\r\n").unwrap().ok());
        let appended;
        (appended, flags) = look(&mut joe);
        assert!(appended.uid_next > after.uid_next, "{context}");
        assert!(appended.highest_modseq > after.highest_modseq, "{context}");
        before = appended;
    }
    server.stop(&["mailbox.index.repaired", "store.recovered", "ledger.tail.cut"].map(str::to_owned));
    home.check_store();
}

/// Selects INBOX; its numbers, and the flags of the messages that change.
fn look(joe: &mut Imap) -> (Numbers, Flags) {
    let opened = joe.must("SELECT INBOX (CONDSTORE)").unwrap();
    let number = |word: &str| opened.code(word).unwrap_or_default().parse::<u64>().unwrap();
    let numbers = Numbers {
        uid_validity: number("UIDVALIDITY"),
        uid_next: number("UIDNEXT"),
        highest_modseq: number("HIGHESTMODSEQ"),
    };
    let fetched = joe.fetch(&format!("UID FETCH 1:{MESSAGES} (UID FLAGS)")).unwrap();
    let flags = fetched.into_iter().map(|message| {
        let its = message.flags.split(' ').filter(|flag| !flag.is_empty() && *flag != "\\Recent");
        (message.uid, its.map(str::to_owned).collect())
    });
    (numbers, flags.collect())
}
