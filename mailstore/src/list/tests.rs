//! The mailbox list over a map in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::row::tests::sample;
use super::*;
use crate::error::ErrorKind;

/// A backing that can be told to refuse.
#[derive(Default, Debug)]
struct Memory {
    rows: Mutex<BTreeMap<String, String>>,
    refuses: bool,
    /// Keys and values of the copies, in their order.
    copy: Option<Vec<(String, Option<String>)>>,
    /// Whether the copies prove to be what is in `rows`.
    is_proved: bool,
    is_unreadable: AtomicBool,
}

impl Backing for Arc<Memory> {
    fn load(&self, each: &mut dyn FnMut(&str, &str)) -> Result<()> {
        self.rows.lock().iter().for_each(|(key, value)| each(key, value));
        Ok(())
    }
    fn load_copies(&self, each: &mut (dyn FnMut(&str, Option<&str>) + Send)) -> Result<bool> {
        let Some(copy) = &self.copy else { return Ok(false) };
        copy.iter().for_each(|(key, value)| each(key, value.as_deref()));
        Ok(self.is_proved)
    }

    fn get(&self, key: &str) -> Result<Option<String>> {
        if self.is_unreadable.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("test".into()));
        }
        Ok(self.rows.lock().get(key).cloned())
    }

    fn is_checked(&self) -> bool {
        true
    }

    fn check(&self, _: &mut dyn FnMut() -> bool) -> Result<()> {
        Ok(())
    }

    fn apply(&self, changes: Vec<(String, Option<String>)>) -> Result<()> {
        if self.refuses {
            return Err(Error::Unavailable("test".into()));
        }
        let mut rows = self.rows.lock();
        for (key, value) in changes {
            match value {
                Some(value) => rows.insert(key, value),
                None => rows.remove(&key),
            };
        }
        Ok(())
    }
    fn maintain(&self) -> Result<()> {
        Ok(())
    }
    fn checkpoint(&self) -> Result<()> {
        Ok(())
    }

    fn verify(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

fn load(memory: &Arc<Memory>) -> MailboxList {
    let (list, loaded) = MailboxList::load(Box::new(Arc::clone(memory))).unwrap();
    assert!(loaded.bad.is_empty(), "{loaded:?}");
    list
}

fn put(list: &MailboxList, names: &[&str]) {
    list.apply(names.iter().map(|text| Change::Put(sample(text))).collect()).unwrap();
}

fn walk(list: &MailboxList, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    list.walk(prefix, |row| {
        names.push(row.name.to_string());
        ControlFlow::Continue(())
    });
    names
}

#[test]
fn everything_is_there_after_a_restart() {
    let memory = Arc::new(Memory::default());
    let list = load(&memory);
    put(&list, &["user/joe", "user/joe/a"]);
    let row = list.row(&name("user/joe/a")).unwrap();
    let limits = QuotaLimits { storage_kib: Some(7), messages: None };
    let intent = Intent {
        key: "k".into(),
        old: name("a"),
        new: name("b"),
        tree: true,
        partitions: vec!["default".into(), "big".into()],
    };
    list.apply(vec![Change::Limits(name("user/joe"), Some(limits)), Change::Begin(intent.clone())]).unwrap();
    list.raise_marks(&row.unique_id, Marks { last_uid: 10, modseq: 100 }).unwrap();
    list.raise_marks(&row.unique_id, Marks { last_uid: 5, modseq: 200 }).unwrap();
    let validity = list.new_uid_validity(5);

    let list = load(&memory);
    assert_eq!(list.by_id(&row.unique_id).unwrap(), row);
    assert_eq!(list.marks(&row.unique_id).unwrap(), Marks { last_uid: 10, modseq: 200 });
    assert_eq!(list.roots(), [(name("user/joe"), limits)]);
    assert_eq!(list.intents(), [intent]);
    // It was given out, but to no mailbox.
    assert_eq!(list.new_uid_validity(5), validity);

    let gone = Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: true };
    list.apply(vec![gone, Change::Limits(name("user/joe"), None), Change::End("k".into())]).unwrap();
    let again = load(&memory);
    assert!(again.by_id(&row.unique_id).is_none() && again.row(&row.name).is_none());
    assert_eq!(again.marks(&row.unique_id).unwrap(), Marks::default());
    assert!(again.roots().is_empty() && again.intents().is_empty());
    assert!(again.new_uid_validity(5) > validity, "not that of a mailbox that is gone");
}

