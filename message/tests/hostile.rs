//! Mail made to hurt: time stays linear, stacks stay small, limits hold.
//!
//! Each generator makes mail of a size; twice the size must take less than 2.5 times as long (CVE-2024-23184,
//! CVE-2024-23185, CVE-2026-27859 and CVE-2020-12100 were about these). What counts is the time that this thread had a
//! processor, so that a busy machine does not count as work; caches are noisy still, so the best of several runs counts and a
//! failure is tried again. Quadratic work, at these sizes, misses by far every time.

use std::time::Duration;

use message::sections::Sections;
use message::structure::{PartKind, Structure};
use message::{Limits, SectionText, analyse};
use rustix::time::{ClockId, clock_gettime};

mod imap_grammar;

/// A mail of about so many pieces.
type Generator = fn(usize) -> Vec<u8>;

const GENERATORS: &[(&str, usize, Generator)] = &[
    ("nested messages", 40_000, |n| "Content-Type: message/rfc822\r\n\r\n".repeat(n).into_bytes()),
    ("nested multiparts", 20_000, |n| {
        (0..n)
            .map(|i| format!("Content-Type: multipart/mixed; boundary=b{i:06}\r\n\r\n--b{i:06}\r\n"))
            .collect::<String>()
            .into_bytes()
    }),
    ("nested multiparts with one boundary", 20_000, |n| {
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(n).into_bytes()
    }),
    ("nested multiparts with growing boundaries, and lines that nearly fit", 4_000, |n| {
        let mut mail: String = (1..=90)
            .map(|i| format!("Content-Type: multipart/mixed; boundary={0}\r\n\r\n--{0}\r\n", "b".repeat(i)))
            .collect();
        mail.push_str(&format!("\r\n--{}c\r\n", "-b".repeat(40)).repeat(n));
        mail.into_bytes()
    }),
    ("empty parts", 100_000, |n| multipart(&"--b\r\n\r\n".repeat(n))),
    ("closed and reopened", 50_000, |n| multipart(&"--b--\r\n--b\r\n".repeat(n))),
    ("lines that nearly are boundaries", 200_000, |n| multipart(&"--\r\n--a\r\n".repeat(n))),
    ("a boundary of all but the whole mail", 200_000, |n| {
        let boundary = "x".repeat(n);
        format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n\r\na\r\n--{boundary}--\r\n")
            .into_bytes()
    }),
    ("header lines", 100_000, |n| "X-A: b\r\n".repeat(n).into_bytes()),
    ("one header", 2_000_000, |n| format!("Subject: {}\r\n\r\n", "x".repeat(n)).into_bytes()),
    ("one header of many lines", 200_000, |n| format!("Subject: x\r\n{}\r\n", " y\r\n".repeat(n)).into_bytes()),
    ("addresses", 50_000, |n| format!("To: {}\r\n\r\n", "Joe <joe@example.com>,\r\n ".repeat(n)).into_bytes()),
    ("To fields", 50_000, |n| "To: a@b\r\n".repeat(n).into_bytes()),
    ("open brackets", 200_000, |n| format!("To: {}\r\n\r\n", "<".repeat(n)).into_bytes()),
    ("open groups", 200_000, |n| format!("To: {}\r\n\r\n", "a:".repeat(n)).into_bytes()),
    ("at signs", 200_000, |n| format!("To: <{}\r\n\r\n", "@a".repeat(n)).into_bytes()),
    ("routes", 100_000, |n| format!("To: {}\r\n\r\n", "<@a,@b".repeat(n)).into_bytes()),
    ("open comments", 500_000, |n| {
        format!("To: a@b {}\r\nContent-Type: text/plain {0}\r\n\r\n", "(".repeat(n)).into_bytes()
    }),
    ("comments", 200_000, |n| {
        format!("To: a@b {}\r\nContent-Type: text/plain; a=b{0}\r\n\r\n", "(x)".repeat(n)).into_bytes()
    }),
    ("comments ending in backslash", 200_000, |n| {
        format!("To: a@b {}\\\r\nSubject: x\r\n\r\n", "(\\".repeat(n)).into_bytes()
    }),
    ("open quotes", 200_000, |n| format!("To: {}\r\n\r\n", "\"\\\"".repeat(n)).into_bytes()),
    ("words", 200_000, |n| format!("To: {}\r\n\r\n", "a . ".repeat(n)).into_bytes()),
    ("split parameters", 50_000, |n| {
        (0..n).fold("Content-Type: text/plain".to_owned(), |mail, i| mail + &format!(";\r\n x*{i}*=y")).into_bytes()
    }),
    ("parameters without equals signs", 200_000, |n| {
        format!("Content-Type: text/plain{}\r\n\r\n", "; x".repeat(n)).into_bytes()
    }),
    ("words of a parameter", 200_000, |n| {
        format!("Content-Type: text/plain; x={}\r\n\r\n", " y".repeat(n)).into_bytes()
    }),
    ("languages", 200_000, |n| format!("Content-Language: {}\r\n\r\n", "en,".repeat(n)).into_bytes()),
    ("unfinished encoded words", 20_000, |n| format!("Subject: {}\r\n\r\n", "=?AA?Q?x".repeat(n)).into_bytes()),
    ("encoded words", 50_000, |n| format!("Subject: {}\r\n\r\n", "=?utf-8?q?=C3=A4?= ".repeat(n)).into_bytes()),
    ("identifiers", 200_000, |n| format!("References: {0}\r\nMessage-ID: {0}\r\n\r\n", "<a".repeat(n)).into_bytes()),
    ("dates", 500_000, |n| format!("Date: {}\r\nReceived: {}\r\n\r\n", "1:".repeat(n), ";(".repeat(n)).into_bytes()),
    ("zero bytes", 1_000_000, |n| vec![0; n]),
    ("line ends", 1_000_000, |n| [&b"A: b\r\n\r\n"[..], &b"\n".repeat(n)].concat()),
    ("one line", 2_000_000, |n| vec![b'-'; n]),
];

