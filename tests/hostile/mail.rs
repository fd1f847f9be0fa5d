//! Mail made to break parsers. Every message must be stored as it is, be served back byte by byte, and its structure must
//! be answered in time that grows with its size and no faster.

use std::time::{Duration, Instant};

use harness::corpus;

use crate::attack::Attack;

/// For a message of a few megabytes in a debug build; quadratic work on any of them takes minutes.
const PATIENCE: Duration = Duration::from_secs(15);

/// Stores a message by LMTP, and asks for everything that can be known of it.
fn digest(name: &str, message: &[u8]) {
    let attack = Attack::begin();
    let replies = attack.server.lmtp().deliver("a@example.org", &["joe@example.org"], message).unwrap();
    if !replies[0].starts_with("250") {
        assert!(replies[0].starts_with('5'), "{name}: {}", replies[0]);
        attack.survived();
        return;
    }
    let begin = Instant::now();
    let mut joe = attack.joe();
    joe.must("SELECT INBOX").unwrap();
    joe.must("FETCH 4 (ENVELOPE BODYSTRUCTURE BODY RFC822.SIZE BODY.PEEK[HEADER.FIELDS (SUBJECT)])").unwrap();
    for section in ["1", "1.1", "1.MIME", "2", "TEXT", "HEADER"] {
        joe.command(&format!("FETCH 4 BODY.PEEK[{section}]")).unwrap();
    }
    joe.must("SEARCH SUBJECT nowhere BODY nothing TEXT never FROM nobody").unwrap();
    let taken = begin.elapsed();
    assert!(taken < PATIENCE, "{name} took {taken:?}");
    let whole = joe.fetch("FETCH 4 BODY.PEEK[]").unwrap();
    assert!(whole[0].body.ends_with(message), "{name}: the bytes differ");
    drop(joe);
    attack.survived();
}

#[test]
fn messages_within_messages() {
    let mut plain = Vec::new();
    for _ in 0..5_000 {
        plain.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\n");
    }
    plain.extend_from_slice(b"Subject: at last\r\n\r\nend\r\n");
    digest("nested message/rfc822", &plain);
}

