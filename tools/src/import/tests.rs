//! Imports into a real store.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime};

use mailstore::{QuotaLimits, SystemFlags};

use super::*;
use crate::fixture::{Fixture, Recorder, name};

const FROM: &str = "From joe@example.com Sun Nov 22 20:34:06 2026\n";

fn mbox(target: &str) -> ImportRequest {
    ImportRequest {
        source: Source::Mbox { path: None, from: 0, quoting: Quoting::Mboxrd },
        target: name(target),
        ignore_quota: false,
        resume: false,
        json: true,
    }
}

fn run(fixture: &Fixture, stdin: &str, request: &ImportRequest) -> (Exit, serde_json::Value, Recorder) {
    let mut console = Recorder { directory: fixture.dir.path().to_owned(), ..Recorder::with_stdin(stdin) };
    let exit = import(&fixture.store, &mut console, request);
    assert_eq!(fixture.staged(), 0, "stage files are left");
    (exit, serde_json::from_str(&console.out[0]).unwrap(), console)
}

#[test]
fn an_mbox_comes_in_with_dates_and_flags() {
    let fixture = Fixture::new();
    let file = format!("{FROM}Status: RO\nX-Status: F\nX-Keywords: $Todo\nA: 1\n\n>From x\n\n{FROM}B: 2\n\ny\n");
    let (exit, summary, console) = run(&fixture, &file, &mbox("user/joe"));
    assert_eq!(
        (exit, &summary["imported"], &summary["offset"]),
        (Exit::Ok, &2.into(), &file.len().into()),
        "{:?}",
        console.err
    );
    assert_eq!(fixture.texts("user/joe"), ["A: 1\r\n\r\nFrom x\r\n", "B: 2\r\n\r\ny\r\n"]);
    let mailbox = fixture.store.mailbox(&name("user/joe")).unwrap();
    let reading = mailbox.read();
    let records: Vec<_> = reading.records(1..=9).collect();
    assert_eq!(records[0].internal_date.seconds, 1_795_379_646);
    assert_eq!((records[0].flags, records[0].keywords), (SystemFlags::FLAGGED, 1));
    assert_eq!(reading.keywords()[0].as_str(), "$Todo");
    let reader = reading.reader("joe");
    assert!(reader.seen().contains(1) && !reader.seen().contains(2));
    assert_eq!(console.progress.last().unwrap().done, 2);
}

#[test]
fn bad_messages_are_named_and_left_out() {
    let fixture = Fixture::new();
    let large = "x".repeat(2 << 20);
    let file = format!("{FROM}A: 1\n\na\n{FROM}B: \0\n\n{FROM}C: 3\n\n{large}\n{FROM}D: 4\n\nd\n");
    let (exit, summary, console) = run(&fixture, &file, &mbox("user/joe"));
    assert_eq!((exit, &summary["imported"], &summary["bad"]), (Exit::Data, &2.into(), &2.into()));
    assert_eq!(fixture.texts("user/joe"), ["A: 1\r\n\r\na\r\n", "D: 4\r\n\r\nd\r\n"]);
    let offset = FROM.len() + 8;
    assert!(
        console.err[0].starts_with(&format!("offset {offset}: ")) && console.err[0].contains("NUL"),
        "{:?}",
        console.err
    );
    assert!(console.err[1].contains("left out"));
    let (exit, ..) = run(&fixture, "Subject: no mbox\n\n", &mbox("user/joe"));
    assert_eq!(exit, Exit::Data);
    let missing = ImportRequest {
        source: Source::Mbox { path: Some("missing".into()), from: 0, quoting: Quoting::Mboxrd },
        ..mbox("user/joe")
    };
    assert_eq!(run(&fixture, "", &missing).0, Exit::NoInput);
    assert_eq!(run(&fixture, FROM, &mbox("user/nobody")).0, Exit::NoUser);
}

fn many(count: usize) -> String {
    (0..count).fold(String::new(), |mut file, n| {
        let _ = write!(file, "{FROM}Subject: {n}\n\nbody {n}\n\n");
        file
    })
}

#[test]
fn interrupted_imports_go_on() {
    let fixture = Fixture::new();
    let file = many(1000);
    fs::write(fixture.dir.path().join("box"), &file).unwrap();
    let request = |from, resume| ImportRequest {
        source: Source::Mbox { path: Some("box".into()), from, quoting: Quoting::Mboxrd },
        resume,
        ..mbox("user/joe")
    };
    let mut console = Recorder { directory: fixture.dir.path().to_owned(), gone: true, ..Recorder::default() };
    assert_eq!(import(&fixture.store, &mut console, &request(0, false)), Exit::TempFail);
    let done = fixture.texts("user/joe").len();
    assert!((1..1000).contains(&done), "{done}");

    let (exit, summary, _) = run(&fixture, "", &request(0, true));
    assert_eq!((exit, &summary["present"], &summary["imported"]), (Exit::Ok, &done.into(), &(1000 - done).into()));
    let texts = fixture.texts("user/joe");
    assert!((0..1000).all(|n| texts[n] == format!("Subject: {n}\r\n\r\nbody {n}\r\n")));

    let from = file.find("Subject: 990\n").unwrap() - FROM.len();
    let (exit, summary, _) = run(&fixture, "", &request(from as u64, false));
    assert_eq!((exit, &summary["imported"]), (Exit::Ok, &10.into()));
}

