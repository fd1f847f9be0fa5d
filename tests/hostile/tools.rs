//! The administrator's commands where nothing goes as it should: no room, a file system that went read-only, the wrong user,
//! twice at once, interrupted. They say what is wrong, end with a code that fits, make nothing worse, and work when the
//! trouble is over.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use harness::{Home, corpus};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::full_disk::Disk;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// Every command that changes something, in an order in which each finds something to do; `{fresh}` is a new user, `{inside}`
/// a new directory on the same disk.
const TOOLS: &[&[&str]] = &[
    &["ctl_mboxlist", "-r"],
    &["reconstruct", "-r", "-f", "-G"],
    &["quota", "-f"],
    &["subs", "--repair"],
    &["ctl_cyrusdb", "-c"],
    &["ctl_cyrusdb", "-r", "-x"],
    &["ctl_deliver", "-E", "3"],
    &["cyr_expire", "-E", "1", "-D", "1", "-X", "1"],
    &["ipurge", "-f", "-d", "1000"],
    &["unexpunge", "-a", "user/joe"],
    &["deliver", "joe"],
    &["mkimap"],
    &["user", "add", "{fresh}", "--password-stdin"],
    &["backup", "{inside}"],
];

/// joe with ten messages, and something for each tool to do.
fn damaged(path: &Path) -> Home {
    let home = Home::at(PROGRAM, path, &[]);
    home.add_user("joe");
    for number in 1..=10 {
        home.must_run(&["deliver", "joe"], &corpus::small(number));
    }
    damage(&home);
    home
}

fn damage(home: &Home) {
    let inbox = home.spool().join("user/joe");
    // It may be gone already, where a repair was cut short.
    let _ = fs::remove_file(inbox.join("cyrus.index"));
    fs::write(home.config_dir().join("user/j/joe.sub"), b"user/joe\t\n\xff\n").unwrap();
}

fn run(home: &Home, tool: &[&str], round: usize) -> Output {
    let fresh = format!("ann{round}");
    let inside = home.path().join(format!("backup-{round}")).display().to_string();
    let words: Vec<&str> = tool
        .iter()
        .map(|word| match *word {
            "{fresh}" => fresh.as_str(),
            "{inside}" => inside.as_str(),
            word => word,
        })
        .collect();
    let input = if tool[0] == "deliver" { corpus::small(50) } else { b"correct-horse\n".to_vec() };
    home.run(&words, &input)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// It did what it was asked to, or says why not and ends with a code that fits: 73 to 75, or 65 where one mailbox of many
/// cannot be read as it should.
fn ends_well(output: &Output, reason: &str, context: &str) -> bool {
    let code = output.status.code();
    let text = said(output);
    assert!(!text.contains("panicked"), "{context}: {text}");
    if code != Some(0) {
        assert!(matches!(code, Some(65 | 73..=75)), "{context}: {:?}: {text}", output.status);
        assert!(text.contains(reason), "{context}: it does not say why: {text}");
    }
    code == Some(0)
}

/// Everything works again, and no message is lost.
fn works_again(home: &Home, context: &str) {
    for (round, tool) in (1000..).zip(TOOLS) {
        let output = run(home, tool, round);
        assert!(output.status.success(), "{context}: {tool:?}: {}", said(&output));
    }
    let server = home.start();
    let mut joe = server.imap("joe");
    let exists = joe.must("SELECT INBOX").unwrap().number("EXISTS").unwrap();
    let bodies = joe.fetch("FETCH 1:* BODY.PEEK[]").unwrap();
    assert_eq!(bodies.len(), exists as usize, "{context}");
    for number in 1..=10 {
        let sent = corpus::small(number);
        assert!(bodies.iter().any(|found| found.body.ends_with(&sent)), "{context}: message {number} is lost");
    }
    drop(joe);
    server.stop(&[String::new()]);
    home.check_store();
}

fn fill(directory: &Path) {
    let mut file = File::create(directory.join("filler")).unwrap();
    for size in [1 << 20, 4096, 1] {
        let piece = vec![0; size];
        while file.write_all(&piece).is_ok() {}
    }
}

#[test]
fn without_room_or_on_a_read_only_disk() {
    let Some(disk) = Disk::mount("size=64m,mode=700", "tools::without_room_or_on_a_read_only_disk") else { return };
    let home = damaged(&disk.mounted);
    let remount = |how: &str| {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&disk.mounted).status();
        assert!(done.unwrap().success());
    };
    for (round, tool) in TOOLS.iter().enumerate() {
        fill(&disk.mounted);
        let refused = !ends_well(&run(&home, tool, round), "No space left", &format!("full: {tool:?}"));
        assert!(refused || !matches!(tool[0], "reconstruct" | "deliver" | "backup" | "user"), "{tool:?} had room");
        fs::remove_file(disk.mounted.join("filler")).unwrap();
        remount("ro");
        let done = ends_well(&run(&home, tool, 100 + round), "Read-only file system", &format!("read-only: {tool:?}"));
        assert!(!done || tool[0] == "mkimap", "{tool:?} wrote to a read-only disk");
        remount("rw");
    }
    works_again(&home, "after a full and a read-only disk");
}

