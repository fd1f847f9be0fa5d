//! The figures that the server shows of itself: over HTTP, over the control socket, and whether they tell what happened.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use harness::{Home, Server, corpus};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn home() -> Home {
    Home::new(PROGRAM, &["metrics.listen = [\"127.0.0.1:0\"]"])
}

fn address(home: &Home) -> SocketAddr {
    let text = std::fs::read_to_string(home.config_dir().join("socket/listening.json")).expect("the server tells");
    let listening: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    listening["metrics"][0].as_str().expect("an address").parse().expect("an address")
}

/// Sends octets and reads until the server closes.
fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).expect("connected");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    socket.write_all(request).expect("written");
    let mut answer = Vec::new();
    // A connection that is reset has said all that it had to say.
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

fn scrape(home: &Home) -> String {
    let answer = talk(address(home), b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
    assert!(body.ends_with("# EOF\n"), "{body}");
    body.to_owned()
}

/// The value of a sample.
fn value(text: &str, sample: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().expect("a number")
}

fn busy(server: &Server) {
    let mut joe = server.imap("joe");
    let replies = server
        .lmtp()
        .deliver("a@example.org", &["joe@example.org", "nobody@example.org"], &corpus::small(50))
        .expect("answered");
    assert!(replies[0].starts_with("250") && replies[1].starts_with("550"), "{replies:?}");
    joe.must("SELECT INBOX").expect("selected");
    joe.must("FETCH 1 ENVELOPE").expect("fetched");
    assert!(!joe.command("SELECT Nowhere").expect("answered").ok());
    assert!(!joe.command("XYZZY").expect("answered").ok());
}

#[test]
fn the_page_and_the_endpoint_agree() {
    let home = home();
    let server = home.start();
    let families: BTreeSet<(String, String)> = scrape(&home)
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let documented: BTreeSet<(String, String)> = include_str!("../docs/metrics.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let name = cells[1].trim_matches('`');
            (name.strip_suffix("_total").unwrap_or(name).to_owned(), cells[2].to_owned())
        })
        .collect();
    assert_eq!(families, documented);
    server.stop(&[]);
}

#[test]
fn the_figures_tell_what_happened() {
    let home = home();
    home.add_user("joe");
    let server = home.start();
    busy(&server);
    let text = scrape(&home);
    for (sample, expected) in [
        ("angarium_connections_accepted_total{service=\"imap\"}", 1.0),
        ("angarium_connections_accepted_total{service=\"lmtp\"}", 1.0),
        ("angarium_connections_open{service=\"metrics\"}", 1.0),
        ("angarium_connections_refused_total{service=\"imap\",reason=\"total\"}", 0.0),
        ("angarium_deliveries_total{result=\"accepted\"}", 1.0),
        ("angarium_deliveries_total{result=\"refused\"}", 1.0),
        ("angarium_deliveries_total{result=\"deferred\"}", 0.0),
        ("angarium_messages_appended_total", 1.0),
        ("angarium_cache_records_total{result=\"hit\"}", 1.0),
        ("angarium_cache_records_total{result=\"healed\"}", 0.0),
        ("angarium_command_duration_seconds_count{service=\"imap\",command=\"SELECT\",result=\"ok\"}", 1.0),
        ("angarium_command_duration_seconds_count{service=\"imap\",command=\"SELECT\",result=\"no\"}", 1.0),
        ("angarium_command_duration_seconds_count{service=\"imap\",command=\"other\",result=\"bad\"}", 1.0),
        ("angarium_command_duration_seconds_count{service=\"lmtp\",command=\"DATA\",result=\"ok\"}", 1.0),
        ("angarium_command_duration_seconds_bucket{le=\"+Inf\",service=\"imap\",command=\"FETCH\",result=\"ok\"}", 1.0),
    ] {
        assert_eq!(value(&text, sample), expected, "{sample} in\n{text}");
    }
    assert!(value(&text, "angarium_syncs_total{what=\"message\"}") >= 1.0);
    assert!(value(&text, "angarium_syncs_total{what=\"directory\"}") >= 1.0);
    for private in ["joe", "127.0.0.1", "INBOX"] {
        assert!(!text.contains(private), "{private} is nobody's business");
    }
    // The same without HTTP.
    let said = home.must_run(&["metrics"], b"");
    assert!(said.contains("angarium_deliveries_total{result=\"accepted\"} 1\n"), "{said}");
    let status: serde_json::Value = serde_json::from_str(&home.must_run(&["status", "--json"], b"")).expect("JSON");
    assert_eq!(status["metrics"]["angarium_messages_appended"][0]["value"], 1);
    let deliveries = &status["metrics"]["angarium_deliveries"];
    assert_eq!((&deliveries[2]["result"], &deliveries[2]["value"]), (&"refused".into(), &1.into()));
    server.stop(&[]);
    assert_eq!(home.run(&["metrics"], b"").status.code(), Some(69), "nobody counts without a server");
}

#[test]
fn nothing_else_is_served() {
    let home = home();
    let server = home.start();
    let address = address(&home);
    for (request, expected) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], "HTTP/1.1 404 "),
        (b"GET /metrics/../x HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 "),
        (b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405 "),
        (b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "),
        (b"GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200 "),
        (b"* OK this is not HTTP\r\n\r\n", "HTTP/1.1 400 "),
    ] {
        let answer = talk(address, request);
        assert!(answer.starts_with(expected), "{:?}: {answer}", String::from_utf8_lossy(request));
    }
    let head = talk(address, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(head.ends_with("\r\n\r\n") && !head.contains("# EOF"), "{head}");
    // A head without an end is not kept for ever, nor at any length.
    let mut endless = b"GET /metrics HTTP/1.1\r\n".to_vec();
    endless.extend(b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1 << 15));
    let answer = std::panic::catch_unwind(|| talk(address, &endless));
    assert!(answer.is_err() || answer.is_ok_and(|answer| !answer.contains(" 200 ")));
    assert!(!scrape(&home).is_empty());
    server.stop(&[]);
}

#[test]
fn nothing_is_served_by_default() {
    let home = Home::new(PROGRAM, &[]);
    let server = home.start();
    let text = std::fs::read_to_string(home.config_dir().join("socket/listening.json")).expect("the server tells");
    let listening: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(listening.get("metrics").is_none_or(|places| places.as_array().is_some_and(Vec::is_empty)), "{text}");
    server.stop(&[]);
}
