//! The faulty disk itself is tested: a crash test is only as good as its crash.

use std::{collections::BTreeSet, fs};

use super::*;
use crate::disk::RealDisk;

struct Setup {
    dir: tempfile::TempDir,
    _graveyard: tempfile::TempDir,
    disk: FaultyDisk,
}

impl Setup {
    fn new() -> Self {
        let (dir, graveyard) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let disk = FaultyDisk::with_power_cuts(Arc::new(RealDisk), graveyard.path()).unwrap();
        Self { dir, _graveyard: graveyard, disk }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.at(name)).ok()
    }

    fn durable(&self, name: &str, content: &str) -> DiskFile {
        let file = self.disk.create_new(&self.at(name)).unwrap();
        self.disk.write_at(&file, content.as_bytes(), 0).unwrap();
        self.disk.sync_data(&file).unwrap();
        self.disk.sync_dir(self.dir.path()).unwrap();
        file
    }
}

const LOSE_ALL: u64 = 1;

#[test]
fn each_change_has_a_number_and_can_be_the_last() {
    let clean = Setup::new();
    clean.durable("old", "old");
    let before = clean.disk.changes();
    clean.disk.replace_file(&clean.at("old"), b"new").unwrap();
    let ops: Vec<_> = clean.disk.trace()[before as usize..].iter().map(|traced| traced.op).collect();
    assert_eq!(ops, [Op::Create, Op::Write, Op::Sync, Op::Rename, Op::SyncDir]);

    for at in before + 1..=clean.disk.changes() {
        for torn in [0, 1, 3] {
            let setup = Setup::new();
            setup.durable("old", "old");
            setup.disk.set_fault(Some(Fault::Crash { at, torn }));
            let error = setup.disk.replace_file(&setup.at("old"), b"new").unwrap_err();
            assert!(error.is_simulated_crash() && setup.disk.crashed());
            assert!(setup.disk.read(&setup.at("old"), 9).unwrap_err().is_simulated_crash());
            let expected = if at - before <= 4 { "old" } else { "new" };
            assert_eq!(setup.content("old").unwrap(), expected, "crash at {at}");
        }
    }
}

#[test]
fn errors_come_once_or_stay() {
    let setup = Setup::new();
    let file = setup.disk.create_new(&setup.at("f")).unwrap();
    setup.disk.set_fault(Some(Fault::Fail { at: 2, errno: Errno::IO, lasting: false }));
    assert_eq!(setup.disk.write_at(&file, b"a", 0).unwrap_err().errno(), Some(Errno::IO));
    setup.disk.write_at(&file, b"b", 0).unwrap();
    setup.disk.set_fault(Some(Fault::Fail { at: 4, errno: Errno::NOSPC, lasting: true }));
    for _ in 0..3 {
        assert!(setup.disk.write_at(&file, b"c", 0).unwrap_err().is_full());
    }
    setup.disk.set_fault(Some(Fault::ShortWrite { at: 7, keep: 2, errno: Errno::NOSPC }));
    assert!(setup.disk.write_vectored_at(&file, &[IoSlice::new(b"x"), IoSlice::new(b"yz")], 1).unwrap_err().is_full());
    assert_eq!(setup.content("f").unwrap(), "bxy");
}

#[test]
fn bytes_live_by_sync() {
    let setup = Setup::new();
    let file = setup.durable("f", "0123456789");
    setup.disk.write_at(&file, b"AB", 2).unwrap();
    setup.disk.sync_data(&file).unwrap();
    setup.disk.write_at(&file, b"CDEFGHIJKL", 5).unwrap();
    setup.disk.set_len(&file, 3).unwrap();
    setup.disk.write_at(&file, b"zz", 8).unwrap();
    let report = setup.disk.lose_unsynced(LOSE_ALL).unwrap();
    assert_eq!(report, LossReport { names: 0, writes: 3, torn: 0 });
    assert_eq!(setup.content("f").unwrap(), "01AB456789");
}

#[test]
fn times_live_by_full_sync_only() {
    for (full, kept) in [(false, false), (true, true)] {
        let setup = Setup::new();
        let file = setup.durable("f", "x");
        let wanted = UnixTime { secs: 1_000_000_000, nanos: 0 };
        setup.disk.set_times(&file, wanted).unwrap();
        if full { setup.disk.sync_all(&file) } else { setup.disk.sync_data(&file) }.unwrap();
        setup.disk.lose_unsynced(LOSE_ALL).unwrap();
        assert_eq!(file.metadata().unwrap().modified == wanted, kept);
    }
}

