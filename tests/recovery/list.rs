//! The mailbox list and quotas: lost, damaged, out of step with the directories.

use std::fs;
use std::path::PathBuf;

use crate::fixture::{Fixture, MAILBOXES, MODES, Mode, Traffic};
use crate::invariants::{Expected, all_delivered, clients_see, exited, lines, store_is_sound, untouched};

fn config(fixture: &Fixture, file: &str) -> PathBuf {
    fixture.home.config_dir().join(file)
}

/// Removes files of the configuration directory; `copies/*` stands for those of the mailbox list.
fn lose(fixture: &Fixture, what: &[&str]) {
    for lost in what {
        let path = config(fixture, lost);
        match path.is_dir() {
            true => fs::remove_dir_all(path).unwrap(),
            false => fs::remove_file(path).unwrap(),
        }
    }
}

/// Every copy of the list: journals, dumps, marks. Those of the directory stay.
fn lose_copies(fixture: &Fixture) {
    for entry in fs::read_dir(config(fixture, "copies")).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("mailboxes.") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// No server starts; it names the command that repairs.
fn refuses_to_start(fixture: &Fixture, context: &str) {
    let output = fixture.run(&["serve"]);
    exited(&output, 75);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("ctl_mboxlist -r"), "{context}: {said}");
}

/// `ctl_mboxlist -r` repairs, a second one has nothing to do, `-v` finds nothing.
fn recovers(fixture: &Fixture, context: &str) -> Vec<String> {
    let output = fixture.run(&["ctl_mboxlist", "-r"]);
    exited(&output, 0);
    let again = fixture.run(&["ctl_mboxlist", "-r"]);
    exited(&again, 0);
    assert_eq!(lines(&again), ["7 mailboxes, nothing to do"], "{context} (7)");
    let verified = fixture.run(&["ctl_mboxlist", "-v"]);
    assert_eq!(lines(&verified), [""; 0], "{context}");
    exited(&verified, 0);
    lines(&output)
}

