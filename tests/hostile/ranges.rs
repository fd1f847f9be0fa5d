//! Sequence sets, sections, flags and searches.

use crate::attack::{Attack, Reaction, goes_on, provoke};

#[test]
fn sequence_sets_at_the_edges() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    for (set, obeyed) in [
        ("1:4294967295", false),
        ("4294967295", false),
        ("4294967296", false),
        ("18446744073709551617", false),
        ("0", false),
        ("*:0", false),
        ("1:1:1", false),
        (",1", false),
        ("1,", false),
        ("1::2", false),
        ("-1", false),
        ("*:*", true),
        ("3:1", true),
    ] {
        let command = format!("a FETCH {set} (FLAGS)\r\n");
        assert_eq!(provoke(&mut connection, command.as_bytes(), "a") == Reaction::Obeyed, obeyed, "{command}");
    }
    let command = b"a UID FETCH 1:4294967295 (FLAGS)\r\n";
    assert_eq!(provoke(&mut connection, command, "a"), Reaction::Obeyed);
    let long = format!("a FETCH {} (FLAGS)\r\n", vec!["1:*"; 100_000].join(","));
    let _ = provoke(&mut connection, long.as_bytes(), "a");
    let scattered: Vec<String> = (0..1_500).map(|n| (n * 2 + 1).to_string()).collect();
    let command = format!("a UID FETCH {} (FLAGS)\r\n", scattered.join(","));
    assert_eq!(provoke(&mut attack.insider(), command.as_bytes(), "a"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn an_empty_mailbox_and_the_longest_range() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must("CREATE Empty").unwrap();
    joe.must("SELECT Empty").unwrap();
    assert!(!joe.command("FETCH 1:4294967295 (FLAGS)").unwrap().ok());
    assert!(joe.command("UID FETCH 1:4294967295 (FLAGS)").unwrap().ok());
    drop(joe);
    attack.survived();
}

#[test]
fn keywords_by_the_thousand() {
    let attack = Attack::begin();
    let keywords: Vec<String> = (0..10_000).map(|n| format!("k{n}")).collect();
    let command = format!("a UID STORE 1:* +FLAGS ({})\r\n", keywords.join(" "));
    assert_ne!(provoke(&mut attack.insider(), command.as_bytes(), "a"), Reaction::Obeyed);
    let command = format!("a STORE 1 +FLAGS ({})\r\n", "k".repeat(1 << 20));
    assert_ne!(provoke(&mut attack.insider(), command.as_bytes(), "a"), Reaction::Obeyed);
    let mut connection = attack.insider();
    let mut refused = 0;
    for keyword in keywords.iter().take(200) {
        let command = format!("a STORE 1 +FLAGS.SILENT ({keyword})\r\n");
        refused += usize::from(provoke(&mut connection, command.as_bytes(), "a") != Reaction::Obeyed);
    }
    assert!(refused >= 200 - 128, "a mailbox has room for 128 keywords, {} were taken", 200 - refused);
    assert!(goes_on(&mut connection));
    drop(connection);
    attack.survived();
}

#[test]
fn sections_that_are_too_deep() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    let deep = format!("a FETCH 1 BODY.PEEK[{}1]\r\n", "1.".repeat(100_000));
    assert_ne!(provoke(&mut connection, deep.as_bytes(), "a"), Reaction::Obeyed);
    let mut connection = attack.insider();
    for section in
        ["[4294967295]", "[1.2.3.4.5.6.7.8.9.10]", "[]<4294967295.4294967295>", "[TEXT]<9223372036854775807.1>"]
    {
        let command = format!("a FETCH 1 BODY.PEEK{section}\r\n");
        assert_ne!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::HungUp, "{command}");
    }
    for section in ["[4294967296]", "[0]", "[]<18446744073709551616.1>", "[]<1.0>", "[1..2]", "[.1]", "[1.]"] {
        let command = format!("a FETCH 1 BODY.PEEK{section}\r\n");
        assert_ne!(provoke(&mut connection, command.as_bytes(), "a"), Reaction::Obeyed, "{command}");
    }
    drop(connection);
    attack.survived();
}

#[test]
fn one_fetch_that_asks_a_thousand_times() {
    let attack = Attack::begin();
    let command = format!("a FETCH 1:* ({})\r\n", vec!["BODY.PEEK[]"; 600].join(" "));
    assert_ne!(provoke(&mut attack.insider(), command.as_bytes(), "a"), Reaction::HungUp);
    attack.survived();
}

#[test]
fn searches_that_cost() {
    let attack = Attack::begin();
    let ors = format!("a SEARCH {}ALL\r\n", "OR SUBJECT x ".repeat(10_000));
    assert_ne!(provoke(&mut attack.insider(), ors.as_bytes(), "a"), Reaction::Obeyed);
    let flat = format!("a SEARCH {}\r\n", "TEXT aaaaaaaaaaaaaaaaab ".repeat(300));
    assert_eq!(provoke(&mut attack.insider(), flat.as_bytes(), "a"), Reaction::Obeyed);
    let charset = format!("a SEARCH CHARSET {} ALL\r\n", "x".repeat(5_000));
    assert_ne!(provoke(&mut attack.insider(), charset.as_bytes(), "a"), Reaction::Obeyed);
    attack.survived();
}
