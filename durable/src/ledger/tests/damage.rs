//! Files are flipped, cut, deleted and replaced: nothing panics, and nothing is silently less.

use super::*;

/// A ledger with a dump at 6 and a journal from 7 to `last`.
fn sample(last: u64, clean: bool) -> Home {
    let home = Home::new();
    let ledger = home.create();
    fill(&ledger, 1..=6);
    ledger.dump_now().unwrap();
    fill(&ledger, 7..=last);
    if clean {
        ledger.close().unwrap();
    }
    home
}

fn damage(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_journal_byte_never_loses_a_row_while_the_index_is_good() {
    let home = sample(9, true);
    let len = fs::metadata(home.copy("rows.journal")).unwrap().len() as usize;
    for at in 0..len {
        let copy = home.duplicate();
        damage(&copy.copy("rows.journal"), |bytes| bytes[at] ^= 1 << (at % 8));
        let (ledger, report) = copy.open();
        assert!(report.journal_renewed.is_some(), "byte {at}: {report:?}");
        check(&ledger, 9);
        assert_eq!(copy.files("journal.bad").len(), 1);
    }
}

#[test]
fn a_flipped_journal_byte_without_index_is_refused_or_a_reported_torn_tail() {
    // The stop was not clean, so only the last group may be called torn; everything before it is a broken promise.
    let home = sample(9, false);
    fs::remove_dir_all(home.dir()).unwrap();
    let text = fs::read_to_string(home.copy("rows.journal")).unwrap();
    let last_line = text[..text.len() - 1].rfind('\n').unwrap() + 1;
    for at in 0..text.len() {
        let copy = home.duplicate();
        damage(&copy.copy("rows.journal"), |bytes| bytes[at] ^= 1 << (at % 8));
        if at >= last_line {
            let (ledger, report) = copy.open();
            assert!(report.torn.is_some(), "byte {at}");
            check(&ledger, 8);
        } else if at + 1 == last_line {
            // The line break between the last two: two lines become one bad one, and only their predecessor is proved.
            let why = copy.try_open(Arc::new(RealDisk), &Options::default());
            match why {
                Err(OpenError::Incomplete { .. }) => {}
                Ok((ledger, report)) => {
                    assert!(report.torn.is_some());
                    check(&ledger, 7);
                }
                Err(other) => panic!("{other}"),
            }
        } else if at < text.find('\n').unwrap() {
            // The header: every batch is there, but the file is not whole.
            let (ledger, report) = copy.open();
            assert!(report.journal_renewed.is_some());
            check(&ledger, 9);
        } else {
            assert!(!copy.refusal().is_empty(), "byte {at}");
        }
    }
}

#[test]
fn a_clean_stop_makes_every_lost_line_known() {
    let home = sample(9, true);
    fs::remove_dir_all(home.dir()).unwrap();
    let len = fs::metadata(home.copy("rows.journal")).unwrap().len() as usize;
    for keep in 0..len {
        let copy = home.duplicate();
        damage(&copy.copy("rows.journal"), |bytes| bytes.truncate(keep));
        assert!(!copy.refusal().is_empty(), "cut at {keep}");
        assert!(!copy.dir().exists() && copy.files(".bad").is_empty(), "a refusal changes nothing");
    }
    let (ledger, report) = home.open();
    assert_eq!(report.rebuilt.unwrap().dump, Some(6));
    check(&ledger, 9);
}

#[test]
fn a_lost_index_comes_back() {
    for last in [0, 3] {
        let home = Home::new();
        let ledger = home.create();
        fill(&ledger, 1..=last);
        drop(ledger);
        fs::remove_dir_all(home.dir()).unwrap();
        let (ledger, report) = home.open();
        assert_eq!(report.rebuilt.unwrap().dump, None, "the journal goes back to the beginning");
        check(&ledger, last);
    }
}

#[test]
fn a_damaged_index_is_rebuilt_or_right() {
    let home = Home::new();
    let ledger = home.create();
    for n in 1..=300 {
        ledger.apply(batch(n)).unwrap();
    }
    ledger.dump_now().unwrap();
    fill(&ledger, 301..=400);
    ledger.close().unwrap();
    drop(ledger);
    let db = fs::metadata(home.dir().join("db")).unwrap().len() as usize;
    let mut rebuilt = 0;
    for round in 0..200usize {
        let copy = home.duplicate();
        let at = round * db / 200;
        damage(&copy.dir().join("db"), |bytes| match round % 4 {
            0 => bytes[at] ^= 0x55,
            1 => bytes.truncate(at),
            2 => bytes[at..(at + 512).min(db)].fill(0),
            _ => bytes[at..].iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * 31 + round) as u8),
        });
        let (ledger, report) = copy.open();
        rebuilt += usize::from(report.rebuilt.is_some());
        assert_eq!(rows(&ledger), model(400), "round {round}: {report:?}");
        assert_eq!(ledger.last_seq(), 400);
        if report.rebuilt.is_some() {
            assert_eq!(copy.files("rows.db.bad.").len(), 1);
        }
    }
    assert!(rebuilt > 20, "{rebuilt}");
}

