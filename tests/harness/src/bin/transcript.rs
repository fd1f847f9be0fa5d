//! Plays transcripts against any server that already runs:
//!
//! ```text
//! transcript --imap 127.0.0.1:11143 --lmtp 127.0.0.1:11024 --domain localhost \
//!     --accounts u0001-u0200 --password pass [--admin cyrus:pass] [--others user/] tests/transcripts/*.imap
//! ```
//!
//! Every script gets accounts of its own, so the range must be as long as the scripts together have users, and their
//! mailboxes must be empty.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test program speaks to its user"
)]

use std::collections::{BTreeMap, VecDeque};
use std::process::ExitCode;

use harness::transcript::{Protocol, Script, Site, User, run};

fn main() -> ExitCode {
    let mut site = Site {
        listeners: BTreeMap::new(),
        users: BTreeMap::new(),
        domain: "localhost".to_owned(),
        others: None,
        may_lack: true,
    };
    let mut accounts = VecDeque::new();
    let mut password = String::new();
    let mut admin = None;
    let mut files = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("the option has a value");
        match argument.strip_prefix("--") {
            None => files.push(argument),
            Some("domain") => site.domain = value(),
            Some("others") => site.others = Some(value()),
            Some("password") => password = value(),
            Some("admin") => admin = value().split_once(':').map(|(name, word)| (name.to_owned(), word.to_owned())),
            Some("accounts") => accounts = range(&value()).expect("accounts are a range such as u0001-u0200"),
            Some(name) => {
                let protocol = Protocol::named(name).expect("an option of those above");
                site.listeners.insert(protocol, value().parse().expect("an address and a port"));
            }
        }
    }
    if let Some((name, word)) = admin {
        site.users.insert("admin".to_owned(), User { name, password: word });
    }
    let mut failed = 0;
    for file in &files {
        match play(file, &site, &mut accounts, &password) {
            Ok(None) => println!("ok    {file}"),
            Ok(Some(reason)) => println!("skip  {file}: {reason}"),
            Err(story) => {
                failed += 1;
                println!("FAIL  {story}");
            }
        }
    }
    eprintln!("{} scripts, {failed} failed", files.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(file: &str, site: &Site, accounts: &mut VecDeque<String>, password: &str) -> Result<Option<String>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let script = Script::parse(file, &text).map_err(|error| error.to_string())?;
    let mut site = site.clone();
    for user in &script.users {
        let name = accounts.pop_front().ok_or("no account is left")?;
        site.users.insert(user.clone(), User { name, password: password.to_owned() });
    }
    run(&script, &site).map_err(|failure| failure.to_string())
}

/// `u0001-u0200` as a list.
fn range(text: &str) -> Option<VecDeque<String>> {
    let (first, last) = text.split_once('-')?;
    let digits = first.find(|c: char| c.is_ascii_digit())?;
    let (from, to): (u32, u32) = (first[digits..].parse().ok()?, last.get(digits..)?.parse().ok()?);
    let width = first.len() - digits;
    Some((from..=to).map(|number| format!("{}{number:0width$}", &first[..digits])).collect())
}
