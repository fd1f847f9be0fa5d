//! What docs/api.md shows is so: its commands are run, one after the other, and must say what it says.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::page::{Step, fits, steps};
use harness::{Home, PASSWORD};

use crate::client::{PROGRAM, Site};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md");
/// Where the page's server listens.
const SHOWN: &str = "127.0.0.1:8080";

#[test]
fn the_page_is_so() {
    if !Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("SKIPPED the_page_is_so: curl is not installed");
        return;
    }
    let site = Site::new(&[]);
    let names = site.home.path().join("bin");
    fs::create_dir(&names).expect("a directory");
    symlink(PROGRAM, names.join("angarium")).expect("a link");
    let page = fs::read_to_string(PAGE).expect("the page is there");
    let (steps, served) = (steps(&page), site.clear.to_string());
    assert!(steps.len() > 20, "this test does not see the page's commands");
    // The variables that commands of the page have set.
    let mut known = BTreeMap::from([("password".to_owned(), PASSWORD.to_owned())]);
    for Step { line, command, said } in steps {
        let command = command.replace(SHOWN, &served);
        let name = command
            .split_once('=')
            .map(|(name, _)| name)
            .filter(|name| !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_'));
        let whole = match name {
            Some(name) => format!("{command}; printf %s \"${name}\""),
            None => command.clone(),
        };
        let (went, got) = shell(&site.home, &names, &known, &whole);
        assert!(went, "docs/api.md:{line}: {command} failed: {got}");
        match name {
            Some(name) => drop(known.insert(name.to_owned(), got)),
            None => {
                let (shown, got) = (said.join("\n"), got.replace(&served, SHOWN));
                assert!(fits(&shown, got.trim_end()), "docs/api.md:{line}: {command}\nshown:\n{shown}\nsaid:\n{got}");
            }
        }
    }
    site.stop(&["event=lockout.begun"]);
}

/// Whether a command of the shell went well, and what it wrote.
fn shell(home: &Home, names: &Path, known: &BTreeMap<String, String>, command: &str) -> (bool, String) {
    let path = format!("{}:{}", names.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("exec 2>&1\n{command}")])
        .current_dir(home.path())
        .envs(known)
        .env("PATH", path)
        .env("ANGARIUM_CONFIG", home.path().join("angarium.toml"))
        .output()
        .expect("there is a shell");
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}
