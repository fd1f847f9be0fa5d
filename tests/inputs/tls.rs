//! TLS from the first octet: what is no handshake, handshakes that do not end, names without number (CVE-2017-15130,
//! Dovecot), renegotiation, and ends without a goodbye.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD, await_until, corpus};

use crate::arena::Arena;
use crate::row::Row;

/// Handshakes that are begun and left.
const HALF_OPEN: usize = 200;

pub(crate) static ROWS: &[Row] = &[
    Row::play("imaps, pop3s: octets that are no handshake", |arena| {
        for protocol in [Protocol::Imaps, Protocol::Pop3s] {
            for garbage in [
                &b"a LOGIN joe correct-horse\r\na SELECT INBOX\r\n"[..],
                b"USER joe\r\n",
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                &[0x16, 3, 1, 0xff, 0xff],
                // SSL 2, as scanners still say hello.
                &[0x80, 0x2e, 1, 0, 2, 0, 0x15, 0, 0, 0, 0x10, 1, 0, 0x80],
                &[0xff; 20_000],
                &[0; 20_000],
            ] {
                let mut socket = TcpStream::connect(arena.server.address(protocol)).unwrap();
                socket.set_read_timeout(Some(harness::PATIENCE)).unwrap();
                let _ = socket.write_all(garbage);
                let _ = socket.shutdown(std::net::Shutdown::Write);
                let mut rest = Vec::new();
                let _ = socket.read_to_end(&mut rest);
                assert!(rest.is_empty() || rest[0] == 0x15, "an alert and nothing else: {}", rest.escape_ascii());
            }
        }
    }),
    Row::play("imaps: handshakes that never end", half_open).seconds(30),
    Row::play("imaps: a handshake of one octet at a time", |arena| {
        let mut socket = TcpStream::connect(arena.server.address(Protocol::Imaps)).unwrap();
        socket.set_read_timeout(Some(harness::PATIENCE)).unwrap();
        // It begins as one, and is given up after the time for all of it, not for each octet.
        let begin = Instant::now();
        for octet in [0x16, 3, 1, 2, 0, 1, 0, 1].iter().chain(&[0; 200]) {
            if socket.write_all(&[*octet]).is_err() {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(begin.elapsed().as_secs() < 7, "still taken after {:?}", begin.elapsed());
        assert!(!matches!(socket.read(&mut [0; 16]), Ok(size) if size > 7), "no handshake was answered");
    })
    .seconds(30),
    Row::play("imaps: 150 server names", |arena| {
        for number in 0..150 {
            let mut connection = arena.raw(Protocol::Imaps);
            connection.start_tls_as(&format!("host-{number}.{}example.org", "long.".repeat(number % 40))).unwrap();
        }
    })
    .mib(4)
    .seconds(30),
    Row::play("imaps: TLS that ends without a goodbye in the middle of a message", |arena| {
        for _ in 0..20 {
            let mut imap = over_tls(arena);
            imap.connection.send(b"a APPEND INBOX {1000+}\r\nSubject: half\r\n\r\nhalf").unwrap();
        }
    }),
    Row::play("imaps: a message that is not sent on", |arena| {
        let mut imap = over_tls(arena);
        imap.connection.send(b"a APPEND INBOX {1000+}\r\nSubject: half\r\n\r\nhalf").unwrap();
        let said = imap.connection.reply().unwrap().expect("a goodbye").to_string();
        assert!(said.starts_with("* BYE"), "{said}");
        assert!(imap.connection.reply().unwrap().is_none());
    })
    .seconds(20),
    Row::play("imaps: renegotiation", renegotiation).seconds(30),
];

fn over_tls(arena: &Arena) -> Imap {
    let mut connection: Connection = arena.raw(Protocol::Imaps);
    connection.start_tls().unwrap();
    let mut imap = Imap::over(connection).unwrap();
    imap.must(&format!("LOGIN joe {PASSWORD}")).unwrap();
    imap
}

fn half_open(arena: &Arena) {
    let before = arena.open_descriptors();
    let mut crowd = Vec::new();
    for number in 0..HALF_OPEN {
        let mut socket = TcpStream::connect(arena.server.address(Protocol::Imaps)).unwrap();
        // Some say nothing, some half a hello.
        socket.write_all(&[0x16, 3, 1, 2, 0, 1, 0][..number % 8]).unwrap();
        crowd.push(socket);
    }
    over_tls(arena).must("NOOP").expect("others still get their handshake");
    await_until("they are sent away", || arena.open_descriptors() <= before + 8);
    drop(crowd);
}

/// OpenSSL's client asks for it when it reads a line `R`.
fn renegotiation(arena: &Arena) {
    let mut joe = arena.joe_in("Watched");
    let mut client = match Command::new("openssl")
        .args(["s_client", "-tls1_2", "-crlf", "-connect", &arena.server.address(Protocol::Imaps).to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    {
        Ok(client) => client,
        Err(problem) => return println!("left out: openssl cannot be run ({problem})"),
    };
    let mut stdin = client.stdin.take().unwrap();
    let mut stdout = client.stdout.take().unwrap();
    let mut said = Vec::new();
    let mut read_up_to = |mark: &[u8]| {
        let mut octet = [0];
        while !said.ends_with(mark) && stdout.read(&mut octet).unwrap_or(0) == 1 {
            said.push(octet[0]);
        }
        assert!(said.ends_with(mark), "{}", String::from_utf8_lossy(&said));
    };
    read_up_to(b"Angarium ready");
    stdin.write_all(format!("a LOGIN joe {PASSWORD}\nb SELECT Watched\nc IDLE\n").as_bytes()).unwrap();
    read_up_to(b"+ idling");
    stdin.write_all(b"R\n").unwrap();
    // The refusal goes out with the next thing that the server has to say.
    await_until("the client has ended", || {
        assert!(joe.append("Watched", "", &corpus::small(1)).unwrap().ok());
        client.try_wait().unwrap().is_some()
    });
    let told = String::from_utf8_lossy(&client.wait_with_output().unwrap().stderr).into_owned();
    assert!(told.contains("RENEGOTIATING") && told.contains("no renegotiation"), "{told}");
    drop(joe);
    arena.remove("Watched");
}
