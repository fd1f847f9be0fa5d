//! Clients that show certificates: who is let in by them, over which protocol, and who is turned away how.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Authority, Connection, Home, Imap, Pop3, Server};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, SanType, SerialNumber, date_time_ymd};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn address(params: &mut CertificateParams, address: &str) {
    params.subject_alt_names.push(SanType::Rfc822Name(address.try_into().expect("ASCII")));
}

fn common_name(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.push(DnType::CommonName, name);
}

struct Site {
    home: Home,
    server: Server,
    authority: Authority,
}

impl Site {
    fn new(settings: &[&str]) -> Self {
        let home = Home::new(PROGRAM, &[&["tls.client_ca = \"clients.pem\""], settings].concat());
        let authority = Authority::new("Our clients");
        fs::write(home.path().join("clients.pem"), authority.pem()).expect("written");
        if settings.iter().any(|setting| setting.contains("client_crl")) {
            authority.revoke(&home.path().join("revoked.pem"), &[13]);
        }
        for user in ["joe", "sue"] {
            home.add_user(user);
        }
        let server = home.start();
        Self { home, server, authority }
    }

    fn client(&self, file: &str, change: impl FnOnce(&mut CertificateParams)) -> PathBuf {
        self.authority.client(self.home.path(), file, change)
    }

    /// A TLS connection of a client that shows this certificate, or none.
    fn connect(&self, protocol: Protocol, certificate: Option<&Path>) -> std::io::Result<Connection> {
        let mut connection = Connection::open(self.server.address(protocol), protocol == Protocol::Imaps)?;
        connection.start_tls_with(match certificate {
            Some(file) => harness::with_certificate(file, file),
            None => harness::any_certificate(),
        })?;
        Ok(connection)
    }

    fn imap(&self, certificate: Option<&Path>) -> std::io::Result<Imap> {
        Imap::over(self.connect(Protocol::Imaps, certificate)?)
    }

    /// What comes of EXTERNAL over IMAP.
    fn external(&self, certificate: &Path, act_as: &str) -> String {
        let mut imap = self.imap(Some(certificate)).expect("connected");
        let act_as = if act_as.is_empty() { "=".to_owned() } else { STANDARD.encode(act_as) };
        imap.command(&format!("AUTHENTICATE EXTERNAL {act_as}")).expect("answered").status
    }

    fn offers_external(&self, certificate: Option<&Path>) -> bool {
        let mut imap = self.imap(certificate).expect("connected");
        let said = imap.must("CAPABILITY").expect("answered").untagged;
        said.iter().any(|reply| reply.to_string().contains("AUTH=EXTERNAL"))
    }

    /// What the client hears of a handshake that the server does not like.
    fn refusal(&self, certificate: Option<&Path>) -> String {
        match self.imap(certificate) {
            Ok(_) => panic!("{certificate:?} was let in"),
            Err(error) => error.to_string(),
        }
    }
}

#[test]
fn a_certificate_is_as_good_as_a_password() {
    let site = Site::new(&["tls.client_certificates = \"ask\""]);
    let joe = site.client("joe.pem", |params| address(params, &format!("joe@{}", harness::DOMAIN)));
    // Other addresses may stand beside it, of nobody here.
    let admin = site.client("admin.pem", |params| {
        address(params, "someone@elsewhere.example");
        address(params, &format!("admin@{}", harness::DOMAIN));
    });
    assert!(site.offers_external(Some(&joe)) && !site.offers_external(None));

    let mut imap = site.imap(Some(&joe)).expect("connected");
    assert!(imap.command("AUTHENTICATE EXTERNAL =").expect("answered").ok());
    assert!(imap.must("LIST \"\" INBOX").is_ok());
    assert!(site.external(&joe, "joe").starts_with("OK"));
    // The challenge is empty when the client waits for one.
    let mut imap = site.imap(Some(&joe)).expect("connected");
    imap.connection.send(b"a AUTHENTICATE EXTERNAL\r\n").expect("sent");
    assert_eq!(imap.connection.reply().expect("answered").expect("open").to_string(), "+ ");
    imap.connection.send(b"\r\n").expect("sent");
    assert!(imap.connection.reply().expect("answered").expect("open").to_string().starts_with("a OK"));
    // An administrator acts as a user, as with a password.
    assert!(site.external(&admin, "sue").starts_with("OK"));

    let mut pop = Pop3::over(site.connect(Protocol::Pop3s, Some(&joe)).expect("connected")).expect("greeted");
    assert!(pop.must("AUTH EXTERNAL =").expect("let in").contains("0 messages"));

    let mut lmtp = Connection::open(site.server.address(Protocol::Lmtp), false).expect("connected");
    let say = |connection: &mut Connection, line: &str| {
        connection.send(format!("{line}\r\n").as_bytes()).expect("sent");
        loop {
            let reply = connection.reply().expect("answered").expect("open").to_string();
            if reply.as_bytes().get(3) == Some(&b' ') {
                return reply;
            }
        }
    };
    lmtp.reply().expect("greeted");
    say(&mut lmtp, "LHLO client.example.org");
    assert!(say(&mut lmtp, "AUTH EXTERNAL =").starts_with("504 "), "nobody has shown a certificate");
    assert!(say(&mut lmtp, "STARTTLS").starts_with("220 "));
    lmtp.start_tls_with(harness::with_certificate(&joe, &joe)).expect("a handshake");
    say(&mut lmtp, "LHLO client.example.org");
    assert!(say(&mut lmtp, "AUTH EXTERNAL =").starts_with("235 "));
    site.server.stop(&[]);
}

