//! What clients may cost: descriptors, memory, and the time of those who neither read nor write nor leave.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Home, PASSWORD, Server, await_until};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn home(settings: &[&str]) -> Home {
    let home = Home::new(PROGRAM, settings);
    home.add_user("joe");
    home
}

/// A conversation in lines.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout is set");
        Self(BufReader::new(stream))
    }

    /// An IMAP session, logged in.
    fn login(server: &Server) -> Self {
        let mut talk = Self::open(server.address(Protocol::Imap));
        talk.line();
        assert!(talk.say(&format!("l LOGIN joe {PASSWORD}")).starts_with("l OK"));
        talk
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("a line comes");
        line
    }

    fn send(&mut self, octets: &[u8]) {
        self.0.get_mut().write_all(octets).expect("sent");
    }

    /// Sends a line and returns the next one.
    fn say(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.line()
    }

    /// What comes until the server closes.
    fn rest(mut self) -> String {
        let mut rest = Vec::new();
        // A connection that is reset has said all that it had to say.
        let _ = self.0.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// The processor time that the server has used, in hundredths of a second.
fn ticks(server: &Server) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid())).expect("the process is there");
    let (_, fields) = stat.rsplit_once(") ").expect("fields behind the name");
    fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

fn value(home: &Home, sample: &str) -> u64 {
    let text = home.must_run(&["metrics"], b"");
    let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().expect("a number")
}

#[test]
fn no_descriptor_is_left() {
    let home = home(&["limits.connections = 1000"]);
    let server = home.start();
    let mut joe = Talk::login(&server);
    let pid = Pid::from_raw(server.pid() as i32).expect("a process");
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the process is there").count() as u64;
    let few = Rlimit { current: Some(open + 5), maximum: Some(open + 5) };
    prlimit(Some(pid), Resource::Nofile, few).expect("a process of ours takes a limit");
    let address = server.address(Protocol::Imap);
    let waiting: Vec<_> = (0..40).map(|_| TcpStream::connect(address).expect("the kernel takes it")).collect();
    server.await_log("listener.accept.failed");

    // It waits, and everybody else goes on.
    let before = ticks(&server);
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        assert!(joe.say("a NOOP").starts_with("a OK"));
        std::thread::sleep(Duration::from_millis(100));
    }
    let used = ticks(&server) - before;
    assert!(used < 60, "{used} hundredths of a second in three seconds");
    let said = server.log().matches("listener.accept.failed").count();
    assert!(said <= 2, "{said} lines");

    drop(waiting);
    let mut late = Talk::open(address);
    assert!(late.line().starts_with("* OK"));
    server.stop(&["listener.accept.failed".to_owned()]);
}

#[test]
fn who_does_not_read_is_cut_off() {
    let home = home(&["limits.output_stalled = \"1s\""]);
    let server = home.start();
    let mut writer = server.imap("joe");
    let mail = [&b"Subject: large\r\n\r\n"[..], &b"text\r\n".repeat(3_000_000)].concat();
    assert!(writer.append("INBOX", "", &mail).expect("appended").ok());
    writer.must("LOGOUT").expect("gone");
    let mut deaf = Talk::login(&server);
    deaf.send(b"a SELECT INBOX\r\nb FETCH 1 BODY[]\r\n");
    server.await_log("peer stopped reading");
    await_until("it is gone", || home.must_run(&["who", "joe"], b"").lines().count() == 1);
    assert!(!deaf.rest().contains("b OK"));
    server.stop(&[]);
}

#[test]
fn who_does_not_write_is_cut_off() {
    let home =
        home(&["limits.body_stalled = \"1s\"", "limits.login_timeout = \"5s\"", "limits.tls_handshake = \"1s\""]);
    let server = home.start();
    // A literal, and a message, that do not come to their ends.
    let mut literal = Talk::login(&server);
    assert!(literal.say("a SEARCH TEXT {100}").starts_with("+ "));
    literal.send(b"x");
    let mut message = Talk::login(&server);
    assert!(message.say("a APPEND INBOX {100}").starts_with("+ "));
    message.send(b"x");
    let mut lmtp = Talk::open(server.address(Protocol::Lmtp));
    lmtp.send(b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe@example.org>\r\nDATA\r\nSubject: x\r\n");
    let handshake = Talk::open(server.address(Protocol::Imaps));
    assert!(literal.rest().contains("* BYE"));
    assert!(message.rest().contains("* BYE"));
    assert!(lmtp.rest().ends_with("421 4.4.2 Timed out\r\n"));
    assert_eq!(handshake.rest(), "");
    // A letter now and then is not enough.
    let mut slow = Talk::open(server.address(Protocol::Imap));
    slow.line();
    let begin = Instant::now();
    let stream = slow.0.get_ref().try_clone().expect("a second handle");
    let writer = std::thread::spawn(move || {
        let mut stream = stream;
        while begin.elapsed() < Duration::from_secs(20) && stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(200));
        }
    });
    assert!(slow.rest().contains("* BYE"));
    assert!(begin.elapsed() < Duration::from_secs(18), "{:?}", begin.elapsed());
    writer.join().expect("no panic");
    server.stop(&[]);
}