#[test]
fn names_live_by_directory_sync() {
    let setup = Setup::new();
    for name in ["gone", "target", "source", "kept"] {
        setup.durable(name, name);
    }
    setup.disk.mkdir(&setup.at("empty")).unwrap();
    setup.disk.sync_dir(setup.dir.path()).unwrap();

    let new = setup.disk.create_new(&setup.at("new")).unwrap();
    setup.disk.sync_data(&new).unwrap();
    setup.disk.unlink(&setup.at("gone")).unwrap();
    setup.disk.rename(&setup.at("source"), &setup.at("target")).unwrap();
    setup.disk.link(&setup.at("kept"), &setup.at("second")).unwrap();
    assert_eq!(setup.disk.metadata(&setup.at("kept")).unwrap().nlink, 2);
    setup.disk.unlink(&setup.at("second")).unwrap();
    assert_eq!(setup.disk.metadata(&setup.at("kept")).unwrap().nlink, 1);
    setup.disk.rmdir(&setup.at("empty")).unwrap();
    setup.disk.mkdir(&setup.at("made")).unwrap();
    setup.disk.create_new(&setup.at("made/inside")).unwrap();
    assert_eq!(setup.disk.rmdir(&setup.at("made")).unwrap_err().errno(), Some(Errno::NOTEMPTY));

    setup.disk.lose_unsynced(LOSE_ALL).unwrap();
    let names: BTreeSet<_> =
        fs::read_dir(setup.dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, ["empty", "gone", "kept", "source", "target"].map(String::from).into());
    for name in ["gone", "kept", "source", "target"] {
        assert_eq!(setup.content(name).unwrap(), name);
    }
}

#[test]
fn a_file_system_is_synced_whole() {
    let setup = Setup::new();
    let (disk, inside) = (&setup.disk, setup.at("new/f"));
    disk.mkdir(&setup.at("new")).unwrap();
    let file = disk.create_new(&inside).unwrap();
    disk.write_at(&file, b"kept", 0).unwrap();
    disk.sync_everything(&setup.at("new")).unwrap();
    disk.write_at(&file, b"lost", 0).unwrap();
    disk.rename(&inside, &setup.at("new/g")).unwrap();
    disk.lose_unsynced(1).unwrap();
    assert_eq!((setup.content("new/f"), setup.content("new/g")), (Some("kept".into()), None));
}

#[test]
fn a_link_in_a_synced_directory_outlives_its_first_name() {
    // How messages are delivered: made in stage./, linked into the mailbox, only the mailbox directory synced.
    let setup = Setup::new();
    for dir in ["stage.", "box"] {
        setup.disk.mkdir(&setup.at(dir)).unwrap();
    }
    setup.disk.sync_dir(setup.dir.path()).unwrap();
    let file = setup.disk.create_new(&setup.at("stage./1")).unwrap();
    setup.disk.write_at(&file, b"mail", 0).unwrap();
    setup.disk.sync_data(&file).unwrap();
    setup.disk.link(&setup.at("stage./1"), &setup.at("box/1.")).unwrap();
    setup.disk.sync_dir(&setup.at("box")).unwrap();
    setup.disk.lose_unsynced(LOSE_ALL).unwrap();
    assert_eq!((setup.content("stage./1"), setup.content("box/1.")), (None, Some("mail".into())));
}

#[test]
fn replacing_survives_every_power_cut() {
    let mut changes = 0;
    for seed in 0..64 {
        for at in 1.. {
            let setup = Setup::new();
            setup.durable("f", "old");
            let base = setup.disk.changes();
            setup.disk.set_fault(Some(Fault::Crash { at: base + at, torn: 2 }));
            let replaced = setup.disk.replace_file(&setup.at("f"), b"new");
            setup.disk.lose_unsynced(seed).unwrap();
            let content = setup.content("f").unwrap();
            match replaced {
                Ok(()) => {
                    assert_eq!(content, "new", "seed {seed}");
                    break;
                }
                Err(_) => assert!(content == "old" || content == "new", "seed {seed}, crash at {at}: {content:?}"),
            }
            changes += 1;
        }
    }
    assert_eq!(changes, 64 * 5);
}

#[test]
fn a_missing_sync_is_found() {
    // The classic mistake, renaming over without syncing the bytes, must show, or the tests above prove nothing.
    let wrong = (0..64).any(|seed| {
        let setup = Setup::new();
        setup.durable("f", "old");
        let file = setup.disk.create_new(&setup.at("tmp")).unwrap();
        setup.disk.write_at(&file, b"new", 0).unwrap();
        setup.disk.rename(&setup.at("tmp"), &setup.at("f")).unwrap();
        setup.disk.sync_dir(setup.dir.path()).unwrap();
        setup.disk.lose_unsynced(seed).unwrap();
        setup.content("f").unwrap().is_empty()
    });
    assert!(wrong);
}