#[test]
fn who_is_nobodys_certificate_is_refused_like_a_wrong_password() {
    let site = Site::new(&["tls.client_certificates = \"ask\""]);
    let domain = harness::DOMAIN;
    let joe = site.client("joe.pem", |params| address(params, &format!("joe@{domain}")));
    let both = site.client("both.pem", |params| {
        address(params, &format!("joe@{domain}"));
        address(params, &format!("sue@{domain}"));
    });
    let nobody = site.client("nobody.pem", |params| address(params, &format!("nobody@{domain}")));
    // An alias is nobody who could log in.
    let alias = site.client("alias.pem", |params| address(params, &format!("postmaster@{domain}")));
    std::thread::scope(|scope| {
        for (certificate, act_as) in [(&joe, "sue"), (&joe, "nobody"), (&both, ""), (&nobody, ""), (&alias, "")] {
            let site = &site;
            scope.spawn(move || {
                let said = site.external(certificate, act_as);
                assert!(said.starts_with("NO [AUTHENTICATIONFAILED]"), "{certificate:?} as {act_as:?}: {said}");
            });
        }
    });
    // What does not name a user in the way that the site wants is no certificate to log in with, and no harm.
    let by_name = site.client("by-name.pem", |params| common_name(params, "joe"));
    assert!(!site.offers_external(Some(&by_name)));
    let mut imap = site.imap(Some(&by_name)).expect("connected");
    imap.must(&format!("LOGIN joe {}", harness::PASSWORD)).expect("a password works as ever");
    site.server.stop(&[]);
}

#[test]
fn names_of_the_subject() {
    let user_id = || DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1]);
    for (named_by, wrong) in [("common-name", "sue"), ("user-id", "joe")] {
        let site = Site::new(&["tls.client_certificates = \"ask\"", &format!("tls.client_name = \"{named_by}\"")]);
        let certificate = site.client("joe.pem", |params| {
            common_name(params, if named_by == "common-name" { "Joe" } else { "sue" });
            params.distinguished_name.push(user_id(), if named_by == "user-id" { "joe" } else { "sue" });
            address(params, &format!("{wrong}@{}", harness::DOMAIN));
        });
        assert!(site.external(&certificate, "").starts_with("OK"), "{named_by}");
        site.server.await_log("user=joe");
        let odd = site.client("odd.pem", |params| {
            common_name(params, "../sue\u{1}\n");
            params.distinguished_name.push(user_id(), "anonymous");
        });
        assert!(site.external(&odd, "").starts_with("NO [AUTHENTICATIONFAILED]"), "{named_by}");
        site.server.stop(&[]);
    }
}

