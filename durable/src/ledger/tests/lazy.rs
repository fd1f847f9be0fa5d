//! A start reads no rows of a large index: they come from the copies, and damage is found later, never taken for absence.

use super::*;

/// No index is small enough to be read at the start.
fn lazy() -> Options {
    Options { check_bytes: 0, cache_bytes: 8 << 20, ..Options::default() }
}

fn open_lazily(home: &Home) -> (Ledger, OpenReport) {
    home.try_open(Arc::new(RealDisk), &lazy()).unwrap()
}

/// The rows that the copies give; nothing if they do not prove complete.
fn copied(ledger: &Ledger) -> Option<Model> {
    let mut model = Model::new();
    let whole = ledger.load_copies(&mut |key, value| match value {
        Some(value) => drop(model.insert(key.to_owned(), value.to_owned())),
        None => drop(model.remove(key)),
    });
    whole.unwrap().then_some(model)
}

#[test]
fn copies_give_the_rows_of_this_moment() {
    for (dump, last, clean) in [(6, 6, true), (6, 9, true), (6, 9, false), (9, 9, false), (3, 40, false)] {
        let home = Home::new();
        let ledger = home.create();
        fill(&ledger, 1..=dump);
        ledger.dump_now().unwrap();
        // An index that is older than the journal's end, as after a power cut.
        let older = home.duplicate();
        fill(&ledger, dump + 1..=last);
        if clean {
            ledger.close().unwrap();
        }
        drop(ledger);
        for behind in [false, true] {
            if behind && !clean {
                fs::remove_dir_all(home.dir()).unwrap();
                copy_tree(&older.dir(), &home.dir());
            }
            let (ledger, report) = open_lazily(&home);
            assert!(report.rebuilt.is_none(), "{report:?}");
            assert_eq!(copied(&ledger), Some(model(last)), "dump {dump}, last {last}, clean {clean}, behind {behind}");
            assert_eq!(rows(&ledger), model(last));
        }
    }
}

#[test]
fn keys_of_every_kind_come_back_from_a_dump() {
    let home = Home::new();
    let ledger = home.create();
    let mut batch = Batch::new();
    for key in ["", "plain", "with \"quotes\"", "back\\slash", "new\nline", "ü/名前", "a\",1]", "]", "[\"x\",1]"] {
        batch.put(key, &format!("value of {key}")).unwrap();
    }
    ledger.apply(batch).unwrap();
    ledger.dump_now().unwrap();
    assert_eq!(copied(&ledger), Some(rows(&ledger)));
}

#[test]
fn copies_that_do_not_reach_the_present_are_not_believed() {
    let home = Home::new();
    let ledger = home.create();
    fill(&ledger, 1..=5);
    assert_eq!(copied(&ledger), None, "there is no dump");
    ledger.dump_now().unwrap();
    fill(&ledger, 6..=9);
    ledger.close().unwrap();
    drop(ledger);
    let dump = home.copy(&home.files(".dump")[0]);
    for damage in ["flipped", "cut", "a row less"] {
        let copy = home.duplicate();
        let path = copy.copy(dump.file_name().unwrap().to_str().unwrap());
        let text = fs::read_to_string(&path).unwrap();
        let damaged = match damage {
            "flipped" => text.replacen("value 4", "value 8", 1),
            "cut" => text[..text.len() / 2].to_owned(),
            _ => text.lines().filter(|line| !line.contains("value 4")).map(|line| format!("{line}\n")).collect(),
        };
        assert_ne!(damaged, text);
        fs::write(&path, damaged).unwrap();
        let (ledger, _) = open_lazily(&copy);
        assert_eq!(copied(&ledger), None, "{damage}");
        assert_eq!(rows(&ledger), model(9));
    }
    // The journal is put aside: what came after the dump is in the index alone.
    fs::remove_file(home.copy("rows.journal")).unwrap();
    let (ledger, report) = open_lazily(&home);
    assert!(report.journal_renewed.is_some());
    // A dump was made at once, and it has everything.
    assert_eq!(copied(&ledger), Some(model(9)));
}

#[test]
fn a_page_that_cannot_be_read_is_never_taken_for_a_row_that_is_not_there() {
    let home = Home::new();
    let ledger = home.create();
    let padding = "x".repeat(300);
    for n in 0..400 {
        let mut batch = Batch::new();
        batch.put(format!("row/{n:04}"), &format!("{n} {padding}")).unwrap();
        ledger.apply(batch).unwrap();
    }
    ledger.dump_now().unwrap();
    let expected = rows(&ledger);
    drop(ledger);
    // sled reads at its start what was written since the one before.
    drop(open_lazily(&home));
    let db = fs::metadata(home.dir().join("db")).unwrap().len() as usize;
    let (mut found, mut by_check) = (0, 0);
    for round in 0..60usize {
        let copy = home.duplicate();
        let file = copy.dir().join("db");
        let mut bytes = fs::read(&file).unwrap();
        let at = round * db / 60;
        bytes[at..(at + 700).min(db)].iter_mut().for_each(|byte| *byte ^= 0x5a);
        fs::write(&file, bytes).unwrap();
        let (ledger, report) = open_lazily(&copy);
        // What is in memory does not depend on the index.
        assert_eq!(copied(&ledger).as_ref(), Some(&expected), "round {round}");
        let read = if round % 2 == 0 {
            expected.keys().try_for_each(|key| match ledger.get(key) {
                Ok(value) => {
                    assert_eq!(value.as_ref().map(Json::as_str), expected.get(key).map(String::as_str), "{key}");
                    Ok(())
                }
                Err(error) => Err(error),
            })
        } else {
            by_check += 1;
            ledger.check_index(&mut || true)
        };
        let failed = read.is_err();
        if failed {
            found += 1;
            assert!(report.rebuilt.is_none());
            assert!(matches!(ledger.get("row/0000"), Err(Error::Latched(_))), "nothing is answered any more");
            assert!(matches!(ledger.apply(batch(1)), Err(Error::Latched(_))));
            assert_eq!(copy.files(".suspect").len(), 1);
        }
        drop(ledger);
        let (ledger, report) = open_lazily(&copy);
        assert_eq!(report.rebuilt.is_some(), failed, "round {round}: {report:?}");
        assert!(copy.files(".suspect").is_empty());
        assert_eq!(rows(&ledger), expected);
    }
    assert!(found > 5 && by_check > 5, "{found} {by_check}");
}

