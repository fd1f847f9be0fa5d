//! Over TLS and without, with tokens that a command makes; who asks is seen, and can be shown out.

use std::io::Write;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use harness::{Home, PASSWORD, await_until};
use serde_json::{Value, json};

use crate::client::{PROGRAM, Reply, Site, address, connect, request, token};

#[test]
fn with_tokens_that_a_command_makes() {
    // Admin's was made before there was a server.
    let site = Site::new(&[]);
    let joes = token(&site.home, "joe");
    assert_eq!(site.ask("GET", "/api/v1/session", "").is(200)["user"], "admin");
    assert_eq!(site.ask_as(&joes, "GET", "/api/v1/session", "").is(200)["user"], "joe");
    let new = r#"{"uid": "ann", "password": "correct-horse", "given_name": "A", "surname": "B"}"#;
    site.ask_as(&joes, "POST", "/api/v1/users", new).problem(403, "denied");
    site.ask("POST", "/api/v1/users", new).is(201);
    site.server.imap("ann").must("SELECT INBOX").expect("ann has a mailbox and can log in");
    site.ask("DELETE", "/api/v1/users/ann", "").is(200);

    let list = site.home.must_run(&["api-token", "list", "--json"], b"");
    assert!(!list.contains(&joes) && !list.contains(&site.token), "{list}");
    let tokens: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let id = tokens.iter().find(|token| token["user"] == "joe").expect("it is listed")["id"].as_str().expect("an ID");
    site.home.must_run(&["api-token", "delete", id], b"");
    site.ask_as(&joes, "GET", "/api/v1/session", "").problem(401, "unauthorized");
    assert!(!site.home.run(&["api-token", "delete", "nothing"], b"").status.success());
    let shown = site.home.must_run(&["metrics"], b"");
    assert!(shown.contains("service=\"http\",command=\"post\",result=\"ok\""), "{shown}");
    let file = std::fs::read_to_string(site.home.config_dir().join("api-tokens.json")).expect("it is there");
    assert!(file.contains("test of admin") && !file.contains(&site.token), "{file}");
    site.stop(&[]);
}

/// With the certificates and the versions of TLS that the other services have.
#[test]
fn over_tls() {
    if !Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("SKIPPED over_tls: curl is not installed");
        return;
    }
    let site = Site::new(&[]);
    let url = format!("https://{}/api/v1/session", address(&site.home, "https"));
    let bearer = format!("Authorization: Bearer {}", site.token);
    let curl = |arguments: &[&str]| {
        let output =
            Command::new("curl").args(["-sSki", "--max-time", "60"]).args(arguments).output().expect("it runs");
        (output.status.success(), String::from_utf8(output.stdout).expect("text"))
    };
    for version in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"]] {
        let (_, shown) = curl(&[&["-H", &bearer, &url], version].concat());
        assert!(shown.starts_with("HTTP/1.1 200 ") && shown.contains("\"user\":\"admin\""), "{version:?}: {shown}");
    }
    let (went, shown) = curl(&["-H", &bearer, "--tls-max", "1.1", &url]);
    assert!(!went && shown.is_empty(), "{shown}");
    let login = json!({"user": "joe", "password": PASSWORD}).to_string();
    let (_, begun) = curl(&["-H", "Content-Type: application/json", "-d", &login, &url]);
    assert!(begun.starts_with("HTTP/1.1 201 ") && begun.contains("; SameSite=Strict; Secure"), "{begun}");
    site.stop(&[]);
}

