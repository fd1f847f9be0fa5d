//! Caps: what one user may pile up before he is refused.

use std::fs;

use crate::attack::{Attack, Reaction, provoke};

/// Subscriptions of one user, and entries of one ACL: what the server keeps at most.
const SUBSCRIPTIONS: usize = 10_000;
const ACL_ENTRIES: usize = 1_000;

#[test]
fn mailboxes_beyond_the_cap() {
    let attack = Attack::begin_with(&["limits.mailboxes_per_user = 12"]);
    let mut joe = attack.joe();
    // His INBOX is one of the twelve.
    for number in 1..12 {
        joe.must(&format!("CREATE Box{number}")).unwrap();
    }
    let is_full = |joe: &mut harness::Imap| {
        for command in ["CREATE One-more", "CREATE a/b/c/d", "RENAME INBOX Elsewhere"] {
            let answer = joe.command(command).unwrap();
            assert!(answer.status.starts_with("NO [LIMIT]"), "{command}: {}", answer.status);
        }
        assert_eq!(joe.must("LIST \"\" *").unwrap().untagged.len(), 12);
    };
    is_full(&mut joe);
    joe.must("RENAME Box1 Renamed").expect("this makes no mailbox");
    joe.must("RENAME Renamed Box2/Moved").expect("nor does this");
    is_full(&mut joe);
    joe.must("DELETE Box2/Moved").unwrap();
    joe.must("CREATE Again").unwrap();
    is_full(&mut joe);
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
    attack.server.imap("sue").must("CREATE Hers").expect("another user has her own");
    drop(joe);
    attack.survived();
}

#[test]
fn subscriptions_beyond_the_cap() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must("CREATE One-more").unwrap();
    joe.must("SUBSCRIBE INBOX").unwrap();
    // As many as may be; one at a time would take all day.
    let lines: String = (1..SUBSCRIPTIONS).map(|number| format!("user/joe/s{number:05}\t\n")).collect();
    let file = attack.home.config_dir().join("user/j/joe.sub");
    fs::write(&file, format!("user/joe\t\n{lines}")).unwrap();
    let answer = joe.command("SUBSCRIBE One-more").unwrap();
    assert!(answer.status.starts_with("NO [LIMIT]"), "{}", answer.status);
    assert_eq!(joe.must("LSUB \"\" *").unwrap().untagged.len(), SUBSCRIPTIONS);
    joe.must("UNSUBSCRIBE s00001").unwrap();
    joe.must("SUBSCRIBE One-more").unwrap();
    drop(joe);
    attack.survived();
}

#[test]
fn acl_entries_beyond_the_cap() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must("CREATE Shared").unwrap();
    // One entry is his own.
    let tags: Vec<_> =
        (1..ACL_ENTRIES).map(|number| joe.send(format!("SETACL Shared u{number} lr").as_bytes()).unwrap()).collect();
    for tag in tags {
        assert!(joe.answer(&tag).unwrap().ok());
    }
    for command in ["SETACL Shared one-more l", "SETACL Shared -one-more l"] {
        let answer = joe.command(command).unwrap();
        assert!(answer.status.starts_with("NO [LIMIT]"), "{command}: {}", answer.status);
    }
    let listed = joe.must("GETACL Shared").unwrap().untagged[0].to_string();
    assert_eq!(listed.split(' ').count(), 3 + 2 * ACL_ENTRIES, "{listed}");
    joe.must("SETACL Shared u7 l").expect("an entry that is there may change");
    joe.must("DELETEACL Shared u7").unwrap();
    joe.must("SETACL Shared one-more l").unwrap();
    drop(joe);
    attack.survived();
}

#[test]
fn identifiers_that_would_break_the_list() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    provoke(&mut connection, b"a CREATE Shared\r\n", "a");
    let long = "x".repeat(300);
    for id in ["", "-", "a\tlrs\tb", "a\u{1}b", "a\u{7f}", long.as_str()] {
        let command = format!("a SETACL Shared {{{}+}}\r\n{id} l\r\n", id.len());
        assert!(matches!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::Refused(_)), "{id:?}");
    }
    let odd = ["quo\"te", "back\\slash", "a b", "-joe", "--x", "(", "{3}", "NIL", "\u{e4}"];
    for id in odd {
        let command = format!("a SETACL Shared {{{}+}}\r\n{id} l\r\n", id.len());
        assert_eq!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::Obeyed, "{id:?}");
    }
    // Each is one entry, which is found by its name and goes alone.
    let count = |attack: &Attack| attack.joe().must("GETACL Shared").unwrap().untagged[0].to_string();
    assert!(!count(&attack).contains("lrs "), "no entry was smuggled in");
    for id in odd {
        let command = format!("a DELETEACL Shared {{{}+}}\r\n{id}\r\n", id.len());
        assert_eq!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::Obeyed, "{id:?}");
    }
    let left = count(&attack);
    assert_eq!(left.split(' ').count(), 5, "{left}");
    drop(connection);
    attack.survived();
}
