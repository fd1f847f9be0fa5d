//! What is no HTTP, or may be two things at once, is answered with 4xx or closed; nothing behind it is done, and nobody else
//! notices.

use std::io::{Read, Write};
use std::net::Shutdown;

use serde_json::json;

use crate::client::{Reply, Site, connect, request};

/// What the server may do with a request.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// Answer with this status, and close or go on.
    Status(u16),
    /// Answer with any 4xx, or close without a word.
    Refused,
}

use Fate::{Refused, Status};

/// Requests, each sent over a connection of its own and followed by the end of what is sent. `SMUGGLED` is the deletion of a
/// user; `AUTH` a line with an administrator's token.
const REQUESTS: &[(&str, &str, Fate)] = &[
    ("no HTTP", "a LOGIN joe secret\r\n", Refused),
    ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", Refused),
    ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused),
    ("HTTP/0.9", "GET /api/v1/users\r\n\r\n", Refused),
    ("another version", "GET /api/v1/users HTTP/3.7\r\nHost: x\r\n\r\n", Refused),
    ("nothing", "\r\n\r\n", Refused),
    ("no Host", "GET /api/v1/users HTTP/1.1\r\nAUTH\r\n\r\n", Status(400)),
    ("two of them", "GET /api/v1/users HTTP/1.1\r\nHost: x\r\nHost: y\r\nAUTH\r\n\r\n", Status(400)),
    ("a name with a blank", "GET /api/v1/users HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n", Refused),
    ("a folded line", "GET /api/v1/users HTTP/1.1\r\nHost: x\r\nX: y\r\n z\r\n\r\n", Refused),
    ("NUL", "GET /api/v1/users HTTP/1.1\r\nHost: x\r\nX: \0\r\n\r\n", Refused),
    ("a bare CR", "GET /api/v1/users HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", Refused),
    ("a method that is none", "G\0T /api/v1/users HTTP/1.1\r\nHost: x\r\n\r\n", Refused),
    ("a method that nobody knows", "BREW /api/v1/users HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n", Status(405)),
    ("a proxy's request", "CONNECT mail.example.org:25 HTTP/1.1\r\nHost: mail.example.org:25\r\nAUTH\r\n\r\n", Refused),
    ("a proxy's address", "GET http://else.example/ HTTP/1.1\r\nHost: else.example\r\nAUTH\r\n\r\n", Status(404)),
    ("no path", "GET x HTTP/1.1\r\nHost: x\r\n\r\n", Refused),
    ("the parent's", "GET /api/v1/../v1/users HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n", Status(404)),
    ("an encoded slash", "GET /api/v1/users/joe%2Fquota HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n", Status(404)),
    ("an encoded NUL", "GET /api/v1/users/joe%00 HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n", Status(404)),
    ("no UTF-8", "GET /api/v1/users/%ff HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n", Status(400)),
    ("an escape that is none", "GET /api/v1/users/%zz HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n", Status(404)),
    (
        "both lengths",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED",
        Refused,
    ),
    (
        "the other way round",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nSMUGGLED",
        Refused,
    ),
    (
        "chunks",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED",
        Status(415),
    ),
    (
        "a number beyond all",
        "GET /api/v1/audit?after=99999999999999999999 HTTP/1.1\r\nHost: x\r\nAUTH\r\n\r\n",
        Status(422),
    ),
    (
        "a notice with another reply in it",
        "PUT /api/v1/motd HTTP/1.1\r\nHost: x\r\nAUTH\r\nJSON\r\nContent-Length: 24\r\n\r\n{\"message\":\"a\\r\\n* BYE\"}",
        Status(422),
    ),
    (
        "rows that break off",
        "POST /api/v1/directory HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Type: text/x-ldif\r\nContent-Length: 16000000\r\n\r\ndn: x\n",
        Refused,
    ),
    (
        "rows that are none",
        "POST /api/v1/directory HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Type: application/x-ndjson\r\nContent-Length: 4\r\n\r\n[[[[",
        Status(422),
    ),
    (
        "two lengths",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}SMUGGLED",
        Refused,
    ),
    (
        "a list of lengths",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 2, 3\r\n\r\n{}SMUGGLED",
        Refused,
    ),
    (
        "a signed length",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: +2\r\n\r\n{}SMUGGLED",
        Refused,
    ),
    (
        "a length below nothing",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: -2\r\n\r\n{}SMUGGLED",
        Refused,
    ),
    (
        "a length beyond all",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        Refused,
    ),
    (
        "another coding",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nTransfer-Encoding: gzip\r\n\r\nSMUGGLED",
        Refused,
    ),
    (
        "chunks inside a coding",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\nSMUGGLED",
        Refused,
    ),
    (
        "chunks of HTTP/1.0",
        "POST /api/v1/domains HTTP/1.0\r\nHost: x\r\nAUTH\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nSMUGGLED",
        Refused,
    ),
    (
        "a size that is none",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nJSON\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        Refused,
    ),
    (
        "a size beyond all",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nJSON\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        Refused,
    ),
    (
        "the largest size",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nJSON\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}",
        Refused,
    ),
    (
        "a body that breaks off",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nJSON\r\nContent-Length: 10\r\n\r\n{",
        Refused,
    ),
    (
        "an upgrade",
        "GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
        Status(404),
    ),
    (
        "a whole that is empty",
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAUTH\r\nJSON\r\nContent-Length: 0\r\n\r\n",
        Status(400),
    ),
    (
        "a body where there is none",
        "GET /api/v1/nothing HTTP/1.1\r\nHost: x\r\nAUTH\r\nContent-Length: 3\r\n\r\nabc",
        Status(404),
    ),
];

