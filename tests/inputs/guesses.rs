//! Guessing: what a failed login must not tell (whether there is such a user, by its words or its time), and logins that
//! must not be taken for somebody else's (CVE-2025-30189, CVE-2019-18928: answers kept for one user and given to another).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD, Pop3, await_until};

use crate::arena::{AMYS, Arena};
use crate::row::Row;

pub(crate) static ROWS: &[Row] = &[
    Row::play("imap, pop3: who does not exist is refused in the same words", same_words).mib(96).seconds(60),
    Row::play("imap: who does not exist is refused in the same time", same_time).mib(96).seconds(90),
    Row::play("imap, pop3: whoever may be asked about, nobody is told", |arena| {
        let mut pop3 = arena.pop3();
        let answers = ["joe", "nobody", "../x"].map(|user| pop3.command(&format!("USER {user}")).unwrap());
        assert!(answers.iter().all(|answer| *answer == answers[0] && answer.starts_with("+OK")), "{answers:?}");
        let mut lmtp = arena.server.lmtp();
        let answers = ["joe", "nobody"].map(|user| lmtp.command(&format!("VRFY {user}")).unwrap());
        assert_eq!(answers[0], answers[1]);
        assert!(lmtp.command("EXPN joe").unwrap().starts_with("500"));
    }),
    Row::play("imap: SCRAM challenges that do not tell who exists", scram_challenges),
    Row::play("imap, pop3: one user's password for another's mail", identities).mib(48).seconds(60),
];

/// How a guess is made: what is sent, line by line, each after the answer to the last.
fn ways(user: &str) -> Vec<(&'static str, Protocol, Vec<String>)> {
    let plain = STANDARD.encode(format!("\0{user}\0wrong"));
    let first = STANDARD.encode(format!("n,,n={user},r=x"));
    vec![
        ("LOGIN", Protocol::Imap, vec![format!("a LOGIN \"{user}\" wrong")]),
        ("AUTHENTICATE PLAIN", Protocol::Imap, vec![format!("a AUTHENTICATE PLAIN {plain}")]),
        ("AUTHENTICATE SCRAM", Protocol::Imap, vec![format!("a AUTHENTICATE SCRAM-SHA-256 {first}"), String::new()]),
        ("PASS", Protocol::Pop3, vec![format!("USER {user}"), "PASS wrong".into()]),
        ("AUTH PLAIN", Protocol::Pop3, vec![format!("AUTH PLAIN {plain}")]),
        ("AUTH SCRAM", Protocol::Pop3, vec![format!("AUTH SCRAM-SHA-256 {first}"), String::new()]),
    ]
}

/// The last answer to a guess.
fn guess(address: SocketAddr, protocol: Protocol, lines: &[String]) -> String {
    let mut connection = Connection::open(address, protocol.is_imap()).unwrap();
    connection.reply().unwrap().expect("a greeting");
    let mut said = String::new();
    for line in lines {
        // The last message of SCRAM repeats the nonce of the challenge.
        let line = if line.is_empty() { last_of_scram(&said) } else { line.clone() };
        connection.send(format!("{line}\r\n").as_bytes()).unwrap();
        said = connection.reply().unwrap().expect("an answer").to_string();
    }
    said
}

/// A well-formed last message for a challenge, with a proof that proves nothing.
fn last_of_scram(challenge: &str) -> String {
    let challenge = String::from_utf8(STANDARD.decode(challenge.strip_prefix("+ ").unwrap()).unwrap()).unwrap();
    let nonce = challenge.split(',').next().unwrap();
    STANDARD.encode(format!("c=biws,{nonce},p={}", STANDARD.encode([0; 32])))
}

