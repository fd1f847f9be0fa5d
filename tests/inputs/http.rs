//! HTTP at the ports of mail: a browser that was talked into it sends a request whose body is commands. None of them may
//! run, however long the request is.

use harness::transcript::Protocol;
use harness::{Connection, PASSWORD};

use crate::arena::Arena;
use crate::row::Answer::{LastWords, Says};
use crate::row::{Door, Row};

pub(crate) static ROWS: &[Row] = &[
    Row::each(
        "imap: an HTTP request",
        Door::Imap,
        &[
            (b"GET / HTTP/1.1\r\nHost: mail.example.org:143\r\n\r\n", LastWords("* BYE")),
            (b"GET /index.html\r\n", LastWords("* BYE")),
            (b"GET http://elsewhere.example/ HTTP/1.0\r\n\r\n", LastWords("* BYE")),
            (b"OPTIONS * HTTP/1.1\r\n\r\n", LastWords("* BYE")),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", LastWords("* BYE")),
            (
                b"POST / HTTP/1.1\r\nHost: mail.example.org:143\r\nContent-Length: 72\r\n\r\n\
                a LOGIN joe correct-horse\r\nb SELECT INBOX\r\nc STORE 1:* +FLAGS \\Deleted\r\n",
                LastWords("* BYE"),
            ),
            // Not the first line, and not HTTP.
            (b"a NOOP\r\nGET / HTTP/1.1\r\n", Says("a OK")),
            (b"A NOOP HTTP/1.1\r\n", Says("A BAD")),
        ],
    ),
    Row::made(
        "imap: an HTTP request for a long name",
        Door::Imap,
        || {
            let path = "x".repeat(20_000);
            format!("POST /{path} HTTP/1.1\r\nHost: x\r\n\r\na LOGIN joe {PASSWORD}\r\nb CREATE Made-by-a-browser\r\n")
                .into()
        },
        LastWords("* BYE"),
    ),
    Row::each(
        "pop3: an HTTP request",
        Door::Pop3,
        &[
            (b"GET / HTTP/1.1\r\nHost: mail.example.org:110\r\n\r\n", LastWords("-ERR")),
            (
                b"POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER joe\r\nPASS correct-horse\r\nDELE 1\r\nQUIT\r\n",
                LastWords("-ERR"),
            ),
            (b"NOOP\r\nGET / HTTP/1.1\r\n", Says("-ERR")),
        ],
    ),
    Row::made(
        "pop3: an HTTP request for a long name",
        Door::Pop3,
        || {
            let path = "x".repeat(20_000);
            format!("POST /{path} HTTP/1.1\r\nHost: x\r\n\r\nUSER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\nQUIT\r\n").into()
        },
        LastWords("-ERR"),
    ),
    Row::play("lmtp: an HTTP request that delivers mail", |arena| {
        for path in ["", &"x".repeat(20_000)] {
            let said = requested(
                arena,
                Protocol::Lmtp,
                false,
                &format!(
                    "POST /{path} HTTP/1.1\r\nHost: x\r\n\r\nLHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<joe@example.org>\r\n\
                     DATA\r\nSubject: x\r\n\r\nx\r\n.\r\n"
                ),
            );
            assert!(said.len() <= 2 && said.iter().skip(1).all(|line| line.starts_with("421")), "{said:?}");
        }
    }),
    Row::play("imaps, pop3s: an HTTP request within TLS", |arena| {
        for (protocol, words) in [(Protocol::Imaps, "* BYE"), (Protocol::Pop3s, "-ERR")] {
            let said =
                requested(arena, protocol, true, "POST / HTTP/1.1\r\nHost: x\r\n\r\na LOGIN joe correct-horse\r\n");
            assert!(said.len() <= 2 && said.iter().skip(1).all(|line| line.starts_with(words)), "{said:?}");
        }
    }),
];

/// What is said to a request, the greeting included.
fn requested(arena: &Arena, protocol: Protocol, tls: bool, request: &str) -> Vec<String> {
    let mut connection: Connection = arena.raw(protocol);
    if tls {
        connection.start_tls().unwrap();
    }
    let mut said = vec![connection.reply().unwrap().expect("a greeting").to_string()];
    let _ = connection.send(request.as_bytes());
    while let Ok(Some(line)) = connection.reply() {
        said.push(line.to_string());
    }
    said
}
