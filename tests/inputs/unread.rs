//! Clients that ask and do not read: their answers must not pile up in memory, nor hold what others need.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Connection, PASSWORD, await_until, corpus};

use crate::arena::Arena;
use crate::row::Row;

/// How long others may have to wait for what a stuck client looks at.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) static ROWS: &[Row] = &[
    // Side by side, because each waits to be given up.
    Row::play("imap, pop3: commands whose answers nobody reads", |arena| {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut socket = speaking(arena);
                let some = b"a FETCH 1:* (BODY.PEEK[] ENVELOPE BODYSTRUCTURE)\r\n".repeat(1_000);
                talk_until_stuck(&mut socket, &some, 100);
                is_given_up(socket);
            });
            scope.spawn(|| {
                let mut socket = arena.socket(Protocol::Imap, Ipv4Addr::LOCALHOST);
                talk_until_stuck(&mut socket, &b"a NOOP\r\nb CAPABILITY\r\n".repeat(10_000), 300);
                is_given_up(socket);
            });
            scope.spawn(|| {
                let mut socket = arena.socket(Protocol::Pop3, Ipv4Addr::LOCALHOST);
                socket.write_all(format!("USER joe\r\nPASS {PASSWORD}\r\n").as_bytes()).unwrap();
                talk_until_stuck(&mut socket, &b"RETR 1\r\nRETR 2\r\nRETR 3\r\n".repeat(1_000), 300);
                is_given_up(socket);
            });
        });
    })
    .seconds(30),
    Row::play("imap: 20,000 commands in flight are answered in their order", |arena| {
        let mut joe = arena.joe();
        for batch in 0..10 {
            let numbers = batch * 2_000..(batch + 1) * 2_000;
            let all: String = numbers.clone().map(|number| format!("t{number} NOOP\r\n")).collect();
            joe.connection.send(all.as_bytes()).unwrap();
            for number in numbers {
                let said = joe.connection.reply().unwrap().unwrap().to_string();
                assert!(said.starts_with(&format!("t{number} OK")), "{said}");
            }
        }
    }),
    Row::play("imap: a window of zero in a large message that others expunge", window_of_zero).mib(32).seconds(60),
];

/// A socket on which joe is logged in and has selected his INBOX, and nothing is read any more.
fn speaking(arena: &Arena) -> TcpStream {
    let mut socket = arena.socket(Protocol::Imap, Ipv4Addr::LOCALHOST);
    socket.write_all(format!("a LOGIN joe {PASSWORD}\r\nb SELECT INBOX\r\n").as_bytes()).unwrap();
    socket
}

/// Sends until the server takes no more. What the kernel keeps on the way is some megabytes.
fn talk_until_stuck(socket: &mut TcpStream, some: &[u8], times: usize) {
    socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let taken = (0..times).take_while(|_| socket.write_all(some).is_ok()).count();
    assert!(taken < times, "the server goes on reading what it cannot answer");
}

/// The server closes the connection in the end, and not at once.
fn is_given_up(mut socket: TcpStream) {
    let begin = Instant::now();
    socket.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let error = loop {
        // The window is full: this returns when the connection is gone.
        match socket.write_all(&[b'\n'; 65_536]) {
            Ok(()) => {}
            Err(error) => break error,
        }
    };
    let reset = crate::row::is_end(&error);
    assert!(reset, "not given up after {:?}: {error}", begin.elapsed());
}

fn window_of_zero(arena: &Arena) {
    let mut joe = arena.joe_in("Large");
    let large = [b"Subject: large\r\n\r\n".to_vec(), b"0123456789abcdef\r\n".repeat(440_000)].concat();
    assert!(joe.append("Large", "", &large).unwrap().ok());
    assert!(joe.append("Large", "", &corpus::small(1)).unwrap().ok());
    let before = arena.open_descriptors();
    let ask = |stuck: TcpStream| {
        let mut connection = Connection::over(stuck, true).unwrap();
        connection.reply().unwrap().expect("a greeting");
        let said = format!("a LOGIN joe {PASSWORD}\r\nb SELECT Large\r\nc FETCH 1 BODY.PEEK[]\r\n");
        connection.send(said.as_bytes()).unwrap();
        connection
    };
    let mut stuck: Vec<Connection> = (0..6).map(|_| ask(arena.socket(Protocol::Imap, Ipv4Addr::LOCALHOST))).collect();
    // No lock may be held meanwhile: others change the same mailbox.
    let begin = Instant::now();
    joe.must("STORE 1:2 +FLAGS (\\Flagged)").unwrap();
    joe.must("STORE 1 +FLAGS.SILENT (\\Deleted)").unwrap();
    joe.must("EXPUNGE").unwrap();
    assert!(joe.append("Large", "", &corpus::small(2)).unwrap().ok());
    assert!(begin.elapsed() < PATIENCE, "others had to wait {:?}", begin.elapsed());
    // Who reads at last gets all of it, expunged meanwhile or not.
    let mut patient = stuck.pop().unwrap();
    let fetched = loop {
        let reply = patient.reply().unwrap().expect("the message");
        if reply.0.windows(8).take(30).any(|window| window == b" FETCH (") {
            break reply.0;
        }
    };
    let text = fetched.iter().position(|&octet| octet == b'\n').expect("a literal") + 1;
    assert!(fetched[text..].starts_with(&large), "the message came whole");
    // The others are given up, and their half messages do not look whole.
    await_until("they are given up", || arena.open_descriptors() <= before + 4);
    for mut connection in stuck {
        while let Ok(Some(reply)) = connection.reply() {
            assert!(reply.0.len() < large.len(), "a message that was not sent whole looks whole");
        }
    }
    drop((patient, joe));
    arena.remove("Large");
}
