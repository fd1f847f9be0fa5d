//! Passes and the command: budget, place, restarts, load, and a world that ends at every write.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crashes::{End, Ends, World};
use mailstore::disk::{Disk, RealDisk};
use mailstore::{
    Access, AppendOptions, CreateOptions, DEFAULT_PARTITION, Layout, NewMessage, StoreOptions, SystemFlags, Timestamp,
    UidSet,
};

use super::budget::tests::FakeClock;
use super::*;
use crate::fixture::{Fixture, Recorder, name};
use crate::{Console, Exit};

fn append(store: &Store, mailbox: &str, size: usize) {
    let mut stage = store.stage(DEFAULT_PARTITION).unwrap();
    let mut text = b"Subject: x\r\n\r\n".to_vec();
    text.resize(size, b'y');
    stage.write(&text).unwrap();
    let message = NewMessage {
        staged: Arc::new(stage.finish().unwrap()),
        internal_date: Timestamp::now(),
        flags: SystemFlags::NONE,
        keywords: Vec::new(),
        seen: false,
    };
    store.mailbox(&name(mailbox)).unwrap().append(&[message], &AppendOptions::default()).unwrap();
}

/// joe with three messages of 100 KB and one in Lists, sue with one.
fn filled() -> Fixture {
    let fixture = Fixture::new();
    for _ in 0..3 {
        append(&fixture.store, "user/joe", 100_000);
    }
    append(&fixture.store, "user/joe/Lists", 1000);
    append(&fixture.store, "user/sue", 1000);
    fixture
}

fn spool(fixture: &Fixture, file: &str) -> std::path::PathBuf {
    fixture.dir.path().join("spool").join(file)
}

fn state(store: &Store) -> State {
    State::read(&**store.disk(), store.layout().config())
}

fn by_hand(fixture: &Fixture, request: &ScrubRequest) -> (Exit, Vec<String>) {
    let mut console = Recorder::default();
    let exit = scrub(&fixture.store, request, &FakeClock::default(), &mut console).unwrap();
    (exit, console.out.into_iter().chain(console.err).collect())
}

#[test]
fn a_pass_keeps_its_budget() {
    let fixture = filled();
    let clock = FakeClock::default();
    let rate = 10_000;
    assert_eq!(go_on(&fixture.store, rate, &clock).unwrap(), Scrubbed::Whole);
    let last = state(&fixture.store).last.unwrap();
    assert!(last.tally.octets > 302_000, "{last:?}");
    // All that was read, at that rate, but for what a full bucket allows at the beginning.
    let (took, octets) = (clock.now().as_secs_f64(), last.tally.octets as f64);
    assert!(took >= octets / rate as f64 - 1.0, "{octets} octets in {took} s");
    assert!(took <= octets / rate as f64, "{octets} octets in {took} s: it dawdles");
    let read = fixture.store.counters().scrub.octets.get();
    assert!(read <= last.tally.octets, "{read} octets were read, {} were paid for", last.tally.octets);
    assert_eq!((last.tally.mailboxes, last.tally.messages, last.tally.left), (3, 5, 0));
    assert_eq!(last.ended - last.started, clock.now().as_secs());
    assert_eq!(fixture.store.counters().scrub.last_pass.get(), last.ended);
}

#[test]
fn a_pass_goes_on_where_it_was() {
    let fixture = filled();
    std::fs::remove_file(spool(&fixture, "user/sue/1.")).unwrap();
    // Stopped after every few blocks, and begun again by another process each time.
    let mut stops = 0;
    let mut places = Vec::new();
    let mut octets = 0;
    loop {
        let clock = FakeClock::default();
        clock.sleeps_left.store(6, Ordering::Relaxed);
        let scrubbed = go_on(&fixture.store, 1_000_000, &clock).unwrap();
        if scrubbed == Scrubbed::Whole {
            break;
        }
        stops += 1;
        assert!(stops < 100, "no end: {places:?}");
        let pass = state(&fixture.store).pass.unwrap();
        assert!(pass.tally.octets > octets);
        octets = pass.tally.octets;
        places.push((pass.mailbox.map(|name| name.to_string()).unwrap_or_default(), pass.uid));
    }
    assert!(stops >= 2, "{places:?}");
    assert!(places.is_sorted(), "{places:?}");
    let State { pass, last } = state(&fixture.store);
    let last = last.unwrap();
    assert_eq!((pass, last.tally.mailboxes, last.tally.messages), (None, 3, 5), "each message once: {places:?}");
    assert_eq!(last.tally.left, 1);
    assert_eq!(fixture.store.counters().scrub.last_errors.get(), 1);
}

#[test]
fn the_place_outlives_its_mailbox() {
    let fixture = filled();
    let gone = |mailbox: &str, uid| {
        let pass = Pass { started: 1, tally: Tally::default(), mailbox: Some(name(mailbox)), uid };
        State::change(&RealDisk, fixture.store.layout().config(), |state| state.pass = Some(pass)).unwrap();
        go_on(&fixture.store, 0, &FakeClock::default()).unwrap();
        let tally = state(&fixture.store).last.unwrap().tally;
        (tally.mailboxes, tally.messages)
    };
    assert_eq!(gone("user/joe", 2), (3, 3), "the third message of joe's, and all behind");
    assert_eq!(gone("user/joe", u32::MAX), (2, 2));
    assert_eq!(gone("user/joe/Gone", 7), (2, 2));
    assert_eq!(gone("zzz", 1), (0, 0));
    assert_eq!(gone("a", u32::MAX), (3, 5));
}