#[test]
fn by_the_wrong_user() {
    if !geteuid().is_root() {
        println!("SKIPPED tools::by_the_wrong_user: needs root, who may become others");
        return;
    }
    let parent = tempfile::TempDir::with_prefix("angarium-user-").unwrap();
    let home = damaged(parent.path());
    // Somebody who may look into the directory, but whose store it is not.
    let nobody = 65_534;
    let chown = |owner: u32| {
        let mut todo = vec![home.path().join("var")];
        while let Some(path) = todo.pop() {
            std::os::unix::fs::lchown(&path, Some(owner), Some(owner)).unwrap();
            if path.symlink_metadata().unwrap().is_dir() {
                todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
    };
    chown(nobody);
    for tool in TOOLS.iter().filter(|tool| tool[0] != "mkimap") {
        let output = run(&home, tool, 0);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(77), "{tool:?}: {text}");
        assert!(text.contains("run this as that user"), "{tool:?}: {text}");
    }
    chown(0);
    std::os::unix::fs::lchown(home.path(), Some(nobody), None).unwrap();
    for tool in TOOLS {
        let output = Command::new(PROGRAM)
            .args(tool.iter().map(|word| word.trim_matches(['{', '}'])))
            .current_dir(home.path())
            .env("ANGARIUM_CONFIG", home.path().join("angarium.toml"))
            .uid(nobody)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = said(&output);
        assert!(matches!(output.status.code(), Some(71..=78)), "{tool:?}: {:?}: {text}", output.status);
        assert!(text.contains("ermission denied") || text.contains("not permitted"), "{tool:?}: {text}");
    }
    std::os::unix::fs::lchown(home.path(), Some(0), None).unwrap();
    works_again(&home, "after the wrong user");
}

/// Starts a command without waiting for it.
fn begin(home: &Home, words: &[&str]) -> std::process::Child {
    Command::new(PROGRAM)
        .args(words)
        .current_dir(home.path())
        .env("ANGARIUM_CONFIG", home.path().join("angarium.toml"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn twice_at_once() {
    let parent = tempfile::TempDir::with_prefix("angarium-twice-").unwrap();
    let home = damaged(parent.path());
    for online in [false, true] {
        let server = online.then(|| home.start());
        for tool in
            [&["reconstruct", "-r", "-f"][..], &["ctl_mboxlist", "-r"], &["quota", "-f"], &["ctl_cyrusdb", "-c"]]
        {
            let running: Vec<_> = (0..4).map(|_| begin(&home, tool)).collect();
            let ended: Vec<Output> = running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
            assert!(ended.iter().any(|output| output.status.success()), "{tool:?}: nobody got to it");
            for output in ended {
                let text = said(&output);
                assert!(matches!(output.status.code(), Some(0 | 75)), "{tool:?}: {:?}: {text}", output.status);
                assert!(output.status.success() || text.contains("use"), "{tool:?}: {text}");
            }
        }
        if let Some(server) = server {
            server.stop(&[String::new()]);
        }
    }
    works_again(&home, "after four at once");
}

#[test]
fn interrupted() {
    let parent = tempfile::TempDir::with_prefix("angarium-interrupted-").unwrap();
    let home = damaged(parent.path());
    let mut interrupted = 0;
    for (round, wait) in (0..24u64).map(|round| round * 7 % 60).enumerate() {
        let inside = home.path().join(format!("cut-{round}")).display().to_string();
        let backup = ["backup", inside.as_str()];
        let words: &[&str] = match round % 4 {
            0 => &["reconstruct", "-r", "-f", "-G"],
            1 => &["ctl_mboxlist", "-r"],
            2 => &backup,
            _ => &["quota", "-f"],
        };
        let child = begin(&home, words);
        // Another moment every round: how far it is by then is what is tested.
        std::thread::sleep(std::time::Duration::from_millis(wait));
        // It may be over already.
        let _ = kill_process(Pid::from_raw(child.id() as i32).unwrap(), Signal::INT);
        let output = child.wait_with_output().unwrap();
        let was_cut = output.status.signal() == Some(Signal::INT.as_raw());
        assert!(was_cut || matches!(output.status.code(), Some(0 | 130 | 75)), "{words:?}: {}", said(&output));
        interrupted += usize::from(was_cut);
        damage(&home);
    }
    assert!(interrupted > 0, "every command was quicker than ^C");
    works_again(&home, "after ^C");
}