#[test]
fn who_is_not_vouched_for_does_not_get_past_the_handshake() {
    let site = Site::new(&["tls.client_certificates = \"require\"", "tls.client_crl = \"revoked.pem\""]);
    let name = |params: &mut CertificateParams| address(params, &format!("joe@{}", harness::DOMAIN));
    let joe = site.client("joe.pem", name);
    assert!(site.external(&joe, "").starts_with("OK"));
    let stranger = Authority::new("Our clients").client(site.home.path(), "stranger.pem", name);
    let expired = site.client("expired.pem", |params| {
        name(params);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    });
    let early = site.client("early.pem", |params| {
        name(params);
        params.not_before = date_time_ymd(3000, 1, 1);
    });
    let revoked = site.client("revoked-client.pem", |params| {
        name(params);
        params.serial_number = Some(SerialNumber::from(13));
    });
    let servers = site.client("server.pem", |params| {
        name(params);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    for (certificate, alert) in [
        (None, "CertificateRequired"),
        (Some(&expired), "CertificateExpired"),
        (Some(&early), "CertificateExpired"),
        (Some(&revoked), "CertificateRevoked"),
    ] {
        let said = site.refusal(certificate.map(PathBuf::as_path));
        assert!(said.contains(alert), "{certificate:?}: {said}");
    }
    for certificate in [&stranger, &servers] {
        site.refusal(Some(certificate));
    }
    // Without TLS nobody is asked, and nobody is offered what only TLS can show.
    let mut plain = Imap::open(site.server.address(Protocol::Imap)).expect("connected");
    assert!(plain.command("AUTHENTICATE EXTERNAL =").expect("answered").status.starts_with("NO [CANNOT]"));
    site.server.stop(&[]);
}

/// OpenSSL, which shares no code with us, is let in and turned away likewise; with TLS 1.2 it hears of it in the handshake.
#[test]
fn openssl_is_turned_away_with_an_alert() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        println!("SKIPPED openssl_is_turned_away_with_an_alert: openssl is not installed");
        return;
    }
    let site = Site::new(&["tls.client_certificates = \"require\""]);
    let name = |params: &mut CertificateParams| address(params, &format!("joe@{}", harness::DOMAIN));
    let joe = site.client("joe.pem", name);
    let stranger = Authority::new("Others").client(site.home.path(), "stranger.pem", name);
    let expired = site.client("expired.pem", |params| {
        name(params);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    });
    let port = site.server.address(Protocol::Imaps);
    for (certificate, expected) in [
        (Some(&joe), "Acceptable client certificate CA names"),
        (Some(&expired), "alert certificate expired"),
        (Some(&stranger), "alert unknown ca"),
        (None, "alert"),
    ] {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-tls1_2", "-connect", &port.to_string()]);
        if let Some(certificate) = certificate {
            command.arg("-cert").arg(certificate);
        }
        let output = command.stdin(Stdio::null()).output().expect("openssl runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert_eq!(output.status.success(), certificate == Some(&joe), "{certificate:?}\n{said}");
        assert!(said.contains(expected), "{certificate:?}\n{said}");
        // A session that is resumed would not be asked again.
        assert!(!said.contains("TLS session ticket"), "{certificate:?}\n{said}");
    }
    site.server.stop(&[]);
}

#[test]
fn authorities_change_while_the_server_runs() {
    let site = Site::new(&["tls.client_certificates = \"ask\"", "tls.client_crl = \"revoked.pem\""]);
    let name = |params: &mut CertificateParams| address(params, &format!("joe@{}", harness::DOMAIN));
    let old = site.client("old.pem", name);
    assert!(site.external(&old, "").starts_with("OK"));
    let others = Authority::new("Other clients");
    let new = others.client(site.home.path(), "new.pem", name);
    site.refusal(Some(&new));
    // A file that is wrong changes nothing.
    let file = site.home.path().join("clients.pem");
    fs::write(&file, "nonsense").expect("written");
    site.server.signal(rustix::process::Signal::HUP);
    site.server.await_log("event=tls.certificate.kept");
    assert!(site.external(&old, "").starts_with("OK"));
    fs::write(&file, others.pem()).expect("written");
    others.revoke(&site.home.path().join("revoked.pem"), &[]);
    site.server.signal(rustix::process::Signal::HUP);
    site.server.await_log("event=tls.certificate.reloaded");
    assert!(site.external(&new, "").starts_with("OK"));
    site.refusal(Some(&old));
    site.server.stop(&["event=tls.certificate.kept".to_owned()]);
}
