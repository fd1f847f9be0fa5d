//! Directories that are put back from a backup, while the server runs or not.

use std::fs;
use std::path::Path;

use harness::await_until;

use crate::fixture::{Fixture, MODES, Mode, Traffic, copy, message};
use crate::invariants::{Expected, exited, lines};
use crate::mailboxes::{INBOX, finish, nothing, reconstruct};

/// 28: a folder that was deleted is put back from a backup.
#[test]
fn a_directory_without_a_row() {
    for mode in MODES {
        let context = format!("28 ({mode:?})");
        let (mut fixture, traffic) = begin_with_gone(mode);
        let bare = fixture.run(&["reconstruct", "--no-discover"]);
        exited(&bare, 0);
        let named =
            lines(&bare).iter().any(|line| line.starts_with("user/joe/Gone: note: unlisted directory: run with -f"));
        assert!(named, "{context}: {:?}", lines(&bare));
        let arguments: &[&str] = if mode == Mode::Online { &[] } else { &["-r", "-f", "user.joe"] };
        let said = reconstruct(&fixture, arguments, mode, &context);
        let added = said.iter().filter(|line| line.starts_with("user/joe/Gone: unlisted directory: added")).count();
        assert_eq!(added, 1, "{context}: {said:?}");
        exited(&fixture.run(&["quota", "-f"]), 0);
        fixture.start();
        let mut joe = fixture.server().imap("joe");
        let selected = joe.must("SELECT Gone").unwrap();
        assert_eq!(
            (selected.number("EXISTS"), selected.code("UIDVALIDITY")),
            (Some(5), Some(fixture_validity(&fixture)))
        );
        let flags = joe.fetch("FETCH 1:5 (UID FLAGS)").unwrap();
        assert!(flags[1].flags.contains("Kept") && flags[2].flags.contains("\\Flagged"), "{context}: {flags:?}");
        drop(joe);
        finish(fixture, traffic, &Expected::damage(INBOX), mode, &context, nothing);
    }
}

fn fixture_validity(fixture: &Fixture) -> String {
    fs::read_to_string(fixture.home.path().join("gone.validity")).unwrap()
}

/// A store where `user/joe/Gone` was deleted for good, and its files are back.
fn begin_with_gone(mode: Mode) -> (Fixture, Option<Traffic>) {
    let mut fixture = Fixture::new();
    fixture.start();
    let mut joe = fixture.server().imap("joe");
    joe.must("CREATE Gone").unwrap();
    for number in 61..=65 {
        assert!(joe.append("Gone", "", &message(number)).unwrap().ok());
    }
    let validity = joe.must("SELECT Gone").unwrap().code("UIDVALIDITY").unwrap();
    fs::write(fixture.home.path().join("gone.validity"), validity).unwrap();
    joe.must("STORE 2 +FLAGS (Kept)").unwrap();
    joe.must("STORE 3 +FLAGS (\\Flagged)").unwrap();
    joe.must("UNSELECT").unwrap();
    drop(joe);
    fixture.stop();
    let (dir, saved) = (fixture.dir("user/joe/Gone"), fixture.home.path().join("saved"));
    copy(&dir, &saved);
    fixture.start();
    fixture.server().imap("joe").must("DELETE Gone").unwrap();
    if mode == Mode::Offline {
        fixture.stop();
    }
    let traffic = (mode == Mode::Busy).then(|| Traffic::start(fixture.server()));
    copy(&saved, &dir);
    (fixture, traffic)
}

/// Untars an old copy over the directory, as tar does: each file is removed and made anew, times are set back.
fn untar(archive: &Path, spool: &Path) {
    let status = std::process::Command::new("tar").arg("-xpf").arg(archive).arg("-C").arg(spool).status().unwrap();
    assert!(status.success());
}

/// Marks a message until cyrus.seen, if it were still the server's own, would be replaced by a shorter one, and waits until
/// the server has seen that it is not.
fn read_and_unread(fixture: &Fixture, uid: u32) {
    let mut joe = fixture.server().imap("joe");
    joe.must("SELECT INBOX").unwrap();
    for _ in 0..400 {
        joe.must(&format!("UID STORE {uid} +FLAGS (\\Seen)")).unwrap();
        joe.must(&format!("UID STORE {uid} -FLAGS (\\Seen)")).unwrap();
    }
    await_until("the file put back is noticed", || fixture.server().log().contains("event=mailbox.file.replaced"));
}

