//! Clients that vanish, in good order or with a reset, at every octet of a session. The arena sees whether anything was
//! kept: a message, a file, a descriptor.

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use harness::transcript::Protocol;
use harness::{PASSWORD, Pop3, await_until};
use rustix::net::sockopt::set_socket_linger;

use crate::arena::{AMYS, Arena};
use crate::row::Row;

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Exit {
    /// Close: what was sent arrives.
    Fin,
    /// Reset: what was sent may be lost.
    Reset,
}

pub(crate) static ROWS: &[Row] = &[
    Row::play("imap: a client that closes at every octet, in an APPEND at last", |arena| {
        let (session, end) = appending();
        vanish_everywhere(arena, Protocol::Imap, &session, end, Exit::Fin);
        locks_are_free(arena);
    })
    .seconds(30),
    Row::play("imap: a client that resets at every octet, in an APPEND at last", |arena| {
        let (session, end) = appending();
        vanish_everywhere(arena, Protocol::Imap, &session, end, Exit::Reset);
        locks_are_free(arena);
    })
    .seconds(30),
    Row::play("lmtp: a client that closes at every octet up to the final dot", |arena| {
        vanish_everywhere(arena, Protocol::Lmtp, DATA, DATA.len() - 2, Exit::Fin);
    })
    .seconds(30),
    Row::play("lmtp: a client that resets at every octet up to the final dot", |arena| {
        vanish_everywhere(arena, Protocol::Lmtp, DATA, DATA.len() - 2, Exit::Reset);
    })
    .seconds(30),
    Row::play("lmtp: a client that resets at every octet of its chunks", |arena| {
        vanish_everywhere(arena, Protocol::Lmtp, CHUNKS, CHUNKS.len() - 1, Exit::Reset);
    })
    .seconds(30),
    Row::play("lmtp: clients that vanish before their answers", unanswered),
    Row::play("pop3: a client that closes at every octet, with messages deleted", |arena| {
        let session = format!("USER joe\r\nPASS {PASSWORD}\r\nDELE 1\r\nDELE 2\r\nRETR 3\r\nUIDL\r\nNOOP\r\nQUI");
        vanish_everywhere(arena, Protocol::Pop3, session.as_bytes(), session.len(), Exit::Fin);
        await_until("the maildrop is free and whole", || {
            Pop3::open(arena.server.address(Protocol::Pop3))
                .and_then(|pop3| pop3.login("joe", PASSWORD))
                .is_ok_and(|mut pop3| pop3.must("STAT").is_ok_and(|stat| stat.starts_with("+OK 3 ")))
        });
    })
    .seconds(30),
    Row::play("all: a thousand connections that are closed at once", |arena| {
        let protocols = [Protocol::Imap, Protocol::Imaps, Protocol::Pop3, Protocol::Lmtp];
        for number in 0..1_000 {
            let socket = TcpStream::connect(arena.server.address(protocols[number % 4])).unwrap();
            if number % 3 == 0 {
                set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
            }
        }
    }),
    Row::play("imap: a client that stops sending and goes on reading", |arena| {
        let mut joe = arena.joe();
        joe.connection.send(b"a FETCH 1:* BODY.PEEK[]\r\n").unwrap();
        joe.connection.half_close().unwrap();
        let mut fetched = 0;
        while let Ok(Some(reply)) = joe.connection.reply() {
            let is_message = reply.0.starts_with(b"* ") && reply.0.windows(7).any(|window| window == b" FETCH ");
            fetched += usize::from(is_message);
        }
        assert_eq!(fetched, 3);
    }),
];

/// Plays the beginning of a session, as long as its every length from 0 to `end`.
fn vanish_everywhere(arena: &Arena, protocol: Protocol, session: &[u8], end: usize, exit: Exit) {
    for cut in 0..=end {
        let mut socket = TcpStream::connect(arena.server.address(protocol)).unwrap();
        socket.write_all(&session[..cut]).unwrap();
        if matches!(exit, Exit::Reset) {
            set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
        }
    }
}

/// An IMAP session, and its length without the last octet: of two messages the first came whole, and then the second, but the
/// command was never ended.
fn appending() -> (Vec<u8>, usize) {
    let session = format!(
        "a LOGIN joe {PASSWORD}\r\nb SELECT INBOX\r\nc FETCH 1:* BODY.PEEK[]\r\n\
         d APPEND INBOX {{7+}}\r\nwhole\r\n (\\Seen) {{20+}}\r\nSubject: half\r\n\r\nxyz\r\n"
    );
    let end = session.len() - 1;
    (session.into_bytes(), end)
}

const DATA: &[u8] = b"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\n\
    Subject: half\r\n\r\none\r\n..two\r\n.\r\n";

const CHUNKS: &[u8] = b"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<joe@example.org>\r\n\
    BDAT 15\r\nSubject: half\r\nBDAT 9 LAST\r\n\r\none\r\n..";

/// Those who have gone hold nothing.
fn locks_are_free(arena: &Arena) {
    let mut joe = arena.joe_in("Free");
    joe.must("RENAME Free Freed").unwrap();
    drop(joe);
    arena.remove("Freed");
}

/// A message that came whole is delivered, once, whether or not its sender waits for the answer; it has one Message-ID.
fn unanswered(arena: &Arena) {
    let session =
        b"LHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<amy@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n\
        Message-ID: <once@example.org>\r\nSubject: x\r\n\r\nx\r\n.\r\n";
    for turn in 0..10 {
        let mut socket = TcpStream::connect(arena.server.address(Protocol::Lmtp)).unwrap();
        socket.write_all(session).unwrap();
        if turn % 2 == 1 {
            // Not before the server had the chance to read it.
            let _ = std::io::Read::read(&mut socket, &mut [0; 64]);
            set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
        }
    }
    await_until("it is delivered", || {
        [("amy", AMYS), ("bob", PASSWORD)].iter().all(|(user, word)| arena.messages(user, word) == 1)
    });
    for (user, password) in [("amy", AMYS), ("bob", PASSWORD)] {
        let mut imap = harness::Imap::login(arena.server.address(Protocol::Imap), user, password).unwrap();
        imap.must("SELECT INBOX").unwrap();
        imap.must("STORE 1:* +FLAGS.SILENT (\\Deleted)").unwrap();
        imap.must("EXPUNGE").unwrap();
    }
}