#[test]
fn a_stop_before_the_index_was_read_leaves_no_clean_mark() {
    let home = Home::new();
    let ledger = home.create();
    fill(&ledger, 1..=9);
    drop(ledger);
    let (ledger, report) = open_lazily(&home);
    assert!(!report.clean);
    ledger.close().unwrap();
    drop(ledger);
    let (ledger, report) = open_lazily(&home);
    assert!(!report.clean, "it is still not known");
    ledger.check_index(&mut || true).unwrap();
    ledger.close().unwrap();
    drop(ledger);
    let (ledger, report) = open_lazily(&home);
    assert!(report.clean);
    check(&ledger, 9);
}

#[test]
fn a_suspect_index_without_copies_is_refused() {
    let home = Home::new();
    let ledger = home.create();
    fill(&ledger, 1..=9);
    ledger.dump_now().unwrap();
    drop(ledger);
    for file in home.files(".dump").iter().chain(&home.files("rows.journal.")) {
        fs::remove_file(home.copy(file)).unwrap();
    }
    let (ledger, _) = open_lazily(&home);
    assert_eq!(rows(&ledger), model(9));
    ledger.suspect_index();
    drop(ledger);
    // It reads well after all, so it is believed again.
    let (ledger, report) = open_lazily(&home);
    assert!(report.rebuilt.is_none() && home.files(".suspect").is_empty());
    assert_eq!(rows(&ledger), model(9));
    ledger.suspect_index();
    drop(ledger);
    let file = home.dir().join("db");
    let len = fs::metadata(&file).unwrap().len() as usize;
    fs::write(&file, vec![0x5a; len]).unwrap();
    home.refusal();
    assert_eq!(home.files(".suspect").len(), 1, "a refusal changes nothing");
}

/// What the tests above do with an index that never counts as small, with one that has grown beyond the limit: twenty times
/// as long, with some hundred pages in its middle damaged.
#[test]
fn an_index_beyond_the_limit_is_read_in_the_background() {
    const ROWS: usize = 30_000;
    let limit = Options { check_bytes: 512 << 10, cache_bytes: 8 << 20, ..Options::default() };
    let home = Home::new();
    let open = || home.try_open(Arc::new(RealDisk), &limit).unwrap();
    drop(home.create());
    // A small one is read at the start.
    let (ledger, report) = open();
    assert!(!report.clean && ledger.is_checked(), "{report:?}");
    grow(&ledger, ROWS);
    drop(ledger);
    let size = fs::metadata(home.dir().join("db")).unwrap().len();
    assert!(size > 20 * limit.check_bytes, "{size}");
    let (ledger, report) = open();
    assert!(!report.clean && report.rebuilt.is_none() && !ledger.is_checked(), "{report:?}");
    let found = copied(&ledger).expect("dump and journal prove complete");
    assert_eq!(found.len(), ROWS + 1);
    assert_eq!(found["row/0000007"], format!("\"{}\"", padded(7)));
    let mut pauses = 0;
    let mut pause = || {
        pauses += 1;
        true
    };
    ledger.check_index(&mut pause).unwrap();
    assert!(ledger.is_checked() && pauses == ROWS / 4096, "{pauses}");
    ledger.close().unwrap();
    drop(ledger);
    let (ledger, report) = open();
    assert!(report.clean && ledger.is_checked());
    assert_eq!(ledger.get("row/later").unwrap().map(|json| json.as_str().to_owned()), Some("\"later\"".to_owned()));
    drop(ledger);
    // And where it can't be read, that is found, and the next start has all of it again.
    let file = home.dir().join("db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + (1 << 20)].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    let (mut ledger, mut report) = open();
    if report.rebuilt.is_none() {
        assert!(ledger.check_index(&mut || true).is_err());
        drop(ledger);
        (ledger, report) = open();
    }
    assert!(report.rebuilt.is_some(), "{report:?}");
    assert_eq!(ledger.range(Bound::Unbounded, None).unwrap().count(), ROWS + 1);
}

/// A value of some length.
fn padded(n: usize) -> String {
    format!("{n} {}", "x".repeat(200))
}

/// So many rows that a dump has, and one behind it.
fn grow(ledger: &Ledger, rows: usize) {
    for part in (0..rows).collect::<Vec<_>>().chunks(1000) {
        let mut batch = Batch::new();
        for n in part {
            batch.put(format!("row/{n:07}"), &padded(*n)).unwrap();
        }
        ledger.apply(batch).unwrap();
    }
    ledger.dump_now().unwrap();
    let mut batch = Batch::new();
    batch.put("row/later", &"later").unwrap();
    ledger.apply(batch).unwrap();
}
