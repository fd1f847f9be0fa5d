//! Mailbox names and patterns.

use std::fs;

use crate::attack::{Attack, Reaction, provoke};

#[test]
fn names_that_lead_elsewhere() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    let outside = attack.home.path().join("evil");
    for name in [
        "../../../evil",
        "..",
        ".",
        "/",
        "//",
        "a//b",
        "a/../../../../evil",
        "/etc",
        "~joe",
        "&AC8-..&AC8-",
        "x&AAA-y",
        "x&AC4AL-",
        "x&AGE-y",
        "x&U,",
        "x&2AA-",
        "x&",
        "a/./b",
        "a/..",
        "Other Users",
        "Shared Folders",
        "user/sue",
        "cyrus.index",
        "stage.",
        "1.",
        "x/cyrus.header",
    ] {
        for command in ["CREATE", "SELECT", "DELETE", "SUBSCRIBE", "RENAME INBOX"] {
            let line = format!("a {command} \"{name}\"\r\n");
            let reaction = provoke(&mut connection, line.as_bytes(), "a");
            if reaction == Reaction::HungUp {
                // A client that sends nonsense for too long is sent away.
                connection = attack.insider();
            }
            if name.contains("..") || name.contains("&A") || name == "Other Users" {
                assert_ne!(reaction, Reaction::Obeyed, "{line}");
            }
        }
    }
    assert!(!outside.exists());
    assert!(!fs::exists("/etc/cyrus.header").unwrap());
    drop(connection);
    attack.survived();
}

#[test]
fn names_that_are_too_long_or_too_deep() {
    let attack = Attack::begin();
    for name in ["x".repeat(10_000), "x/".repeat(1_000) + "x", "&AOQ-".repeat(500), "x".repeat(256)] {
        let line = format!("a CREATE \"{name}\"\r\n");
        assert_ne!(provoke(&mut attack.insider(), line.as_bytes(), "a"), Reaction::Obeyed);
    }
    attack.survived();
}

#[test]
fn patterns_made_of_wildcards() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must(&format!("CREATE {}", "a".repeat(100))).unwrap();
    for pattern in ["*%".repeat(500) + "b", "*a".repeat(500) + "b", "%a".repeat(500), "*".repeat(5_000)] {
        joe.command(&format!("LIST \"\" \"{pattern}\"")).unwrap();
    }
    let many: Vec<String> = (0..500).map(|n| format!("\"*a*{n}*\"")).collect();
    joe.command(&format!("LIST \"\" ({})", many.join(" "))).unwrap();
    drop(joe);
    attack.survived();
}

#[test]
fn one_name_made_renamed_and_deleted_by_many() {
    let attack = Attack::begin();
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let mut joe = attack.joe();
            std::thread::spawn(move || {
                for turn in 0..25 {
                    joe.command("CREATE Contested").unwrap();
                    joe.command(&format!("RENAME Contested Moved{}", (number + turn) % 3)).unwrap();
                    joe.command(&format!("DELETE Moved{}", turn % 3)).unwrap();
                    joe.command("DELETE Contested").unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    // LIST and SELECT must agree on what is left.
    let mut joe = attack.joe();
    let listed = joe.must("LIST \"\" *").unwrap();
    for reply in &listed.untagged {
        let text = reply.to_string();
        let name = text.rsplit(' ').next().unwrap_or_default().to_owned();
        if !text.contains("\\Noselect") && !text.contains("\\NonExistent") {
            joe.must(&format!("STATUS {name} (MESSAGES)")).expect("what is listed is there");
        }
    }
    drop(joe);
    attack.survived();
}