/// As a file system that was put back in parts leaves it, or sled after the loss of its last segments.
#[test]
fn a_dump_that_is_newer_than_the_index_counts() {
    for (index, dump, last, clean) in [(3, 6, 6, true), (3, 6, 9, false), (3, 6, 9, true), (5, 9, 9, false)] {
        let home = Home::new();
        let ledger = home.create();
        fill(&ledger, 1..=index);
        ledger.close().unwrap();
        drop(ledger);
        let older = home.duplicate();
        let (ledger, _) = home.open();
        fill(&ledger, index + 1..=dump);
        ledger.dump_now().unwrap();
        fill(&ledger, dump + 1..=last);
        if clean {
            ledger.close().unwrap();
        }
        drop(ledger);
        fs::remove_dir_all(home.dir()).unwrap();
        copy_tree(&older.dir(), &home.dir());
        let context = format!("index {index}, dump {dump}, last {last}, clean {clean}");
        for check_bytes in [0, u64::MAX] {
            let copy = home.duplicate();
            let options = Options { check_bytes, cache_bytes: 8 << 20, ..Options::default() };
            let (ledger, report) = copy.try_open(Arc::new(RealDisk), &options).unwrap();
            let rebuilt = report.rebuilt.expect(&context);
            assert_eq!(rebuilt.dump, Some(dump), "{context}");
            assert!(rebuilt.moved_to.is_some_and(|path| path.exists()), "{context}");
            assert!(ledger.is_checked(), "{context}: a new one is whole");
            check(&ledger, last);
            ledger.close().unwrap();
            drop(ledger);
            let (ledger, report) = copy.open();
            assert!(report.clean && report.rebuilt.is_none(), "{context}: {report:?}");
            check(&ledger, last);
        }
        // Without the dump the journals that lead to it are as good; without those nothing proves what is missing.
        let copy = home.duplicate();
        for file in copy.files(".dump") {
            damage(&copy.copy(&file), |bytes| bytes.truncate(bytes.len() / 2));
        }
        match copy.try_open(Arc::new(RealDisk), &Options::default()) {
            Ok((ledger, _)) => assert_eq!(rows(&ledger), model(last), "{context}"),
            Err(OpenError::Incomplete { .. }) => {}
            Err(other) => panic!("{context}: {other}"),
        }
        let copy = home.duplicate();
        for file in copy.files(".dump") {
            fs::remove_file(copy.copy(&file)).unwrap();
        }
        for file in copy.files("rows.journal") {
            fs::remove_file(copy.copy(&file)).unwrap();
        }
        assert!(!copy.refusal().is_empty(), "{context}");
    }
}