#[test]
fn when_a_pass_is_due() {
    let last = Some(Ended { started: 1000, ended: 1500, tally: Tally::default() });
    let pass = Some(Pass { started: 1600, tally: Tally::default(), mailbox: None, uid: 0 });
    for (state, now, expected) in [
        (State::default(), 5, 0),
        (State { pass: None, last }, 1500, 100),
        (State { pass: None, last }, 1600, 0),
        (State { pass: None, last }, 9999, 0),
        (State { pass: None, last }, 0, 1600),
        (State { pass, last }, 1500, 0),
    ] {
        assert_eq!(due_in(&state, 600, now), expected, "{state:?} at {now}");
    }
}

#[test]
fn by_hand_everything_and_single_mailboxes() {
    let fixture = filled();
    let all = ScrubRequest::default();
    let (exit, lines) = by_hand(&fixture, &all);
    assert_eq!(exit, Exit::Ok);
    assert!(lines[0].starts_with("3 mailboxes, 5 messages, ") && lines[0].ends_with(" bytes, 0 repaired, 0 left"));
    assert!(state(&fixture.store).last.is_some());

    std::fs::remove_file(spool(&fixture, "user/joe/2.")).unwrap();
    std::fs::remove_file(spool(&fixture, "user/sue/cyrus.cache")).unwrap();
    std::fs::remove_file(spool(&fixture, "user/joe/Lists/cyrus.cache")).unwrap();
    let missing = "user/joe uid 2: its file is missing; restore it from a backup (`angarium restore`), or run \
                   `reconstruct -G user/joe`";
    let of = |names: &[&str], recursive| ScrubRequest {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        recursive,
        quiet: true,
        ..ScrubRequest::default()
    };
    assert_eq!(by_hand(&fixture, &of(&["user.joe"], false)), (Exit::Found, vec![missing.to_owned()]));
    let dry = ScrubRequest { dry_run: true, ..of(&["user/joe"], true) };
    let lists = "user/joe/Lists: cyrus.cache is missing: made anew";
    for _ in 0..2 {
        assert_eq!(by_hand(&fixture, &dry), (Exit::Found, vec![missing.to_owned(), lists.to_owned()]));
    }
    let sue = "user/sue: cyrus.cache is missing: made anew".to_owned();
    let only_sue = of(&["user/s%"], false);
    assert_eq!(
        by_hand(&fixture, &ScrubRequest { dry_run: true, ..only_sue.clone() }),
        (Exit::Found, vec![sue.clone()])
    );
    assert_eq!(by_hand(&fixture, &only_sue), (Exit::Ok, vec![sue]), "it is repaired");
    assert_eq!(by_hand(&fixture, &only_sue), (Exit::Ok, vec![]));
    let (exit, lines) = by_hand(&fixture, &of(&["user/nobody", "user/sue"], false));
    assert_eq!((exit, &*lines[0]), (Exit::NoInput, "user/nobody: there is no such mailbox"));
    assert_eq!(state(&fixture.store).last.unwrap().tally.left, 0, "single mailboxes are no pass");

    let (exit, lines) = by_hand(&fixture, &ScrubRequest { json: true, ..ScrubRequest::default() });
    let lines: Vec<serde_json::Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exit, Exit::Found);
    assert_eq!((&lines[0]["place"], &lines[0]["uid"]), (&"user/joe".into(), &2.into()));
    assert_eq!((&lines[0]["code"], &lines[0]["left"]), (&"message.missing".into(), &true.into()));
    assert_eq!((&lines[1]["code"], &lines[1]["repaired"]), (&"cache.rebuilt".into(), &true.into()));
    assert_eq!((&lines[2]["summary"]["repaired"], &lines[2]["summary"]["left"]), (&1.into(), &1.into()));
    assert_eq!(state(&fixture.store).last.unwrap().tally.left, 1);
}

#[test]
fn it_ends_when_nobody_listens() {
    let fixture = filled();
    let mut console = Recorder { gone: true, ..Recorder::default() };
    let error = scrub(&fixture.store, &ScrubRequest::default(), &FakeClock::default(), &mut console).unwrap_err();
    assert_eq!(error.exit(), Exit::Io);
    assert_eq!(console.progress.len(), 1);
    assert_eq!(state(&fixture.store), State::default());
    // Progress names the mailbox and counts.
    let mut console = Recorder::default();
    scrub(&fixture.store, &ScrubRequest::default(), &FakeClock::default(), &mut console).unwrap();
    let last = console.progress.last().unwrap();
    assert_eq!((&*last.what, last.done, last.total), ("user/sue", 2, Some(3)));
    let _: &mut dyn Console = &mut console;
}

