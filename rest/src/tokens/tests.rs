//! What is kept of tokens, whatever happens.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crashes::{End, Ends, World};
use durable::disk::{Fault, FaultyDisk, RealDisk};

use super::*;

/// Nobody reads it.
const UNNOTED: Note<'_> = &|_| Ok(());

fn new(name: &str, expires: Option<u64>) -> NewToken {
    NewToken { name: name.into(), user: UserId::admin(), expires }
}

fn found(tokens: &Tokens, secret: &str, now: u64) -> Option<Token> {
    tokens.row(secret, now).as_ref().map(Token::from)
}

#[test]
fn kept_as_hashes_until_they_end() {
    let dir = tempfile::tempdir().unwrap();
    let open = || Tokens::open(Arc::new(RealDisk), dir.path());
    let tokens = open();
    let (token, secret) = tokens.add(&new("backup", Some(2000)), "1".into(), 1000, UNNOTED).unwrap();
    let (lasting, other) = tokens.add(&new("monitor", None), "1".into(), 1000, UNNOTED).unwrap();
    assert!(matches!(
        tokens.add(&new("backup", None), "1".into(), 1000, UNNOTED),
        Err(Error::Exists { field: "name", .. })
    ));
    let tokens = open();
    assert_eq!(tokens.list().unwrap(), [token.clone(), lasting.clone()]);
    assert_eq!(found(&tokens, &secret, 1999), Some(token.clone()));
    assert_eq!(found(&tokens, &secret, 2000), None);
    assert_eq!(found(&tokens, &other, u64::MAX), Some(lasting));
    assert_eq!(found(&tokens, "", 0), None);
    let file = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
    assert!(file.contains("backup") && !file.contains(&*secret) && !file.contains(&secret[PREFIX.len()..]));
    assert_eq!(tokens.remove("nobody", UNNOTED).unwrap(), None);
    assert_eq!(tokens.remove(&token.id, UNNOTED).unwrap(), Some(token));
    assert_eq!(found(&open(), &secret, 1999), None);
}

#[test]
fn rules() {
    let long = "x".repeat(257);
    for (name, expires, field) in [
        ("", None, "name"),
        (" x", None, "name"),
        ("a\nb", None, "name"),
        (&long, None, "name"),
        ("x", Some(1000), "expires"),
        ("x", Some(1001 + MAX_LIFE), "expires"),
    ] {
        let error = check(&new(name, expires), 1000).unwrap_err();
        assert_eq!((error.code(), error.field().as_deref()), ("rule", Some(field)), "{name:?} {expires:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    std::fs::write(&path, "[{\"id\":").unwrap();
    let tokens = Tokens::open(Arc::new(RealDisk), dir.path());
    assert!(matches!(tokens.add(&new("x", None), "1".into(), 0, UNNOTED), Err(Error::Corrupt { .. })));
    assert!(tokens.list().is_err() && tokens.remove("x", UNNOTED).is_err() && found(&tokens, "x", 0).is_none());
    assert_eq!(std::fs::read(&path).unwrap(), b"[{\"id\":");
}

/// The audit log says it first; and where it can't, nothing is done.
#[test]
fn nothing_is_done_unsaid() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let tokens = Tokens::open(disk.clone(), dir.path());
    let (said, is_full) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let note = |event: Event| {
        if is_full.load(Ordering::Relaxed) {
            return Err(Error::Unavailable("full".into()));
        }
        let line = format!("{} {} {:?}", event.action, event.object, event.fields[1]);
        said.lock().push(line);
        Ok(())
    };
    let taken = || std::mem::take(&mut *said.lock());
    let (token, secret) = tokens.add(&new("robot", Some(2000)), "1".into(), 1000, &note).unwrap();
    assert_eq!(taken(), [r#"api-token.create admin ("name", "", "robot")"#]);

    is_full.store(true, Ordering::Relaxed);
    assert!(tokens.add(&new("other", None), "1".into(), 1000, &note).is_err());
    assert!(tokens.remove(&token.id, &note).is_err());
    assert_eq!((tokens.list().unwrap().len(), found(&tokens, &secret, 1000)), (1, Some(token.clone())));
    is_full.store(false, Ordering::Relaxed);

    // The other way round: what was said and could not be done is taken back.
    let full = || Fault::Fail { at: disk.changes() + 1, errno: rustix::io::Errno::NOSPC, lasting: false };
    disk.set_fault(Some(full()));
    assert!(tokens.remove(&token.id, &note).is_err());
    let (gone, there) =
        (r#"api-token.delete admin ("name", "robot", "")"#, r#"api-token.create admin ("name", "", "robot")"#);
    assert_eq!(taken(), [gone, there]);
    assert_eq!(found(&tokens, &secret, 1000), Some(token.clone()));
    disk.set_fault(Some(full()));
    assert!(tokens.add(&new("other", None), "1".into(), 1000, &note).is_err());
    assert_eq!((taken().len(), tokens.list().unwrap().len()), (2, 1));
    tokens.remove(&token.id, &note).unwrap();
    assert_eq!(taken(), [gone]);
}

/// Whenever the world ends: the file is the old one or the new one, whole; and what was acknowledged is there.
#[test]
fn a_crash_leaves_the_old_or_the_new() {
    const OLD: &str = "old";
    let template = crashes::directory();
    let before = Tokens::open(Arc::new(RealDisk), template.path());
    let (old, secret) = before.add(&new(OLD, None), "1".into(), 1000, UNNOTED).unwrap();
    let ends = Ends::of(&[End::Crash { torn: 40 }, End::Full]).and_power_cuts(4);
    let names = |path: &Path| -> Vec<String> {
        let tokens = Tokens::open(Arc::new(RealDisk), path);
        // Both that it can be read, and that it is what it was.
        let names: Vec<_> = tokens.list().unwrap().into_iter().map(|token| token.name).collect();
        assert_eq!(found(&tokens, &secret, 1000).is_some(), names.iter().any(|name| name == OLD));
        names
    };
    let trial = |name: &str, after: &[&str], act: &(dyn Fn(&Tokens) -> bool + Sync)| {
        let operate = |world: &World, tokens: Tokens| {
            let done = act(&tokens);
            if done {
                world.acknowledged();
            }
            done
        };
        let judge = |world: &World, done: bool| {
            let names = names(world.path());
            assert!(names == after || !done && names == [OLD], "{names:?}");
        };
        let open = |world: &World| Tokens::open(world.disk(), world.path());
        crashes::every_step(name, template.path(), &ends, open, operate, judge)
    };
    let create = |tokens: &Tokens| tokens.add(&new("new", None), "1".into(), 1000, UNNOTED).is_ok();
    let delete = |tokens: &Tokens| tokens.remove(&old.id, UNNOTED).is_ok();
    crashes::table("tokens", &[true, false], |&is_new| {
        if is_new { trial("a new token", &["new", OLD], &create) } else { trial("a token taken back", &[], &delete) }
    });
}
