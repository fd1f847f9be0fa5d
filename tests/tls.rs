//! TLS as OpenSSL sees it: names, versions, ciphers, resumption, stapling.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::transcript::Protocol;
use harness::{Connection, Home, Imap, Server, await_until};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

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

/// The same, out of date for years.
fn expired_certificate(dir: &Path, file: &str, name: &str) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate").pem();
    fs::write(dir.join(format!("{file}.pem")), certificate).expect("written");
    let secret = dir.join(format!("{file}.key"));
    fs::write(&secret, key.serialize_pem()).expect("written");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).expect("private");
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
        let own = [
            "tls.certificate = \"first.pem\"",
            "tls.key = \"first.key\"",
            "tls.others = [\"second.pem\", \"old.pem\"]",
        ];
        let home = Home::new(PROGRAM, &[&own, settings].concat());
        certificate(home.path(), "first", "mail.example.org");
        certificate(home.path(), "second", "mail.example.com");
        expired_certificate(home.path(), "old", "old.example.org");
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

    /// The same for a client that trusts only `root` and wants to speak to `name`.
    fn checking_client(&self, protocol: Protocol, root: &str, name: &str) -> (bool, String) {
        let starttls: &[&str] = match protocol {
            Protocol::Imap => &["-starttls", "imap"],
            Protocol::Pop3 => &["-starttls", "pop3"],
            _ => &[],
        };
        let root = self.home.path().join(root);
        let root = root.to_str().expect("a path in UTF-8");
        let verify = ["-verify_return_error", "-CAfile", root, "-servername", name, "-verify_hostname", name];
        self.client(protocol, &[starttls, &verify].concat())
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
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "DHE:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"], false),
        (&["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_8_SHA256"], false),
        // No group that is too small.
        (&["-tls1_2", "-groups", "P-224", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0"], false),
        // Another protocol's client (ALPACA).
        (&["-alpn", "http/1.1"], false),
        (&["-alpn", "imap"], true),
    ] {
        let (worked, said) = site.client(Protocol::Imaps, arguments);
        assert_eq!(worked, expected, "{arguments:?}\n{said}");
        // It was the server that did not want it, not OpenSSL.
        assert!(worked || said.contains(" alert "), "{arguments:?}\n{said}");
    }
    site.server.stop(&[]);
    let Some(site) = Site::new(&["tls.min_version = \"1.3\""]) else { return };
    assert!(site.client(Protocol::Imaps, &["-tls1_3"]).0);
    assert!(!site.client(Protocol::Imaps, &["-tls1_2"]).0);
    site.server.stop(&[]);
}

/// A client that checks (`-verify_return_error`) does not go on with a server that is not who it should be.
#[test]
fn clients_that_check_refuse_what_is_wrong() {
    let Some(site) = Site::new(&[]) else { return };
    let check = |protocol, file: &str, name: &str, expected: &str| {
        let (worked, said) = site.checking_client(protocol, file, name);
        assert_eq!(worked, expected == "Verification: OK", "{name}\n{said}");
        assert!(said.contains(expected), "{name}: {expected}\n{said}");
    };
    for protocol in [Protocol::Imaps, Protocol::Pop3s, Protocol::Imap, Protocol::Pop3] {
        check(protocol, "first.pem", "mail.example.org", "Verification: OK");
        check(protocol, "old.pem", "old.example.org", "certificate has expired");
        check(protocol, "first.pem", "elsewhere.example", "ostname mismatch");
        check(protocol, "second.pem", "mail.example.org", "self");
    }
    site.server.stop(&[]);
}

/// [tls] may name other files, versions and authorities while sessions go on; what makes no sense changes nothing.
#[test]
fn another_section_is_taken_by_a_running_server() {
    let Some(site) = Site::new(&[]) else { return };
    let file = site.home.path().join("angarium.toml");
    let before = fs::read_to_string(&file).expect("the configuration is there");
    let configure = |text: &str, expected: &str| {
        let log = site.server.log_size();
        fs::write(&file, text).expect("written");
        site.server.signal(rustix::process::Signal::HUP);
        await_until(expected, || site.server.log_from(log).contains(expected));
        site.server.log_from(log)
    };
    let is_shown = |root: &str| {
        let protocols = [Protocol::Imaps, Protocol::Pop3s, Protocol::Imap, Protocol::Pop3];
        protocols.map(|protocol| site.checking_client(protocol, root, "mail.example.org").0)
    };
    let mut standing = Connection::open(site.address(Protocol::Imaps), true).expect("connected");
    standing.start_tls().expect("a handshake");
    let mut standing = Imap::over(standing).expect("greeted");
    assert_eq!(is_shown("first.pem"), [true; 4]);

    certificate(site.home.path(), "third", "mail.example.org");
    let third = before.replace("\"first.", "\"third.");
    let bad = format!("{}log.level = \"debug\"\n", third.replace("third.key", "none.key"));
    let log = configure(&bad, "event=config.kept");
    assert!(log.contains("none.key") && !log.contains("DEBUG"), "{log}");
    assert_eq!(is_shown("first.pem"), [true; 4]);
    configure(&third, "event=config.reloaded");
    assert_eq!(is_shown("third.pem"), [true; 4]);
    assert_eq!(is_shown("first.pem"), [false; 4]);
    configure(&format!("{third}tls.min_version = \"1.3\"\n"), "event=config.reloaded");
    assert!(!site.client(Protocol::Imaps, &["-tls1_2"]).0 && site.client(Protocol::Imaps, &["-tls1_3"]).0);
    let asking = "tls.client_certificates = \"require\"\ntls.client_ca = \"second.pem\"\n";
    configure(&format!("{third}{asking}"), "event=config.reloaded");
    assert!(!site.client(Protocol::Imaps, &["-tls1_2"]).0, "it has no certificate to show");
    configure(&before, "event=config.reloaded");
    assert_eq!(is_shown("first.pem"), [true; 4]);
    standing.must("NOOP").expect("the session goes on");
    site.server.stop(&["config.kept".to_owned()]);
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
    await_until("the certificate is read again", || {
        !site.client(Protocol::Imaps, &["-status"]).1.contains("no response sent")
    });
    site.server.stop(&[]);
}
