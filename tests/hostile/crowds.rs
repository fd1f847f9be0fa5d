//! Crowds: thousands of connections that want nothing, or all the same.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Connection, Imap, PASSWORD, corpus};
use rustix::process::{Resource, getrlimit};

use crate::attack::{Attack, goes_on};

/// Connections that send a byte now and then.
const SLOW: usize = 2_000;

/// Sessions that watch one mailbox.
const WATCHERS: usize = 1_000;

/// Messages that arrive while they do.
const ARRIVALS: u32 = 25;

/// How long a login or a delivery may take while a crowd stands around. Both hash, sync or wake thousands, in a debug
/// build; a server that serves the crowd first takes minutes.
const SERVED: Duration = Duration::from_secs(3);

/// Whether this process, and so the server, may open that many files; says otherwise that `test` is skipped.
fn may_open(files: u64, test: &str) -> bool {
    let allowed = getrlimit(Resource::Nofile).current.is_none_or(|limit| limit >= files);
    if !allowed {
        println!("SKIPPED {test}: needs {files} file descriptors (ulimit -n)");
    }
    allowed
}

#[test]
fn clients_that_send_a_byte_now_and_then() {
    // The server takes half of what it may open for connections.
    if !may_open(SLOW as u64 * 2 + 1_000, "clients_that_send_a_byte_now_and_then") {
        return;
    }
    let attack = Attack::begin_with(&["limits.login_timeout = \"6s\""]);
    let before = attack.descriptors();
    let begin = Instant::now();
    let address = attack.server.address(Protocol::Imap);
    let mut crowd: Vec<TcpStream> = (0..SLOW).map(|_| TcpStream::connect(address).unwrap()).collect();
    for socket in &crowd {
        socket.set_nonblocking(true).unwrap();
    }
    let mut most = 0;
    // A byte does not buy time: all of them are gone soon after the timeout, and meanwhile others come in.
    while !crowd.is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(40), "{} are still connected", crowd.len());
        most = most.max(attack.descriptors());
        let login = Instant::now();
        drop(attack.joe());
        assert!(login.elapsed() < SERVED, "a login took {:?}", login.elapsed());
        crowd.retain_mut(|socket| socket.write_all(b"a").is_ok() && is_open(socket));
    }
    assert!(begin.elapsed() > Duration::from_secs(5), "they were sent away before their time");
    assert!(most > SLOW, "they were not all let in: {most} descriptors");
    harness::await_until("their descriptors are closed", || attack.descriptors() <= before + 8);
    attack.survived();
}

/// Reads what there is, up to the end.
fn is_open(socket: &mut TcpStream) -> bool {
    let mut bytes = [0; 512];
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}

#[test]
fn many_clients_idle_on_one_mailbox() {
    if !may_open(WATCHERS as u64 * 2 + 1_000, "many_clients_idle_on_one_mailbox") {
        return;
    }
    let attack = Attack::begin_with(&["limits.connections_per_user = 0"]);
    let address = attack.server.address(Protocol::Imap);
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(move || watchers(address, WATCHERS / 4))).collect();
    let mut crowd: Vec<Connection> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let mut lmtp = attack.server.lmtp();
    for number in 1..=ARRIVALS {
        let begin = Instant::now();
        let message = corpus::small(number as usize);
        let replies = lmtp.deliver("a@example.org", &["joe@example.org"], &message).unwrap();
        assert!(replies[0].starts_with("250"), "{replies:?}");
        assert!(begin.elapsed() < SERVED, "a delivery took {:?}", begin.elapsed());
    }
    let last = format!("* {} EXISTS", 3 + ARRIVALS);
    for connection in &mut crowd {
        while connection.reply().unwrap().expect("a watcher stays").to_string() != last {}
        // DONE may come in pieces.
        connection.send(b"DO").unwrap();
        connection.send(b"NE\r\n").unwrap();
        assert!(goes_on(connection));
    }
    drop(crowd);
    attack.survived();
}

/// Sessions of joe that idle on his INBOX.
fn watchers(address: std::net::SocketAddr, count: usize) -> Vec<Connection> {
    let watcher = |_| {
        let mut imap = Imap::login(address, "joe", PASSWORD).unwrap();
        imap.must("SELECT INBOX").unwrap();
        imap.connection.send(b"a IDLE\r\n").unwrap();
        assert!(imap.connection.reply().unwrap().unwrap().0.starts_with(b"+"));
        imap.connection
    };
    (0..count).map(watcher).collect()
}
