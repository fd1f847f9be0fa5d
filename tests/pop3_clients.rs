//! Real POP3 clients against the server: curl, fetchmail, getmail, mpop and Python's poplib, in the clear, over STLS and over
//! TLS. A test whose client is not installed says that it is skipped; `tests/run` installs them.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::transcript::Protocol;
use harness::{Home, PASSWORD, Server, corpus};

/// A message that must be stuffed.
const DOTS: &[u8] = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nlast\r\n";

#[test]
fn curl_lists_and_reads() {
    if missing("curl", "curl_lists_and_reads") {
        return;
    }
    let (home, server) = server();
    for (scheme, protocol, more) in [
        ("pop3", Protocol::Pop3, &[][..]),
        ("pop3", Protocol::Pop3, &["--ssl-reqd"]),
        ("pop3s", Protocol::Pop3s, &[]),
        ("pop3s", Protocol::Pop3s, &["--login-options", "AUTH=PLAIN"]),
        ("pop3", Protocol::Pop3, &["--login-options", "AUTH=LOGIN"]),
    ] {
        let url = format!("{scheme}://127.0.0.1:{}", server.address(protocol).port());
        let curl = |arguments: &[&str]| {
            run(Command::new("curl").args(["-sSk", "--user", &format!("joe:{PASSWORD}")]).args(more).args(arguments))
        };
        assert_eq!(curl(&[&format!("{url}/2")]), corpus::small(2), "{more:?}");
        assert_eq!(curl(&[&format!("{url}/3")]), DOTS, "{more:?}");
        let list = format!("1 {}\r\n2 {}\r\n3 {}\r\n", corpus::small(1).len(), corpus::small(2).len(), DOTS.len());
        assert_eq!(text(&curl(&[&format!("{url}/")])), list);
        let top = text(&curl(&["-X", "TOP 1 0", &format!("{url}/")]));
        assert!(top.contains("Subject: message 1") && !top.contains("This is"), "{top}");
        assert_eq!(text(&curl(&["-X", "UIDL", &format!("{url}/")])).lines().count(), 3);
    }
    server.stop(&[]);
    home.check_store();
}

#[test]
fn python_poplib_works_through_a_session() {
    if missing("python3", "python_poplib_works_through_a_session") {
        return;
    }
    let (home, server) = server();
    let script = home.path().join("session.py");
    fs::write(&script, PYTHON).unwrap();
    let ports = [Protocol::Pop3, Protocol::Pop3s].map(|protocol| server.address(protocol).port().to_string());
    let output = run(Command::new("python3").arg(&script).args(&ports).args(["joe", PASSWORD]));
    assert_eq!(text(&output).trim(), "done");
    assert_eq!(server.imap("joe").must("SELECT INBOX").unwrap().number("EXISTS"), Some(2));
    server.stop(&[]);
    home.check_store();
}

const PYTHON: &str = r#"
import poplib, ssl, sys

plain, tls, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl._create_unverified_context()

client = poplib.POP3("127.0.0.1", plain)
assert "STLS" in client.capa() and "UTF8" in client.capa(), client.capa()
client.stls(context)
assert "STLS" not in client.capa()
client.utf8()
client.user(user)
client.pass_(password)
count, octets = client.stat()
assert count == 3
assert sum(int(line.split()[1]) for line in client.list()[1]) == octets
ids = [line.split()[1] for line in client.uidl()[1]]
assert len(set(ids)) == 3
_, lines, size = client.retr(3)
assert lines[2:5] == [b".", b"..", b".x"], lines
assert len(client.top(1, 0)[1]) == 9
client.dele(1)
client.rset()
client.dele(2)
client.quit()

client = poplib.POP3_SSL("127.0.0.1", tls, context=context)
client.user(user)
client.pass_(password)
assert [line.split()[1] for line in client.uidl()[1]] == [ids[0], ids[2]]
try:
    client.retr(3)
    raise AssertionError("there is no third message")
except poplib.error_proto:
    pass
client.quit()
print("done")
"#;

