//! What docs/administration.md shows is so: its commands are run, with a server and without, and must say what it says.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use harness::{ADMIN, Home};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/administration.md");

/// A command of the page, and what it says.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    said: Vec<String>,
}

/// The commands of all ```` ```console ```` blocks: `$ ` and a line for the shell, then what it writes.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_inside = false;
    for (line, text) in page.lines().enumerate() {
        match (is_inside, text.strip_prefix("$ ")) {
            (false, _) => is_inside = text == "```console",
            (true, _) if text == "```" => is_inside = false,
            (true, Some(command)) => {
                steps.push(Step { line: line + 1, command: command.to_owned(), said: Vec::new() });
            }
            (true, None) => {
                let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: no command has said this", line + 1));
                step.said.push(text.to_owned());
            }
        }
    }
    steps
}

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
fn steps_of_a_page() {
    let page = "text\n$ no command\n```console\n$ one\nsaid\n\nmore\n$ two\n```\n$ no\n";
    let step = |line, command: &str, said: &[&str]| Step {
        line,
        command: command.to_owned(),
        said: said.iter().map(|&text| text.to_owned()).collect(),
    };
    assert_eq!(steps(page), [step(4, "one", &["said", "", "more"]), step(8, "two", &[])]);
    assert_eq!(
        files("```toml\n# a.toml\nx = 1\n```\n```toml\ny = 2\n```\n"),
        [("a.toml".to_owned(), "# a.toml\nx = 1\n".to_owned())]
    );
}
