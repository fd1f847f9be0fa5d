//! What the server does is what its OpenAPI document says: schemathesis makes requests from the document, good ones and bad
//! ones, and holds every answer against it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::client::Site;

/// Where tests/run puts Python's modules.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python");
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml");

fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", MODULES);
    command
}

#[test]
fn the_server_keeps_to_its_document() {
    let found = python().args(["-c", "import schemathesis"]).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        println!(
            "SKIPPED the_server_keeps_to_its_document: the Python module schemathesis is not installed (tests/run fetches it)"
        );
        return;
    }
    let site = Site::new(&[]);
    // Something of everything, so that not all that is asked for is missing.
    site.ask("POST", "/api/v1/domains", r#"{"name": "example.net", "description": "The other one"}"#).is(201);
    site.ask("PATCH", "/api/v1/users/joe", r#"{"groups": ["staff"]}"#).is(200);
    site.ask("POST", "/api/v1/aliases", r#"{"address": "all@example.org", "owners": ["joe"], "members": ["sue"]}"#)
        .is(201);
    let output = python()
        .args(["-m", "schemathesis.cli", "--config-file", SETTINGS, "run", "--no-color"])
        .arg(format!("http://{}/api/v1/openapi.json", site.clear))
        .env("ANGARIUM_TOKEN", &site.token)
        .current_dir(site.home.path())
        .output()
        .expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let summary = said.find("= SUMMARY =").map_or(&*said, |at| &said[at..]);
    // Not by a macro: what it says is to be seen where all is well, too.
    writeln!(std::io::stdout(), "schemathesis {summary}").expect("written");
    site.stop(&[]);
}