/// All at once: each answer waits for three seconds.
fn same_words(arena: &Arena) {
    let long = "x".repeat(300);
    let users = ["joe", "nobody", "../joe", "joe@elsewhere.example", "cyrus", long.as_str()];
    let guesses: Vec<_> = users
        .iter()
        .flat_map(|user| ways(user))
        .map(|(way, protocol, lines)| {
            let address = arena.server.address(protocol);
            std::thread::spawn(move || (way, guess(address, protocol, &lines)))
        })
        .collect();
    let mut answers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for guess in guesses {
        let (way, answer) = guess.join().unwrap();
        answers.entry(way).or_default().push(answer);
    }
    for (way, said) in answers {
        assert_eq!(said.len(), users.len());
        let refused = said[0].starts_with("a NO [AUTHENTICATIONFAILED] ") || said[0].starts_with("-ERR [AUTH] ");
        assert!(refused && said.iter().all(|answer| *answer == said[0]), "{way}: {said:?}");
    }
}

/// Those whose names are tried: one who exists, one who does not, and one who cannot.
const CLAIMED: [&str; 3] = ["joe", "nobody", "../x"];

/// Guesses of a round for each of them.
const GUESSES: usize = 7;

/// Rounds at the most. The first is enough unless the machine is very busy with other things.
const ROUNDS: usize = 5;

/// How long a first failed login is left without an answer.
const DELAY: Duration = Duration::from_secs(3);

/// What may be seen of the work behind an answer. Timers and threads wake within two milliseconds; a password's hash takes
/// forty in a debug build.
const SEEN: Duration = Duration::from_millis(5);

/// An answer comes when the delay is over, and tells nothing of the work behind it: not by the quickest of many, which is
/// what somebody who wants to know would look at. Other things that a machine does make answers late, never early.
fn same_time(arena: &Arena) {
    let mut quickest = CLAIMED.map(|user| (user, Duration::MAX));
    for round in 0..ROUNDS {
        for ((_, least), late) in quickest.iter_mut().zip(latenesses(arena, round)) {
            *least = late.min(*least);
        }
        if quickest.iter().all(|(_, late)| *late < SEEN) {
            return;
        }
    }
    panic!("the quickest answers come so long after the delay: {quickest:?}");
}

/// How long after the delay each of [`CLAIMED`] is answered, at the best of many guesses. A guess begins when the one before
/// it has been looked at, so that none waits for another's hash; the delays run side by side.
fn latenesses(arena: &Arena, round: usize) -> [Duration; 3] {
    let (address, log) = (arena.server.address(Protocol::Imap), arena.server.log_size());
    let mut looked_at = 0;
    let mut begin = |user: &'static str, number: usize| {
        let mut imap = Imap::open(address).unwrap();
        let answered = std::thread::spawn(move || {
            let begin = Instant::now();
            assert!(!imap.command(&format!("LOGIN {user} wrong{round}-{number}")).unwrap().ok());
            begin.elapsed().checked_sub(DELAY).expect("no answer before the delay is over")
        });
        looked_at += 1;
        await_until("the guess is looked at", || {
            arena.server.log_from(log).matches("event=login.failed ").count() == looked_at
        });
        answered
    };
    let guesses: Vec<_> = (0..GUESSES).map(|number| CLAIMED.map(|user| begin(user, number))).collect();
    let mut least = [Duration::MAX; 3];
    for guess in guesses {
        for (least, answered) in least.iter_mut().zip(guess) {
            *least = answered.join().unwrap().min(*least);
        }
    }
    least
}

