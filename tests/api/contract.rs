//! What the server does is what its OpenAPI document says: schemathesis makes requests from the document, good ones and bad
//! ones, and holds every answer against it.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::client::Site;

/// Where tests/run puts Python's modules.
const MODULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python");
const SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/schemathesis.toml");

fn python() -> Command {
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", MODULES);
    command
}

/// It takes no value, and there is a rule about what would be left: an alias has one member at least.
const OF_WHAT_IS_THERE: &str = "leave_alias";

/// The settings, and which operations may refuse what fits its schema: with 412 those that name a state, which may be another
/// one than is there; with 422 those that take a value for which there is a rule that no schema can say (a name that is kept
/// for the system, an address in a domain that is not here, a cursor). What is chosen by switches and numbers has no such rule.
/// A body that is text can't be of another type: whatever is wrong with it is for the server to say.
fn settings() -> String {
    let document = serde_json::to_value(rest::openapi()).expect("a document is JSON");
    let mut settings = fs::read_to_string(SETTINGS).expect("the settings are there");
    let operations = document["paths"].as_object().expect("paths").values().flat_map(|path| path.as_object());
    for operation in operations.flat_map(|methods| methods.values()) {
        let mut statuses = vec!["2xx", "401", "403", "404", "409"];
        if operation["responses"].get("412").is_some() {
            statuses.push("412");
        }
        let parameters = operation["parameters"].as_array().map_or(&[][..], |parameters| parameters);
        let is_text = |parameter: &Value| {
            let schema = parameter["schema"].to_string();
            parameter["in"] == "query" && schema.contains("\"string\"") && !schema.contains("\"enum\"")
        };
        let name = &operation["operationId"];
        let body = operation.get("requestBody");
        if body.is_some() || parameters.iter().any(is_text) || name == OF_WHAT_IS_THERE {
            statuses.push("422");
        }
        settings.push_str(&format!(
            "\n[[operations]]\ninclude-operation-id = {name}\nchecks.positive_data_acceptance.expected-statuses = {statuses:?}\n"
        ));
        if body.is_some_and(|body| body["content"].get("application/json").is_none()) {
            settings.push_str("checks.negative_data_rejection.enabled = false\n");
        }
    }
    settings
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
    let settings_file = site.home.path().join("schemathesis.toml");
    fs::write(&settings_file, settings()).expect("written");
    let output = python()
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(&settings_file)
        .args(["run", "--no-color"])
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
    site.stop(&["event=lockout.begun"]);
}
