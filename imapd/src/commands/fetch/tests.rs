//! FETCH items of messages in a real mailbox.

use mailstore::SystemFlags;

use super::*;
use crate::pieces::Piece;
use crate::samples::{JOE, Sample, arguments};
use crate::types::Arguments;

const PLAIN: &[u8] =
    b"From: joe@example.org\r\nTo: ann@example.org\r\nX-Odd: 1\r\nSubject: hello\r\n\r\none\r\ntwo\r\n";
const MIXED: &[u8] = b"Subject: mixed\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n\
    --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAGEAYg==\r\n\
    --b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3Db\r\n\
    --b\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd\r\n\
    --b--\r\n";

/// The replies to `command`, and whether messages were missing.
fn fetch(sample: &Sample, view: &crate::view::View, command: &str, condstore: bool) -> (String, bool) {
    let Arguments::Fetch(fetch) = arguments(command) else { panic!("{command}") };
    let uids = view.resolve(&fetch.set, fetch.numbering).unwrap();
    let wanted: Vec<Wanted> =
        view.numbered(&uids).map(|(sequence, uid)| Wanted { sequence, uid, recent: false }).collect();
    let plan = Plan::new(&fetch, condstore, true, crate::types::Encoding::Utf8);
    let made = match batch::make(&sample.mailbox, &plan, JOE, &wanted, Place::Blocking, 0) {
        Ok(made) => made,
        Err(Failure::UnknownEncoding) => return ("UNKNOWN-CTE".into(), false),
        Err(Failure::Store(error)) => panic!("{command}: {error}"),
        Err(Failure::NotHere) => panic!("{command}: nothing is in the wrong place"),
    };
    assert_eq!(made.done, wanted.len(), "{command}");
    let mut sent = Vec::new();
    for piece in made.pieces {
        match piece {
            Piece::Text(octets) => sent.extend_from_slice(&octets),
            Piece::File { file, offset, length } => {
                let mut octets = vec![0; length as usize];
                file.read_exact_at(&mut octets, offset).unwrap();
                sent.extend_from_slice(&octets);
            }
        }
    }
    (sent.escape_ascii().to_string().replace("\\r\\n", "|").replace("\\\"", "\"").replace("\\\\", "\\"), made.missing)
}