#[test]
fn an_index_replaced_by_rubbish_is_rebuilt() {
    let home = sample(9, false);
    for kind in ["file", "empty", "conf", "snapshot"] {
        let copy = home.duplicate();
        let dir = copy.dir();
        match kind {
            "file" => {
                fs::remove_dir_all(&dir).unwrap();
                fs::write(&dir, "rubbish").unwrap();
            }
            "empty" => {
                fs::remove_dir_all(&dir).unwrap();
                fs::create_dir(&dir).unwrap();
            }
            "conf" => fs::write(dir.join("conf"), "rubbish").unwrap(),
            _ => fs::write(dir.join("snap.0000000000000000"), "rubbish").unwrap(),
        }
        let (ledger, _) = copy.open();
        check(&ledger, 9);
    }
}

#[test]
fn a_bad_dump_is_passed_over_only_if_the_journal_goes_back_further() {
    let home = sample(9, true);
    fs::remove_dir_all(home.dir()).unwrap();
    let dump = home.files(".dump").remove(0);
    let len = fs::metadata(home.copy(&dump)).unwrap().len() as usize;
    for at in 0..len {
        let copy = home.duplicate();
        damage(&copy.copy(&dump), |bytes| bytes[at] ^= 1 << (at % 8));
        // The journals before the dump are still there in this sample, so it is not needed.
        let (ledger, report) = copy.open();
        assert_eq!(report.rebuilt.unwrap().dump, None, "byte {at}");
        assert_eq!(rows(&ledger), model(9));

        let copy = home.duplicate();
        damage(&copy.copy(&dump), |bytes| bytes[at] ^= 1 << (at % 8));
        fs::remove_file(copy.copy("rows.journal.00000000000000000000")).unwrap();
        assert!(copy.refusal().iter().any(|why| why.contains("dump")), "byte {at}");
    }
}

#[test]
fn missing_copies() {
    // With a good index and a clean stop a lost journal is only worth an error in the log.
    let home = sample(9, true);
    fs::remove_file(home.copy("rows.journal")).unwrap();
    let (ledger, report) = home.open();
    assert!(report.journal_renewed.is_some());
    check(&ledger, 9);

    // After an unclean stop nobody knows what was in it.
    let home = sample(9, false);
    fs::remove_file(home.copy("rows.journal")).unwrap();
    assert!(home.refusal().iter().any(|why| why.contains("missing")));
    // The administrator takes what there is.
    let (ledger, report) = home.try_open(Arc::new(RealDisk), &salvaging()).unwrap();
    assert!(!report.salvaged.is_empty());
    assert!((6..=9).contains(&ledger.last_seq()));
    let last = ledger.last_seq();
    check(&ledger, last);
    fill(&ledger, last + 1..=last + 3);
    drop(ledger);
    check(&home.open().0, last + 3);
}

#[test]
fn a_ledger_that_lost_everything_is_not_a_new_one() {
    let home = sample(9, true);
    fs::remove_dir_all(home.dir()).unwrap();
    for file in home.files("rows.journal").into_iter().chain(home.files(".dump")) {
        fs::remove_file(home.copy(&file)).unwrap();
    }
    let opened = home.try_open(Arc::new(RealDisk), &creating());
    assert!(matches!(opened, Err(OpenError::Incomplete { .. })), "{opened:?}");
}

fn salvaging() -> Options {
    Options { salvage: true, cache_bytes: 8 << 20, ..Options::default() }
}

#[test]
fn salvage_takes_the_newest_of_all() {
    let home = sample(9, true);
    fs::remove_dir_all(home.dir()).unwrap();
    // Batch 8 is unreadable: 6 from the dump, 7 and 9 from the journal.
    let text = fs::read_to_string(home.copy("rows.journal")).unwrap();
    fs::write(home.copy("rows.journal"), text.replacen("value 8", "value X", 1)).unwrap();
    assert!(!home.refusal().is_empty());
    let (ledger, report) = home.try_open(Arc::new(RealDisk), &salvaging()).unwrap();
    assert!(!report.salvaged.is_empty() && report.rebuilt.is_some());
    // What batch 8 would have removed is still there; what it set is not.
    let mut expected = model(9);
    expected.remove("row/0008");
    expected.insert("row/0005".into(), "\"value 5\"".into());
    assert_eq!((rows(&ledger), ledger.last_seq()), (expected.clone(), 9));
    drop(ledger);
    let (ledger, report) = home.open();
    assert!(report.rebuilt.is_none() && report.salvaged.is_empty(), "{report:?}");
    assert_eq!(rows(&ledger), expected);
}

