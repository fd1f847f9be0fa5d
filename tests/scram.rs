//! SCRAM over live connections: bound to TLS in each way and protocol, by a client of our own and by Python's scramp.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

use std::num::NonZeroU32;
use std::process::{Command, Stdio};

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Connection, Home, PASSWORD, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
const SHA256: &str = "SCRAM-SHA-256";
const PLUS: &str = "SCRAM-SHA-256-PLUS";

fn site(settings: &[&str]) -> (Home, Server) {
    let home = Home::new(PROGRAM, settings);
    home.add_user("joe");
    let server = home.start();
    (home, server)
}

/// A connection over TLS, and how SASL is spoken on it.
struct Client {
    connection: Connection,
    protocol: Protocol,
}

impl Client {
    /// Connects, and begins TLS where the protocol does not begin with it.
    fn connect(server: &Server, protocol: Protocol) -> Self {
        let connection = Connection::open(server.address(protocol), protocol.is_imap()).expect("connected");
        let mut client = Self { connection, protocol };
        if protocol.begins_with_tls() {
            client.connection.start_tls().expect("a handshake");
            client.line();
            return client;
        }
        client.line();
        match protocol {
            Protocol::Lmtp => {
                client.say("LHLO client.example.org");
                while client.line().starts_with("250-") {}
                client.say("STARTTLS");
            }
            Protocol::Pop3 => client.say("STLS"),
            _ => client.say("a STARTTLS"),
        }
        client.line();
        client.connection.start_tls().expect("a handshake");
        if protocol == Protocol::Lmtp {
            client.say("LHLO client.example.org");
            while client.line().starts_with("250-") {}
        }
        client
    }

    fn say(&mut self, line: &str) {
        self.connection.send(format!("{line}\r\n").as_bytes()).expect("sent");
    }

    fn line(&mut self) -> String {
        self.connection.reply().expect("answered").expect("the connection is open").to_string()
    }

    /// The next challenge; an error is what came instead.
    fn challenge(&mut self) -> Result<String, String> {
        let line = self.line();
        let text = line.strip_prefix(if self.protocol == Protocol::Lmtp { "334 " } else { "+ " });
        let octets = STANDARD.decode(text.ok_or_else(|| line.clone())?).expect("base64");
        Ok(String::from_utf8(octets).expect("UTF-8"))
    }

    /// Logs in as joe by `mechanism`, with this header and these octets for the channel; what the server says in the end.
    fn log_in(&mut self, mechanism: &str, header: &str, bound: &[u8]) -> String {
        self.scram(mechanism, header, bound).unwrap_or_else(|said| said)
    }

    fn scram(&mut self, mechanism: &str, header: &str, bound: &[u8]) -> Result<String, String> {
        let hash = Hash::of(mechanism);
        match self.protocol {
            Protocol::Imap | Protocol::Imaps => self.say(&format!("a AUTHENTICATE {mechanism}")),
            Protocol::Pop3 | Protocol::Pop3s | Protocol::Lmtp => self.say(&format!("AUTH {mechanism}")),
        }
        assert_eq!(self.challenge()?, "", "the client speaks first");
        let bare = "n=joe,r=fyko+d2lbbFgONRv9qkxdawL";
        self.say(&STANDARD.encode(format!("{header}{bare}")));
        let first = self.challenge()?;
        let part = |name: &str| first.split(',').find_map(|part| part.strip_prefix(name)).expect("there").to_owned();
        let (nonce, salt) = (part("r="), STANDARD.decode(part("s=")).expect("base64"));
        let rounds = part("i=").parse().expect("a number of rounds");
        let salted = hash.salted(&salt, rounds);
        let client_key = hash.mac(&salted, b"Client Key");
        let stored = digest::digest(hash.digest, &client_key);
        let without = format!("c={},r={nonce}", STANDARD.encode([header.as_bytes(), bound].concat()));
        let signed = format!("{bare},{first},{without}");
        let signature = hash.mac(stored.as_ref(), signed.as_bytes());
        let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        self.say(&STANDARD.encode(format!("{without},p={}", STANDARD.encode(proof))));
        let end = self.challenge()?;
        let expected = hash.mac(&hash.mac(&salted, b"Server Key"), signed.as_bytes());
        assert_eq!(end, format!("v={}", STANDARD.encode(expected)), "the server knows the password too");
        self.say("");
        Ok(self.line())
    }