#[test]
fn every_item() {
    let sample = Sample::with(&[PLAIN, MIXED]);
    let view = sample.view();
    let check = |command: &str, expected: &str| {
        assert_eq!(fetch(&sample, &view, &format!("a {command}"), false).0, expected, "{command}");
    };
    check("FETCH 1 (UID RFC822.SIZE FLAGS)", "* 1 FETCH (UID 1 RFC822.SIZE 82 FLAGS ())|");
    check("UID FETCH 1 RFC822.SIZE", "* 1 FETCH (UID 1 RFC822.SIZE 82)|");
    check("FETCH 2 INTERNALDATE", "* 2 FETCH (INTERNALDATE \" 2-Jan-2026 01:00:00 +0100\")|");
    check("FETCH 1 BODY.PEEK[HEADER.FIELDS (to)]", "* 1 FETCH (BODY[HEADER.FIELDS (to)] {23}|To: ann@example.org||)|");
    check("FETCH 1 BODY.PEEK[HEADER.FIELDS (X-ODD)]", "* 1 FETCH (BODY[HEADER.FIELDS (X-ODD)] {12}|X-Odd: 1||)|");
    check(
        "FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (from to x-odd)]",
        "* 1 FETCH (BODY[HEADER.FIELDS.NOT (from to x-odd)] {18}|Subject: hello||)|",
    );
    check("FETCH 1 BODY.PEEK[TEXT]", "* 1 FETCH (BODY[TEXT] {10}|one|two|)|");
    check("FETCH 1 BODY.PEEK[TEXT]<1.3>", "* 1 FETCH (BODY[TEXT]<1> {3}|ne\\r)|");
    check("FETCH 1 BODY.PEEK[TEXT]<8.100>", "* 1 FETCH (BODY[TEXT]<8> {2}||)|");
    check("FETCH 1 BODY.PEEK[TEXT]<100.1>", "* 1 FETCH (BODY[TEXT]<100> {0}|)|");
    check("FETCH 1 BODY.PEEK[7]", "* 1 FETCH (BODY[7] NIL)|");
    check("FETCH 2 BODY.PEEK[1.MIME]", "* 2 FETCH (BODY[1.MIME] {28}|Content-Type: text/plain||)|");
    check("FETCH 2 (BODY.PEEK[1] BODY.PEEK[3])", "* 2 FETCH (BODY[1] {5}|first BODY[3] {5}|a=3Db)|");
    check("FETCH 2 BINARY.PEEK[2]", "* 2 FETCH (BINARY[2] ~{4}|\\x00a\\x00b)|");
    check("FETCH 2 BINARY.PEEK[2]<1.1>", "* 2 FETCH (BINARY[2]<1> {1}|a)|");
    check("FETCH 2 BINARY.PEEK[3]", "* 2 FETCH (BINARY[3] {3}|a=b)|");
    check(
        "FETCH 2 (BINARY.SIZE[2] BINARY.SIZE[1] BINARY.SIZE[9])",
        "* 2 FETCH (BINARY.SIZE[2] 4 BINARY.SIZE[1] 5 BINARY.SIZE[9] 0)|",
    );
    check("FETCH 2 BINARY.PEEK[9]", "* 2 FETCH (BINARY[9] NIL)|");
    check("FETCH 2 BINARY.PEEK[4]", "UNKNOWN-CTE");
    check("FETCH 2 BINARY.SIZE[4]", "UNKNOWN-CTE");
    check(
        "FETCH 1 RFC822.HEADER",
        &format!(
            "* 1 FETCH (RFC822.HEADER {{72}}|{})|",
            "From: joe@example.org|To: ann@example.org|X-Odd: 1|Subject: hello||"
        ),
    );
    let (envelope, _) = fetch(&sample, &view, "a FETCH 1 (ENVELOPE BODY BODYSTRUCTURE)", false);
    assert!(
        envelope.starts_with("* 1 FETCH (ENVELOPE (NIL \"hello\" ((NIL NIL \"joe\" \"example.org\"))"),
        "{envelope}"
    );
    assert!(envelope.contains(" BODY (\"text\" \"plain\""), "{envelope}");
    assert!(envelope.contains(" BODYSTRUCTURE (\"text\" \"plain\""), "{envelope}");
}

#[test]
fn bodies_set_seen_and_say_so() {
    let sample = Sample::with(&[PLAIN, PLAIN]);
    let view = sample.view();
    let check = |command: &str, condstore, expected: &str| {
        assert_eq!(fetch(&sample, &view, command, condstore).0, expected, "{command}");
    };
    check("a FETCH 1 BODY.PEEK[TEXT]<0.1>", false, "* 1 FETCH (BODY[TEXT]<0> {1}|o)|");
    check("a FETCH 1 BODY[TEXT]<0.1>", false, "* 1 FETCH (BODY[TEXT]<0> {1}|o FLAGS (\\Seen))|");
    check("a FETCH 1 BODY[TEXT]<0.1>", false, "* 1 FETCH (BODY[TEXT]<0> {1}|o)|");
    check("a FETCH 2 (BODY[TEXT]<0.1> FLAGS)", false, "* 2 FETCH (BODY[TEXT]<0> {1}|o FLAGS (\\Seen))|");
    let sample = Sample::with(&[PLAIN]);
    let modseq = sample.mailbox.status().highest_modseq.next();
    let expected = format!("* 1 FETCH (BODY[TEXT]<0> {{1}}|o UID 1 FLAGS (\\Seen) MODSEQ ({modseq}))|");
    assert_eq!(fetch(&sample, &sample.view(), "a FETCH 1 BODY[TEXT]<0.1>", true).0, expected);
}