/// The status of the first answer, if there is one, and all that is answered.
fn exchange(site: &Site, octets: &[u8]) -> (Option<u16>, String) {
    let mut socket = connect(site.clear);
    // The server may close before it has all.
    let _ = socket.write_all(octets);
    let _ = socket.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let text = String::from_utf8(answer).expect("an answer is text");
    let status = text.split(' ').nth(1).map(|status| status.parse().expect("a status"));
    (status, text)
}

#[test]
fn each_is_refused_and_nothing_more_is_done() {
    let site = Site::new(&[]);
    let bearer = format!("Authorization: Bearer {}", site.token);
    let smuggled = format!("DELETE /api/v1/users/sue HTTP/1.1\r\nHost: x\r\n{bearer}\r\nIf-Match: *\r\n\r\n");
    // It would work.
    site.ask("POST", "/api/v1/users", r#"{"uid": "ann", "password": "x", "given_name": "A", "surname": "B"}"#).is(201);
    assert_eq!(exchange(&site, smuggled.replace("sue", "ann").as_bytes()).0, Some(200));
    for (what, sent, fate) in REQUESTS {
        let octets = sent.replace("SMUGGLED", &smuggled).replace("JSON", "Content-Type: application/json");
        let (status, text) = exchange(&site, octets.replace("AUTH", &bearer).as_bytes());
        match fate {
            Status(expected) => assert_eq!(status, Some(*expected), "{what}: {text}"),
            Refused => assert!(status.is_none_or(|status| (400..500).contains(&status)), "{what}: {text}"),
        }
        assert_eq!(text.matches("HTTP/1.1 ").count(), usize::from(status.is_some()), "{what}: one answer: {text}");
    }
    site.ask("GET", "/api/v1/users/sue", "").is(200);
    site.stop(&[]);
}

#[test]
fn floods_are_bounded() {
    let site = Site::new(&[]);
    let bearer = format!("Authorization: Bearer {}\r\nContent-Type: application/json", site.token);
    let post = format!("POST /api/v1/domains HTTP/1.1\r\nHost: x\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n");
    let header =
        |length: usize| format!("GET /api/v1/session HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(length));
    for (what, octets) in [
        ("a long header", header(1 << 20)),
        ("a long path", format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(1 << 20))),
        ("many headers", format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X: y\r\n".repeat(50_000))),
        ("a first line without an end", "x".repeat(1 << 20)),
        ("empty lines", "\r\n".repeat(1 << 19)),
        ("tiny chunks", format!("{post}{}0\r\n\r\n", "1\r\nx\r\n".repeat((1 << 20) + 1))),
        ("long chunk extensions", format!("{post}1;{}\r\nx\r\n0\r\n\r\n", "x".repeat(1 << 20))),
        (
            "extensions of many chunks",
            format!("{post}{}0\r\n\r\n", format!("1;{}\r\nx\r\n", "x".repeat(100)).repeat(10_000)),
        ),
        ("a size of many digits", format!("{post}{}1\r\nx\r\n0\r\n\r\n", "0".repeat(1 << 20))),
        ("long trailers", format!("{post}2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))),
    ] {
        let (status, text) = exchange(&site, octets.as_bytes());
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{what}: {text}");
    }
    site.ask("GET", "/api/v1/users/sue", "").is(200);
    site.stop(&[]);
}

/// RFC 9110, 10.1.1.
#[test]
fn a_body_is_asked_for_when_it_is_wanted() {
    let site = Site::new(&[]);
    let body = json!({"name": "example.net"}).to_string();
    let bearer = format!("Authorization: Bearer {}", site.token);
    let whole = request(&[&bearer, "Expect: 100-continue"], "POST", "/api/v1/domains", &body);
    let (head, _) = whole.split_once("\r\n\r\n").expect("a head");
    let mut socket = connect(site.clear);
    socket.write_all(format!("{head}\r\n\r\n").as_bytes()).expect("sent");
    assert_eq!(Reply::read(&mut socket).status, 100);
    socket.write_all(body.as_bytes()).expect("sent");
    assert_eq!(Reply::read(&mut socket).status, 201);
    // Who may not send one is told before he does.
    let refused = head.replace("Bearer ", "Bearer x");
    let mut socket = connect(site.clear);
    socket.write_all(format!("{refused}\r\n\r\n").as_bytes()).expect("sent");
    assert_eq!(Reply::read(&mut socket).status, 401);
    drop(socket);
    site.stop(&[]);
}
