//! What docs/administration.md shows is so: its commands are run, with a server and without, and must say what it says.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use harness::page::{Step, steps};
use harness::{ADMIN, Home};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/administration.md");

/// Runs the page's commands in `home`, one after the other.
fn play(home: &Home) {
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let names = home.path().join("bin");
    fs::create_dir(&names).expect("a directory");
    for name in ["angarium", "msguserlist", "msgaclshow"] {
        symlink(PROGRAM, names.join(name)).expect("a link");
    }
    // Files that the page shows are there as it shows them.
    for (name, text) in files(&page) {
        fs::write(home.path().join(name), text).expect("a file of the page");
    }
    let steps = steps(&page);
    assert!(steps.len() > 10, "this test does not see the page's commands");
    for Step { line, command, said } in steps {
        let (expected, got) = (said.join("\n"), shell(home, &names, &command));
        assert_eq!(got.1.trim_end(), expected, "docs/administration.md:{line}: {command}");
        assert!(got.0, "docs/administration.md:{line}: {command} failed");
    }
}

/// The files that a page shows: blocks that begin with `# NAME.toml`.
fn files(page: &str) -> Vec<(String, String)> {
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    let named = blocks.filter_map(|block| {
        let name = block.lines().next()?.strip_prefix("# ")?;
        name.ends_with(".toml").then(|| (name.to_owned(), block.to_owned()))
    });
    named.collect()
}

/// Whether a command of the shell went well, and what it wrote.
fn shell(home: &Home, names: &Path, command: &str) -> (bool, String) {
    let path = format!("{}:{}", names.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(home.path())
        .env("PATH", path)
        .env("ANGARIUM_CONFIG", home.path().join("angarium.toml"))
        .output()
        .expect("there is a shell");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_page_is_so_without_a_server() {
    let home = Home::new(PROGRAM, &[]);
    home.add_user(ADMIN);
    play(&home);
    home.check_store();
}

#[test]
fn the_page_is_so_with_a_server() {
    let home = Home::new(PROGRAM, &[]);
    home.add_user(ADMIN);
    let server = home.start();
    play(&home);
    server.stop(&[]);
    home.check_store();
}

#[test]
fn files_of_a_page() {
    assert_eq!(
        files("```toml\n# a.toml\nx = 1\n```\n```toml\ny = 2\n```\n"),
        [("a.toml".to_owned(), "# a.toml\nx = 1\n".to_owned())]
    );
}