/// Handshakes, exchanges, the delay behind a wrong password, and connections that say nothing.
#[test]
fn nobody_who_is_not_in_delays_the_end() {
    let home = home(&["metrics.listen = [\"127.0.0.1:0\"]", "server.shutdown_wait = \"60s\""]);
    let server = home.start();
    let text = fs::read_to_string(home.config_dir().join("socket/listening.json")).expect("the server tells");
    let listening: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let metrics: SocketAddr = listening["metrics"][0].as_str().expect("an address").parse().expect("an address");

    let _handshakes = [Protocol::Imaps, Protocol::Pop3s].map(|protocol| Talk::open(server.address(protocol)));
    let mut exchange = Talk::open(server.address(Protocol::Imap));
    exchange.line();
    assert!(exchange.say("a AUTHENTICATE PLAIN").starts_with("+ "));
    let mut starttls = Talk::open(server.address(Protocol::Imap));
    starttls.line();
    assert!(starttls.say("a STARTTLS").starts_with("a OK"));
    let mut stls = Talk::open(server.address(Protocol::Pop3));
    stls.line();
    assert!(stls.say("STLS").starts_with("+OK"));
    let mut pop3 = Talk::open(server.address(Protocol::Pop3));
    pop3.line();
    assert!(pop3.say("AUTH PLAIN").starts_with("+ "));
    let mut wrong = Talk::open(server.address(Protocol::Imap));
    wrong.line();
    wrong.send(b"a LOGIN joe wrong\r\nb LOGIN joe wronger\r\nc LOGIN joe wrongest\r\n");
    let _scraper = Talk::open(metrics);
    let _silent = UnixStream::connect(home.config_dir().join("socket/control")).expect("connected");
    server.await_log("event=login.failed");

    let begin = Instant::now();
    server.stop(&[]);
    // The delay alone would be three seconds and six and nine.
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    assert!(exchange.rest().ends_with("* BYE Server is shutting down\r\n"));
    assert!(pop3.rest().ends_with("-ERR [SYS/TEMP] Server is shutting down\r\n"));
}

#[test]
fn scrapers_do_not_take_the_places_of_clients() {
    let home = home(&["metrics.listen = [\"127.0.0.1:0\"]"]);
    let server = home.start();
    let text = fs::read_to_string(home.config_dir().join("socket/listening.json")).expect("the server tells");
    let listening: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let metrics: SocketAddr = listening["metrics"][0].as_str().expect("an address").parse().expect("an address");
    let open = "angarium_connections_open{service=\"metrics\"}";
    let held: Vec<_> = (0..16).map(|_| Talk::open(metrics)).collect();
    await_until("they are counted", || value(&home, open) == 16);
    assert!(Talk::open(metrics).rest().starts_with("HTTP/1.1 503 "));
    drop(held);
    await_until("they are gone", || value(&home, open) == 0);
    let mut again = Talk::open(metrics);
    assert!(again.say("GET /metrics HTTP/1.0\r\n").starts_with("HTTP/1.0 200 "));
    server.stop(&["event=connection.refused".to_owned()]);
}

#[test]
fn headers_of_no_balancer_make_one_line() {
    let home = home(&["server.proxies = [\"127.0.0.0/8\"]"]);
    let server = home.start();
    for _ in 0..50 {
        let mut talk = Talk::open(server.address(Protocol::Imap));
        talk.send(b"a NOOP\r\nb NOOP\r\n");
        assert_eq!(talk.rest(), "");
    }
    let lines = server.log().matches("event=proxy.refused").count();
    assert!((1..=3).contains(&lines), "{lines} lines");
    server.stop(&["event=proxy.refused".to_owned()]);
}

