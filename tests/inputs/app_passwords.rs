//! App passwords that are not good here, and texts that are nearly one: all of them are a wrong password, and none tells which
//! the user has.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Home, Imap, Pop3};

use crate::row::Row;

/// What is made for joe: a name, and what it is good for.
const MADE: &[(&str, &[&str])] = &[
    ("phone", &["--protocol", "imap"]),
    ("pop", &["--protocol", "pop3"]),
    ("relay", &["--protocol", "lmtp"]),
    ("elsewhere", &["--protocol", "imap,pop3", "--network", "192.0.2.0/24"]),
];

pub(crate) static ROWS: &[Row] = &[
    Row::play("imap, pop3: app passwords that are not for this, and texts that are nearly one", |arena| {
        let made: Vec<String> = MADE.iter().map(|(name, good)| make(&arena.home, "joe", name, good)).collect();
        let others = make(&arena.home, "bob", "phone", &["--protocol", "imap"]);
        let [phone, pop, relay, elsewhere] = &made[..] else { panic!("{made:?}") };
        let selector = &phone[..4];
        let for_imap = vec![
            pop.clone(),
            relay.clone(),
            elsewhere.clone(),
            others,
            selector.to_owned(),
            format!("{selector}{}", "a".repeat(20)),
            format!("{phone}a"),
            phone[..phone.len() - 1].to_owned(),
            phone.repeat(2),
            format!("{phone}{}", "-".repeat(200)),
            "-".repeat(24),
            format!("{}{}", &phone[..12], "\u{430}".repeat(12)),
            phone.chars().rev().collect(),
        ];
        let (imap, pop3) = (arena.server.address(Protocol::Imap), arena.server.address(Protocol::Pop3));
        // All at once: each answer waits for three seconds.
        let answers: BTreeSet<String> = std::thread::scope(|scope| {
            let guesses: Vec<_> = for_imap
                .iter()
                .map(|password| {
                    scope.spawn(move || {
                        let plain = STANDARD.encode(format!("\0joe\0{password}"));
                        let status =
                            Imap::open(imap).unwrap().command(&format!("AUTHENTICATE PLAIN {plain}")).unwrap().status;
                        assert!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "{password:.60}: {status}");
                        status
                    })
                })
                .collect();
            guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
        });
        assert_eq!(answers.len(), 1, "{answers:?}");
        let mut client = Pop3::open(pop3).unwrap();
        client.must("USER joe").unwrap();
        assert!(client.command(&format!("PASS {phone}")).unwrap().starts_with("-ERR [AUTH]"));
        // What can be no password at all.
        for nonsense in [format!("\0joe\0{phone}\0"), format!("\0joe\0\0{phone}"), "\0joe\0".to_owned()] {
            let mut client = arena.stranger();
            let status = client.command(&format!("AUTHENTICATE PLAIN {}", STANDARD.encode(nonsense))).unwrap().status;
            assert!(status.starts_with("BAD"), "{status}");
        }
        // As people write it.
        for written in [phone.clone(), phone.to_uppercase(), phone.replace('-', " "), phone.replace('-', "")] {
            Imap::login(imap, "joe", &written).unwrap_or_else(|problem| panic!("{written:?}: {problem}"));
        }
        let mut client = Pop3::open(pop3).unwrap();
        client.must("USER joe").unwrap();
        client.must(&format!("PASS {pop}")).unwrap();
        client.must("QUIT").unwrap();
        arena.home.must_run(&["user", "app-password", "remove", "joe", "--all"], b"");
        let status = Imap::open(imap).unwrap().command(&format!("LOGIN joe \"{phone}\"")).unwrap().status;
        assert!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "it was taken back: {status}");
        arena.home.must_run(&["user", "app-password", "remove", "bob", "--all"], b"");
    })
    // Guesses are hashed, eight at a time at most, each in 19 MiB.
    .mib(8 * 19 + 16)
    .seconds(60),
    Row::play("imap: 40 guesses at an app password at once", |arena| {
        let phone = make(&arena.home, "joe", "phone", &[]);
        let address = arena.server.address(Protocol::Imap);
        std::thread::scope(|scope| {
            for number in 0..40 {
                let selector = phone[..4].to_owned();
                scope.spawn(move || {
                    let guess = format!("{selector}{number:020}").replace(['0', '1'], "a");
                    let status = Imap::open(address).unwrap().command(&format!("LOGIN joe {guess}")).unwrap().status;
                    assert!(status.starts_with("NO [AUTHENTICATIONFAILED]"), "{status}");
                });
            }
        });
        arena.home.must_run(&["user", "app-password", "remove", "joe", "--all"], b"");
    })
    .mib(8 * 19 + 16)
    .seconds(60),
];

fn make(home: &Home, user: &str, name: &str, good: &[&str]) -> String {
    let made = home.must_run(&[&["user", "app-password", "add", user, name], good].concat(), b"");
    made.lines().next().unwrap().trim().to_owned()
}
