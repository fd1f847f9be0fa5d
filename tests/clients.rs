//! Real mail clients against the server: what a user would run. A test whose client is not installed says that it is
//! skipped; `tests/run` installs them.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Instant, UNIX_EPOCH};

use harness::transcript::Protocol;
use harness::{Home, PASSWORD, Server, corpus};

/// The mailbox that is loaded from an mbox file and read back with mbsync.
const LARGE: usize = 20_000;

#[test]
fn mbsync_reads_back_a_large_mbox_byte_by_byte() {
    if missing("mbsync", "mbsync_reads_back_a_large_mbox_byte_by_byte") {
        return;
    }
    let (home, server) = server();
    let real = corpus::fetched(env!("CARGO_TARGET_TMPDIR"), "mbsync_reads_back_a_large_mbox_byte_by_byte");
    let (mbox, originals) = corpus::mbox(&root().join("message/tests/mail"), &real, LARGE);
    let file = home.path().join("large.mbox");
    fs::write(&file, mbox).unwrap();
    let begin = Instant::now();
    home.must_run(&["deliver", "--mbox", file.to_str().unwrap(), "joe"], b"");
    let loaded = begin.elapsed();
    let maildir = home.path().join("mail");
    let configuration = home.path().join("mbsyncrc");
    fs::create_dir(&maildir).unwrap();
    fs::write(
        &configuration,
        format!(
            "IMAPAccount angarium\nHost 127.0.0.1\nPort {port}\nUser joe\nPass \"{PASSWORD}\"\nSSLType None\n\
             AuthMechs LOGIN\nTimeout 120\n\n\
             IMAPStore far\nAccount angarium\n\n\
             MaildirStore near\nInbox {mail}/INBOX\nPath {mail}/\nSubFolders Verbatim\n\n\
             Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync Pull\nCopyArrivalDate yes\n\
             SyncState {mail}/state-\n",
            port = server.address(Protocol::Imap).port(),
            mail = maildir.display(),
        ),
    )
    .unwrap();
    let begin = Instant::now();
    let output =
        Command::new("mbsync").arg("--config").arg(&configuration).arg("all").env("HOME", home.path()).output();
    let output = output.expect("mbsync starts");
    let problems = text(&output.stderr);
    assert!(output.status.success(), "mbsync: {}\n{problems}\nserver:\n{}", output.status, server.log());
    println!("{LARGE} messages: loaded in {loaded:?}, read back in {:?}", begin.elapsed());

    let mut found = 0;
    for entry in ["new", "cur"].iter().flat_map(|part| fs::read_dir(maildir.join("INBOX").join(part)).unwrap()) {
        let path = entry.unwrap().path();
        let text = without_marker(&fs::read(&path).unwrap());
        let number = corpus::number(&text).unwrap_or_else(|| panic!("{} is none of ours", path.display()));
        let original = &originals[number];
        let [got, expected] = [&text, &original.text].map(|text| text.escape_ascii().to_string());
        assert!(text == original.text, "message {number} differs:\n{got}\nis not\n{expected}");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(modified.duration_since(UNIX_EPOCH).unwrap().as_secs(), original.date, "date of message {number}");
        assert_eq!(maildir_flags(&path), original.flags, "flags of message {number}");
        found += 1;
    }
    assert_eq!(found, LARGE);
    server.stop(&[]);
    home.check_store();
}

#[test]
fn curl_lists_reads_searches_and_appends() {
    if missing("curl", "curl_lists_reads_searches_and_appends") {
        return;
    }
    let (home, server) = server();
    fill(&server, 3);
    for (scheme, protocol) in [("imap", Protocol::Imap), ("imaps", Protocol::Imaps)] {
        let url = format!("{scheme}://127.0.0.1:{}", server.address(protocol).port());
        let curl = |arguments: &[&str]| {
            run(Command::new("curl").args(["-sSk", "--user", &format!("joe:{PASSWORD}")]).args(arguments))
        };
        assert_eq!(curl(&[&format!("{url}/INBOX;MAILINDEX=2")]), corpus::small(2));
        assert_eq!(curl(&[&format!("{url}/INBOX;UID=3;SECTION=TEXT")]), b"This is message 3.\r\n");
        assert!(text(&curl(&[&format!("{url}/")])).contains("INBOX"));
        assert!(text(&curl(&[&format!("{url}/INBOX?SUBJECT%20%22message%202%22")])).contains("SEARCH 2"));
        let file = home.path().join("upload.eml");
        fs::write(&file, corpus::small(9)).unwrap();
        curl(&["-T", file.to_str().unwrap(), &format!("{url}/INBOX")]);
    }
    let mut joe = server.imap("joe");
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(5));
    assert_eq!(joe.fetch("FETCH 5 BODY.PEEK[]").unwrap()[0].body, corpus::small(9));
    drop(joe);
    server.stop(&[]);
    home.check_store();
}

#[test]
fn python_imaplib_works_through_a_session() {
    if missing("python3", "python_imaplib_works_through_a_session") {
        return;
    }
    let (home, server) = server();
    fill(&server, 3);
    let script = home.path().join("session.py");
    fs::write(&script, PYTHON).unwrap();
    let ports = [Protocol::Imap, Protocol::Imaps].map(|protocol| server.address(protocol).port().to_string());
    let output = run(Command::new("python3").arg(&script).args(&ports).args(["joe", PASSWORD]));
    assert_eq!(text(&output).trim(), "done");
    server.stop(&[]);
    home.check_store();
}

