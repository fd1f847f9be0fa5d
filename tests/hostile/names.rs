//! Mailboxes whose names many fight for, and names that look alike.

use harness::corpus;

use crate::attack::Attack;

#[test]
fn mailboxes_renamed_into_themselves() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must("CREATE a/b").unwrap();
    assert!(joe.append("a", "", &corpus::small(1)).unwrap().ok());
    for command in [
        "RENAME a a",
        "RENAME a a/b",
        "RENAME a a/b/c",
        "RENAME a/b a",
        "RENAME a INBOX",
        "RENAME INBOX INBOX",
        "RENAME INBOX a",
        "RENAME nowhere a/c",
    ] {
        let answer = joe.command(command).unwrap();
        assert!(answer.status.starts_with("NO"), "{command}: {}", answer.status);
    }
    assert_eq!(joe.must("STATUS a (MESSAGES)").unwrap().untagged[0].to_string(), "* STATUS a (MESSAGES 1)");
    // RFC 9051, 6.3.6: the messages of INBOX move, INBOX stays.
    joe.must("RENAME INBOX Old").unwrap();
    assert_eq!(joe.must("SELECT Old").unwrap().number("EXISTS"), Some(3));
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(0));
    drop(joe);
    attack.survived();
}

/// Names that look alike are one mailbox or two, but never one and a half: each that can be made holds its own mail.
#[test]
fn names_that_look_alike() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    let names = [
        // Composed and decomposed (RFC 5198, 3 wants the first).
        ("Caf&AOk-", true),
        ("Cafe&AwE-", false),
        ("work", true),
        ("Work", true),
        ("WORK", true),
        ("inbox", false),
        ("iNbOx", false),
        // A Greek and a Latin letter.
        ("A", true),
        ("&A5E-", true),
    ];
    for (name, is_new) in names {
        let answer = joe.command(&format!("CREATE \"{name}\"")).unwrap();
        assert_eq!(answer.ok(), is_new, "{name}: {}", answer.status);
    }
    // A server may refuse these.
    let odd = ["Work ", "Work.", " Work", "Work\u{7f}"].into_iter().filter(|name| {
        let answer = joe.command(&format!("CREATE \"{name}\"")).unwrap();
        answer.ok()
    });
    let made: Vec<&str> = names.iter().filter(|(_, is_new)| *is_new).map(|(name, _)| *name).chain(odd).collect();
    for (number, name) in made.iter().enumerate() {
        assert!(joe.append(name, "", &corpus::small(number)).unwrap().ok(), "{name}");
    }
    for (number, name) in made.iter().enumerate() {
        let opened = joe.must(&format!("SELECT \"{name}\"")).unwrap();
        assert_eq!(opened.number("EXISTS"), Some(1), "{name}");
        assert!(joe.fetch("FETCH 1 BODY.PEEK[]").unwrap()[0].body == corpus::small(number), "{name}");
    }
    let listed = joe.must("LIST \"\" *").unwrap().untagged.len();
    assert_eq!(listed, made.len() + 1, "{made:?} and INBOX");
    // The other spelling leads to the same mailbox.
    assert_eq!(joe.must("SELECT \"Cafe&AwE-\"").unwrap().number("EXISTS"), Some(1));
    drop(joe);
    attack.survived();
}

/// Connections that fight for one name, each with several commands on their way.
const RIVALS: usize = 20;

#[test]
fn one_name_made_renamed_and_deleted_by_many() {
    let attack = Attack::begin();
    let rivals: Vec<_> = (0..RIVALS).map(|_| attack.joe()).collect();
    let threads: Vec<_> = rivals
        .into_iter()
        .enumerate()
        .map(|(number, mut joe)| {
            std::thread::spawn(move || {
                for turn in 0..6 {
                    let commands = [
                        "CREATE Contested".to_owned(),
                        "APPEND Contested {14+}\r\nSubject: x\r\n\r\n".to_owned(),
                        format!("RENAME Contested Moved{}", (number + turn) % 3),
                        format!("RENAME Moved{} Contested/Below", turn % 3),
                        format!("DELETE Moved{}", turn % 3),
                        "DELETE Contested".to_owned(),
                    ];
                    let tags = commands.map(|command| joe.send(command.as_bytes()).unwrap());
                    for tag in tags {
                        let status = joe.answer(&tag).unwrap().status;
                        assert!(status.starts_with("OK") || status.starts_with("NO"), "{status}");
                    }
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

/// A mailbox that moves back and forth while mail comes in, each time between directories that have to stay because of the
/// mailboxes below: its files move one by one. What was acknowledged is there in the end.
#[test]
fn mail_for_a_mailbox_that_moves() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    for name in ["One/Below", "Two/Below"] {
        joe.must(&format!("CREATE {name}")).unwrap();
    }
    joe.must("DELETE Two").unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let mut writer = attack.joe();
            std::thread::spawn(move || {
                let mut kept = 0;
                for turn in 0..100 {
                    let name = ["One", "Two"][turn % 2];
                    kept += u32::from(writer.append(name, "", &corpus::small(turn)).unwrap().ok());
                }
                kept
            })
        })
        .collect();
    let mut place = 0;
    while threads.iter().any(|thread| !thread.is_finished()) {
        let [from, to] = if place == 0 { ["One", "Two"] } else { ["Two", "One"] };
        // The mailbox below is in the way of a rename with all that is below, so it goes elsewhere for the time.
        joe.must(&format!("RENAME {from}/Below Aside")).unwrap();
        joe.must(&format!("RENAME {from} {to}")).unwrap();
        joe.must(&format!("RENAME Aside {from}/Below")).unwrap();
        place = 1 - place;
    }
    let kept: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(kept > 50, "only {kept} of 400 found it");
    let exists = joe.must(&format!("SELECT {}", ["One", "Two"][place])).unwrap().number("EXISTS");
    assert_eq!(exists, Some(kept));
    assert_eq!(joe.fetch("FETCH 1:* BODY.PEEK[]").unwrap().iter().filter(|m| !m.body.is_empty()).count() as u32, kept);
    drop(joe);
    attack.survived();
}
