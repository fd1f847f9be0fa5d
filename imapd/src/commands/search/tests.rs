//! Searches in a real mailbox.

use mailstore::SystemFlags;

use super::*;
use crate::samples::{JOE, Sample, arguments};
use crate::types::Arguments;

const MESSAGES: [&[u8]; 4] = [
    b"From: Smith <s@example.org>\r\nTo: ann@example.org\r\nDate: Tue, 1 Feb 1994 10:00:00 -0800\r\nSubject: plans\r\n\r\nnothing\r\n",
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nX-Odd: yes\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n\
        Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nsch=F6n=\r\n weiter\r\n",
    b"Cc: carl@example.org\r\nBcc: bert@example.org\r\n\r\nlarger than the others, by quite a few octets: plans \
        plans plans plans plans plans plans plans plans plans plans plans plans plans plans plans plans plans\r\n",
    b"Subject: last\r\n\r\n",
];

fn sample() -> Sample {
    let sample = Sample::with(&MESSAGES);
    sample.flag(2, SystemFlags::FLAGGED.with(SystemFlags::DELETED), true, &["$Junk"]);
    sample
}

fn found(sample: &Sample, command: &str) -> Vec<u32> {
    let Arguments::Search(search) = arguments(&format!("a SEARCH {command}")) else { panic!("{command}") };
    let view = sample.view();
    // One day after the last message arrived.
    let now = 1_767_225_600 + 4 * 86_400;
    let test = Compiler::new(&view, search.charset.as_ref(), now).unwrap().compile(&search.key).unwrap();
    evaluate(&sample.mailbox, test, JOE, view.uids().clone()).unwrap().iter().collect()
}

#[test]
fn every_key() {
    let sample = sample();
    let check = |command: &str, expected: &[u32]| assert_eq!(found(&sample, command), expected, "{command}");
    check("ALL", &[1, 2, 3, 4]);
    check("2:3", &[2, 3]);
    check("UID 3:*", &[3, 4]);
    check("SEEN", &[2]);
    check("UNSEEN", &[1, 3, 4]);
    check("FLAGGED", &[2]);
    check("UNFLAGGED", &[1, 3, 4]);
    check("DELETED", &[2]);
    check("ANSWERED", &[]);
    check("UNANSWERED DRAFT", &[]);
    check("KEYWORD $junk", &[2]);
    check("UNKEYWORD $JUNK", &[1, 3, 4]);
    check("KEYWORD unheard-of", &[]);
    check("RECENT", &[]);
    check("OLD", &[1, 2, 3, 4]);
    check("NEW", &[]);
    check("FROM smith", &[1]);
    check("FROM S@EXAMPLE", &[1]);
}

#[test]
fn texts() {
    let sample = sample();
    let check = |command: &str, expected: &[u32]| assert_eq!(found(&sample, command), expected, "{command}");
    check("FROM \"j\u{fc}rgen\"", &[2]);
    check("SUBJECT \"gr\u{fc}\"", &[2]);
    check("SUBJECT plans", &[1]);
    check("TO ann", &[1]);
    check("CC carl", &[3]);
    check("BCC bert", &[3]);
    check("HEADER subject last", &[4]);
    check("HEADER X-ODD \"\"", &[2]);
    check("HEADER X-Odd YES", &[2]);
    check("HEADER X-Odd no", &[]);
    check("HEADER Cc \"\"", &[3]);
    check("BODY \"sch\u{f6}n weiter\"", &[2]);
    check("BODY plans", &[3]);
    check("TEXT plans", &[1, 3]);
    check("TEXT \"x-odd: yes\"", &[2]);
    check("CHARSET ISO-8859-1 SUBJECT plans", &[1]);
}

#[test]
fn sizes_and_dates() {
    let sample = sample();
    let check = |command: &str, expected: &[u32]| assert_eq!(found(&sample, command), expected, "{command}");
    check("LARGER 200", &[2, 3]);
    check("SMALLER 18", &[4]);
    check("SMALLER 17", &[]);
    check("LARGER 16 SMALLER 18", &[4]);
    check("ON 1-Jan-2026", &[1]);
    check("BEFORE 2-Jan-2026", &[1]);
    check("SINCE 3-Jan-2026", &[3, 4]);
    check("SENTON 1-Feb-1994", &[1]);
    check("SENTBEFORE 1-Feb-1994", &[]);
    check("SENTSINCE 2-Feb-1994", &[2, 3, 4]);
    check("YOUNGER 86400", &[4]);
    check("YOUNGER 86399", &[]);
    check("OLDER 172800", &[1, 2, 3]);
}