#[test]
fn a_quota_stops_an_import_where_it_is_full() {
    let fixture = Fixture::new();
    fixture.limit("joe", 1);
    let file = many(100);
    let (exit, summary, console) = run(&fixture, &file, &mbox("user/joe"));
    let imported = fixture.texts("user/joe").len();
    assert_eq!((exit, &summary["imported"]), (Exit::TempFail, &imported.into()));
    assert!((20..100).contains(&imported), "{imported}");
    assert!(console.err.iter().any(|line| line.contains("quota")), "{:?}", console.err);
    let rest = ImportRequest { resume: true, ignore_quota: true, ..mbox("user/joe") };
    assert_eq!(run(&fixture, &file, &rest).0, Exit::Ok);
    assert_eq!(fixture.texts("user/joe").len(), 100);
    let usage = fixture.store.quota(&name("user/joe")).unwrap();
    assert_eq!(
        (usage.used.messages, usage.limits),
        (100, QuotaLimits { storage_kib: Some(1), ..QuotaLimits::default() })
    );
}

#[test]
fn a_maildir_comes_in_with_its_folders() {
    let fixture = Fixture::new();
    let maildir = fixture.dir.path().join("Maildir");
    for folder in ["cur", "new", "tmp", ".Lists.rust/cur", ".Sent/cur"] {
        fs::create_dir_all(maildir.join(folder)).unwrap();
    }
    let write = |file: &str, text: &str, seconds| {
        let path = maildir.join(file);
        fs::write(&path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    write("cur/1.a:2,FS", "A: 1\n\n>From stays\n", 1_000);
    write("new/2.a", "Status: RO\n\nis kept", 2_000);
    write("new/3.a", "bad \0", 3_000);
    write(".Lists.rust/cur/1.a:2,R", "C: 3\n\n", 1_000);
    let request = ImportRequest { source: Source::Maildir { path: "Maildir".into() }, ..mbox("user/joe/Old") };
    let (exit, summary, console) = run(&fixture, "", &request);
    assert_eq!((exit, &summary["imported"], &summary["bad"]), (Exit::Data, &3.into(), &1.into()), "{:?}", console.err);
    assert_eq!(fixture.texts("user/joe/Old"), ["A: 1\r\n\r\n>From stays\r\n", "Status: RO\r\n\r\nis kept\r\n"]);
    assert_eq!(fixture.texts("user/joe/Old/Lists/rust"), ["C: 3\r\n\r\n"]);
    let created = ["user/joe/Old", "user/joe/Old/Lists", "user/joe/Old/Lists/rust", "user/joe/Old/Sent"];
    assert_eq!(summary["created"], serde_json::json!(created));
    let mailbox = fixture.store.mailbox(&name("user/joe/Old")).unwrap();
    let record = mailbox.read().records(1..=1).next().unwrap();
    assert_eq!((record.internal_date.seconds, record.flags), (1_000, SystemFlags::FLAGGED));
    assert!(mailbox.read().reader("joe").seen().contains(1));
    let no_maildir = ImportRequest { source: Source::Maildir { path: "spool".into() }, ..mbox("user/joe") };
    assert_eq!(run(&fixture, "", &no_maildir).0, Exit::NoInput);
}

/// What was brought back on purpose must not vanish with the next EXPUNGE.
#[test]
fn what_is_there_is_not_marked_as_deleted() {
    let fixture = Fixture::new();
    let maildir = fixture.dir.path().join("Maildir");
    for folder in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(folder)).unwrap();
    }
    fs::write(maildir.join("cur/1.a:2,"), "A: 1\n\n").unwrap();
    let source = Source::Maildir { path: "Maildir".into() };
    let request = ImportRequest { source, resume: true, ..mbox("user/joe/Old") };
    assert_eq!(run(&fixture, "", &request).0, Exit::Ok);
    fs::rename(maildir.join("cur/1.a:2,"), maildir.join("cur/1.a:2,FT")).unwrap();
    let (exit, summary, _) = run(&fixture, "", &request);
    assert_eq!((exit, &summary["present"]), (Exit::Ok, &1.into()));
    let mailbox = fixture.store.mailbox(&name("user/joe/Old")).unwrap();
    assert_eq!(mailbox.read().records(1..=1).next().unwrap().flags, SystemFlags::FLAGGED);
}