/// Mail comes and goes, flags change and folders are renamed, while pass after pass goes over it: nothing of that is damage.
#[test]
fn under_load_nothing_is_found() {
    let fixture = filled();
    let store = &fixture.store;
    let sue = Access::user("sue");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for mailbox in ["user/joe", "user/joe/Lists"] {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    append(store, mailbox, 2000);
                    let open = store.mailbox(&name(mailbox)).unwrap();
                    let uids: Vec<u32> = open.read().uids().iter().collect();
                    if uids.len() > 20 {
                        open.remove_messages(&uids[..15].iter().copied().collect::<UidSet>()).unwrap();
                    }
                }
            });
        }
        scope.spawn(|| {
            let (from, to) = (name("user/sue/A"), name("user/sue/B"));
            store.create(&sue, &from, &CreateOptions::default()).unwrap();
            while !over.load(Ordering::Relaxed) {
                store.rename(&sue, &from, &to).unwrap();
                append(store, "user/sue/B", 500);
                store.rename(&sue, &to, &from).unwrap();
            }
        });
        let passes: Vec<_> = (0..8)
            .map(|_| {
                let mut console = Recorder::default();
                let exit = scrub(store, &ScrubRequest::default(), &FakeClock::default(), &mut console);
                (exit.map_err(|error| error.to_string()), console.out)
            })
            .collect();
        // The others must end before anything is judged, or a failure would wait for them for ever.
        over.store(true, Ordering::Relaxed);
        for (exit, lines) in passes {
            assert_eq!((exit, lines.len()), (Ok(Exit::Ok), 1), "{lines:?}");
        }
    });
    assert_eq!(store.check_contents(&mut |_| {}).unwrap().findings, []);
}

fn open(dir: &Path, disk: Arc<dyn Disk>, boot: [u8; 16]) -> mailstore::Result<Arc<Store>> {
    let layout = Layout::new(dir.join("config"), dir.join("spool"));
    let options = StoreOptions { create: true, boot_id: Some(boot), ..StoreOptions::new(layout) };
    Store::open(options, disk).map(|(store, _)| store)
}

/// The world ends at every change that a pass makes to the disk. The next pass repairs what is left to repair, finds what is
/// left to an administrator, and no message is touched.
#[test]
fn a_pass_that_is_cut_off_is_ended_by_the_next() {
    let template = crashes::directory();
    let store = open(template.path(), Arc::new(RealDisk), [1; 16]).unwrap();
    store.create_user("joe", Some(mailstore::QuotaLimits { storage_kib: Some(1000), messages: None })).unwrap();
    store.create_user("sue", None).unwrap();
    for mailbox in ["user/joe", "user/joe", "user/sue"] {
        append(&store, mailbox, 500);
    }
    store.close().unwrap();
    drop(store);
    let spool = |dir: &Path, file: &str| dir.join("spool/user").join(file);
    std::fs::remove_file(spool(template.path(), "joe/cyrus.cache")).unwrap();
    std::fs::write(spool(template.path(), "sue/1."), vec![b'z'; 500]).unwrap();
    let ends = Ends::of(&[End::Crash { torn: 3 }, End::Full, End::ReadOnly]).and_power_cuts(2);
    let pass = |world: &World, ()| -> mailstore::Result<Scrubbed> {
        let store = open(world.path(), world.disk(), world.boot())?;
        let clock = FakeClock::default();
        // So slow that the place is saved at every block.
        let done = go_on(&store, 10, &clock);
        store.close()?;
        done
    };
    let judge = |world: &World, done: mailstore::Result<Scrubbed>| {
        let context = format!("{world} {done:?}");
        let store = open(world.path(), Arc::new(RealDisk), world.boot()).expect(&context);
        let before = state(&store);
        assert!(done.is_err() || before.last.is_some() || world.dies(), "{context}: {before:?}");
        assert_eq!(go_on(&store, 0, &FakeClock::default()).expect(&context), Scrubbed::Whole);
        let said = {
            let mut console = Recorder::default();
            let request = ScrubRequest { dry_run: true, ..ScrubRequest::default() };
            scrub(&store, &request, &FakeClock::default(), &mut console).expect(&context);
            console.out.join("\n")
        };
        // Once more from the beginning: everything that can be is repaired, and what cannot be is still told.
        assert_eq!(go_on(&store, 0, &FakeClock::default()).expect(&context), Scrubbed::Whole);
        let last = state(&store).last.expect(&context);
        assert_eq!((last.tally.repaired, last.tally.left, last.tally.messages), (0, 1, 3), "{context}: {said}");
        assert_eq!(std::fs::read(spool(world.path(), "sue/1.")).expect(&context), vec![b'z'; 500]);
        let findings = store.check_contents(&mut |_| {}).expect(&context).findings;
        assert!(findings.iter().all(|finding| finding.place == "user/sue"), "{context}: {findings:?}");
        store.close().expect(&context);
    };
    crashes::table("a pass of the scrubber", &[()], |()| {
        crashes::every_step("scrub", template.path(), &ends, |_| (), pass, judge)
    });
}