#[test]
fn combinations() {
    let sample = sample();
    let flagged = sample.mailbox.status().highest_modseq;
    let check = |command: &str, expected: &[u32]| assert_eq!(found(&sample, command), expected, "{command}");
    check("OR SEEN FROM smith", &[1, 2]);
    check("OR TEXT plans SEEN", &[1, 2, 3]);
    check("NOT TEXT plans", &[2, 4]);
    check("NOT (1:2 TEXT plans)", &[2, 3, 4]);
    check("OR OR 1 BODY \"sch\u{f6}n\" HEADER subject last", &[1, 2, 4]);
    check("UNSEEN BODY plans", &[3]);
    check("SEEN NOT SEEN", &[]);
    check(&format!("MODSEQ {flagged}"), &[2]);
    check("MODSEQ 0", &[1, 2, 3, 4]);
}

#[test]
fn what_is_gone_is_not_found() {
    let sample = sample();
    let view = sample.view();
    sample.expunge(3);
    let test = Compiler::new(&view, None, 0).unwrap().compile(&SearchKey::All).unwrap();
    let all = evaluate(&sample.mailbox, test, JOE, view.uids().clone()).unwrap();
    assert_eq!(all.iter().collect::<Vec<_>>(), [1, 2, 4]);
}

#[test]
fn many_messages_take_many_looks() {
    let messages: Vec<Vec<u8>> =
        (0..150).map(|n| format!("Subject: s\r\n\r\nnumber {n} end\r\n").into_bytes()).collect();
    let sample = Sample::with(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>());
    assert_eq!(found(&sample, "SUBJECT s").len(), 150);
    assert_eq!(found(&sample, "BODY \"number 149 end\""), [150]);
}

#[test]
fn what_an_answer_speaks_of() {
    let found: UidSet = [3, 5, 9].into_iter().collect();
    let check = |[min, max, all, count]: [bool; 4], expected: &[u32]| {
        let options = ReturnOptions { min, max, all, count, save: true };
        assert_eq!(told(&found, Some(options)).iter().collect::<Vec<_>>(), expected, "{options:?}");
    };
    check([true, false, false, false], &[3]);
    check([false, true, false, false], &[9]);
    check([true, true, false, false], &[3, 9]);
    check([true, false, true, false], &[3, 5, 9]);
    check([true, false, false, true], &[3, 5, 9]);
    check([false; 4], &[3, 5, 9]);
    assert_eq!(told(&found, None), found);
}

#[test]
fn whole_sets_and_single_messages_agree() {
    let many: Vec<Vec<u8>> = (0..300)
        .map(|n| format!("From: {n}@example.org\r\nSubject: s{}\r\n\r\nbody {n}\r\n", n % 7).into_bytes())
        .collect();
    let sample = Sample::with(&many.iter().map(Vec::as_slice).collect::<Vec<_>>());
    for uid in (1..=300).step_by(3) {
        sample.flag(uid, SystemFlags::FLAGGED, uid % 2 == 0, &["$Junk"]);
    }
    let check = |command: &str, expected: usize| {
        let Arguments::Search(search) = arguments(&format!("a SEARCH {command}")) else { panic!("{command}") };
        let view = sample.view();
        let search = |candidates: UidSet| {
            let test = Compiler::new(&view, None, 0).unwrap().compile(&search.key).unwrap();
            evaluate(&sample.mailbox, test, JOE, candidates).unwrap()
        };
        let whole = search(view.uids().clone());
        // So few at a time that no header texts are gathered.
        let parts = view.uids().iter().collect::<Vec<_>>();
        let parts = parts.chunks(100).map(|part| search(part.iter().copied().collect()));
        assert_eq!(parts.fold(UidSet::new(), |all, part| all | part), whole, "{command}");
        assert_eq!(whole.len(), expected as u64, "{command}");
    };
    check("FROM 1@example", 30);
    check("SUBJECT s3 FLAGGED", 15);
    check("OR SUBJECT s3 FROM 29", 53);
    check("NOT SUBJECT s UNSEEN", 0);
    check("UNFLAGGED NOT (SUBJECT s1 SUBJECT s)", 171);
    check("TO nobody", 0);
    check("FROM \"\"", 300);
    check("SEEN KEYWORD $Junk", 50);
    // What has come since is found too.
    let uid = sample.append(b"From: new@example.org\r\n\r\n", 0);
    let Arguments::Search(search) = arguments("a SEARCH FROM new@") else { panic!() };
    let view = sample.view();
    let test = Compiler::new(&view, None, 0).unwrap().compile(&search.key).unwrap();
    let found = evaluate(&sample.mailbox, test, JOE, view.uids().clone()).unwrap();
    assert_eq!(found.iter().collect::<Vec<_>>(), [uid]);
}