#[test]
fn fetchmail_takes_everything_away() {
    if missing("fetchmail", "fetchmail_takes_everything_away") {
        return;
    }
    for (protocol, options) in [
        (Protocol::Pop3, "sslproto ''"),
        (Protocol::Pop3, "sslproto 'TLS1.2+' no sslcertck"),
        (Protocol::Pop3s, "ssl no sslcertck"),
    ] {
        let (home, server) = server();
        let settings = home.path().join("fetchmailrc");
        let out = home.path().join("out");
        let port = server.address(protocol).port();
        fs::write(
            &settings,
            format!(
                "poll 127.0.0.1 protocol POP3 port {port} uidl user joe password {PASSWORD} {options} fetchall nokeep \
                 mda \"cat >> {}\"\n",
                out.display()
            ),
        )
        .unwrap();
        fs::set_permissions(&settings, fs::Permissions::from_mode(0o600)).unwrap();
        let output = Command::new("fetchmail")
            .args(["-v", "--nosyslog", "--nodetach", "--pidfile"])
            .arg(home.path().join("fetchmail.pid"))
            .arg("-f")
            .arg(&settings)
            .env("HOME", home.path())
            .env("FETCHMAILHOME", home.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{options}: {}", story(&output));
        let taken = fs::read(&out).unwrap();
        for line in ["This is message 1.", "This is message 2.", "\n.\n..\n.x\nlast\n"] {
            assert!(text(&taken).contains(line), "{options}: {line:?} is missing in\n{}", text(&taken));
        }
        is_empty(&server);
        server.stop(&address_as_name());
        home.check_store();
    }
}

#[test]
fn getmail_fetches_into_a_maildir() {
    if missing("getmail", "getmail_fetches_into_a_maildir") {
        return;
    }
    for (protocol, kind) in [(Protocol::Pop3, "SimplePOP3Retriever"), (Protocol::Pop3s, "SimplePOP3SSLRetriever")] {
        let (home, server) = server();
        let maildir = maildir(&home);
        // It writes no Maildir itself when root runs it.
        let deliver = home.path().join("deliver");
        fs::write(&deliver, format!("#!/bin/sh\ncat > {}/new/$$\n", maildir.display())).unwrap();
        fs::set_permissions(&deliver, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(
            home.path().join("getmailrc"),
            format!(
                "[retriever]\ntype = {kind}\nserver = 127.0.0.1\nport = {}\nusername = joe\npassword = {PASSWORD}\n\
                 [destination]\ntype = MDA_external\npath = {}\nallow_root_commands = true\n\
                 [options]\ndelete = true\ndelivered_to = false\nreceived = false\n",
                server.address(protocol).port(),
                deliver.display()
            ),
        )
        .unwrap();
        let output = Command::new("getmail").arg("--getmaildir").arg(home.path()).env("HOME", home.path()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{kind}: {}", story(&output));
        assert_eq!(bodies(&maildir), expected(), "{kind}");
        is_empty(&server);
        server.stop(&[]);
        home.check_store();
    }
}

#[test]
fn mpop_logs_in_every_way() {
    if missing("mpop", "mpop_logs_in_every_way") {
        return;
    }
    let (home, server) = server();
    for (protocol, tls, auth) in [
        (Protocol::Pop3, "tls off", "user"),
        (Protocol::Pop3, "tls off", "plain"),
        (Protocol::Pop3, "tls off", "login"),
        (Protocol::Pop3, "tls off", "scram-sha-256"),
        (Protocol::Pop3, "tls on\ntls_starttls on\ntls_certcheck off", "scram-sha-256"),
        (Protocol::Pop3s, "tls on\ntls_starttls off\ntls_certcheck off", "scram-sha-256"),
        (Protocol::Pop3s, "tls on\ntls_starttls off\ntls_certcheck off", "on"),
    ] {
        let maildir = maildir(&home);
        let settings = home.path().join("mpoprc");
        fs::write(
            &settings,
            format!(
                "account default\nhost 127.0.0.1\nport {}\nuser joe\npassword {PASSWORD}\nauth {auth}\n{tls}\nkeep on\n\
                 received_header off\nuidls_file {}/uidls\ndelivery maildir {}\n",
                server.address(protocol).port(),
                maildir.display(),
                maildir.display()
            ),
        )
        .unwrap();
        fs::set_permissions(&settings, fs::Permissions::from_mode(0o600)).unwrap();
        let mpop = || {
            let output = Command::new("mpop").arg("-C").arg(&settings).env("HOME", home.path()).output().unwrap();
            assert!(output.status.success(), "{auth}, {tls}: {}\n{}", story(&output), server.log());
        };
        mpop();
        assert_eq!(bodies(&maildir), expected(), "{auth}");
        // A second time it finds the same ids, and fetches nothing.
        mpop();
        assert_eq!(bodies(&maildir), expected(), "{auth}");
        fs::remove_dir_all(&maildir).unwrap();
    }
    server.stop(&address_as_name());
    home.check_store();
}

#[test]
fn ids_outlive_a_restart() {
    let (home, server) = server();
    let before = server.pop3("joe").body("UIDL").unwrap();
    server.stop(&[]);
    let server = home.start();
    assert_eq!(server.pop3("joe").body("UIDL").unwrap(), before);
    assert_eq!(text(&before).lines().count(), 3);
    server.stop(&[]);
}

/// A server on which `joe` has three messages.
fn server() -> (Home, Server) {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.add_user("joe");
    let server = home.start();
    let mut joe = server.imap("joe");
    for message in [&corpus::small(1)[..], &corpus::small(2), DOTS] {
        assert!(joe.append("INBOX", "", message).unwrap().ok());
    }
    (home, server)
}

/// What the log says of clients that send an IP address as the server's name in the TLS handshake, as these do here.
fn address_as_name() -> [String; 1] {
    ["Illegal SNI extension".to_owned()]
}

fn is_empty(server: &Server) {
    assert_eq!(server.imap("joe").must("SELECT INBOX").unwrap().number("EXISTS"), Some(0));
}

fn maildir(home: &Home) -> PathBuf {
    let maildir = home.path().join("mail");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(part)).unwrap();
    }
    maildir
}

/// The bodies of the messages in a Maildir, sorted.
fn bodies(maildir: &Path) -> Vec<String> {
    let files = fs::read_dir(maildir.join("new")).unwrap();
    let body = |message: String| message.split_once("\n\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
    let mut bodies: Vec<String> = files.map(|file| body(text(&fs::read(file.unwrap().path()).unwrap()))).collect();
    bodies.sort();
    bodies
}

/// What [`bodies`] finds when all three messages have come.
fn expected() -> [&'static str; 3] {
    [".\n..\n.x\nlast\n", "This is message 1.\n", "This is message 2.\n"]
}

/// Whether the program is not installed; says then that the test is skipped.
fn missing(program: &str, test: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).any(|directory| directory.join(program).is_file());
    if !found {
        println!("SKIPPED {test}: {program} is not installed");
    }
    !found
}

fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", story(&output));
    output.stdout
}

fn story(output: &Output) -> String {
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