#[test]
fn flags_and_changes() {
    let sample = Sample::with(&[PLAIN, PLAIN, PLAIN]);
    let before = sample.mailbox.status().highest_modseq;
    let after = sample.flag(2, SystemFlags::FLAGGED, true, &["$Junk"]);
    let view = sample.view();
    let (replies, _) = fetch(&sample, &view, &format!("a FETCH 1:3 FLAGS (CHANGEDSINCE {before})"), true);
    assert_eq!(replies, format!("* 2 FETCH (FLAGS (\\Flagged \\Seen $Junk) MODSEQ ({after}))|"));
    assert_eq!(fetch(&sample, &view, &format!("a FETCH 1:3 FLAGS (CHANGEDSINCE {after})"), true).0, "");
}

#[test]
fn what_is_gone_is_left_out() {
    let sample = Sample::with(&[PLAIN, PLAIN, PLAIN]);
    let view = sample.view();
    sample.expunge(2);
    assert_eq!(fetch(&sample, &view, "a FETCH 1:3 UID", false), ("* 1 FETCH (UID 1)|* 3 FETCH (UID 3)|".into(), true));
    let (bodies, missing) = fetch(&sample, &view, "a FETCH 1:3 BODY.PEEK[TEXT]<0.1>", false);
    assert_eq!(bodies, "* 1 FETCH (BODY[TEXT]<0> {1}|o)|* 3 FETCH (BODY[TEXT]<0> {1}|o)|");
    assert!(missing);
    assert!(!fetch(&sample, &view, "a FETCH 1 UID", false).1);
}

/// A file that somebody cut short: what is announced is what comes.
#[test]
fn a_cut_file_is_announced_as_it_is() {
    let sample = Sample::with(&[PLAIN]);
    std::fs::write(sample.mailbox.dir().join("1."), &PLAIN[..75]).unwrap();
    assert_eq!(fetch(&sample, &sample.view(), "a FETCH 1 BODY.PEEK[TEXT]", false).0, "* 1 FETCH (BODY[TEXT] {3}|one)|");
    std::fs::remove_file(sample.mailbox.dir().join("1.")).unwrap();
    assert_eq!(fetch(&sample, &sample.view(), "a FETCH 1 BODY.PEEK[TEXT]", false), (String::new(), true));
}

/// A batch stops when its replies are much, and says where.
#[test]
fn batches_are_bounded() {
    let large = [b"Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n".to_vec(), b"QUFB".repeat(200_000)].concat();
    let sample = Sample::with(&[&large, &large, &large, &large]);
    let Arguments::Fetch(fetch) = arguments("a FETCH 1:4 BINARY.PEEK[1]") else { panic!("no FETCH") };
    let plan = Plan::new(&fetch, false, true, crate::types::Encoding::Utf8);
    let wanted: Vec<Wanted> = (1..=4).map(|uid| Wanted { sequence: uid, uid, recent: false }).collect();
    let made = batch::make(&sample.mailbox, &plan, JOE, &wanted, Place::Blocking, 0).unwrap_or_default();
    assert_eq!(made.done, 2);
    assert_eq!(batch::make(&sample.mailbox, &plan, JOE, &wanted[2..], Place::Blocking, 0).unwrap_or_default().done, 2);
}

#[test]
fn gaps_between_messages() {
    let check = |asked: &[(u32, u32)], known: &[u32], uid_next, expected: &str| {
        let known: UidSet = known.iter().copied().collect();
        assert_eq!(gaps(&NumberSet::from_ranges(asked.to_vec()), &known, uid_next).to_string(), expected);
    };
    check(&[(1, u32::MAX)], &[2, 3, 7], 10, "1,4:6,8:9");
    check(&[(1, u32::MAX)], &[], 1, "");
    check(&[(1, u32::MAX)], &[], 2, "1");
    check(&[(1, 3)], &[1, 2, 3], 10, "");
    check(&[(2, 2), (5, 20)], &[2, 9], 10, "5:8");
    check(&[(1, u32::MAX)], &[u32::MAX - 1], u32::MAX, "1:4294967293");
}