/// The challenge for somebody who does not exist has a salt that stays, of the same size and for as many rounds.
fn scram_challenges(arena: &Arena) {
    let challenge = |user: &str| {
        let mut imap = arena.stranger();
        let first = STANDARD.encode(format!("n,,n={user},r=x"));
        imap.connection.send(format!("a AUTHENTICATE SCRAM-SHA-256 {first}\r\n").as_bytes()).unwrap();
        let said = imap.connection.reply().unwrap().unwrap().to_string();
        let text = String::from_utf8(STANDARD.decode(said.strip_prefix("+ ").unwrap()).unwrap()).unwrap();
        let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
        let [nonce, salt, rounds] = <[String; 3]>::try_from(parts).unwrap();
        assert!(nonce.starts_with("r=x") && nonce.len() == 2 + 1 + 24, "{nonce}");
        (salt, rounds)
    };
    let known = challenge("joe");
    let mut salts = vec![known.0.clone()];
    for user in ["nobody", "somebody", "../x", "joe@elsewhere.example", "cyrus"] {
        let (salt, rounds) = challenge(user);
        assert_eq!((salt.len(), &rounds), (known.0.len(), &known.1), "{user}");
        assert_eq!(challenge(user).0, salt, "{user}: the same each time");
        salts.push(salt);
    }
    assert_eq!(challenge("JOE").0, known.0, "in whatever case");
    salts.sort();
    salts.dedup();
    assert_eq!(salts.len(), 6, "each has its own");
}

/// That joe's password was right a moment ago is no reason to let it in for amy: on his connection, on another, with
/// whatever protocol.
fn identities(arena: &Arena) {
    let address = arena.server.address(Protocol::Imap);
    assert_eq!(arena.messages("joe", PASSWORD), 3);
    assert_eq!(arena.messages("amy", AMYS), 0);
    let checks: [fn(&Arena); 6] = [
        |arena| {
            let mut imap = arena.stranger();
            assert!(imap.command(&format!("LOGIN amy {PASSWORD}")).unwrap().status.starts_with("NO"));
            assert!(imap.command("SELECT INBOX").unwrap().status.starts_with("BAD"), "nobody is logged in");
            imap.must(&format!("LOGIN joe {PASSWORD}")).unwrap();
            assert_eq!(imap.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3));
        },
        |arena| {
            let mut imap = arena.stranger();
            let both = STANDARD.encode(format!("amy\0joe\0{PASSWORD}"));
            assert!(imap.command(&format!("AUTHENTICATE PLAIN {both}")).unwrap().status.starts_with("NO"));
        },
        |arena| {
            let mut imap = arena.stranger();
            imap.must(&format!("LOGIN joe {PASSWORD}")).unwrap();
            for again in [format!("LOGIN amy {AMYS}"), "AUTHENTICATE PLAIN".to_owned()] {
                assert!(imap.command(&again).unwrap().status.starts_with("BAD"), "{again}");
            }
            assert_eq!(imap.must("SELECT INBOX").unwrap().number("EXISTS"), Some(3), "still joe");
        },
        |arena| {
            let mut pop3 = arena.pop3();
            pop3.must("USER amy").unwrap();
            assert!(pop3.command(&format!("PASS {PASSWORD}")).unwrap().starts_with("-ERR [AUTH]"));
            assert!(pop3.command(&format!("PASS {PASSWORD}")).unwrap().starts_with("-ERR Send USER first"));
            pop3.must("USER joe").unwrap();
            assert!(pop3.must(&format!("PASS {PASSWORD}")).unwrap().contains("3 messages"));
        },
        |arena| {
            let mut pop3 = arena.pop3();
            pop3.must("USER joe").unwrap();
            pop3.must("USER amy").unwrap();
            assert!(
                pop3.command(&format!("PASS {PASSWORD}")).unwrap().starts_with("-ERR [AUTH]"),
                "the last one counts"
            );
        },
        |arena| {
            let both = STANDARD.encode(format!("amy\0joe\0{PASSWORD}"));
            let mut pop3 = Pop3::open(arena.server.address(Protocol::Pop3)).unwrap();
            assert!(pop3.command(&format!("AUTH PLAIN {both}")).unwrap().starts_with("-ERR [AUTH]"));
        },
    ];
    std::thread::scope(|scope| {
        // One after the other is three seconds each.
        let running: Vec<_> = checks.iter().map(|check| scope.spawn(move || check(arena))).collect();
        for check in running {
            check.join().unwrap();
        }
    });
    let mut imap = Imap::login(address, "amy", AMYS).unwrap();
    assert_eq!(imap.must("SELECT INBOX").unwrap().number("EXISTS"), Some(0));
}