    fn is_in(&self, said: &str) -> bool {
        said.starts_with(match self.protocol {
            Protocol::Imap | Protocol::Imaps => "a OK",
            Protocol::Pop3 | Protocol::Pop3s => "+OK",
            Protocol::Lmtp => "235 2.7.0",
        })
    }

    fn exporter(&self) -> Vec<u8> {
        self.connection.channel_bindings().exporter.expect("TLS 1.3").to_vec()
    }

    /// The server's certificate is signed with SHA-256, and so is its hash (RFC 5929, 4.1).
    fn end_point(&self) -> Vec<u8> {
        let certificate = self.connection.channel_bindings().certificate.expect("a certificate");
        digest::digest(&digest::SHA256, &certificate).as_ref().to_vec()
    }
}

/// The functions of a mechanism.
struct Hash {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl Hash {
    fn of(mechanism: &str) -> Self {
        match mechanism {
            "SCRAM-SHA-1" | "SCRAM-SHA-1-PLUS" => Self {
                digest: &digest::SHA1_FOR_LEGACY_USE_ONLY,
                hmac: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                pbkdf2: pbkdf2::PBKDF2_HMAC_SHA1,
            },
            _ => Self { digest: &digest::SHA256, hmac: hmac::HMAC_SHA256, pbkdf2: pbkdf2::PBKDF2_HMAC_SHA256 },
        }
    }

    fn salted(&self, salt: &[u8], rounds: NonZeroU32) -> Vec<u8> {
        let mut salted = vec![0; self.digest.output_len()];
        pbkdf2::derive(self.pbkdf2, rounds, salt, PASSWORD.as_bytes(), &mut salted);
        salted
    }

