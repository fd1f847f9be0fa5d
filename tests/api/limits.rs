//! What the server does to clients that guess, that come in clear text, that are too many, and while users are kept out.

use std::io::Write;
use std::net::TcpStream;

use harness::PASSWORD;
use serde_json::json;

use crate::client::{Reply, Site, connect, request, token};

/// What a load balancer says of a client elsewhere (PROXY protocol, version 2), over TLS or not.
pub(crate) fn elsewhere(encrypted: bool) -> Vec<u8> {
    let addresses = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0, 80];
    // PP2_TYPE_SSL: the client speaks TLS, its certificate was not looked at.
    let tls: &[u8] = if encrypted { &[0x20, 0, 5, 1, 0, 0, 0, 1] } else { &[] };
    let length = (addresses.len() + tls.len()) as u8;
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0".as_slice(), &[length], &addresses, tls].concat()
}

/// A connection of a client elsewhere.
pub(crate) fn from_elsewhere(site: &Site, encrypted: bool) -> TcpStream {
    let mut socket = connect(site.clear);
    socket.write_all(&elsewhere(encrypted)).expect("sent");
    socket
}

pub(crate) fn ask(socket: &mut TcpStream, lines: &[&str], method: &str, path: &str, body: &str) -> Reply {
    socket.write_all(request(lines, method, path, body).as_bytes()).expect("sent");
    Reply::read(socket)
}

fn log_in(socket: &mut TcpStream, password: &str) -> Reply {
    ask(socket, &[], "POST", "/api/v1/session", &json!({"user": "joe", "password": password}).to_string())
}

pub(crate) const BALANCED: &str = "server.proxies = [\"127.0.0.0/8\"]";

#[test]
fn who_guesses_is_turned_away() {
    let site = Site::new(&[BALANCED, "limits.failed_logins = 2"]);
    let bearer = format!("Authorization: Bearer {}", site.token);
    let mut socket = from_elsewhere(&site, true);
    assert_eq!(ask(&mut socket, &[&bearer], "GET", "/api/v1/session", "").status, 200);
    log_in(&mut socket, "wrong").problem(401, "login");
    // A token that is none counts as well.
    ask(&mut socket, &["Authorization: Bearer angt_guess"], "GET", "/api/v1/users", "").problem(401, "unauthorized");
    let refused = log_in(&mut socket, PASSWORD);
    refused.problem(429, "blocked");
    assert!(refused.header("retry-after").is_some_and(|time| time.parse::<u64>().is_ok_and(|time| time > 0)));
    // Whatever is sent.
    ask(&mut socket, &[&bearer], "GET", "/api/v1/users", "").problem(429, "blocked");
    site.server.await_log("login.blocked");
    // Nobody else is.
    let mut other = connect(site.clear);
    other.write_all(b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 80\r\n").expect("sent");
    log_in(&mut other, PASSWORD).is(201);
    drop((socket, other));
    site.stop(&["event=login.blocked"]);
}

#[test]
fn secrets_are_not_taken_in_clear_text() {
    let site = Site::new(&[BALANCED]);
    let bearer = format!("Authorization: Bearer {}", site.token);
    let mut socket = from_elsewhere(&site, false);
    ask(&mut socket, &[&bearer], "GET", "/api/v1/users", "").problem(403, "insecure");
    ask(&mut socket, &["Cookie: angarium_session=angs_x"], "GET", "/api/v1/users", "").problem(403, "insecure");
    log_in(&mut socket, PASSWORD).problem(403, "insecure");
    assert_eq!(ask(&mut socket, &[], "GET", "/api/v1/openapi.json", "").status, 200);
    drop(socket);
    let (log, _) = site.stop(&[]);
    assert!(!log.contains("login.failed"), "the password was not looked at: {log}");
}

#[test]
fn users_are_kept_out_and_administrators_are_not() {
    let site = Site::new(&[]);
    let joes = token(&site.home, "joe");
    let mut socket = connect(site.clear);
    let bearer = format!("Authorization: Bearer {joes}");
    ask(&mut socket, &[&bearer], "GET", "/api/v1/session", "").is(200);
    site.home.must_run(&["lockout", "-m", "Back at noon"], b"");
    assert!(Reply::try_read(&mut socket).is_none(), "a user's connection ends");
    let refused = site.ask_as(&joes, "GET", "/api/v1/session", "");
    let problem = refused.problem(503, "locked-out");
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains("Back at noon")), "{problem}");
    assert!(refused.header("retry-after").is_some());
    let mut other = connect(site.clear);
    log_in(&mut other, PASSWORD).problem(503, "locked-out");
    site.ask("GET", "/api/v1/users", "").is(200);
    site.home.must_run(&["lockout", "--clear"], b"");
    site.ask_as(&joes, "GET", "/api/v1/session", "").is(200);
    // The same over HTTP; that it is another message makes it another lockout.
    let mut imap = site.server.imap("joe");
    let told = site.ask("PUT", "/api/v1/lockout", r#"{"message": "Back at one"}"#).is(200);
    // A connection of his that has just been closed may still be counted.
    assert!(told["message"] == "Back at one" && told["sessions_ended"].as_u64() > Some(0), "{told}");
    assert!(imap.must("NOOP").is_err(), "it has ended");
    site.ask_as(&joes, "GET", "/api/v1/session", "").problem(503, "locked-out");
    assert_eq!(site.home.must_run(&["lockout"], b""), "Back at one\n");
    site.ask("DELETE", "/api/v1/lockout", "").is(204);
    site.ask_as(&joes, "GET", "/api/v1/session", "").is(200);
    drop((other, imap));
    site.stop(&["event=lockout.begun"]);
}

#[test]
fn connections_are_bounded() {
    let site = Site::new(&["http.connections = 3", "limits.connections_per_address = 2"]);
    let bearer = format!("Authorization: Bearer {}", site.token);
    let mut held: Vec<TcpStream> = (0..2).map(|_| connect(site.clear)).collect();
    for socket in &mut held {
        ask(socket, &[&bearer], "GET", "/api/v1/session", "").is(200);
    }
    let mut third = connect(site.clear);
    let refused = Reply::try_read(&mut third);
    assert!(refused.as_ref().is_none_or(|reply| reply.status == 503), "{refused:?}");
    // A place that is given back is one for somebody else.
    held.pop();
    harness::await_until("there is a place again", || {
        let mut socket = connect(site.clear);
        let sent = socket.write_all(request(&[&bearer], "GET", "/api/v1/session", "").as_bytes());
        sent.is_ok() && Reply::try_read(&mut socket).is_some_and(|reply| reply.status == 200)
    });
    drop(held);
    site.stop(&[]);
}
