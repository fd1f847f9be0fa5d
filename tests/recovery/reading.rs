//! Message files that are gone or absurd, and whoever wants to read them: each is told so, in bounded memory and time, and an
//! administrator too.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use crate::fixture::Fixture;
use crate::invariants::{exited, lines};
use crate::mailboxes::INBOX;

/// More than any message may have.
const ABSURD: u64 = 2 << 30;

/// A server that had read such a file would have as much, in KiB.
const MOST_MEMORY: u64 = 1 << 20;

#[test]
fn a_file_of_two_gigabytes_is_no_message() {
    let mut fixture = Fixture::new();
    let second = fs::read(fixture.file(INBOX, "2.")).unwrap();
    for file in ["2.", "60."] {
        let path = fixture.file(INBOX, file);
        File::options().create(true).append(true).open(path).unwrap().set_len(ABSURD).unwrap();
    }
    let begin = Instant::now();
    fixture.start();
    let mut joe = fixture.server().imap("joe");
    joe.must("SELECT INBOX").unwrap();
    for command in [
        "UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)",
        "UID FETCH 2 (ENVELOPE BODYSTRUCTURE)",
        "UID FETCH 2 BODY.PEEK[HEADER]",
        "UID FETCH 2 BODY.PEEK[]",
        "UID FETCH 2 BINARY.PEEK[1]",
        "UID SEARCH TEXT nowhere",
        "UID SEARCH BODY nowhere",
        "UID COPY 2 Lists",
    ] {
        let answer = joe.command(command).unwrap();
        assert!(answer.status.starts_with("OK") || answer.status.starts_with("NO"), "{command}: {answer:?}");
    }
    let mut pop = fixture.server().pop3("joe");
    assert!(pop.command("RETR 2").unwrap().starts_with("-ERR"), "half a message is no message");
    drop(pop);
    for arguments in [&["reconstruct", INBOX][..], &["reconstruct", "-G", INBOX]] {
        let repaired = fixture.run(arguments);
        exited(&repaired, 65);
        for uid in ["2", "60"] {
            let what = format!("uid {uid}: the file has {ABSURD} bytes, a message has 1073741824 at most: left alone");
            assert!(lines(&repaired).iter().any(|line| line.contains(&what)), "{arguments:?}: {:?}", lines(&repaired));
        }
    }
    let scrubbed = fixture.run(&["scrub", INBOX]);
    exited(&scrubbed, 1);
    assert!(lines(&scrubbed).iter().any(|line| line.contains("uid 2")), "{:?}", lines(&scrubbed));
    let saved = fixture.run(&["backup", "saved"]);
    exited(&saved, 1);
    assert!(String::from_utf8_lossy(&saved.stderr).contains("user/joe uid 2:"), "{saved:?}");
    exited(&fixture.run(&["backup", "--verify", "saved"]), 0);
    exited(&fixture.run(&["quota", "-f", "--deep"]), 1);
    let peak = fixture.server().peak_resident();
    assert!(peak < MOST_MEMORY, "{peak} KiB");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    // When they are out of the way, all is well.
    fs::remove_file(fixture.file(INBOX, "60.")).unwrap();
    fs::write(fixture.file(INBOX, "2."), second).unwrap();
    exited(&fixture.run(&["reconstruct", INBOX]), 0);
    drop(joe);
    fixture.stop();
    fixture.home.check_store();
}

#[test]
fn a_message_without_a_file_is_named_once() {
    for pop3 in [false, true] {
        let mut fixture = Fixture::new();
        fixture.start();
        // Taken away while the mailbox is open, so that its opening does not name it.
        let mut joe = fixture.server().imap("joe");
        joe.must("SELECT INBOX").unwrap();
        for file in ["2.", "3."] {
            fs::remove_file(fixture.file(INBOX, file)).unwrap();
        }
        if pop3 {
            let mut pop = fixture.server().pop3("joe");
            for number in [2, 3, 2] {
                assert_eq!(pop.command(&format!("RETR {number}")).unwrap(), "-ERR That message is gone");
            }
            assert!(pop.command("RETR 4").unwrap().starts_with("+OK"), "the others are served");
        } else {
            for uid in [2, 3, 2] {
                joe.command(&format!("UID FETCH {uid} BODY.PEEK[]")).unwrap();
            }
            let fetched = joe.fetch("UID FETCH 4 (UID BODY.PEEK[])").unwrap();
            assert_eq!(fetched.len(), 1, "the others are served");
        }
        let log = fixture.server().log();
        let named: Vec<_> = log.lines().filter(|line| line.contains("mailbox.file.missing")).collect();
        assert_eq!(named.len(), 1, "{log}");
        assert!(named[0].contains("user/joe"), "{named:?}");
        fixture.stop();
    }
}
