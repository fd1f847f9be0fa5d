//! House rules that a machine can check: the arrows between crates, what every file must have, and that the documents
//! which list things list all of them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which of our crates a crate may import. What is not listed may not be imported: arrows point down only.
const ARROWS: &[(&str, &[&str])] = &[
    ("message", &[]),
    ("durable", &[]),
    ("network", &[]),
    ("wire", &["network"]),
    ("directory", &["durable", "network"]),
    ("oauth", &["directory"]),
    ("ldap", &["directory", "durable"]),
    ("mailstore", &["message", "durable"]),
    ("login", &["directory", "wire"]),
    ("imapd", &["mailstore", "directory", "login", "wire", "message"]),
    ("pop3d", &["mailstore", "directory", "login", "wire"]),
    ("lmtpd", &["mailstore", "directory", "login", "wire", "message"]),
    ("tools", &["mailstore", "directory", "ldap", "message"]),
    ("admin", &["tools", "mailstore", "directory", "wire"]),
    ("rest", &["tools", "mailstore", "directory", "durable", "login", "wire"]),
    // It does everything over the wire.
    ("cyradm", &[]),
    (
        "angarium",
        &[
            "admin",
            "cyradm",
            "imapd",
            "ldap",
            "lmtpd",
            "login",
            "oauth",
            "pop3d",
            "rest",
            "tools",
            "mailstore",
            "directory",
            "wire",
            "durable",
            "message",
        ],
    ),
    ("harness", &["cyradm"]),
    ("crashes", &["durable"]),
    // For the guard, which runs sessions in its process, and for `growth`, which starts servers. The load generator knows
    // servers by host and port only.
    ("benches", &["imapd", "lmtpd", "mailstore", "directory", "wire", "harness"]),
];

/// Who may ask the system's clock, which somebody may set, in the crates that let clients in, and what for. Everybody else
/// measures, with a clock that nobody sets.
const CALENDARS: &[(&str, &str)] = &[
    ("directory/src/audit/entry.rs", "the audit log"),
    ("directory/src/origin.rs", "the end of app passwords, the history of logins"),
    ("imapd/src/commands/append.rs", "INTERNALDATE"),
    ("imapd/src/commands/search.rs", "YOUNGER and OLDER"),
    ("lmtpd/src/deposit/live.rs", "INTERNALDATE, and when a message came first"),
    ("lmtpd/src/session/message.rs", "Received:"),
    ("oauth/src/lib.rs", "the end of tokens"),
    ("src/commands/api_token.rs", "the end of tokens"),
    ("src/commands/ctl_deliver.rs", "the age of rows on the disk"),
    ("src/commands/status.rs", "the age of what the disk knows"),
    ("src/logging.rs", "the log"),
    ("src/metrics.rs", "the time of the start"),
    ("src/server/upkeep.rs", "the age of what was deleted"),
    ("wire/src/trace.rs", "the trace"),
    ("wire/src/work.rs", "names of deliveries"),
];

/// Licences a package may be used under: permissive ones, compatible with MIT OR Apache-2.0.
const LICENCES: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

#[test]
fn arrows_point_down() {
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, manifest) in manifests() {
        let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
        let Some(allowed) = allowed.get(name.as_str()) else {
            wrong.push(format!("{}: {name} has no row in ARROWS", path.display()));
            continue;
        };
        for section in ["dependencies", "build-dependencies"] {
            for import in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                let ours = ARROWS.iter().any(|(ours, _)| ours == import.0);
                if ours && !allowed.contains(&import.0.as_str()) {
                    wrong.push(format!("{name} must not import {}", import.0));
                }
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_crate_takes_version_and_lints_from_the_workspace() {
    let mut wrong = Vec::new();
    for (path, manifest) in manifests() {
        for field in ["version", "edition", "rust-version", "license", "publish"] {
            let inherited = manifest["package"].get(field).and_then(|value| value.get("workspace"));
            if inherited.and_then(toml::Value::as_bool) != Some(true) {
                wrong.push(format!("{}: {field}.workspace = true is missing", path.display()));
            }
        }
        if manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool) != Some(true) {
            wrong.push(format!("{}: [lints] workspace = true is missing", path.display()));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_source_file_says_what_it_is_for() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| format!("{} does not open with //!", path.display()))
        .collect();
    assert_none(&wrong);
}

#[test]
fn file_names_name_a_subject() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|(path, _)| {
            path.iter().any(|part| {
                let part = part.to_string_lossy();
                ["util", "utils", "common", "misc", "helpers"].contains(&part.trim_end_matches(".rs"))
            })
        })
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_none(&wrong);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not report itself.
    let marks = [
        concat!("// TO", "DO"),
        concat!("TO", "DO:"),
        concat!("FIX", "ME"),
        concat!("// XX", "X"),
        concat!("to", "do!("),
        concat!("unimplem", "ented!("),
        concat!("#[ign", "ore]"),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (index, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: {}", path.display(), index + 1, line.trim()));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_cited_rfc_is_listed() {
    let listed = numbers_after(&read("docs/rfc.md"), "| RFC ");
    let mut wrong = Vec::new();
    let scripts = files(&["imap", "lmtp", "pop3"]).into_iter().map(|path| (path.clone(), read(&path)));
    for (path, text) in sources().into_iter().chain(scripts) {
        for cited in numbers_after(&text, "RFC ").difference(&listed) {
            wrong.push(format!("{} cites RFC {cited}, docs/rfc.md does not list it", path.display()));
        }
    }
    assert_none(&wrong);
}

#[test]
fn every_listed_rfc_has_a_status() {
    let wrong: Vec<_> = read("docs/rfc.md")
        .lines()
        .filter(|line| line.starts_with("| RFC "))
        .filter(|line| !["Yes", "Partial", "No"].contains(&line.split('|').nth(3).unwrap_or("").trim()))
        .map(str::to_owned)
        .collect();
    assert_none(&wrong);
}

#[test]
fn every_log_key_is_registered() {
    let document = read("docs/log-keys.md");
    let registered: BTreeSet<&str> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(key, _)| key).collect();
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if path.starts_with("tests") {
            continue;
        }
        for rest in text.split("event = \"").skip(1) {
            let key = rest.split('"').next().unwrap_or_default().to_owned();
            if !registered.contains(key.as_str()) {
                wrong.push(format!("{} logs {key}, docs/log-keys.md does not list it", path.display()));
            }
            used.insert(key);
        }
    }
    for key in registered {
        if !used.contains(key) {
            wrong.push(format!("docs/log-keys.md lists {key}, which nothing logs"));
        }
    }
    assert_none(&wrong);
}

