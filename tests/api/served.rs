//! The directory over HTTP as the whole program serves it: over TLS and without, with tokens that a command makes.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test reports trouble by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::Home;
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn home() -> Home {
    let home = Home::new(PROGRAM, &["http.listen = [\"127.0.0.1:0\"]", "http.listen_tls = [\"127.0.0.1:0\"]"]);
    home.add_user("admin");
    home.add_user("joe");
    home
}

fn address(home: &Home, service: &str) -> SocketAddr {
    let text = std::fs::read_to_string(home.config_dir().join("socket/listening.json")).expect("the server tells");
    let listening: Value = serde_json::from_str(&text).expect("JSON");
    listening[service][0].as_str().expect("an address").parse().expect("an address")
}

/// The status and the body of what is answered.
fn request(address: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let mut socket = TcpStream::connect(address).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let text = format!(
        "{method} {path} HTTP/1.1\r\nHost: mail.example.org\r\nAuthorization: Bearer {token}\r\nIf-Match: *\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(text.as_bytes()).expect("written");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn served_with_tokens_that_a_command_makes() {
    let home = home();
    // Without a server, and with one.
    let before = home.must_run(&["api-token", "create", "early", "--expires", "90d"], b"").trim().to_owned();
    let server = home.start();
    let clear = address(&home, "http");
    let token = home.must_run(&["api-token", "create", "late", "--user", "joe"], b"").trim().to_owned();
    assert_eq!(request(clear, "GET", "/api/v1/session", &before, "").1["user"], "admin");
    assert_eq!(request(clear, "GET", "/api/v1/session", &token, "").1["user"], "joe");
    let new = "{\"uid\": \"ann\", \"password\": \"correct-horse\", \"given_name\": \"A\", \"surname\": \"B\"}";
    assert_eq!(request(clear, "POST", "/api/v1/users", &token, new).0, 403);
    assert_eq!(request(clear, "POST", "/api/v1/users", &before, new).0, 201);
    server.imap("ann").must("SELECT INBOX").expect("ann has a mailbox and can log in");
    assert_eq!(request(clear, "DELETE", "/api/v1/users/ann", &before, "").0, 200);

    let list = home.must_run(&["api-token", "list", "--json"], b"");
    assert!(!list.contains(&token) && !list.contains(&before), "{list}");
    let tokens: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let late = tokens.iter().find(|token| token["name"] == "late").expect("it is listed");
    home.must_run(&["api-token", "delete", late["id"].as_str().expect("an ID")], b"");
    assert_eq!(request(clear, "GET", "/api/v1/session", &token, "").0, 401);
    assert!(!home.run(&["api-token", "delete", "nothing"], b"").status.success());
    let shown = home.must_run(&["metrics"], b"");
    assert!(shown.contains("service=\"http\",command=\"post\",result=\"ok\""), "{shown}");
    server.stop(&[]);
    let file = std::fs::read_to_string(home.config_dir().join("api-tokens.json")).expect("it is there");
    assert!(file.contains("early") && !file.contains(&before), "{file}");
}

#[test]
fn served_over_tls() {
    if !Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("SKIPPED served_over_tls: curl is not installed");
        return;
    }
    let home = home();
    let server = home.start();
    let token = home.must_run(&["api-token", "create", "x"], b"").trim().to_owned();
    let url = format!("https://{}/api/v1/session", address(&home, "https"));
    let bearer = format!("Authorization: Bearer {token}");
    let curl = |arguments: &[&str]| {
        let output = Command::new("curl").args(["-sSki", "--max-time", "60"]).args(arguments).output().expect("it runs");
        String::from_utf8(output.stdout).expect("text")
    };
    let shown = curl(&["-H", &bearer, &url]);
    assert!(shown.starts_with("HTTP/1.1 200 ") && shown.contains("\"user\":\"admin\""), "{shown}");
    let login = format!("{{\"user\": \"joe\", \"password\": \"{}\"}}", harness::PASSWORD);
    let begun = curl(&["-H", "Content-Type: application/json", "-d", &login, &url]);
    assert!(begun.starts_with("HTTP/1.1 201 ") && begun.contains("; SameSite=Strict; Secure"), "{begun}");
    server.stop(&[]);
}
