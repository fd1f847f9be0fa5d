//! docs/requirements.md: what the administration of domains, users, quotas and aliases must do, and the tests that show it. A
//! test says so in its text: `/// [DOM-3]`. With `UPDATE=1` the document is written anew; without, it must be as it would be
//! written, and no requirement may be without a test.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = "docs/requirements.md";

const TEXT: &str = "# Requirements and tests

What the administration of domains, users, quotas and aliases must do, by number, and the tests that show it. Made from the
texts of the tests (`UPDATE=1 cargo test --test requirements`); a requirement without a test fails `tests/requirements.rs`.

What stands in `directory/tests/rules` runs on every back end: on the embedded directory, where it stands, and on a real LDAP
server (`ldap/tests/rules.rs`).
";

/// Number and requirement.
const REQUIREMENTS: &[(&str, &str)] = &[
    ("DOM-1", "A mail domain is a name that mail is accepted for; a new server has one, its own"),
    ("DOM-2", "There may be several, whatever interfaces the machine has"),
    ("DOM-3", "Every user and alias belongs to one domain, and its address has that domain's name"),
    ("DOM-4", "Making a domain touches the acceptance of mail only: no network address, no DNS"),
    ("DOM-5", "All domains of the server are listed"),
    ("DOM-6", "A domain is made with a name and a description"),
    ("DOM-7", "One or more chosen domains are deleted in one action"),
    ("DOM-8", "There is a current domain; lists, searches and what is made are of it"),
    ("DOM-9", "A domain can be renamed, the primary one too, with everything that follows from it"),
    ("DOM-10", "Every domain has the alias postmaster, for admin at first, which is never deleted"),
    ("DOM-11", "User IDs are unique over all domains: they are the login names"),
    ("DOM-12", "Postmaster gets the MTA's error mail"),
    ("USR-1", "All users of a domain, by user ID, page by page"),
    ("USR-2", "From a user: change, password, quota, aliases, delete"),
    ("USR-3", "The quota view is sorted by mail address"),
    ("USR-4", "Search by whole or partial words in user ID and names, within the domain"),
    (
        "USR-5",
        "A user is made with INBOX, quota root, subscription and folders, all or nothing; every field has its rule",
    ),
    ("USR-6", "Deleting a user leaves nothing: aliases, mailboxes, subscriptions, quota roots, rights"),
    ("USR-7", "admin can't be deleted, disabled or degraded"),
    ("USR-8", "Before the deletion the aliases are named that would vanish"),
    ("USR-9", "The password of admin can be changed"),
    ("USR-10", "Users change their own profile, but for starred fields, as far as the global privileges let them"),
    ("USR-11", "A user ID can't be changed"),
    ("QUO-1", "The unit is the megabyte; NONE is no limit, 0 stops delivery"),
    ("QUO-2", "One quota for the INBOX and all folders of a user"),
    ("QUO-3", "A quota is a user's; the default is for new users only"),
    ("QUO-4", "A warning above 90 percent"),
    ("QUO-5", "Beyond the quota nothing is delivered: mail bounces"),
    ("QUO-6", "A delivery that begins within the quota is taken, whatever its size"),
    ("QUO-7", "Limit, usage and percent are told; the percentage is rounded down"),
    ("QUO-8", "Quotas are set by commands and interfaces, not by editing files"),
    ("ALI-1", "All aliases of a domain, by name"),
    ("ALI-2", "Search by whole or partial words in name and description, within the domain"),
    ("ALI-3", "Whoever makes an alias owns it and is in it; not so administrators"),
    ("ALI-4", "Any owner may add and remove owners, nobody else"),
    ("ALI-5", "Open: users add and remove themselves; restricted: owners say who is in it"),
    ("ALI-6", "Owners get an alias' mail only as members"),
    ("ALI-7", "Aliases may name aliases; circles are refused, and named"),
    ("ALI-8", "A bare name is of the current domain; a local address becomes a reference that follows renaming"),
    ("ALI-9", "A local address that nobody has is refused"),
    ("ALI-10", "File and program are for administrators, beside members"),
    ("ALI-11", "A file must be one that mail may be appended to"),
    ("ALI-20", "An alias that a deleted user leaves without owner or member goes too, to a fixed point"),
    ("ALI-21", "Important aliases should have two owners: a hint says so"),
    ("ALI-22", "The same when an alias is deleted"),
    ("ALI-23", "Owners and administrators delete an alias"),
    ("ALI-24", "The last owner and the last member can't be removed"),
];

#[test]
fn every_requirement_has_a_test() {
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for path in sources() {
        for (number, name) in tagged(&read(&path)) {
            if !REQUIREMENTS.iter().any(|(known, _)| *known == number) {
                wrong.push(format!("{}: {name} names {number}, which is no requirement", path.display()));
            }
            tests.entry(number).or_default().push(format!("`{}` {name}", path.display()));
        }
    }
    let mut document = TEXT.to_owned();
    let mut kind = "";
    for (number, text) in REQUIREMENTS {
        if number[..3] != *kind {
            kind = &number[..3];
            document.push_str("\n| Number | Requirement | Tests |\n| --- | --- | --- |\n");
        }
        let shown = tests.get(*number).map(|tests| tests.join("<br>")).unwrap_or_default();
        if shown.is_empty() {
            wrong.push(format!("{number} has no test"));
        }
        writeln!(document, "| {number} | {text} | {shown} |").expect("a text takes all");
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    if std::env::var_os("UPDATE").is_some() {
        fs::write(root().join(DOCUMENT), &document).expect("the document can be written");
    }
    assert!(read(Path::new(DOCUMENT)) == document, "UPDATE=1 cargo test --test requirements writes {DOCUMENT} anew");
}

/// The requirements that the tests of a file name, each with the test's name.
fn tagged(text: &str) -> Vec<(String, String)> {
    let (mut found, mut waiting) = (Vec::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix("///") {
            let tags = comment.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(tag, _)| tag);
            waiting.extend(tags.filter(|tag| is_number(tag)).map(str::to_owned));
        } else if let Some((_, rest)) = line.split_once("fn ") {
            let name = rest.split('(').next().unwrap_or_default();
            found.extend(waiting.drain(..).map(|number| (number, name.to_owned())));
        } else if !line.starts_with("#[") {
            waiting.clear();
        }
    }
    found
}

fn is_number(tag: &str) -> bool {
    tag.split_once('-').is_some_and(|(kind, number)| {
        ["DOM", "USR", "QUO", "ALI"].contains(&kind) && number.bytes().all(|octet| octet.is_ascii_digit())
    })
}

/// Every Rust file of ours, by its path from the root, in order.
fn sources() -> Vec<PathBuf> {
    let (mut found, mut directories) = (Vec::new(), vec![root()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "var", "corpus"].contains(&name.as_str()) {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "requirements.rs" {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