/// All is as it was, for clients and on disk.
fn is_as_before(mut fixture: Fixture, context: &str) {
    let files = untouched(&fixture, &Expected::default());
    let now = clients_see(&mut fixture, &Expected::default(), context);
    assert_eq!(now.mailboxes.len(), MAILBOXES.len(), "{context}");
    fixture.stop();
    for (mailbox, before) in files {
        let after = fixture.files(mailbox);
        let messages = |files: &std::collections::BTreeMap<String, Vec<u8>>| {
            files
                .iter()
                .filter(|(name, _)| !name.starts_with("cyrus."))
                .map(|(name, _)| name.clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(messages(&after), messages(&before), "{context}: {mailbox} (6)");
    }
    store_is_sound(&fixture, context);
}

/// Scenario 24: a list that is gone is made again by the server itself where journal and dumps prove complete.
#[test]
fn a_lost_list_comes_back_by_itself_if_that_is_proved() {
    let mut fixture = Fixture::new();
    lose(&fixture, &["mailboxes.db"]);
    let log = fixture.start().log();
    assert!(log.contains("ledger.index.rebuilt"), "it says so: {log}");
    is_as_before(fixture, "24, copies complete");
}

/// Scenario 24: without a proof no server starts; `ctl_mboxlist -r` puts the list together from what there is.
#[test]
fn a_lost_list_comes_back_from_headers() {
    let fixture = Fixture::new();
    lose(&fixture, &["mailboxes.db"]);
    lose_copies(&fixture);
    refuses_to_start(&fixture, "24");
    let said = recovers(&fixture, "24");
    for (mailbox, ..) in MAILBOXES {
        let line = format!("{mailbox}: listed from its directory on partition default");
        assert!(said.contains(&line), "{mailbox}: {said:#?}");
    }
    is_as_before(fixture, "24, headers alone");
}

/// Scenario 24: the newest copy is good, but what came after it is lost.
#[test]
fn a_lost_list_comes_back_from_an_old_copy_and_headers() {
    let fixture = Fixture::new();
    exited(&fixture.run(&["ctl_mboxlist", "-c"]), 0);
    lose(&fixture, &["mailboxes.db", "copies/mailboxes.journal", "copies/mailboxes.clean"]);
    refuses_to_start(&fixture, "24, old copy");
    recovers(&fixture, "24, old copy");
    is_as_before(fixture, "24, old copy");
}

/// An administrator puts a saved dump where the database was, and runs the tool: both kinds of dump.
#[test]
fn a_saved_dump_in_the_place_of_the_list_is_enough() {
    for kind in ["copy", "-d", "-d --json"] {
        let fixture = Fixture::new();
        let saved = match kind {
            "copy" => {
                exited(&fixture.run(&["ctl_mboxlist", "-c"]), 0);
                let dump =
                    fs::read_dir(config(&fixture, "copies")).unwrap().map(|entry| entry.unwrap().path()).find(|path| {
                        let name = path.file_name().unwrap().to_string_lossy();
                        name.starts_with("mailboxes.") && name.ends_with(".dump")
                    });
                fs::read(dump.unwrap()).unwrap()
            }
            "-d" => fixture.run(&["ctl_mboxlist", "-d"]).stdout,
            _ => fixture.run(&["ctl_mboxlist", "-d", "--json"]).stdout,
        };
        lose(&fixture, &["mailboxes.db"]);
        lose_copies(&fixture);
        fs::write(config(&fixture, "mailboxes.db"), saved).unwrap();
        refuses_to_start(&fixture, kind);
        recovers(&fixture, kind);
        is_as_before(fixture, kind);
    }
}

/// Scenario 25: any 4 KiB of the database overwritten, or its end cut off; with and without the copies.
#[test]
fn a_damaged_list_is_made_whole() {
    for (what, start) in [("head", 0), ("middle", 2), ("cut", 4)] {
        for copies in [true, false] {
            let context = format!("25, {what}, copies {copies}");
            let mut fixture = Fixture::new();
            let db = config(&fixture, "mailboxes.db/db");
            let mut bytes = fs::read(&db).unwrap();
            let at = bytes.len() * start / 5;
            match what {
                "cut" => bytes.truncate(at),
                _ => {
                    let end = (at + 4096).min(bytes.len());
                    (at..end).for_each(|at| bytes[at] = (at % 251) as u8 ^ 0x5a);
                }
            }
            fs::write(&db, bytes).unwrap();
            if !copies {
                lose_copies(&fixture);
            }
            if copies {
                // Nothing is lost: the server repairs it as it starts.
                fixture.start();
                fixture.stop();
            } else {
                let output = fixture.run(&["ctl_mboxlist", "-r"]);
                exited(&output, 0);
            }
            recovers(&fixture, &context);
            is_as_before(fixture, &context);
        }
    }
}

/// A list that is deleted under a running server costs nothing, now or at the next start.
#[test]
fn a_list_deleted_under_a_running_server_costs_nothing() {
    let (mut fixture, traffic) = Fixture::begin(Mode::Busy);
    let traffic = traffic.unwrap();
    lose(&fixture, &["mailboxes.db"]);
    traffic.await_more(5);
    fixture.server().imap("joe").must("CREATE Later").unwrap();
    fixture.server().imap("joe").must("DELETE Later").unwrap();
    let kept = traffic.finish();
    fixture.stop();
    let now = clients_see(&mut fixture, &Expected::damage("user/joe"), "deleted under the server");
    all_delivered(&now, &kept, "deleted under the server");
    fixture.stop();
    store_is_sound(&fixture, "deleted under the server");
}

/// Scenario 27: a row whose directory is gone is named by `-v` with exit 1, and removed by `-r --prune`.
#[test]
fn a_row_without_a_directory_is_named_and_pruned() {
    for mode in MODES {
        let context = format!("27, {mode:?}");
        let (mut fixture, traffic) = Fixture::begin(mode);
        let expected = Expected { damaged: ["user/joe", "user/joe/Lists/rust"].into(), ..Expected::default() };
        let files = untouched(&fixture, &expected);
        fs::remove_dir_all(fixture.dir("user/joe/Lists/rust")).unwrap();
        let verified = fixture.run(&["ctl_mboxlist", "-v"]);
        exited(&verified, 1);
        let wanted = "'user/joe/Lists/rust' has a DB entry but no directory on partition 'default'";
        assert_eq!(lines(&verified), [wanted], "{context}");
        let kept = fixture.run(&["ctl_mboxlist", "-r"]);
        exited(&kept, 0);
        assert!(lines(&kept)[0].contains("no directory on partition 'default'"), "{context}");
        let dry = fixture.run(&["ctl_mboxlist", "-r", "-n", "--prune"]);
        exited(&dry, 1);
        let pruned = fixture.run(&["ctl_mboxlist", "-r", "--prune"]);
        exited(&pruned, 0);
        assert_eq!(lines(&dry)[0], lines(&pruned)[0], "{context} (7)");
        exited(&fixture.run(&["ctl_mboxlist", "-v"]), 0);
        if mode == Mode::Offline {
            assert!(untouched(&fixture, &expected) == files, "{context} (6)");
        }
        let kept = traffic.map(Traffic::finish).unwrap_or_default();
        let now = clients_see(&mut fixture, &expected, &context);
        assert_eq!(now.mailboxes.len(), MAILBOXES.len() - 1, "{context}");
        all_delivered(&now, &kept, &context);
        fixture.stop();
        store_is_sound(&fixture, &context);
    }
}

/// Scenario 28, as far as the list goes: a directory without a row is named by `-v` and listed by `-r`.
#[test]
fn a_directory_without_a_row_is_named_and_listed() {
    for mode in MODES {
        let context = format!("28, {mode:?}");
        let (mut fixture, traffic) = Fixture::begin(mode);
        let gone = fixture.dir("user/joe/Gone");
        crate::fixture::copy(&fixture.dir("user/joe/Lists"), &gone);
        fs::remove_dir_all(gone.join("rust")).unwrap();
        let verified = fixture.run(&["ctl_mboxlist", "-v"]);
        exited(&verified, 1);
        let wanted = format!("'user/joe/Gone' has a directory '{}' but no DB entry", gone.display());
        assert!(lines(&verified)[0].starts_with(&wanted), "{context}: {:?}", lines(&verified));
        let output = fixture.run(&["ctl_mboxlist", "-r"]);
        exited(&output, 0);
        assert!(lines(&output)[0].contains("another mailbox has its unique id"), "{context}: {:?}", lines(&output));
        exited(&fixture.run(&["ctl_mboxlist", "-v"]), 0);
        let kept = traffic.map(Traffic::finish).unwrap_or_default();
        let now = clients_see(&mut fixture, &Expected::damage("user/joe"), &context);
        assert_eq!(now.mailboxes["user/joe/Gone"].uids(), [1, 2, 3], "{context}");
        assert_eq!(now.mailboxes["user/joe/Gone"].acl, now.mailboxes["user/joe/Lists"].acl, "{context}");
        all_delivered(&now, &kept, &context);
        fixture.stop();
        store_is_sound(&fixture, &context);
    }
}

/// What a dump says is loaded into an empty store; forms of others are in the tests of the reader.
#[test]
fn a_dump_is_loaded_into_another_store() {
    let full = Fixture::new();
    for form in [&["ctl_mboxlist", "-d"][..], &["ctl_mboxlist", "-d", "--json"]] {
        let dump = full.run(form);
        exited(&dump, 0);
        let empty = Fixture::new();
        fs::remove_dir_all(empty.home.spool()).unwrap();
        fs::remove_dir_all(empty.home.config_dir()).unwrap();
        exited(&empty.run(&["ctl_mboxlist", "-d"]), 66);
        let loaded = empty.home.run(&["ctl_mboxlist", "-u"], &dump.stdout);
        exited(&loaded, 0);
        let created = lines(&loaded).into_iter().filter(|line| line.ends_with(": created")).count();
        assert_eq!(created, MAILBOXES.len(), "{:?}", lines(&loaded));
        let acls = |output: &std::process::Output| {
            // A JSON object has no order; nor have the rights that a list of entries gives.
            let fields = |line: &String| {
                let mut words: Vec<_> = line.split('>').next().unwrap().split(['\t', ' ']).map(str::to_owned).collect();
                words[3..].sort();
                words
            };
            lines(output).iter().map(fields).collect::<Vec<_>>()
        };
        assert_eq!(
            acls(&empty.run(&["ctl_mboxlist", "-d"])),
            acls(&full.run(&["ctl_mboxlist", "-d"])),
            "{form:?} (10)"
        );
        // The store is one that a server starts on.
        exited(&empty.run(&["domain", "list"]), 0);
        let again = empty.home.run(&["ctl_mboxlist", "-u"], &dump.stdout);
        assert_eq!(lines(&again), [""; 0], "{form:?} (7)");
    }
    let bad = full.home.run(&["ctl_mboxlist", "-u"], b"nonsense\nuser.joe\t0 default joe\tlrswipkxtecdan\t\n");
    exited(&bad, 65);
    assert!(String::from_utf8_lossy(&bad.stderr).contains("line 1: no partition found"));
    assert_eq!(lines(&bad), ["user/joe: changed"]);
}

/// Scenario 33: usage far too low, and far too high, so that mail is refused; both put right without a restart.
#[test]
fn quotas_that_drifted_are_put_right() {
    for mode in MODES {
        for wrong in [1u64, 99_999_999] {
            let context = format!("33, {mode:?}, {wrong}");
            let mut fixture = Fixture::new();
            let file = config(&fixture, "quota/j/user.joe");
            let bytes: u64 = ["user/joe", "user/joe/Lists", "user/joe/Lists/rust"]
                .iter()
                .map(|mailbox| fixture.before.mailboxes[*mailbox].bytes())
                .sum();
            fs::write(&file, format!("{wrong}\n10240\nM 15 -1\n")).unwrap();
            if mode != Mode::Offline {
                fixture.start();
                let mut lmtp = fixture.server().lmtp();
                let replies = lmtp.deliver("a@example.org", &["joe@example.org"], b"Subject: x\r\n\r\n").unwrap();
                assert_eq!(replies[0].starts_with("250"), wrong == 1, "{context}: {replies:?}");
                if wrong == 1 {
                    // That mail counts, too; what it weighs with its trace header is for the server to know.
                    let fixed = fixture.run(&["quota", "-f", "-q"]);
                    exited(&fixed, 0);
                    assert_eq!(lines(&fixed).len(), 1, "{context}: {:?}", lines(&fixed));
                }
            }
            let dry = fixture.run(&["quota", "-f", "-n", "-q"]);
            let fixed = fixture.run(&["quota", "-f"]);
            exited(&fixed, 0);
            if mode == Mode::Offline || wrong != 1 {
                let line = format!("user/joe: usage was {wrong}, now {bytes}");
                exited(&dry, 1);
                assert_eq!(lines(&dry), [line.as_str()], "{context} (7)");
                assert_eq!(lines(&fixed)[0], line, "{context}");
                let row = format!("   10240       0 {:>7} user/joe", bytes / 1024);
                assert_eq!(lines(&fixed).last(), Some(&row), "{context}");
            }
            assert_eq!(lines(&fixture.run(&["quota", "-f", "-q"])), [""; 0], "{context} (7)");
            // Deliveries go on, without a restart.
            fixture.start();
            let traffic = Traffic::start(fixture.server());
            if mode == Mode::Busy {
                for round in 0..10 {
                    let fixed = fixture.run(&["quota", "-f", "-q"]);
                    exited(&fixed, 0);
                    assert_eq!(lines(&fixed), [""; 0], "{context}, round {round}: no drift while mail arrives");
                }
            }
            let kept = traffic.finish();
            let now = clients_see(&mut fixture, &Expected::damage("user/joe"), &context);
            all_delivered(&now, &kept, &context);
            fixture.stop();
            store_is_sound(&fixture, &context);
        }
    }
}

/// Wrong options, unknown files, two at once: said clearly, with the right code, and nothing is worse.
#[test]
fn wrong_calls_are_answered_clearly() {
    let fixture = Fixture::new();
    for (arguments, code, said) in [
        (&["ctl_mboxlist"][..], 64, "required"),
        (&["ctl_mboxlist", "-d", "-r"], 64, "cannot be used with"),
        (&["ctl_mboxlist", "-d", "--prune"], 64, "cannot be used with"),
        (&["ctl_mboxlist", "-r", "-f", "/none/there"], 66, "/none/there"),
        (&["quota", "-n"], 64, "--fix"),
        (&["quota", "-u", "no such user"], 64, "no such user"),
        (&["quota", "-d", "none.example"], 66, "none.example"),
    ] {
        let output = fixture.run(arguments);
        exited(&output, code);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
    store_is_sound(&fixture, "wrong calls");
}
