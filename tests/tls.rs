//! TLS as OpenSSL sees it: names, versions, ciphers, resumption, stapling.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::transcript::Protocol;
use harness::{Home, Server};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// Makes a self-signed certificate for a name, with its key beside it.
fn certificate(dir: &Path, file: &str, name: &str) {
    let (certificate, key) = (dir.join(format!("{file}.pem")), dir.join(format!("{file}.key")));
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", &format!("/CN={name}"), "-addext", &format!("subjectAltName=DNS:{name}")])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("openssl runs").success());
}

struct Site {
    home: Home,
    server: Server,
}

impl Site {
    fn new(settings: &[&str]) -> Option<Self> {
        if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
            println!("left out: openssl is not installed");
            return None;
        }
        let mut all = vec![
            "tls.certificate = \"first.pem\"".to_owned(),
            "tls.key = \"first.key\"".to_owned(),
            "tls.others = [\"second.pem\"]".to_owned(),
        ];
        all.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let home = Home::new(PROGRAM, &all);
        certificate(home.path(), "first", "mail.example.org");
        certificate(home.path(), "second", "mail.example.com");
        let server = home.start();
        Some(Self { home, server })
    }

    fn address(&self, protocol: Protocol) -> SocketAddr {
        self.server.address(protocol)
    }

    /// What `openssl s_client` says of a connection, and whether the handshake worked.
    fn client(&self, protocol: Protocol, arguments: &[&str]) -> (bool, String) {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &self.address(protocol).to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("openssl runs");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

#[test]
fn each_name_gets_its_certificate() {
    let Some(site) = Site::new(&[]) else { return };
    let check = |protocol, arguments: &[&str], expected: &str| {
        let (worked, said) = site.client(protocol, arguments);
        // OpenSSL has changed its mind about the blanks.
        let shown = [format!("CN = {expected}"), format!("CN={expected}")];
        assert!(worked && shown.iter().any(|name| said.contains(name)), "{said}");
    };
    check(Protocol::Imaps, &["-servername", "mail.example.org"], "mail.example.org");
    check(Protocol::Imaps, &["-servername", "mail.example.com"], "mail.example.com");
    check(Protocol::Imaps, &["-servername", "elsewhere.example"], "mail.example.org");
    check(Protocol::Imaps, &["-noservername"], "mail.example.org");
    check(Protocol::Imap, &["-starttls", "imap", "-servername", "mail.example.com"], "mail.example.com");
    check(Protocol::Pop3, &["-starttls", "pop3", "-servername", "mail.example.com"], "mail.example.com");

    // A client that checks takes the right one and no other.
    let trusted = site.home.path().join("second.pem");
    let trusted = trusted.to_str().expect("a path in UTF-8");
    let verify = ["-verify_return_error", "-CAfile", trusted, "-verify_hostname", "mail.example.com"];
    assert!(site.client(Protocol::Imaps, &[&verify[..], &["-servername", "mail.example.com"]].concat()).0);
    assert!(!site.client(Protocol::Imaps, &[&verify[..], &["-servername", "mail.example.org"]].concat()).0);
    site.server.stop(&[]);
}

#[test]
fn what_is_out_of_date_is_refused() {
    let Some(site) = Site::new(&[]) else { return };
    for (arguments, expected) in [
        (&["-tls1_3"][..], true),
        (&["-tls1_2"], true),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], true),
        // No forward secrecy, no CBC, nothing older. OpenSSL is told to allow what it would itself refuse.
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], false),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], false),
        // Another protocol's client (ALPACA).
        (&["-alpn", "http/1.1"], false),
        (&["-alpn", "imap"], true),
    ] {
        let (worked, said) = site.client(Protocol::Imaps, arguments);
        assert_eq!(worked, expected, "{arguments:?}\n{said}");
    }
    site.server.stop(&[]);
    let Some(site) = Site::new(&["tls.min_version = \"1.3\""]) else { return };
    assert!(site.client(Protocol::Imaps, &["-tls1_3"]).0);
    assert!(!site.client(Protocol::Imaps, &["-tls1_2"]).0);
    site.server.stop(&[]);
}

#[test]
fn sessions_are_resumed_and_responses_stapled() {
    let Some(site) = Site::new(&[]) else { return };
    let tickets = site.home.path().join("session");
    let tickets = tickets.to_str().expect("a path in UTF-8");
    assert!(site.client(Protocol::Imaps, &["-tls1_2", "-sess_out", tickets]).0);
    let (worked, said) = site.client(Protocol::Imaps, &["-tls1_2", "-sess_in", tickets]);
    assert!(worked && said.contains("Reused, TLSv1.2"), "{said}");

    let (_, said) = site.client(Protocol::Imaps, &["-status"]);
    assert!(said.contains("OCSP response: no response sent"), "{said}");
    fs::write(site.home.path().join("first.ocsp"), b"not really a response").expect("written");
    site.server.signal(rustix::process::Signal::HUP);
    let begin = std::time::Instant::now();
    // The signal is answered in its own time; each question is a whole connection.
    while site.client(Protocol::Imaps, &["-status"]).1.contains("no response sent") {
        assert!(begin.elapsed().as_secs() < 30, "the certificate was not read again");
    }
    site.server.stop(&[]);
}