    fn mac(&self, key: &[u8], text: &[u8]) -> Vec<u8> {
        hmac::sign(&hmac::Key::new(self.hmac, key), text).as_ref().to_vec()
    }
}

#[test]
fn a_proof_is_bound_to_its_connection() {
    // One POP3 session after the other, and nobody waits for the first to be over.
    let (_home, server) = site(&["pop3.lock = false"]);
    for protocol in [Protocol::Imap, Protocol::Imaps, Protocol::Pop3, Protocol::Pop3s, Protocol::Lmtp] {
        let mut client = Client::connect(&server, protocol);
        let exporter = client.exporter();
        let said = client.log_in(PLUS, "p=tls-exporter,,", &exporter);
        assert!(client.is_in(&said), "{protocol:?}: {said}");

        let mut client = Client::connect(&server, protocol);
        let end_point = client.end_point();
        let said = client.log_in(PLUS, "p=tls-server-end-point,,", &end_point);
        assert!(client.is_in(&said), "{protocol:?}: {said}");
    }
    server.stop(&[]);
}

/// Somebody in the middle has a connection to the client and one to us, and passes on what they say.
#[test]
fn what_is_passed_on_is_refused() {
    let (_home, server) = site(&[]);
    std::thread::scope(|scope| {
        let server = &server;
        scope.spawn(move || {
            let elsewhere = Client::connect(server, Protocol::Imaps).exporter();
            let mut client = Client::connect(server, Protocol::Imaps);
            let said = client.log_in(PLUS, "p=tls-exporter,,", &elsewhere);
            assert!(said.starts_with("a NO [AUTHENTICATIONFAILED]"), "{said}");
        });
        scope.spawn(move || {
            let mut client = Client::connect(server, Protocol::Lmtp);
            let said = client.log_in(PLUS, "p=tls-server-end-point,,", &[0; 32]);
            assert!(said.starts_with("535 5.7.8"), "{said}");
        });
    });
    // -PLUS was struck off the list that the client has seen: it says that it would have known it.
    let mut client = Client::connect(&server, Protocol::Imaps);
    let said = client.log_in(SHA256, "y,,", b"");
    assert!(said.starts_with("a BAD channel binding"), "{said}");
    // One that knows no binding is let in; one that means another kind is not.
    let said = client.log_in(SHA256, "n,,", b"");
    assert!(client.is_in(&said), "{said}");
    let mut client = Client::connect(&server, Protocol::Imaps);
    let said = client.log_in(PLUS, "p=tls-unique,,", b"");
    assert!(said.starts_with("a BAD channel binding"), "{said}");
    server.stop(&[]);
}

/// Offered when the site wants it, and then every user has what it takes.
#[test]
fn sha1_is_there_on_request_only() {
    let (_home, server) = site(&[]);
    let mut client = Client::connect(&server, Protocol::Imaps);
    let said = client.log_in("SCRAM-SHA-1", "n,,", b"");
    assert!(said.starts_with("a NO [CANNOT]"), "{said}");
    server.stop(&[]);

    let (_home, server) = site(&["login.scram_sha1 = true", "login.scram_rounds = 5000"]);
    for (mechanism, header) in [("SCRAM-SHA-1", "n,,"), ("SCRAM-SHA-1-PLUS", "p=tls-exporter,,"), (SHA256, "n,,")] {
        let mut client = Client::connect(&server, Protocol::Pop3s);
        let bound = if header == "n,," { Vec::new() } else { client.exporter() };
        let said = client.log_in(mechanism, header, &bound);
        assert!(client.is_in(&said), "{mechanism}: {said}");
    }
    server.stop(&[]);
}

/// A client that shares no code with us.
#[test]
fn pythons_scramp_is_let_in() {
    let modules = concat!(env!("CARGO_MANIFEST_DIR"), "/target/python");
    let python = || {
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", modules);
        command
    };
    let found = python().args(["-c", "import scramp"]).stderr(Stdio::null()).status();
    if !found.is_ok_and(|status| status.success()) {
        println!("SKIPPED pythons_scramp_is_let_in: the Python module scramp is not installed (tests/run fetches it)");
        return;
    }
    let (_home, server) = site(&[]);
    let port = server.address(Protocol::Imaps).port().to_string();
    let output = python().args(["-c", SCRAMP, &port, "joe", PASSWORD]).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim() == "done", "{said}{}", String::from_utf8_lossy(&output.stderr));
    server.stop(&[]);
}

const SCRAMP: &str = r#"
import imaplib, ssl, sys
from scramp import ScramClient

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def login(mechanism, binding, spoil=False):
    context = ssl._create_unverified_context()
    imap = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context)
    assert "AUTH=" + mechanism in imap.capabilities, imap.capabilities
    channel = (binding, bytes(32) if spoil else imap.sock) if binding else None
    client = ScramClient([mechanism], user, password, channel_binding=channel)
    steps = iter([
        lambda _: client.get_client_first(),
        lambda challenge: client.set_server_first(challenge) or client.get_client_final(),
        lambda challenge: client.set_server_final(challenge) or "",
    ])
    imap.authenticate(mechanism, lambda challenge: next(steps)(challenge.decode()).encode())
    assert imap.select()[0] == "OK"
    imap.logout()

login("SCRAM-SHA-256", None)
login("SCRAM-SHA-256-PLUS", "tls-server-end-point")
try:
    login("SCRAM-SHA-256-PLUS", "tls-server-end-point", spoil=True)
    raise SystemExit("another channel's proof was taken")
except imaplib.IMAP4.error as error:
    assert "AUTHENTICATIONFAILED" in str(error), error
print("done")
"#;