const PYTHON: &str = r#"
import imaplib, ssl, sys

plain, tls, user, password = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
context = ssl._create_unverified_context()


def must(answer):
    status, data = answer
    assert status == "OK", answer
    return data


client = imaplib.IMAP4("127.0.0.1", plain)
client.starttls(context)
client.login(user, password)
assert must(client.select("INBOX")) == [b"3"]
assert must(client.search(None, "SUBJECT", '"message 2"')) == [b"2"]
data = must(client.fetch("2", "(RFC822.SIZE FLAGS BODY.PEEK[])"))
assert data[0][1].endswith(b"This is message 2.\r\n"), data
must(client.create("Work"))
must(client.subscribe("Work"))
must(client.copy("1:2", "Work"))
must(client.store("1", "+FLAGS", r"(\Deleted)"))
assert must(client.expunge()) == [b"1"]
must(client.append("Work", r"(\Seen)", imaplib.Time2Internaldate(1600000000), b"Subject: appended\r\n\r\nhello\r\n"))
must(client.select("Work"))
data = must(client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE)"))
assert len(data) == 3 and b"\\Seen" in data[2], data
assert any(line.endswith(b"Work") for line in must(client.lsub()))
must(client.rename("Work", "Done"))
client.logout()

client = imaplib.IMAP4_SSL("127.0.0.1", tls, ssl_context=context)
must(client.authenticate("PLAIN", lambda _: ("\0%s\0%s" % (user, password)).encode()))
must(client.select("Done", readonly=True))
must(client.close())
must(client.delete("Done"))
client.logout()
print("done")
"#;

#[test]
fn mutt_copies_a_mailbox_out() {
    if missing("mutt", "mutt_copies_a_mailbox_out") || missing("script", "mutt_copies_a_mailbox_out") {
        return;
    }
    let (home, server) = server();
    fill(&server, 3);
    let out = home.path().join("out.mbox");
    let settings = home.path().join("muttrc");
    let url = format!("imap://joe@127.0.0.1:{}/INBOX", server.address(Protocol::Imap).port());
    fs::write(
        &settings,
        format!(
            "set imap_pass=\"{PASSWORD}\"\nset ssl_starttls=no\nset ssl_force_tls=no\nset confirmappend=no\n\
             set confirmcreate=no\nset mbox_type=mbox\nset folder={home}\nset quit=yes\nset header_cache=\"\"\n\
             set wait_key=no\nset tmpdir={home}\nset delete=no\n\
             push \"<tag-pattern>~A<enter><tag-prefix><copy-message>{out}<enter><exit>\"\n",
            home = home.path().display(),
            out = out.display(),
        ),
    )
    .unwrap();
    // mutt wants a terminal; script(1) gives it one.
    let command = format!("mutt -n -F {} -f {url}", settings.display());
    run(Command::new("timeout")
        .args(["60", "script", "-qec", &command, "/dev/null"])
        .env("TERM", "xterm")
        .env("HOME", home.path()));
    let copied = fs::read(&out).unwrap_or_default();
    for number in 1..=3 {
        let line = format!("\nThis is message {number}.\n");
        assert!(text(&copied).contains(&line), "message {number} is not in mutt's copy:\n{}", text(&copied));
    }
    server.stop(&[]);
    home.check_store();
}

/// The commands of the README, as a newcomer would type them.
#[test]
fn mail_delivered_on_the_command_line_is_read_over_imap() {
    let (home, server) = server();
    home.must_run(&["deliver", "joe"], b"Subject: from the command line\n\nhello\n");
    let mut joe = server.imap("joe");
    assert_eq!(joe.must("SELECT INBOX").unwrap().number("EXISTS"), Some(1));
    let message = joe.fetch("FETCH 1 BODY.PEEK[TEXT]").unwrap();
    assert_eq!(message[0].body, b"hello\r\n");
    drop(joe);
    server.stop(&[]);
    // And with no server running, the command takes the store itself.
    home.must_run(&["deliver", "joe"], b"Subject: again\n\nhello\n");
    let server = home.start();
    assert_eq!(server.imap("joe").must("SELECT INBOX").unwrap().number("EXISTS"), Some(2));
    server.stop(&[]);
    home.check_store();
}

fn server() -> (Home, Server) {
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.add_user("joe");
    let server = home.start();
    (home, server)
}

fn fill(server: &Server, count: usize) {
    let mut joe = server.imap("joe");
    for number in 1..=count {
        assert!(joe.append("INBOX", "", &corpus::small(number)).unwrap().ok());
    }
}

/// A message without the one header line that mbsync writes into every message it stores (`X-TUID: ` and 12 characters, the
/// last line of the header).
fn without_marker(text: &[u8]) -> Vec<u8> {
    const MARKER: &[u8] = b"\nX-TUID: ";
    const LINE: usize = MARKER.len() + 12;
    match text.windows(MARKER.len()).position(|window| window == MARKER) {
        Some(at) => [&text[..at], &text[at + LINE..]].concat(),
        None => text.to_vec(),
    }
}

/// The letters behind `:2,` in a Maildir file's name.
fn maildir_flags(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    name.split_once(":2,").map(|(_, flags)| flags.to_owned()).unwrap_or_default()
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
    let (out, problems) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{problems}", output.status);
    output.stdout
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