/// A connection is one of those that `who` shows and `kick` ends, and the other way round.
#[test]
fn connections_are_seen_and_ended() {
    let site = Site::new(&[]);
    let (joes, path) = (token(&site.home, "joe"), "/api/v1/connections");
    let ask = |socket: &mut TcpStream| {
        let bearer = format!("Authorization: Bearer {joes}");
        socket.write_all(request(&[&bearer], "GET", "/api/v1/session", "").as_bytes()).expect("sent");
        Reply::try_read(socket)
    };
    let who = || {
        let said = site.home.must_run(&["who", "--json", "joe"], b"");
        said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let mut socket = connect(site.clear);
    assert_eq!(ask(&mut socket).expect("kept open").status, 200);
    assert_eq!(ask(&mut socket).expect("kept open").status, 200);
    let rows = who();
    assert!(rows.len() == 1 && rows[0]["service"] == "http", "{rows:?}");
    assert!(rows[0]["octets_in"].as_u64() > Some(100) && rows[0]["octets_out"].as_u64() > Some(100), "{rows:?}");
    site.home.must_run(&["kick", "--user", "joe"], b"");
    assert!(Reply::try_read(&mut socket).is_none(), "it has ended");

    // The same by HTTP, of a mail client.
    let mut imap = site.server.imap("joe");
    let listed = site.ask("GET", &format!("{path}?user=joe"), "").is(200);
    let items = listed["items"].as_array().expect("a list");
    assert!(items.len() == 1 && items[0]["service"] == "imap", "{listed}");
    site.ask_as(&joes, "GET", path, "").problem(403, "denied");
    site.ask_as(&joes, "POST", &format!("{path}/end"), r#"{"all": true}"#).problem(403, "denied");
    site.ask("DELETE", &format!("{path}/{}", items[0]["id"]), "").is(204);
    assert!(imap.must("NOOP").is_err(), "it has ended");
    site.ask("DELETE", &format!("{path}/nonsense"), "").problem(404, "no-connection");
    let mut imap = site.server.imap("sue");
    let ended = site.ask("POST", &format!("{path}/end"), r#"{"users": ["sue"], "message": "Back at noon"}"#).is(200);
    assert_eq!(ended, json!({"connections": 1}));
    assert!(imap.must("NOOP").is_err(), "it has ended");
    for (wrong, field) in [
        ("{}", "users"),
        (r#"{"all": true, "message": "two\nlines"}"#, "message"),
        (r#"{"networks": ["here"]}"#, "networks"),
    ] {
        assert_eq!(site.ask("POST", &format!("{path}/end"), wrong).problem(422, "rule")["field"], field);
    }
    site.stop(&[]);
}

/// Whoever is disabled or deleted is shown out, over whichever protocol he is there.
#[test]
fn who_is_not_welcome_is_shown_out() {
    let site = Site::new(&[]);
    let joes = token(&site.home, "joe");
    for (method, path, body) in [
        ("PUT", "/api/v1/users/joe/enabled", r#"{"enabled": false}"#),
        ("PUT", "/api/v1/users/joe/enabled", r#"{"enabled": true}"#),
        ("DELETE", "/api/v1/users/joe", ""),
    ] {
        let mut imap = (!body.contains("true")).then(|| site.server.imap("joe"));
        site.ask(method, path, body).is(200);
        if let Some(imap) = &mut imap {
            await_until("the session ends", || imap.must("NOOP").is_err());
            site.ask_as(&joes, "GET", "/api/v1/session", "").problem(401, "unauthorized");
        }
    }
    site.ask("POST", "/api/v1/domains", r#"{"name": "example.net"}"#).is(201);
    site.ask("PATCH", "/api/v1/users/sue", r#"{"mail": "sue@example.net"}"#).is(200);
    let mut imap = site.server.imap("sue");
    let gone =
        site.ask("POST", "/api/v1/domain-deletions", r#"{"domains": [{"name": "example.net"}], "cascade": true}"#);
    assert_eq!(gone.is(200), json!({"users": ["sue"]}));
    await_until("the session ends", || imap.must("NOOP").is_err());
    site.stop(&[]);
}

/// Tokens are in a backup, as hashes, and good again on another machine that is made of it.
#[test]
fn tokens_come_back_with_a_backup() {
    let site = Site::new(&[]);
    let (joes, saved) = (token(&site.home, "joe"), site.home.path().join("saved"));
    site.home.must_run(&["backup", saved.to_str().expect("text")], b"");
    let kept = std::fs::read_to_string(saved.join("config/api-tokens.json")).expect("it is in the backup");
    assert!(!kept.contains(&joes) && kept.matches("\"hash\"").count() == 2, "{kept}");
    // What was taken back since is what it was.
    let tokens = site.ask("GET", "/api/v1/tokens", "").is(200);
    let joes_own = tokens["items"].as_array().expect("a list").iter().find(|token| token["user"] == "joe");
    let id = joes_own.expect("it is listed")["id"].as_str().expect("an ID").to_owned();
    site.ask("DELETE", &format!("/api/v1/tokens/{id}"), "").is(204);
    site.ask_as(&joes, "GET", "/api/v1/session", "").problem(401, "unauthorized");

    let other = Home::new(PROGRAM, &["http.listen = [\"127.0.0.1:0\"]"]);
    for (from, to) in [("config", other.config_dir()), ("spool/default", other.spool())] {
        std::fs::create_dir_all(&to).expect("a directory");
        let copied = Command::new("cp").arg("-a").args([saved.join(from).join("."), to]).status().expect("cp runs");
        assert!(copied.success());
    }
    other.must_run(&["ctl_mboxlist", "-r"], b"");
    let server = other.start();
    let bearer = format!("Authorization: Bearer {joes}");
    let mut socket = connect(address(&other, "http"));
    socket.write_all(request(&[&bearer], "GET", "/api/v1/session", "").as_bytes()).expect("sent");
    assert_eq!(Reply::read(&mut socket).is(200)["user"], "joe");
    drop(socket);
    // The directory is made of its safety copies.
    server.stop(&["event=ledger.index.rebuilt".to_owned()]);
    other.check_store();
    site.stop(&[]);
}