/// With `UPDATE=1` in the environment the document is written anew.
#[test]
fn the_api_is_documented() {
    const DOCUMENT: &str = "docs/api/openapi.json";
    let mut text = rest::openapi().to_pretty_json().expect("a document is JSON");
    text.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        fs::write(root().join(DOCUMENT), &text).expect("the document can be written");
    }
    assert!(read(DOCUMENT) == text, "{DOCUMENT} is not what the types say: UPDATE=1 cargo test --test tidy");
}

#[test]
fn dates_and_durations_have_their_own_clocks() {
    let crates = ["directory", "imapd", "lmtpd", "login", "oauth", "pop3d", "src", "wire"];
    let mut wrong = Vec::new();
    let mut asking = BTreeSet::new();
    for (path, text) in sources() {
        let in_front = crates.iter().any(|directory| path.starts_with(directory));
        if !in_front || path.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        if ["SystemTime::now()", "Timestamp::now", "Zoned::now"].iter().any(|clock| code.contains(clock)) {
            let path = path.display().to_string();
            if !CALENDARS.iter().any(|(known, _)| *known == path) {
                wrong
                    .push(format!("{path} asks the system's clock: measure with Instant, or say why in tests/tidy.rs"));
            }
            asking.insert(path);
        }
    }
    let asks_no_more = CALENDARS.iter().filter(|(path, _)| !asking.contains(*path));
    wrong.extend(asks_no_more.map(|(path, _)| format!("{path} does not ask the system's clock any more")));
    assert_none(&wrong);
}

#[test]
fn every_transcript_says_what_it_shows() {
    let wrong: Vec<_> = files(&["imap", "lmtp", "pop3"])
        .into_iter()
        .filter(|path| !read(path).starts_with("# "))
        .map(|path| format!("{} does not open with a comment", path.display()))
        .collect();
    assert_none(&wrong);
}

#[test]
fn licence_texts_are_there() {
    for (file, word) in [("LICENSE-MIT", "Permission is hereby granted"), ("LICENSE-APACHE", "Apache License")] {
        assert!(read(file).contains(word), "{file}");
    }
}

/// The same rule as deny.toml, for machines without cargo-deny.
#[test]
fn every_package_has_a_permissive_licence() {
    let wrong: Vec<_> = packages()
        .into_iter()
        .filter(|(_, licence)| !licence.as_deref().is_some_and(permissive))
        .map(|(name, licence)| format!("{name}: {}", licence.unwrap_or_else(|| "no licence".to_owned())))
        .collect();
    assert_none(&wrong);
}

#[test]
fn licence_expressions() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("MIT AND GPL-2.0", false),
        ("(Apache-2.0 OR MIT) AND BSD-3-Clause", true),
        ("(MIT OR Apache-2.0) AND AGPL-3.0", false),
    ] {
        assert_eq!(permissive(expression), expected, "{expression}");
    }
}

/// Whether one may take the package under permissive licences alone. The expressions in use are conjunctions of
/// disjunctions, so AND binds weaker here than OR; SPDX has it the other way round, which matters to none of them.
fn permissive(expression: &str) -> bool {
    expression.split(" AND ").all(|part| {
        part.trim_matches(['(', ')']).replace('/', " OR ").split(" OR ").any(|name| LICENCES.contains(&name.trim()))
    })
}

fn packages() -> Vec<(String, Option<String>)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let version = String::from_utf8(version).expect("rustc writes UTF-8");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("cargo writes JSON");
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let packages = metadata["packages"].as_array().expect("metadata has packages");
    packages.iter().map(|package| (text(&package["name"]).unwrap_or_default(), text(&package["license"]))).collect()
}

/// All the numbers that follow `mark` in `text`.
fn numbers_after(text: &str, mark: &str) -> BTreeSet<u32> {
    text.split(mark)
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
        .collect()
}

fn manifests() -> Vec<(PathBuf, toml::Table)> {
    files(&["toml"])
        .into_iter()
        .filter(|path| path.ends_with("Cargo.toml") && !path.starts_with("fuzz"))
        .map(|path| {
            let text = read(&path);
            (path, text.parse().expect("a manifest is TOML"))
        })
        .collect()
}

/// Every Rust file of ours, by its path from the root.
fn sources() -> Vec<(PathBuf, String)> {
    let sources: Vec<_> = files(&["rs"]).into_iter().map(|path| (path.clone(), read(path))).collect();
    assert!(sources.len() > 20, "this test does not see the sources");
    sources
}

fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![root()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory can be read") {
            let path = entry.expect("an entry can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "var", "corpus"].contains(&name.as_str()) {
                    directories.push(path);
                }
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|known| extension == *known)) {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