#[test]
fn multiparts_within_multiparts() {
    let mut deep = Vec::new();
    for level in 0..5_000 {
        deep.extend(format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").into_bytes());
    }
    digest("nested multiparts", &deep);
}

#[test]
fn a_million_lines_that_could_be_boundaries() {
    let header = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    digest("empty parts", &[header.clone(), b"--b\r\n\r\n".repeat(100_000)].concat());
    digest("dashes", &[header, b"--\r\n".repeat(200_000)].concat());
}

#[test]
fn boundaries_that_are_one_anothers_prefixes() {
    let message = b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\
        Content-Type: multipart/mixed; boundary=\"bb\"\r\n\r\n--bb\r\n\r\none\r\n--bb--\r\n--b--\r\n";
    digest("prefix", message);
    digest("empty boundary", b"Content-Type: multipart/mixed; boundary=\"\"\r\n\r\n--\r\n\r\nx\r\n----\r\n");
    let long = "x".repeat(10_000);
    digest(
        "long boundary",
        format!("Content-Type: multipart/mixed; boundary=\"{long}\"\r\n\r\n--{long}\r\n").as_bytes(),
    );
}

#[test]
fn headers_without_end() {
    let end = b"\r\nbody\r\n".to_vec();
    digest("many fields", &[b"X-Field: value\r\n".repeat(100_000), end.clone()].concat());
    digest("one long field", &[b"Subject: ".to_vec(), vec![b'x'; 2 << 20], b"\r\n".to_vec(), end.clone()].concat());
    digest("folded field", &[b"Subject: x\r\n".to_vec(), b" y\r\n".repeat(200_000), end].concat());
}

#[test]
fn addresses_without_end() {
    let end = b"\r\n\r\nbody\r\n".to_vec();
    digest(
        "addresses",
        &[b"To: ".to_vec(), b"a@example.org, ".repeat(60_000), b"b@example.org".to_vec(), end.clone()].concat(),
    );
    digest("To fields", &[b"To: a@example.org\r\n".repeat(50_000), end.clone()].concat());
    digest("comment", &[b"To: ".to_vec(), vec![b'('; 500_000], end.clone()].concat());
    digest("comment that escapes its end", &[b"To: (".to_vec(), b"\\".to_vec(), end.clone()].concat());
    digest("group", &[b"To: a:".to_vec(), b"b:".repeat(100_000), end].concat());
}

#[test]
fn parameters_and_encoded_words_without_end() {
    let end = b"\r\n\r\nbody\r\n".to_vec();
    let pieces: String = (0..50_000).map(|n| format!(";\r\n name*{n}*=%41")).collect();
    digest("RFC 2231", &[format!("Content-Type: text/plain{pieces}").into_bytes(), end.clone()].concat());
    digest("encoded words", &[b"Subject: ".to_vec(), b"=?utf-8?q?x".repeat(100_000), end.clone()].concat());
    let name = "x".repeat(1 << 20);
    digest("charset", &[format!("Content-Type: text/plain; charset={name}").into_bytes(), end.clone()].concat());
    digest("references", &[b"References: ".to_vec(), b"<a@b> ".repeat(100_000), end].concat());
}

#[test]
fn messages_that_are_hardly_any() {
    for (name, message) in [
        ("only a line end", &b"\r\n"[..]),
        ("no header", b"\r\nbody\r\n"),
        ("no body", b"Subject: x\r\n"),
        ("no colon", b"this is not a header\r\n\r\nbody\r\n"),
        ("eight bits in the header", b"Subject: \xff\xfe\r\n\r\n\xff\r\n"),
        ("UTF-16", b"Content-Type: text/plain; charset=utf-16\r\n\r\n\xff\xfeh\0i\0\r\n"),
        ("escape sequences", b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n\x1b$B\x1b(B\x1b$B\r\n"),
        ("wrong base64", b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!=====\r\n"),
        ("traversal", b"Content-Disposition: attachment; filename=\"../../../etc/passwd\"\r\n\r\nx\r\n"),
    ] {
        digest(name, message);
    }
}

#[test]
fn lines_and_encodings_without_end() {
    digest("one line", &[b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; 4 << 20], b"\r\n".to_vec()].concat());
    let base64 = b"Content-Transfer-Encoding: base64\r\n\r\n".to_vec();
    digest("padding", &[base64.clone(), vec![b'='; 2 << 20], b"\r\n".to_vec()].concat());
    digest("base64 of nothing", &[base64, b"\r\n".repeat(500_000)].concat());
    digest(
        "quoted-printable",
        &[b"Content-Transfer-Encoding: quoted-printable\r\n\r\n".to_vec(), b"=\r\n".repeat(300_000)].concat(),
    );
}

#[test]
fn a_message_of_zero_bytes() {
    let attack = Attack::begin();
    let mut joe = attack.joe();
    // Refused or kept, but never half of each.
    let kept = joe.append("INBOX", "", b"").unwrap().ok();
    let there = joe.must("SELECT INBOX").unwrap().number("EXISTS");
    assert_eq!(there, Some(3 + u32::from(kept)));
    drop(joe);
    attack.survived();
}

#[test]
fn a_message_larger_than_allowed() {
    let attack = Attack::begin_with(&["limits.message_size = \"1 MiB\""]);
    let mut joe = attack.joe();
    let answer = joe.append("INBOX", "", &vec![b'x'; 2 << 20]);
    assert!(!answer.is_ok_and(|answer| answer.ok()));
    let big = [b"Subject: x\r\n\r\n".to_vec(), b"0123456789\r\n".repeat(200_000)].concat();
    let replies = attack.server.lmtp().deliver("a@example.org", &["joe@example.org"], &big).unwrap();
    assert!(replies[0].starts_with("552"), "{replies:?}");
    let replies = attack.server.lmtp().deliver("a@example.org", &["joe@example.org"], &corpus::small(9)).unwrap();
    assert!(replies[0].starts_with("250"), "{replies:?}");
    attack.survived();
}

/// Bounces, mailing lists' mail, encrypted and broken mail: whatever it is, it is kept as it came and can be asked about.
#[test]
fn real_mail_comes_back_as_it_came() {
    let mails = corpus::fetched(env!("CARGO_TARGET_TMPDIR"), "real_mail_comes_back_as_it_came");
    let attack = Attack::begin();
    let mut joe = attack.joe();
    joe.must("CREATE Real").unwrap();
    let mut kept = Vec::new();
    for (number, mail) in mails.iter().enumerate() {
        let mail = with_crlf(mail);
        let answer = joe.append("Real", "", &mail).unwrap();
        // RFC 9051, 4.3: a literal holds no NUL, so nothing else may be refused.
        assert_eq!(answer.ok(), !mail.contains(&0), "mail {number}: {}", answer.status);
        if answer.ok() {
            kept.push(mail);
        }
    }
    joe.must("SELECT Real").unwrap();
    for (number, mail) in kept.iter().enumerate() {
        let number = number + 1;
        let fetched = joe.fetch(&format!("FETCH {number} BODY.PEEK[]")).unwrap();
        assert!(fetched[0].body == *mail, "message {number} differs: {}", mail.escape_ascii());
    }
    let answer = joe.must("FETCH 1:* (ENVELOPE BODYSTRUCTURE)");
    assert_eq!(answer.map_or(0, |answer| answer.untagged.len()), kept.len());
    drop(joe);
    attack.survived();
}

/// Unix files as mail travels.
fn with_crlf(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + mail.len() / 32);
    for &byte in mail {
        if byte == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(byte);
    }
    out
}