/// Large arguments of many clients: what does not fit is refused for a while, and nobody who is in is harmed.
#[test]
fn memory_is_shared_out() {
    let home = home(&["limits.memory = \"4 MiB\"", "limits.connection_memory = \"950 KiB\""]);
    let server = home.start();
    let mut clients: Vec<_> = (0..17).map(|_| Talk::login(&server)).collect();
    let mut lmtp = Talk::open(server.address(Protocol::Lmtp));
    lmtp.line();
    lmtp.send(b"LHLO x\r\n");
    while !lmtp.line().starts_with("250 ") {}

    // 4 MiB are 4,194,304 octets.
    let sizes = [[900_000; 4].as_slice(), &[500_000], &[16_000; 8]].concat();
    let mut holding = clients.split_off(clients.len() - sizes.len());
    for (client, size) in holding.iter_mut().zip(&sizes) {
        assert!(client.say(&format!("a SEARCH TEXT {{{size}}}")).starts_with("+ "), "{size}");
    }
    for (client, size) in holding.iter_mut().zip(&sizes) {
        client.send(&b"x".repeat(size / 2));
    }
    assert!(value(&home, "angarium_buffer_bytes") >= 4_194_304);
    assert_eq!(value(&home, "angarium_buffer_limit_bytes"), 4_194_304);
    let refused = clients[0].say("a SEARCH TEXT {900000}");
    assert!(refused.starts_with("a NO [UNAVAILABLE] "), "{refused}");
    let refused = clients[1].say("a APPEND INBOX {300000}");
    assert!(refused.starts_with("a NO [UNAVAILABLE] "), "{refused}");
    // What is on its way already is read, and thrown away.
    clients[2].send(b"a SEARCH TEXT {300000+}\r\n");
    clients[2].send(&b"x".repeat(300_000));
    let refused = clients[2].say("");
    assert!(refused.starts_with("a NO [UNAVAILABLE] "), "{refused}");
    let refused = lmtp.say("MAIL FROM:<a@example.org>");
    assert!(refused.starts_with("452 4.3.1 "), "{refused}");
    // Small commands get through, new connections do not, administrators do.
    for client in &mut clients {
        assert!(client.say("b NOOP").starts_with("b OK"));
    }
    assert!(clients[3].say("c APPEND INBOX {12}").starts_with("+ "));
    assert!(clients[3].say("Subject: x\r\n").starts_with("c OK"));
    let stranger = Talk::open(server.address(Protocol::Imap)).rest();
    assert!(stranger.starts_with("* BYE [UNAVAILABLE]"), "{stranger}");
    assert!(value(&home, "angarium_buffer_refusals_total") >= 4);
    assert_eq!(value(&home, "angarium_connections_refused_total{service=\"imap\",reason=\"memory\"}"), 1);

    // Those who were let do not lose by it.
    holding[5].send(&b"x".repeat(8_000));
    holding[5].send(b"\r\n");
    assert!(holding[5].line().starts_with("a BAD Select a mailbox first"));
    drop(holding);
    await_until("the account is balanced", || value(&home, "angarium_buffer_bytes") == 0);
    // Arguments of a command that was refused are forgotten with it.
    let (small, large) = ("x".repeat(20_000), "x".repeat(2_000_000));
    let refused = clients[2].say(&format!("e SEARCH TEXT {{20000+}}\r\n{small} TEXT {{2000000+}}\r\n{large}"));
    assert!(refused.starts_with("e BAD [TOOBIG] "), "{refused}");
    await_until("they are forgotten", || value(&home, "angarium_buffer_bytes") == 0);
    assert!(clients[0].say("d SEARCH TEXT {900000}").starts_with("+ "));
    assert!(lmtp.say("MAIL FROM:<a@example.org>").starts_with("250 "));
    Talk::login(&server);
    // However much there is for all.
    let refused = clients[1].say("d SEARCH TEXT {1000000}");
    assert!(refused.starts_with("d NO [LIMIT] "), "{refused}");
    drop((clients, lmtp));
    server.stop(&["event=connection.refused".to_owned()]);
}

/// What a POP3 client will ask for next is counted as long as it is kept.
#[test]
fn what_is_read_ahead_is_given_up() {
    let home = home(&[]);
    let server = home.start();
    let mut joe = Talk::login(&server);
    for _ in 0..3 {
        assert!(joe.say("f APPEND INBOX {8000}").starts_with("+ "));
        assert!(joe.say(&format!("Subject: x\r\n\r\n{}\r\n", "y".repeat(7_984))).starts_with("f OK"));
    }
    drop(joe);
    await_until("nothing is held", || value(&home, "angarium_buffer_bytes") == 0);
    let mut pop3 = server.pop3("joe");
    pop3.body("RETR 1").expect("a message");
    pop3.body("RETR 2").expect("a message");
    assert!(value(&home, "angarium_buffer_bytes") >= 8_000);
    await_until("it is given up", || value(&home, "angarium_buffer_bytes") == 0);
    drop(pop3);
    server.stop(&[]);
}

/// One user's sessions, over both protocols; an administrator and other users get in, and a place is free again.
#[test]
fn a_user_has_so_many_sessions() {
    let home = home(&["limits.connections_per_user = 3"]);
    home.add_user("sue");
    let server = home.start();
    let sessions: Vec<_> = (0..3).map(|_| Talk::login(&server)).collect();
    let log_in = |user: &str| {
        let mut talk = Talk::open(server.address(Protocol::Imap));
        talk.line();
        talk.say(&format!("a LOGIN {user} {PASSWORD}"))
    };
    assert!(log_in("joe").starts_with("a NO [LIMIT]"));
    assert!(log_in("sue").starts_with("a OK"));
    let mut pop3 = Talk::open(server.address(Protocol::Pop3));
    pop3.line();
    assert!(pop3.say("USER joe").starts_with("+OK"));
    assert!(pop3.say(&format!("PASS {PASSWORD}")).starts_with("-ERR [SYS/TEMP]"));
    let mut last = sessions;
    if let Some(mut talk) = last.pop() {
        assert!(talk.say("b LOGOUT").starts_with("* BYE"));
        drop(talk.rest());
    }
    // The place is free when the server has let go of the connection.
    await_until("a place is free", || log_in("joe").starts_with("a OK"));
}
