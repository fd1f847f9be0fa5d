//! The load generator against the real server: no errors with it as it is, and an error whenever an answer on its way is
//! doubled, lost or changed.

#![allow(clippy::unwrap_used, reason = "a test reports trouble by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::thread;

use harness::transcript::Protocol;
use harness::{DOMAIN, Home, PASSWORD, Server};

/// Users that the workloads below need: `list`, `push` and `big` have their own, up to number 60.
const USERS: [usize; 12] = [1, 2, 3, 4, 20, 21, 22, 50, 55, 56, 57, 60];

/// What the generator speaks, in the order of its options.
const PROTOCOLS: [Protocol; 3] = [Protocol::Imap, Protocol::Pop3, Protocol::Lmtp];

/// What is done to the first line that a server sends and that begins as given.
#[derive(Clone, Copy)]
enum Damage {
    Double(&'static str),
    Lose(&'static str),
    /// The first is replaced by the second.
    Change(&'static str, &'static str, &'static str),
}

/// Workloads, in which protocol their answers are damaged, and how.
const DAMAGES: &[(&[&str], Protocol, &[Damage])] = &[
    (
        &["fetch-list", "--population", "10", "-c", "1"],
        Protocol::Imap,
        &[
            Damage::Double("* 7 FETCH"),
            Damage::Lose("* 7 FETCH"),
            Damage::Change("* 8 FETCH", "\\Seen", "\\Seem"),
            Damage::Change("* 7 FETCH", "RFC822.SIZE 3", "RFC822.SIZE 4"),
            Damage::Change("* 7 FETCH", "UID 7", "UIX 7"),
            Damage::Change("* 7 FETCH", "corpus 000006", "corpus 000007"),
            Damage::Change("* 7 FETCH", "* 7", "* 8"),
        ],
    ),
    (
        &["fetch-body", "--population", "10", "-c", "1"],
        Protocol::Imap,
        &[Damage::Change("Subject:", "corpus", "Corpus")],
    ),
    (
        &["retr", "--population", "10", "-c", "1"],
        Protocol::Pop3,
        &[
            Damage::Change("Subject:", "corpus", "Corpus"),
            Damage::Lose("+OK 10 "),
            Damage::Change("+OK 10 ", "10", "11"),
            Damage::Double("+OK"),
        ],
    ),
    (
        &["store", "--population", "10", "-c", "1"],
        Protocol::Imap,
        &[
            Damage::Double("* 3 FETCH"),
            Damage::Lose("* 3 FETCH"),
            Damage::Double("t000010 OK"),
            Damage::Change("* 3 FETCH", "\\Answered", "\\Deleted"),
        ],
    ),
    (
        &["select", "--population", "10", "-c", "1"],
        Protocol::Imap,
        &[Damage::Double("* 10 EXISTS"), Damage::Change("* 10 EXISTS", "10", "11"), Damage::Lose("* OK [UIDVALIDITY")],
    ),
    (
        &["search-flag", "--population", "10"],
        Protocol::Imap,
        &[Damage::Double("* SEARCH"), Damage::Lose("* SEARCH"), Damage::Change("* SEARCH", " 1", "")],
    ),
    (
        &["list", "--population", "10"],
        Protocol::Imap,
        &[Damage::Change("* LIST (\\HasNoChildren) \"/\" Tree00/Branch03", "03", "04")],
    ),
    (&["append", "-c", "1"], Protocol::Imap, &[Damage::Change("t", "[APPENDUID ", "[APPENDUID 1")]),
    (
        &["deliver", "-c", "1", "-r", "2", "--population", "2"],
        Protocol::Lmtp,
        &[Damage::Double("250 2.1.5"), Damage::Change("250 2.1.5", "250", "452")],
    ),
];

#[test]
fn every_workload_works() {
    let (home, server) = start();
    let pid = server.pid().to_string();
    for workload in [
        &["deliver", "-c", "2", "-r", "2", "--population", "3"][..],
        &["append", "-c", "2"],
        &["fetch-list", "--population", "30"],
        &["fetch-headers", "--population", "30"],
        &["fetch-body", "--population", "20"],
        &["retr", "-c", "2", "--population", "20"],
        &["store", "-c", "2", "--population", "20"],
        &["select", "-c", "2", "--population", "20"],
        &["search-from", "--population", "30"],
        &["search-flag", "--population", "30"],
        &["search-date", "--population", "30"],
        &["search-body", "--population", "10"],
        &["login", "-c", "2", "--population", "2"],
        &["list", "--population", "20"],
        &["mixed", "-c", "2"],
        &["push", "-c", "3"],
    ] {
        let arguments = [workload, &["--count", "12", "--size", "3000", "--json", "--server-pid", &pid]].concat();
        let output = generate(addresses(&server), &arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{workload:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains(r#""rate":"#) && text.contains(r#""cpu_seconds":"#), "{workload:?}: {text}");
    }
    let big = ["big", "--population", "200"];
    for arguments in [&[big.as_slice(), &["--prepare"]].concat(), &big.to_vec()] {
        let output = generate(addresses(&server), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    server.stop(&[]);
    home.check_store();
}

#[test]
fn damaged_answers_are_noticed() {
    let (_home, server) = start();
    let mut unnoticed = Vec::new();
    for &(workload, protocol, damages) in DAMAGES {
        let arguments = [workload, &["--count", "25", "--size", "3000", "--timeout", "20"]].concat();
        // With nothing damaged on the way the run must go well, or a failure would prove nothing.
        let same = addresses(&server).map(|address| between(address, Damage::Lose("never")));
        let output = generate(same, &arguments);
        assert!(output.status.success(), "{workload:?}: {}", String::from_utf8_lossy(&output.stderr));
        for &damage in damages {
            let mut through = addresses(&server);
            for (address, spoken) in through.iter_mut().zip(PROTOCOLS) {
                if spoken == protocol {
                    *address = between(*address, damage);
                }
            }
            let output = generate(through, &arguments);
            if output.status.success() || !output.stdout.is_empty() {
                unnoticed.push(format!("{workload:?}: {}", damage.name()));
            }
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}

#[test]
fn other_machines_are_refused() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_angarium-load"));
    let output = command.args(["login", "--host", "192.0.2.1"]).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--anywhere"));
}

fn start() -> (Home, Server) {
    let home = Home::new(&program(), &[]);
    for user in USERS {
        home.add_user(&format!("u{user:04}"));
    }
    let server = home.start();
    (home, server)
}

/// Where the protocols are served that the generator speaks.
fn addresses(server: &Server) -> [SocketAddr; 3] {
    PROTOCOLS.map(|protocol| server.address(protocol))
}

/// The server's program: where Cargo puts programs, and built if nothing has built it yet.
fn program() -> String {
    static PROGRAM: OnceLock<String> = OnceLock::new();
    let find = || {
        let program = PathBuf::from(env!("CARGO_BIN_EXE_angarium-load")).with_file_name("angarium");
        if !program.exists() {
            let mut cargo = Command::new(env!("CARGO"));
            let built =
                cargo.args(["build", "--locked", "--package", "angarium", "--bin", "angarium"]).status().unwrap();
            assert!(built.success());
        }
        program.into_os_string().into_string().unwrap()
    };
    PROGRAM.get_or_init(find).clone()
}

/// Runs the generator against the three listeners of a server.
fn generate([imap, pop3, lmtp]: [SocketAddr; 3], arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_angarium-load"))
        .args(arguments)
        .args(["--imap", &imap.port().to_string()])
        .args(["--pop3", &pop3.port().to_string(), "--lmtp", &lmtp.port().to_string()])
        .args(["--password", PASSWORD, "--domain", DOMAIN])
        .output()
        .unwrap()
}

/// A listener that connects to `server` and damages what comes back, once.
fn between(server: SocketAddr, damage: Damage) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(upstream) = TcpStream::connect(server) else { return };
            let (mut commands, mut sink) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut commands, &mut sink));
            thread::spawn(move || answer(upstream, client, damage));
        }
    });
    address
}

fn answer(server: TcpStream, mut client: TcpStream, damage: Damage) -> std::io::Result<()> {
    let mut lines = BufReader::new(server);
    let (mut line, mut is_done) = (Vec::new(), false);
    while lines.read_until(b'\n', &mut line)? > 0 {
        if !is_done && let Some(instead) = damage.apply(&line) {
            is_done = true;
            line = instead;
        }
        client.write_all(&line)?;
        line.clear();
    }
    client.shutdown(std::net::Shutdown::Both)
}

impl Damage {
    fn name(self) -> String {
        match self {
            Self::Double(begin) => format!("{begin} doubled"),
            Self::Lose(begin) => format!("{begin} lost"),
            Self::Change(begin, from, to) => format!("{begin}: {from} becomes {to}"),
        }
    }

    /// What is sent instead of `line`; `None` if it is not meant.
    fn apply(self, line: &[u8]) -> Option<Vec<u8>> {
        let text = String::from_utf8(line.to_vec()).ok()?;
        match self {
            Self::Double(begin) => text.starts_with(begin).then(|| text.repeat(2)),
            Self::Lose(begin) => text.starts_with(begin).then(String::new),
            Self::Change(begin, from, to) => {
                (text.starts_with(begin) && text.contains(from)).then(|| text.replacen(from, to, 1))
            }
        }
        .map(String::into_bytes)
    }
}