#[test]
fn salvage_reads_on_behind_a_gap_with_a_good_index() {
    // The index was durable with the dump of batch 6 and never after; batch 7 is lost from the journal.
    let home = sample(9, false);
    let before = home.duplicate();
    fs::remove_dir_all(before.dir()).unwrap();
    let text = fs::read_to_string(before.copy("rows.journal")).unwrap();
    fs::write(before.copy("rows.journal"), text.replacen("value 7", "value X", 1)).unwrap();
    let (ledger, _) = before.try_open(Arc::new(RealDisk), &salvaging()).unwrap();
    assert_eq!(ledger.get("newest").unwrap().unwrap().as_str(), "9");
    assert!(ledger.get("row/0007").unwrap().is_none());
    fill(&ledger, 10..=12);
    drop(ledger);
    assert_eq!(home_rows(&before).get("row/0012").map(String::as_str), Some("\"value 12\""));
}

fn home_rows(home: &Home) -> Model {
    rows(&home.open().0)
}

#[test]
fn salvage_reads_what_is_left_of_a_damaged_copy() {
    let home = sample(9, true);
    fs::remove_dir_all(home.dir()).unwrap();
    fs::remove_file(home.copy("rows.journal")).unwrap();
    for journal in home.files("rows.journal.") {
        fs::remove_file(home.copy(&journal)).unwrap();
    }
    let dump = home.copy(&home.files(".dump")[0]);
    let text = fs::read_to_string(&dump).unwrap();
    let whole = model(6);
    let cut = text.find("row/0006").unwrap();
    fs::write(&dump, &text[..cut]).unwrap();
    assert!(!home.refusal().is_empty());
    let (ledger, report) = home.try_open(Arc::new(RealDisk), &salvaging()).unwrap();
    let left = rows(&ledger);
    assert!(report.salvaged.iter().any(|line| line.contains("readable rows")), "{:?}", report.salvaged);
    assert_eq!(left.len(), whole.len() - 1);
    assert!(left.iter().all(|(key, value)| whole.get(key) == Some(value)));
    // The numbers that were given out are not given again.
    assert!(ledger.last_seq() >= 6);
}

#[test]
fn salvage_reads_what_is_left_of_a_damaged_index() {
    let home = sample(200, true);
    let whole = model(200);
    fs::remove_dir_all(home.copies()).unwrap();
    let db = home.dir().join("db");
    let len = fs::metadata(&db).unwrap().len();
    let mut saved = 0;
    for start in (0..len).step_by(len as usize / 12 + 1) {
        let copy = home.duplicate();
        fs::create_dir_all(copy.copies()).unwrap();
        damage(&copy.dir().join("db"), |bytes| {
            let end = (start as usize + 4096).min(bytes.len());
            bytes[start as usize..end].fill(0xa5);
        });
        let (ledger, _) = copy.try_open(Arc::new(RealDisk), &salvaging()).unwrap();
        // Some older state at worst: never what was never there.
        let left = rows(&ledger);
        assert!(left.keys().all(|key| key == "newest" || key.starts_with("row/")), "{left:?}");
        saved = saved.max(left.len());
        drop(ledger);
        home_rows(&copy);
    }
    assert_eq!(saved, whole.len(), "damage that hits nothing costs nothing");
}

#[test]
fn a_newer_format_is_left_alone() {
    let home = sample(9, true);
    let path = home.copy("rows.journal");
    let mut header = Vec::new();
    let line = crate::journal::Line { seq: 6, synced: 6, payload: r#"{"journal":"rows","version":2}"# };
    crate::journal::encode(&mut header, line);
    fs::write(&path, header).unwrap();
    assert!(matches!(home.try_open(Arc::new(RealDisk), &Options::default()), Err(OpenError::Newer(_))));
}