#[test]
fn time_is_linear() {
    for (name, size, generate) in GENERATORS {
        let (small, large) = (generate(*size), generate(2 * size));
        let linear = (0..8).any(|_| best_time(&large) < best_time(&small).mul_f64(2.5) + Duration::from_millis(2));
        assert!(linear, "{name}: {:?} for n, {:?} for 2n", best_time(&small), best_time(&large));
    }
}

#[test]
fn answers_are_readable_and_tables_come_back() {
    for (name, size, generate) in GENERATORS {
        let raw = generate(size / 10);
        let analysis = analyse(&raw, &Limits::default());
        imap_grammar::check_envelope(&analysis.envelope).unwrap_or_else(|error| panic!("{name}: {error}"));
        imap_grammar::check_body(&analysis.bodystructure).unwrap_or_else(|error| panic!("{name}: {error}"));
        let sections = Sections::decode(&analysis.sections).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(sections.find(&[], SectionText::Content), Some(0..raw.len()), "{name}");
    }
}

/// Half the stack of a runtime's thread is plenty, however deep the mail; 2,000 levels of it aborted mail-parser 0.11.
#[test]
fn stacks_stay_small() {
    let run = || {
        for (_, size, generate) in GENERATORS {
            let _ = analyse(&generate(*size), &Limits::default());
        }
        let unlimited = Limits { depth: usize::MAX, parts: usize::MAX, ..Limits::default() };
        let deep = "Content-Type: message/rfc822\r\n\r\n".repeat(100_000);
        assert_eq!(Structure::scan(deep.as_bytes(), &unlimited).parts().len(), 100_001);
        let analysis = analyse(deep.as_bytes(), &unlimited);
        drop(Sections::decode(&analysis.sections));
    };
    std::thread::Builder::new().stack_size(256 * 1024).spawn(run).unwrap().join().unwrap();
}

#[test]
fn limits_make_opaque_leaves() {
    let limits = Limits::default();
    let kinds = |raw: &[u8]| {
        let structure = Structure::scan(raw, &limits);
        (structure.parts().len(), structure.parts().last().map(|part| part.kind))
    };
    assert_eq!(kinds(&GENERATORS[0].2(1000)), (limits.depth + 1, Some(PartKind::Opaque)));
    assert_eq!(kinds(&GENERATORS[1].2(1000)), (limits.depth + 1, Some(PartKind::Opaque)));
    assert_eq!(kinds(&multipart(&"--b\r\n\r\n".repeat(20_000))), (limits.parts, Some(PartKind::Opaque)));
    let large_header =
        format!("Subject: x\r\nX: {}\r\nContent-Type: text/html\r\n\r\nbody", "y".repeat(limits.header_bytes));
    assert_eq!(kinds(large_header.as_bytes()), (1, Some(PartKind::Opaque)));
    let analysis = analyse(large_header.as_bytes(), &limits);
    assert_eq!(large_header.len() - analysis.header_size, 4);
    assert_eq!(analysis.searchable.subject, "X");
}

/// What the last part takes when the limit on parts is reached can still be fetched.
#[test]
fn nothing_is_out_of_reach() {
    let limits = Limits { parts: 3, ..Limits::default() };
    let raw = multipart("--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b\r\n\r\nthree\r\n--b--\r\n");
    let sections = Sections::of(&Structure::scan(&raw, &limits));
    let found =
        sections.find(&[2], SectionText::Content).map(|range| String::from_utf8_lossy(&raw[range]).into_owned());
    assert_eq!(found.as_deref(), Some("two\r\n--b\r\n\r\nthree\r\n--b--\r\n"));
}

fn multipart(rest: &str) -> Vec<u8> {
    format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{rest}").into_bytes()
}

fn best_time(raw: &[u8]) -> Duration {
    let time = || {
        let start = processor_time();
        let analysis = analyse(raw, &Limits::default());
        let elapsed = processor_time() - start;
        assert_ne!(analysis.bodystructure.len(), 0);
        elapsed
    };
    (0..2).map(|_| time()).min().unwrap_or_default()
}

/// How long this thread has had a processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
