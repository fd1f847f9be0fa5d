//! PROXY headers: believed from a load balancer, required there, and believed from nobody else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use harness::transcript::Protocol;
use harness::{Connection, PASSWORD, await_until};

use crate::arena::{Arena, BALANCER};
use crate::row::Answer::Says;
use crate::row::{Door, Row};

/// A header for a client of the outside world.
const OUTSIDE: &[u8] = b"PROXY TCP4 192.0.2.7 198.51.100.1 4321 143\r\n";

/// What version 2 begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Connections that one address may have.
const FROM_ONE: usize = 50;

pub(crate) static ROWS: &[Row] = &[
    Row::each(
        "imap: a PROXY header from a client",
        Door::Imap,
        &[
            (b"PROXY TCP4 192.0.2.66 198.51.100.1 1 143\r\n", Says("PROXY BAD")),
            (b"PROXY UNKNOWN\r\n", Says("PROXY BAD")),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x42\xc6\x33\x64\x01\0\x01\0\x8f\r\n", Says("* BAD")),
        ],
    ),
    Row::each(
        "pop3: a PROXY header from a client",
        Door::Pop3,
        &[(b"PROXY TCP4 192.0.2.66 198.51.100.1 1 110\r\n", Says("-ERR"))],
    ),
    Row::each(
        "lmtp: headers and commands that speak for somebody else",
        Door::Lmtp,
        &[
            (b"PROXY TCP4 192.0.2.66 198.51.100.1 1 24\r\n", Says("500")),
            (b"XCLIENT ADDR=192.0.2.66 NAME=x LOGIN=admin\r\n", Says("500")),
            (b"XFORWARD NAME=x ADDR=192.0.2.66\r\n", Says("500")),
            (b"MAIL FROM:<a@example.org> AUTH=joe@example.org XCLIENT=admin\r\n", Says("555")),
        ],
    ),
    Row::play("all: what a balancer sends in place of a header", |arena| {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat();
        let huge = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        let short = [SIGNATURE, &[0x21, 0x11, 0, 3, 1, 2, 3]].concat();
        let lying =
            [SIGNATURE, &[0x21, 0x11, 0, 15, 192, 0, 2, 7, 198, 51, 100, 1, 1, 1, 0, 143, 0x20, 0xff, 0xff]].concat();
        for protocol in [Protocol::Imap, Protocol::Pop3, Protocol::Lmtp, Protocol::Imaps] {
            for bytes in [
                &b"a LOGIN joe correct-horse\r\n"[..],
                b"PROXY TCP4 192.0.2.7\r\nxxxxxxxxxxxxxxxx",
                b"PROXY TCP4 192.0.2.999 198.51.100.1 1 143\r\n",
                b"PROXY TCP4 192.0.2.7 198.51.100.1 1 99999\r\n",
                b"PROXY TCP4 192.0.2.7 198.51.100.1 1 143\nxxxxxxxxxxxxxx",
                b"PROXY TCP6 192.0.2.7 198.51.100.1 1 143\r\n",
                b"PROXY \x1b[31m\r\n",
                b"PROXYTCP4 192.0.2.7 198.51.100.1 1 143\r\n",
                b"GET / HTTP/1.1\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n",
                &long[..],
                &huge[..],
                &short[..],
                &lying[..],
            ] {
                let mut socket = arena.socket(protocol, BALANCER);
                let _ = socket.write_all(bytes);
                let _ = socket.shutdown(std::net::Shutdown::Write);
                let mut said = Vec::new();
                let _ = socket.read_to_end(&mut said);
                assert!(said.is_empty(), "{}: {}", bytes.escape_ascii(), said.escape_ascii());
            }
        }
    }),
    Row::play("imap: half a header, and no more", |arena| {
        let sockets = [&b""[..], b"PROXY", b"PROXY TCP4 192.0.2.7 198.51.100.1 1 1", SIGNATURE].map(|bytes| {
            let mut socket = arena.socket(Protocol::Imap, BALANCER);
            socket.write_all(bytes).unwrap();
            socket
        });
        let begin = Instant::now();
        for mut socket in sockets {
            assert!(!matches!(socket.read(&mut [0; 64]), Ok(size) if size > 0), "nothing is said");
        }
        assert!(begin.elapsed().as_secs() < 9, "{:?}", begin.elapsed());
    })
    .seconds(20),
    Row::play("all: a client of the outside world behind a balancer", outside),
    Row::play("imap: a header that claims to be this machine", |arena| {
        let log = arena.server.log_size();
        let mut connection = behind(arena, Protocol::Imap, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 143\r\n");
        connection.reply().unwrap().expect("a greeting");
        connection.send(format!("a LOGIN joe {PASSWORD}\r\n").as_bytes()).unwrap();
        connection.reply().unwrap().expect("an answer");
        let said = arena.server.log_from(log);
        let line = said.lines().find(|line| line.contains("event=login.succeeded")).expect("a line of the log");
        assert!(line.contains(&format!("peer={BALANCER}:")), "{line}");
    }),
    Row::play("imap: sixty connections of one address behind a balancer", |arena| {
        let before = arena.open_descriptors();
        let header = b"PROXY TCP4 192.0.2.60 198.51.100.1 4321 143\r\n";
        let mut served = Vec::new();
        for _ in 0..FROM_ONE + 10 {
            let mut connection = behind(arena, Protocol::Imap, header);
            if let Ok(Some(_)) = connection.reply() {
                served.push(connection);
            }
        }
        assert_eq!(served.len(), FROM_ONE);
        behind(arena, Protocol::Imap, OUTSIDE).reply().unwrap().expect("another address is served");
        drop(served);
        await_until("they are gone", || arena.open_descriptors() <= before + 2);
        behind(arena, Protocol::Imap, header).reply().unwrap().expect("their places are free again");
    }),
];

/// A connection through the balancer, behind `header`.
fn behind(arena: &Arena, protocol: Protocol, header: &[u8]) -> Connection {
    let mut socket: TcpStream = arena.socket(protocol, BALANCER);
    socket.write_all(header).unwrap();
    Connection::over(socket, protocol.is_imap()).unwrap()
}

/// It gets none of the rights of this machine.
fn outside(arena: &Arena) {
    let mut connection = behind(arena, Protocol::Imap, OUTSIDE);
    let greeting = connection.reply().unwrap().unwrap().to_string();
    assert!(greeting.contains("LOGINDISABLED"), "{greeting}");
    for command in [format!("a LOGIN joe {PASSWORD}\r\n"), "a AUTHENTICATE PLAIN\r\n".to_owned()] {
        connection.send(command.as_bytes()).unwrap();
        let said = connection.reply().unwrap().unwrap().to_string();
        assert!(said.starts_with("a NO [PRIVACYREQUIRED]"), "{said}");
    }
    // A second header is no header.
    connection.send(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 143\r\n").unwrap();
    assert!(connection.reply().unwrap().unwrap().to_string().starts_with("PROXY BAD"));
    let mut connection = behind(arena, Protocol::Pop3, OUTSIDE);
    connection.reply().unwrap().expect("a greeting");
    connection.send(b"USER joe\r\n").unwrap();
    assert!(connection.reply().unwrap().unwrap().to_string().starts_with("-ERR"));
    let mut connection = behind(arena, Protocol::Lmtp, OUTSIDE);
    assert!(connection.reply().unwrap().unwrap().to_string().starts_with("554"), "who is outside delivers nothing");
    assert!(connection.reply().unwrap().is_none());
    // The same balancer may carry clients of its own network.
    let mut local = Connection::over(arena.socket(Protocol::Imap, Ipv4Addr::LOCALHOST), true).unwrap();
    assert!(local.reply().unwrap().unwrap().to_string().contains("AUTH=PLAIN"));
}