/// 38: an old copy of a user's directory is untarred over the mailbox in use.
#[test]
fn a_live_restore_by_tar() {
    for mode in MODES {
        let context = format!("38 ({mode:?})");
        let (mut fixture, _) = Fixture::begin(Mode::Offline);
        let archive = fixture.home.path().join("joe.tar");
        let spool = fixture.home.spool();
        let tar =
            std::process::Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(&spool).arg("user/joe").status();
        assert!(tar.unwrap().success());
        fixture.start();
        let mut joe = fixture.server().imap("joe");
        joe.must("SELECT INBOX").unwrap();
        let later = [71, 72, 73].map(|number| {
            let code = joe.append("INBOX", "(Later)", &message(number)).unwrap().code("APPENDUID").unwrap();
            code.rsplit_once(' ').unwrap().1.parse::<u32>().unwrap()
        });
        joe.must("NOOP").unwrap();
        joe.must("UID STORE 1 -FLAGS (\\Answered)").unwrap();
        joe.must(&format!("UID STORE 3,4,{},{} +FLAGS (\\Deleted)", later[1], later[2])).unwrap();
        joe.must("UID STORE 8 +FLAGS (\\Seen \\Flagged)").unwrap();
        joe.must("EXPUNGE").unwrap();
        let answer = joe.must("STATUS INBOX (UIDNEXT HIGHESTMODSEQ)").unwrap();
        let status = answer.untagged.iter().map(ToString::to_string).find(|line| line.contains("STATUS")).unwrap();
        let number = |name: &str| -> u64 {
            let rest = status.split_once(name).unwrap().1.trim_start();
            rest.split([' ', ')']).next().unwrap().parse().unwrap()
        };
        let (next, modseq) = (number("UIDNEXT"), number("HIGHESTMODSEQ"));
        let survivor = joe.fetch(&format!("UID FETCH {} (UID BODY.PEEK[])", later[0])).unwrap()[0].body.clone();
        // Files of expunged messages are put aside in the background; a check waits for that. Whether a file is put back
        // before or after makes no difference to the outcome, but to what a dry run says a moment earlier.
        exited(&fixture.run(&["check"]), 0);
        if mode == Mode::Offline {
            drop(joe);
            fixture.stop();
        }
        let traffic = (mode == Mode::Busy).then(|| Traffic::start(fixture.server()));
        untar(&archive, &spool);
        if mode != Mode::Offline {
            read_and_unread(&fixture, later[0]);
        }
        let said = reconstruct(&fixture, &[], mode, &context).join("\n");
        assert!(said.contains("cyrus.index"), "{context}: {said}");
        exited(&fixture.run(&["quota", "-f"]), 0);
        fixture.start();
        let mut session = fixture.server().imap("joe");
        session.must("ENABLE CONDSTORE").unwrap();
        let selected = session.must("SELECT INBOX").unwrap();
        assert!(selected.code("UIDNEXT").unwrap().parse::<u64>().unwrap() >= next, "{context}: later UIDs were used");
        let changed =
            session.must(&format!("UID FETCH 1:{} (FLAGS) (CHANGEDSINCE {modseq})", later[0])).unwrap().untagged;
        let fetched = changed.iter().filter(|reply| reply.to_string().contains(" FETCH ")).count();
        assert_eq!(fetched, 11, "{context}: every mod-sequence is above the highest before the restore");
        drop(session);
        let messages = fixture.look().mailboxes.remove(INBOX).unwrap().messages;
        assert!(messages[&later[0]].body == survivor, "{context}: a later message is kept");
        assert!(messages[&1].flags.contains("\\Answered"), "{context}: flags are those of the copy");
        assert!(!messages[&8].flags.contains("\\Flagged"), "{context}");
        finish(fixture, traffic, &Expected::damage(INBOX), mode, &context, nothing);
    }
}
