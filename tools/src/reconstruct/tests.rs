//! The tool as a whole: names, directories without rows and rows without directories, output, exit codes.

use std::time::Duration;

use super::*;
use crate::fixture::{Fixture, Recorder};

fn request(names: &[&str]) -> Reconstruct {
    Reconstruct {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        repair: RepairOptions { settling: Duration::ZERO, ..RepairOptions::default() },
        ..Reconstruct::default()
    }
}

fn run(fixture: &Fixture, request: &Reconstruct) -> (Exit, Vec<String>, Vec<String>) {
    let mut console = Recorder { directory: "/".into(), ..Recorder::default() };
    let exit = reconstruct(&fixture.store, request, &mut console).unwrap();
    (exit, console.out, console.err)
}

#[test]
fn names_what_it_looked_at() {
    let fixture = Fixture::new();
    let (exit, out, _) = run(&fixture, &request(&[]));
    assert_eq!(exit, Exit::Ok);
    assert_eq!(out, ["user/joe", "user/joe/Lists", "user/sue", "3 mailboxes, 0 messages, 0 changes, 0 problems"]);
    let (_, out, _) = run(&fixture, &Reconstruct { quiet: true, ..request(&[]) });
    assert!(out.is_empty(), "{out:?}");
    let (_, out, _) = run(&fixture, &Reconstruct { users: true, ..request(&["joe"]) });
    assert_eq!(out[..2], ["user/joe", "user/joe/Lists"]);
    let (exit, out, err) = run(&fixture, &request(&["user.sue", "user.ann"]));
    assert_eq!(
        (exit, out[0].as_str(), err[0].as_str()),
        (Exit::NoInput, "user/sue", "user.ann: there is no such mailbox")
    );
}

#[test]
fn directories_without_rows() {
    let fixture = Fixture::new();
    let spool = fixture.dir.path().join("spool");
    for place in ["user/joe/bare", "user/ann"] {
        std::fs::create_dir(spool.join(place)).unwrap();
        std::fs::write(spool.join(place).join("3."), "Subject: x\r\n\r\n").unwrap();
    }
    let changes = |request: &Reconstruct| -> Vec<String> {
        let (_, out, _) = run(&fixture, request);
        out.into_iter().filter(|line| line.contains(": ") && !line.contains("note: ")).collect()
    };
    let (exit, out, _) = run(&fixture, &request(&[]));
    assert_eq!((exit, out.iter().filter(|line| line.contains("run with -f")).count()), (Exit::Ok, 2), "{out:?}");
    let find = Reconstruct { find: true, recursive: true, ..request(&["user/joe"]) };
    let mut dry = find.clone();
    dry.repair.dry_run = true;
    let said = changes(&dry);
    assert!(said[0].starts_with("user/joe/bare: unlisted directory: added"), "{said:?}");
    assert_eq!(changes(&find), said);
    assert!(changes(&find).is_empty());
    let path = Reconstruct { path: Some(spool.join("user/ann")), ..request(&[]) };
    assert!(changes(&path)[0].starts_with("user/ann: unlisted directory: added"));
    let (exit, _, err) = run(&fixture, &Reconstruct { partition: Some("default".into()), ..request(&["user/ann"]) });
    assert_eq!((exit, err[0].as_str()), (Exit::NoInput, "user/ann: is listed already"));
}

#[test]
fn rows_without_directories() {
    let fixture = Fixture::new();
    std::fs::remove_dir_all(fixture.dir.path().join("spool/user/joe/Lists")).unwrap();
    let (exit, out, _) = run(&fixture, &request(&[]));
    assert_eq!(exit, Exit::TempFail);
    assert!(out.iter().any(|line| line.starts_with("user/joe/Lists: error: its directory is missing")), "{out:?}");
    let (exit, out, _) = run(&fixture, &request(&["user.joe.Lists"]));
    assert_eq!(exit, Exit::Ok, "{out:?}");
    assert!(out[0].contains("empty one"), "{out:?}");
    assert_eq!(run(&fixture, &request(&[])).0, Exit::Ok);
}

#[test]
fn json_lines() {
    let fixture = Fixture::new();
    std::fs::remove_file(fixture.dir.path().join("spool/user/joe/cyrus.cache")).unwrap();
    let (_, out, _) = run(&fixture, &Reconstruct { json: true, ..request(&[]) });
    let lines: Vec<serde_json::Value> = out.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["mailbox"], "user/joe");
    assert_eq!((&lines[0]["kind"], &lines[0]["code"]), (&json!("change"), &json!("cache.rebuilt")));
    assert_eq!(lines.last().unwrap()["changes"], 1);
}

#[test]
fn ends_when_nobody_listens() {
    let fixture = Fixture::new();
    let mut console = Recorder { gone: true, ..Recorder::default() };
    assert!(matches!(reconstruct(&fixture.store, &request(&[]), &mut console), Err(CommandError::Io(_))));
}

#[test]
fn none_runs_too_far_ahead() {
    let turn = Turn::default();
    for number in 0..AHEAD {
        assert_eq!(turn.next(), Some(number));
    }
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| turn.next());
        turn.shown(1);
        assert_eq!(waiting.join().unwrap(), Some(AHEAD));
        let waiting = scope.spawn(|| turn.next());
        turn.stop();
        assert_eq!(waiting.join().unwrap(), None);
    });
}
