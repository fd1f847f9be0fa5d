//! Lines, literals, quotes, parentheses and tags.

use std::time::Duration;

use crate::attack::{Attack, Reaction, goes_on, provoke};

/// Far more than any line may be, and quickly sent. What the server drops of it is its affair, as long as it keeps nothing.
const FLOOD: usize = 64 << 20;

#[test]
fn literals_of_impossible_size() {
    let attack = Attack::begin();
    for size in ["4294967295", "18446744073709551616", "99999999999999999999999", "9223372036854775807"] {
        let line = format!("a LOGIN {{{size}}}\r\n");
        assert_ne!(provoke(&mut attack.stranger(), line.as_bytes(), "a"), Reaction::Obeyed, "{line}");
        let line = format!("a SELECT {{{size}}}\r\n");
        assert_ne!(provoke(&mut attack.insider(), line.as_bytes(), "a"), Reaction::Obeyed, "{line}");
    }
    attack.survived();
}

#[test]
fn an_endless_literal_that_does_not_wait() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    connection.send(b"a APPEND INBOX {2147483647+}\r\n").unwrap();
    assert_ne!(provoke(&mut connection, &vec![b'x'; FLOOD], "a"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn a_hundred_thousand_literals_in_one_command() {
    let attack = Attack::begin();
    let mut command = b"a SEARCH".to_vec();
    for _ in 0..100_000 {
        command.extend_from_slice(b" SUBJECT {1+}\r\nx");
    }
    command.extend_from_slice(b"\r\n");
    assert_ne!(provoke(&mut attack.insider(), &command, "a"), Reaction::Obeyed);
    let empty = [b"a SEARCH".to_vec(), b" SUBJECT {0+}\r\n".repeat(100_000), b"\r\n".to_vec()].concat();
    assert_ne!(provoke(&mut attack.insider(), &empty, "a"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn literals_that_are_none() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    for text in ["{-1}", "{+}", "{1 }", "{ 1}", "{}", "{1", "{x}", "{1++}", "~{x}", "{0x5}", "{1+}x"] {
        let line = format!("a SELECT {text}\r\n");
        match provoke(&mut connection, line.as_bytes(), "a") {
            Reaction::Obeyed => panic!("{line}"),
            Reaction::Refused(_) => assert!(goes_on(&mut connection), "{line}"),
            Reaction::HungUp => connection = attack.insider(),
        }
    }
    attack.survived();
}

#[test]
fn a_line_without_end() {
    let attack = Attack::begin();
    for mut connection in [attack.stranger(), attack.insider()] {
        // It may be dropped up to its end before anything is said.
        let line = [vec![b'a'; FLOOD], b"\r\n".to_vec()].concat();
        assert_ne!(provoke(&mut connection, &line, "a"), Reaction::Obeyed);
    }
    let spaces = [b"a SELECT".to_vec(), vec![b' '; FLOOD], b"\r\n".to_vec()].concat();
    assert_ne!(provoke(&mut attack.stranger(), &spaces, "a"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn quotes_that_do_not_end() {
    let attack = Attack::begin();
    let mut connection = attack.stranger();
    assert!(matches!(provoke(&mut connection, b"a LOGIN \"abc\r\n", "a"), Reaction::Refused(_)));
    assert!(matches!(provoke(&mut connection, b"b LOGIN \"a\\x\" \"\\n\"\r\n", "b"), Reaction::Refused(_)));
    assert!(goes_on(&mut connection));
    let long = [b"a LOGIN \"".to_vec(), vec![b'x'; 10 << 20], b"\" y\r\n".to_vec()].concat();
    assert_ne!(provoke(&mut connection, &long, "a"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn bytes_that_no_line_may_hold() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    let cases: [&[u8]; 10] = [
        b"a SELECT \0\r\n",
        b"a SELECT \"\0\"\r\n",
        b"a SELECT \xff\xfe\r\n",
        b"a SELECT \"\xff\"\r\n",
        b"a SELECT x\ry\r\n",
        b"a SELECT \"x\ny\"\r\n",
        b"a SELECT {1+}\r\n\0\r\n",
        b"a\xe9 NOOP\r\n",
        b"a SELECT \xc0\xaf\r\n",
        b"a SELECT \"\x80\"\r\n",
    ];
    for bytes in cases {
        let name = bytes.escape_ascii().to_string();
        match provoke(&mut connection, bytes, "a") {
            Reaction::Obeyed => panic!("{name}"),
            Reaction::Refused(_) => {}
            Reaction::HungUp => connection = attack.insider(),
        }
    }
    drop(connection);
    attack.survived();
}

#[test]
fn nesting_without_end() {
    let attack = Attack::begin();
    let deep = |start: &str, unit: &str, times: usize| {
        [start.as_bytes().to_vec(), unit.repeat(times).into_bytes(), b"\r\n".to_vec()].concat()
    };
    for command in [
        deep("a ", "(", 1_000_000),
        deep("a LOGIN ", "(", 1_000_000),
        deep("a FETCH 1 ", "(", 1_000_000),
        deep("a SEARCH ", "(", 1_000_000),
        deep("a LIST ", "(", 1_000_000),
        deep("a SEARCH ", "NOT ", 100_000),
        deep("a SEARCH ", "OR ", 100_000),
        deep("a SEARCH ", "(NOT ", 50_000),
        deep("a SEARCH ", "OR (", 50_000),
        deep("a ID ", "(", 1_000_000),
        deep("a STORE 1 FLAGS ", "(", 1_000_000),
    ] {
        assert_ne!(provoke(&mut attack.stranger(), &command, "a"), Reaction::Obeyed);
        assert_ne!(provoke(&mut attack.insider(), &command, "a"), Reaction::Obeyed);
    }
    // Within the limit of a line, so that it is the grammar that must hold.
    for unit in ["(", "NOT ", "OR ", "(NOT ", "OR NOT ("] {
        let command = deep("a SEARCH ", unit, 7_000 / unit.len());
        assert_ne!(provoke(&mut attack.insider(), &command, "a"), Reaction::Obeyed, "{unit}");
    }
    attack.survived();
}

#[test]
fn tags_that_are_none() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    for line in [" NOOP", "* NOOP", "+ NOOP", "a+b NOOP", "(a NOOP", "{3} NOOP", "\"a\" NOOP", "a%b NOOP", "\\a NOOP"] {
        let line = format!("{line}\r\n");
        match provoke(&mut connection, line.as_bytes(), "never") {
            Reaction::Refused(_) => {}
            Reaction::HungUp => connection = attack.insider(),
            Reaction::Obeyed => unreachable!("nothing has that tag"),
        }
    }
    let long = [vec![b'a'; 10 << 20], b" NOOP\r\n".to_vec()].concat();
    assert_ne!(provoke(&mut connection, &long, "never"), Reaction::Obeyed);
    attack.survived();
}

#[test]
fn commands_whose_answers_nobody_reads() {
    let attack = Attack::begin();
    let mut connection = attack.insider();
    connection.set_patience(Duration::from_secs(2)).unwrap();
    // The server must stop reading when its answers pile up; how much it takes until then is its affair.
    let _ = connection.send(&b"a FETCH 1:* (BODY.PEEK[] ENVELOPE BODYSTRUCTURE)\r\n".repeat(100_000));
    attack.survived();
}