#[test]
fn what_is_refused_did_not_happen() {
    let memory = Arc::new(Memory { refuses: true, ..Memory::default() });
    let list = load(&memory);
    assert_eq!(list.apply(vec![Change::Put(sample("a"))]).unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(list.any(&name("a")).is_none());
}

#[test]
fn users_own_what_lies_in_their_trees() {
    let memory = Arc::new(Memory::default());
    let list = load(&memory);
    put(&list, &["user/joe", "user/joe/a", "user/joe/a", "user/joes", "shared/joe", "DELETED/user/joe/a/6743B2A9"]);
    let owned = |list: &MailboxList| ["joe", "joes", "shared", "a"].map(|user| list.owned_by(user));
    assert_eq!(owned(&list), [2, 1, 0, 0]);
    assert_eq!(owned(&load(&memory)), [2, 1, 0, 0]);
    for (gone, left) in [("user/joe/a", 1), ("user/joe", 0), ("user/joe", 0)] {
        let id = sample(gone).unique_id;
        list.apply(vec![Change::Drop { name: name(gone), id, last: true }]).unwrap();
        assert_eq!(list.owned_by("joe"), left);
    }
}

#[test]
fn walks_meet_every_row_once_in_order() {
    let list = load(&Arc::new(Memory::default()));
    // More than a chunk, and exactly two.
    for count in [2 * WALK + 3, 2 * WALK] {
        let names: Vec<_> = (0..count).map(|n| format!("user/joe/{n:05}")).collect();
        let before = walk(&list, "user/joe/").len();
        put(&list, &names.iter().skip(before).map(String::as_str).collect::<Vec<_>>());
        assert_eq!(walk(&list, "user/joe/").len(), before.max(count));
    }
    put(&list, &["user/joe", "user/joe-x", "user/joey", "team", "user/joe/00001/x"]);
    let all = walk(&list, "");
    assert!(all.is_sorted());
    assert_eq!(all.len(), 2 * WALK + 3 + 5);
    assert_eq!(walk(&list, "user/joe/00001"), ["user/joe/00001", "user/joe/00001/x"]);
    assert_eq!(walk(&list, "none"), [""; 0]);
    let tree: Vec<_> = list.tree(&name("user/joe")).iter().map(|row| row.name.to_string()).collect();
    assert_eq!((tree.len(), tree[0].as_str()), (2 * WALK + 3 + 2, "user/joe"));
    let mut seen = 0;
    list.walk("", |_| {
        seen += 1;
        if seen == WALK + 7 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(seen, WALK + 7);
    assert!(list.has_children(&name("user/joe")) && !list.has_children(&name("user/joe-x")));
}

#[test]
fn the_nearest_above() {
    let list = load(&Arc::new(Memory::default()));
    put(&list, &["user/joe", "user/joe/a", "team"]);
    for root in ["user/joe", "user/joe/a/b", "team/x"] {
        list.apply(vec![Change::Limits(name(root), Some(QuotaLimits::default()))]).unwrap();
    }
    for (of, ancestor, root) in [
        ("user/joe", None, Some("user/joe")),
        ("user/joe/a", Some("user/joe"), Some("user/joe")),
        ("user/joe/a/b", Some("user/joe/a"), Some("user/joe/a/b")),
        ("user/joe/a/b/c", Some("user/joe/a"), Some("user/joe/a/b")),
        ("user/joey/a", None, None),
        ("team", None, None),
        ("team/x/y", Some("team"), Some("team/x")),
        ("DELETED/user/joe/a/5F", None, None),
    ] {
        assert_eq!(list.ancestor(&name(of)).map(|row| row.name.clone()), ancestor.map(name), "{of}");
        assert_eq!(list.root_of(&name(of)), root.map(name), "{of}");
    }
}

#[test]
fn damaged_entries_are_reported_and_left_alone() {
    let memory = Arc::new(Memory::default());
    put(&load(&memory), &["good"]);
    let damaged = [
        ("N/bad", "{}"),
        ("N/other", &sample("another").encode()),
        ("M/x y", "[1,2]"),
        ("M/abc", "[1]"),
        ("Q/../x", "{}"),
        ("V/uidvalidity", "-1"),
        ("X/k", "{}"),
        ("Z/newer", "1"),
    ];
    for (key, value) in damaged {
        memory.rows.lock().insert(key.into(), value.into());
    }
    let (list, loaded) = MailboxList::load(Box::new(Arc::clone(&memory))).unwrap();
    let mut keys: Vec<_> = loaded.bad.iter().map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    let mut expected = damaged.map(|(key, _)| key);
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(walk(&list, ""), ["good"]);
    assert_eq!(memory.rows.lock().get("Z/newer").unwrap(), "1");
}

/// Keys and values as a database would hold them after these changes.
fn written(changes: &[Change]) -> Vec<(String, Option<String>)> {
    let mut out = Vec::new();
    changes.iter().for_each(|change| change.encode(&mut out));
    out
}

fn memory_of(copy: Vec<(String, Option<String>)>, is_proved: bool) -> Arc<Memory> {
    let mut rows = BTreeMap::new();
    for (key, value) in &copy {
        match value {
            Some(value) => rows.insert(key.clone(), value.clone()),
            None => rows.remove(key),
        };
    }
    Arc::new(Memory { rows: Mutex::new(rows), copy: Some(copy), is_proved, ..Memory::default() })
}

#[test]
fn copies_and_database_give_the_same_list() {
    let rows: Vec<_> = (0..3000).map(|n| sample(&format!("user/u{:03}/{n:04}", n % 70))).collect();
    let limits = |text, kib| Change::Limits(name(text), Some(QuotaLimits { storage_kib: Some(kib), messages: None }));
    let mut changes: Vec<_> = rows.iter().cloned().map(Change::Put).collect();
    changes.sort_by_key(|change| match change {
        Change::Put(row) => row.name.clone(),
        _ => unreachable!(),
    });
    changes.extend([limits("user/u001", 1), limits("user/u002", 2)]);
    // What the journal has after the dump: a rename, a new one, one that goes for good, limits, a swap of two names.
    let (moved, gone, one, other) = (&rows[7], &rows[8], &rows[9], &rows[10]);
    let named = |row: &Row, other: &Row| Row { name: other.name.clone(), ..row.clone() };
    changes.extend([
        Change::Drop { name: moved.name.clone(), id: moved.unique_id.clone(), last: false },
        Change::Put(Row { name: name("team"), ..moved.clone() }),
        Change::Put(sample("aardvark")),
        Change::Drop { name: gone.name.clone(), id: gone.unique_id.clone(), last: true },
        Change::Limits(name("user/u001"), None),
        limits("user/u002", 3),
        Change::Put(named(one, other)),
        Change::Put(named(other, one)),
    ]);
    let copy = written(&changes);
    let (proved, unproved) = (load(&memory_of(copy.clone(), true)), load(&memory_of(copy.clone(), false)));
    let essence = |list: &MailboxList| {
        let mut found = Vec::new();
        list.walk("", |row| {
            found.push(Row::clone(row));
            ControlFlow::Continue(())
        });
        (found, list.roots(), list.len(), (0..70).map(|n| list.owned_by(&format!("u{n:03}"))).collect::<Vec<_>>())
    };
    assert_eq!(essence(&proved), essence(&unproved));
    assert_eq!(proved.len(), 3000);
    assert_eq!(proved.limits(&name("user/u002")).unwrap().storage_kib, Some(3));
    for list in [&proved, &unproved] {
        assert_eq!(list.by_id(&moved.unique_id).unwrap().name, name("team"));
        assert_eq!(list.by_id(&gone.unique_id), None);
        assert_eq!(list.by_id(&one.unique_id).unwrap().name, other.name);
        assert_eq!(list.by_id(&other.unique_id).unwrap().name, one.name);
        rows[11..].iter().for_each(|row| assert_eq!(*list.by_id(&row.unique_id).unwrap(), *row));
    }
    // Copies that are not proved are not looked at, whatever they say.
    let wrong = Arc::new(Memory {
        rows: Mutex::new(memory_of(copy, false).rows.lock().clone()),
        copy: Some(written(&[Change::Put(sample("wrong"))])),
        ..Memory::default()
    });
    assert_eq!(essence(&load(&wrong)), essence(&unproved));
}

#[test]
fn what_makes_no_sense_in_a_copy_is_named_unless_it_was_put_right() {
    let bad = |key: &str| (key.to_owned(), Some("7".to_owned()));
    let good = written(&[Change::Put(sample("b"))]);
    let mut copy = vec![bad("N/a"), bad("N/b"), bad("Q/c"), bad("N/d"), bad("M/0123"), bad("Z/new")];
    copy.extend(good);
    copy.push(("N/d".to_owned(), None));
    let (list, loaded) = MailboxList::load(Box::new(memory_of(copy, true))).unwrap();
    let keys: Vec<_> = loaded.bad.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["M/0123", "N/a", "Q/c", "Z/new"]);
    assert_eq!(walk(&list, ""), ["b"]);
}

#[test]
fn marks_that_cannot_be_read_are_an_error_and_not_none() {
    let memory = Arc::new(Memory::default());
    let list = load(&memory);
    let row = sample("user/joe");
    list.apply(vec![Change::Put(row.clone())]).unwrap();
    let marks = Marks { last_uid: 10, modseq: 20 };
    list.raise_marks(&row.unique_id, marks).unwrap();
    memory.is_unreadable.store(true, Ordering::Relaxed);
    assert_eq!(list.marks(&row.unique_id).unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(list.raise_marks(&row.unique_id, Marks { last_uid: 11, modseq: 21 }).is_err());
    assert!(list.raise_all_marks([(row.unique_id.clone(), Marks { last_uid: 1, modseq: 1 })].into_iter()).is_err());
    assert_eq!(memory.rows.lock()[&format!("M/{}", row.unique_id)], "[10,20]");
    assert!(list.row(&row.name).is_some(), "what is in memory stays known");
}
