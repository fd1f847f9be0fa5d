//! A server with users and a token, and requests to it, octet by octet.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use harness::{ADMIN, Home, Server};
use serde_json::Value;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
/// How long an answer may take: far longer than any does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server with the users admin, joe and sue.
pub(crate) struct Site {
    pub(crate) home: Home,
    pub(crate) server: Server,
    /// A token of admin's.
    pub(crate) token: String,
    pub(crate) clear: SocketAddr,
}

impl Site {
    pub(crate) fn new(settings: &[&str]) -> Site {
        let own = ["http.listen = [\"127.0.0.1:0\"]", "http.listen_tls = [\"127.0.0.1:0\"]"];
        let home = Home::new(PROGRAM, &[&own, settings].concat());
        for name in [ADMIN, "joe", "sue"] {
            home.add_user(name);
        }
        let token = token(&home, ADMIN);
        let server = home.start();
        let clear = address(&home, "http");
        Site { home, server, token, clear }
    }

    /// A request of admin's.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Reply {
        self.ask_as(&self.token, method, path, body)
    }

    /// A request with this token; If-Match is for any state.
    pub(crate) fn ask_as(&self, token: &str, method: &str, path: &str, body: &str) -> Reply {
        self.ask_with(&[&format!("Authorization: Bearer {token}"), "If-Match: *"], method, path, body)
    }

    /// A request with these lines in its head, over a connection of its own.
    pub(crate) fn ask_with(&self, lines: &[&str], method: &str, path: &str, body: &str) -> Reply {
        let mut socket = connect(self.clear);
        socket.write_all(request(lines, method, path, body).as_bytes()).expect("sent");
        Reply::read(&mut socket)
    }

    /// Stops the server, which may have warned of this and of nothing else. Returns the log and the audit log.
    pub(crate) fn stop(self, announced: &[&str]) -> (String, String) {
        let log = self.server.log();
        let announced: Vec<String> = announced.iter().map(|&text| text.to_owned()).collect();
        self.server.stop(&announced);
        let audit = std::fs::read_to_string(self.home.config_dir().join("log/audit.log")).expect("there is one");
        self.home.check_store();
        (log, audit)
    }
}

/// A token that a command makes.
pub(crate) fn token(home: &Home, user: &str) -> String {
    home.must_run(&["api-token", "create", &format!("test of {user}"), "--user", user], b"").trim().to_owned()
}

/// Where a service listens.
pub(crate) fn address(home: &Home, service: &str) -> SocketAddr {
    let text = std::fs::read_to_string(home.config_dir().join("socket/listening.json")).expect("the server tells");
    let listening: Value = serde_json::from_str(&text).expect("JSON");
    listening[service][0].as_str().expect("an address").parse().expect("an address")
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).expect("connected");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    socket.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    socket
}

/// A whole request.
pub(crate) fn request(lines: &[&str], method: &str, path: &str, body: &str) -> String {
    let (lines, length) = (lines.iter().map(|line| format!("{line}\r\n")).collect::<String>(), body.len());
    format!(
        "{method} {path} HTTP/1.1\r\nHost: mail.example.org\r\n{lines}Content-Type: application/json\r\nContent-Length: \
         {length}\r\n\r\n{body}"
    )
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The next answer of a connection that stays open.
    #[track_caller]
    pub(crate) fn read(socket: &mut TcpStream) -> Reply {
        Reply::try_read(socket).expect("an answer, not the connection's end")
    }

    /// The next answer; nothing if the connection ends before one begins.
    pub(crate) fn try_read(socket: &mut TcpStream) -> Option<Reply> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(octet(socket)?);
        }
        let head = String::from_utf8(head).expect("a head is text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut reply = Reply { status, head, body: String::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let mut body = vec![0; length];
        socket.read_exact(&mut body).expect("a whole body");
        reply.body = String::from_utf8(body).expect("text");
        Some(reply)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it has this status, and what it says.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// That it is a problem of this kind.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.is(status);
        assert_eq!((&problem["code"], &problem["status"]), (&code.into(), &status.into()), "{self:?}");
        problem
    }
}

fn octet(socket: &mut TcpStream) -> Option<u8> {
    let mut octet = [0];
    match socket.read(&mut octet) {
        Ok(0) => None,
        Ok(_) => Some(octet[0]),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}
