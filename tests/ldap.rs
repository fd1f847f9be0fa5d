//! A server whose domains, users and aliases an LDAP server keeps: the real slapd, set up as docs/ldap.md says.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

#[path = "../ldap/tests/slapd/mod.rs"]
mod slapd;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::transcript::Protocol;
use harness::{ADMIN, DOMAIN, Home, Imap, PASSWORD, Pop3, Server, await_until};
use rustix::process::Signal;
use serde_json::Value;
use slapd::{BASE, MANAGER, Slapd};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

/// How often the server is killed in the middle of a change of each kind; the environment may want more.
const ROUNDS: usize = 3;
const MORE_ROUNDS: &str = "ANGARIUM_LDAP_ROUNDS";

/// What the log may say while the LDAP server is away.
const AWAY: [&str; 6] = [
    "directory.ldap.lost",
    "directory.ldap.unfinished",
    "server.directory.waiting",
    "lmtp.directory.failed",
    "imap.command.failed",
    "pop3.command.failed",
];

/// A home whose users are at `url`.
fn home(slapd: &Slapd, url: &str, more: &[&str]) -> Home {
    let secret = slapd.home.path().join("angarium.secret");
    fs::write(&secret, format!("{}\n", slapd::PASSWORD)).unwrap();
    let settings = [
        "directory.backend = \"ldap\"".to_owned(),
        format!("directory.url = \"{url}\""),
        format!("directory.base = \"{BASE}\""),
        format!("directory.bind_dn = \"{MANAGER}\""),
        format!("directory.bind_password_file = \"{}\"", secret.display()),
        "directory.retry = \"100ms\"".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).chain(more.iter().copied()).collect();
    Home::new(PROGRAM, &settings)
}

fn imap(server: &Server, user: &str, password: &str) -> String {
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    client.command(&format!("LOGIN {user} \"{password}\"")).expect("an answer").status
}

fn pop3(server: &Server, user: &str, password: &str) -> String {
    match Pop3::open(server.address(Protocol::Pop3)).expect("a greeting").login(user, password) {
        Ok(_) => "+OK".to_owned(),
        Err(refused) => refused.to_string(),
    }
}

/// What LMTP says to a message for a local part.
fn deliver(server: &Server, local: &str) -> String {
    let message = b"From: x@else.example\r\nSubject: news\r\n\r\nNews.\r\n";
    let replies = server.lmtp().deliver("x@else.example", &[&format!("{local}@{DOMAIN}")], message);
    replies.expect("an answer").remove(0)
}

fn figure(home: &Home, name: &str) -> f64 {
    let figures: Value = serde_json::from_str(&home.must_run(&["metrics", "--json"], b"")).unwrap();
    figures[name][0]["value"].as_f64().unwrap_or_else(|| panic!("{name} in {figures}"))
}

#[test]
fn mail_and_logins_before_during_and_after_an_outage() {
    if slapd::is_left_out() {
        return;
    }
    let mut slapd = Slapd::start("");
    slapd.kill();
    // What is remembered is asked for anew each time, and good for the whole test when nobody answers.
    let home = home(&slapd, &slapd.url(), &["directory.cache_fresh = \"0s\"", "directory.cache_stale = \"1d\""]);
    let server = home.start();
    assert!(imap(&server, "joe", PASSWORD).starts_with("NO [UNAVAILABLE]"));
    let told = pop3(&server, "joe", PASSWORD);
    assert!(told.contains("-ERR [SYS/TEMP]"), "{told}");
    assert!(deliver(&server, "joe").starts_with("451 4."), "{}", deliver(&server, "joe"));
    let add = home.run(&["user", "add", "joe", "--password-stdin"], b"x\n");
    assert_eq!(add.status.code(), Some(75), "{}", String::from_utf8_lossy(&add.stderr));
    let status = home.must_run(&["status"], b"");
    assert!(status.contains("the LDAP server does not answer"), "{status}");
    assert_eq!(home.run(&["status", "--depth", "20"], b"").status.code(), Some(1));

    // It comes, and the first start goes on.
    slapd.restart();
    let log = server.await_log("server.directory.ready");
    assert!(log.contains("First start") && log.contains("admin.created"), "{log}");
    for user in ["joe", "sue"] {
        home.add_user(user);
    }
    home.must_run(&["alias", "create", "staff", "--owner", "joe", "--member", "joe", "--member", "sue"], b"");
    assert!(imap(&server, "joe", PASSWORD).starts_with("OK") && pop3(&server, "joe", PASSWORD).starts_with("+OK"));
    assert!(imap(&server, "joe", "wrong").starts_with("NO [AUTHENTICATIONFAILED]"));
    assert!(deliver(&server, "joe").starts_with("250") && deliver(&server, "staff").starts_with("250"));
    assert!(deliver(&server, "nobody").starts_with("550"), "{}", deliver(&server, "nobody"));
    let messages = |server: &Server, user: &str| server.imap(user).must("SELECT INBOX").unwrap().number("EXISTS");
    assert_eq!((messages(&server, "joe"), messages(&server, "sue")), (Some(2), Some(1)));
    home.must_run(&["status", "--depth", "20"], b"");
    assert_eq!(figure(&home, "angarium_ldap_up"), 1.0);
    assert!(figure(&home, "angarium_ldap_connections") >= 1.0);

    // Away: who is known and right is served; everybody else is told to come again, and nobody that he does not exist.
    home.add_user("tom");
    slapd.kill();
    assert!(imap(&server, "nobody", PASSWORD).starts_with("NO [UNAVAILABLE]"));
    assert!(imap(&server, "tom", PASSWORD).starts_with("NO [UNAVAILABLE]"), "nobody has asked about him");
    assert!(deliver(&server, "tom").starts_with("451 4.") && deliver(&server, "nobody").starts_with("451 4."));
    assert_eq!(figure(&home, "angarium_ldap_up"), 0.0);
    slapd.restart();
    await_until("the LDAP server is found again", || deliver(&server, "nobody").starts_with("550"));
    for user in ["joe", "sue", "tom"] {
        assert!(deliver(&server, user).starts_with("250"));
        assert!(imap(&server, user, PASSWORD).starts_with("OK"));
    }
    slapd.kill();
    assert!(imap(&server, "joe", PASSWORD).starts_with("OK") && pop3(&server, "joe", PASSWORD).starts_with("+OK"));
    assert!(imap(&server, "joe", "wrong").starts_with("NO [UNAVAILABLE]"), "the password may be new");
    assert!(deliver(&server, "joe").starts_with("250"));
    assert!(deliver(&server, "nobody").starts_with("451 4.") && deliver(&server, ADMIN).starts_with("451 4."));
    slapd.restart();
    await_until("the LDAP server is found again", || deliver(&server, ADMIN).starts_with("250"));
    assert!(imap(&server, "joe", "wrong").starts_with("NO [AUTHENTICATIONFAILED]"));

    // A new password for the server itself, at SIGHUP; one that can't be read changes nothing.
    let secret = slapd.home.path().join("angarium.secret");
    fs::write(&secret, "").unwrap();
    server.signal(Signal::HUP);
    server.await_log("config.kept");
    assert!(imap(&server, "joe", PASSWORD).starts_with("OK"));
    fs::write(&secret, "not the manager's\n").unwrap();
    server.signal(Signal::HUP);
    server.await_log("directory.ldap.reconnected");
    assert!(deliver(&server, "nobody").starts_with("451 4."));
    let log = server.await_log("does not let us in");
    assert!(!log.contains("not the manager's"));
    fs::write(&secret, slapd::PASSWORD).unwrap();
    server.signal(Signal::HUP);
    await_until("we are let in again", || deliver(&server, "nobody").starts_with("550"));
    let announced: Vec<String> = AWAY.iter().chain(&["config.kept"]).map(|text| (*text).to_owned()).collect();
    server.stop(&announced);
    home.check_store();
}

/// Where there are mailboxes, nobody makes a directory that knows none of their owners, unless told to.
#[test]
fn a_server_that_moves_into_an_empty_directory() {
    if slapd::is_left_out() {
        return;
    }
    let slapd = Slapd::start("");
    let moved = Home::new(PROGRAM, &[]);
    moved.add_user("joe");
    let configured = home(&slapd, &slapd.url(), &[]);
    fs::copy(configured.path().join("angarium.toml"), moved.path().join("angarium.toml")).unwrap();
    let server = moved.start();
    server.await_log("angarium mkimap makes one");
    assert!(deliver(&server, "joe").starts_with("451 4."));
    assert!(imap(&server, "joe", PASSWORD).starts_with("NO [UNAVAILABLE]"));
    server.stop(&AWAY.map(str::to_owned));
    moved.must_run(&["mkimap"], b"");
    moved.add_user("joe");
    let server = moved.start();
    assert!(deliver(&server, "joe").starts_with("250") && imap(&server, "joe", PASSWORD).starts_with("OK"));
    server.stop(&[]);
    moved.check_store();
}

/// What `directory export` writes is what this back end would have written, and what slapcat writes can be imported.
#[test]
fn an_export_moves_in_and_out() {
    if slapd::is_left_out() {
        return;
    }
    let slapd = Slapd::start("");
    let first = Home::new(PROGRAM, &[]);
    for command in [
        "user add admin",
        "domain add example.net --description Zwölf",
        "user add joe --domain example.net --alternate j.s --group staff --quota 7 --business-phone 1 --fax lots",
        "user add sue --forward joe@example.net,X@else.example --keep-copy --title Ü",
        "user disable sue",
        "user modify sue --vacation-text Fort! --vacation-days 1 --junk-allow z.example,a@b.example --junk-deny b.example",
        "privileges set --junk-deny spam.example",
        "alias create inner --owner joe@example.net --member joe@example.net --domain example.net",
        "alias create outer --owner sue --member inner@example.net,sue,group:staff,Y@else.example",
        "privileges set --default-folder Sent --deny AllowForwarding",
    ] {
        first.must_run(&command.split(' ').collect::<Vec<_>>(), format!("{PASSWORD}\n").as_bytes());
    }
    let export = ["directory", "export", "--format", "ldif", "--base", BASE, "-"];
    let ldif = first.must_run(&export, b"");
    let add = |ldif: &str| {
        let url = slapd.url();
        let mut ldapadd = Command::new("ldapadd");
        ldapadd.args(["-x", "-H", &url, "-D", MANAGER, "-w", slapd::PASSWORD]);
        let (ended, said) = feed(&mut ldapadd, ldif);
        assert!(ended, "{said}");
    };
    add(&format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n"));
    add(&ldif);
    let second = home(&slapd, &slapd.url(), &[]);
    assert_eq!(second.must_run(&export, b""), ldif);
    let conf = slapd.home.path().join("slapd.conf");
    let (ended, saved) = feed(Command::new("/usr/sbin/slapcat").arg("-f").arg(conf), "");
    assert!(ended && saved.contains("entryUUID"), "{saved}");
    let third = Home::new(PROGRAM, &[]);
    third.must_run(&["directory", "import", "-"], saved.as_bytes());
    assert_eq!(third.must_run(&export, b""), ldif);
    let server = third.start();
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    client.must(&format!("LOGIN joe \"{PASSWORD}\"")).expect("the password came along");
    client.must("SELECT Sent").expect("the mailboxes are there");
}

/// A server whose directory was its own goes on with an LDAP server that slapadd has filled from its export.
#[test]
fn slapadd_takes_an_export_and_the_server_goes_on() {
    if slapd::is_left_out() {
        return;
    }
    let mut slapd = Slapd::start("");
    slapd.kill();
    let moved = Home::new(PROGRAM, &[]);
    for user in [ADMIN, "joe", "sue"] {
        moved.add_user(user);
    }
    moved.must_run(&["alias", "create", "staff", "--owner", "joe", "--member", "joe", "--member", "sue"], b"");
    let export = ["directory", "export", "--format", "ldif", "--base", BASE, "-"];
    let ldif = moved.must_run(&export, b"");
    let base = format!("dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n");
    let conf = slapd.home.path().join("slapd.conf");
    // A file may begin with its version only once.
    let entries = ldif.strip_prefix("version: 1\n").expect("a version");
    let (ended, said) = feed(Command::new("/usr/sbin/slapadd").arg("-f").arg(&conf), &format!("{base}{entries}"));
    assert!(ended, "{said}");
    slapd.restart();
    let configured = home(&slapd, &slapd.url(), &[]);
    fs::copy(configured.path().join("angarium.toml"), moved.path().join("angarium.toml")).unwrap();

    // A directory that is exported while the server runs says the same as before.
    let server = moved.start();
    assert_eq!(moved.must_run(&export, b""), ldif);
    assert!(imap(&server, "joe", PASSWORD).starts_with("OK") && pop3(&server, "sue", PASSWORD).starts_with("+OK"));
    assert!(imap(&server, "joe", "wrong").starts_with("NO [AUTHENTICATIONFAILED]"));
    assert!(deliver(&server, "staff").starts_with("250") && deliver(&server, "nobody").starts_with("550"));
    let messages = |user: &str| server.imap(user).must("SELECT INBOX").unwrap().number("EXISTS");
    assert_eq!((messages("joe"), messages("sue")), (Some(1), Some(1)));

    // Two change places, and one comes, while it runs.
    let rows = [("joe", "sue"), ("sue", "joe"), ("tom", "tom")]
        .map(|(uid, mail)| format!("{{\"user\":{{\"uid\":\"{uid}\",\"mail\":\"{mail}@{DOMAIN}\"}}}}\n"));
    let said = moved.must_run(&["directory", "import", "--replace", "-"], rows.concat().as_bytes());
    assert!(said.contains("1 users and 0 aliases made, 2 rows changed"), "{said}");
    for local in ["joe", "joe", "tom"] {
        assert!(deliver(&server, local).starts_with("250"));
    }
    assert_eq!((messages("joe"), messages("sue")), (Some(1), Some(3)));
    moved.must_run(&["user", "passwd", "tom", "--password-stdin"], b"tom's\n");
    assert!(imap(&server, "tom", "tom's").starts_with("OK"));
    let entry = slapd.tool("ldapsearch", &["-LLL", "-b", BASE, "(uid=tom)", "mail"], "");
    assert!(entry.contains(&format!("mail: tom@{DOMAIN}")), "{entry}");
    assert_eq!(slapd.tool("ldapsearch", &["-LLL", "-b", BASE, "(cn=intent*)", "cn"], "").trim(), "");
    server.stop(&[]);
    moved.check_store();
}

/// Runs a command with something on standard input: whether it ended well, and what it said.
fn feed(command: &mut Command, input: &str) -> (bool, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a command");
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    });
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn with_tls_the_right_server_and_no_other() {
    if slapd::is_left_out() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let certificate = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(dir.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
        let path = dir.path().join(format!("{name}.pem"));
        fs::write(&path, made.cert.pem()).unwrap();
        path
    };
    let (ours, other) = (certificate("ours"), certificate("other"));
    let key = ours.with_extension("key");
    let slapd = Slapd::start(&format!(
        "TLSCertificateFile {}\nTLSCertificateKeyFile {}\nsecurity tls=1",
        ours.display(),
        key.display()
    ));
    let clear = format!("ldap://127.0.0.1:{}", slapd.port);
    let home = |url: &str, authorities: &Path, starttls: bool| {
        let authorities = format!("directory.authorities = \"{}\"", authorities.display());
        home(&slapd, url, &[&authorities, &format!("directory.starttls = {starttls}")])
    };
    for (user, url, starttls) in [("joe", slapd.url(), false), ("sue", clear.clone(), true)] {
        let right = home(&url, &ours, starttls);
        right.must_run(&["config", "check"], b"");
        right.add_user(user);
        let server = right.start();
        assert!(imap(&server, user, PASSWORD).starts_with("OK"), "{url}");
        server.stop(&[]);
        let wrong = home(&url, &other, starttls).run(&["user", "add", "tom", "--password-stdin"], b"x\n");
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert_eq!(wrong.status.code(), Some(75), "{said}");
        assert!(said.contains("UnknownIssuer") || said.contains("certificate"), "{said}");
    }
    // Not in the clear: this server wants TLS, and we would not go elsewhere without.
    let output = home(&clear, &ours, false).run(&["user", "list"], b"");
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    for (url, expected) in [
        ("ldap://192.0.2.1", "directory.url: \"ldap://192.0.2.1\": passwords would cross the network"),
        ("ldaps://", "behind :// comes the name"),
    ] {
        let home = home(url, &ours, false);
        for command in [&["config", "check"][..], &["serve"]] {
            let output = home.run(command, b"");
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let expected = expected.strip_prefix("directory.").unwrap_or(expected);
            assert!(output.status.code() == Some(78) && said.contains(expected), "{url} {command:?}: {said}");
        }
    }
}

/// Whatever moment the server is killed at, its next start leaves nothing half: a domain has one name for everybody in it, a
/// user is there with mailbox and memberships, or gone without a trace.
#[test]
fn kill_9_in_the_middle_of_changes() {
    if slapd::is_left_out() {
        return;
    }
    const PEOPLE: [&str; 5] = ["a1", "a2", "a3", "a4", "a5"];
    let rounds = std::env::var(MORE_ROUNDS).ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    let slapd = Slapd::start("");
    let home = home(&slapd, &slapd.url(), &["directory.cache_fresh = \"0s\""]);
    home.must_run(&["domain", "add", "one.example"], b"");
    for user in PEOPLE {
        let add = ["user", "add", user, "--mail", &format!("{user}@one.example"), "--password-stdin"];
        home.must_run(&add, format!("{PASSWORD}\n").as_bytes());
    }
    home.must_run(&["alias", "create", "all@one.example", "--owner", "a1", "--member", "a1", "--member", "a2"], b"");
    let mut server = Some(home.start());
    // Begins a command, and kills the server when the LDAP server has been asked for so many changes.
    let kill_in = |server: Server, arguments: &[&str], after: usize| {
        let until = slapd.changes() + after;
        let mut child = home.begin(arguments);
        await_until("the command is at it, or done", || {
            slapd.changes() >= until || child.try_wait().unwrap().is_some()
        });
        server.kill();
        child.wait().unwrap();
        home.start()
    };
    let (mut from, mut to) = ("one.example", "two.example");
    for round in 0..rounds {
        let killed = kill_in(server.take().unwrap(), &["domain", "rename", from, to], 1 + round * 3 % 9);
        let domains = home.must_run(&["domain", "list"], b"");
        let (is_old, is_new) = (domains.contains(from), domains.contains(to));
        assert!(is_old != is_new, "{domains}");
        if is_new {
            (from, to) = (to, from);
        }
        for local in PEOPLE.iter().chain(&["all", "postmaster"]) {
            let mut lmtp = killed.lmtp();
            lmtp.command("MAIL FROM:<>").unwrap();
            let found = lmtp.command(&format!("RCPT TO:<{local}@{from}>")).unwrap();
            let gone = lmtp.command(&format!("RCPT TO:<{local}@{to}>")).unwrap();
            assert!(found.starts_with("250") && gone.starts_with("550"), "{local}@{from}: {found} {gone}");
        }
        assert_eq!(slapd.tool("ldapsearch", &["-LLL", "-b", BASE, "(cn=intent)", "cn"], "").trim(), "");

        let victim = format!("v{round}");
        home.must_run(&["user", "add", &victim, "--mail", &format!("{victim}@{from}"), "--password-stdin"], b"x\n");
        home.must_run(&["alias", "add", &format!("all@{from}"), &victim], b"");
        let killed = kill_in(killed, &["user", "delete", &victim], 1 + round * 2 % 7);
        let is_there = home.run(&["user", "show", &victim], b"").status.success();
        let inbox = home.spool().join("user").join(&victim).exists();
        let entry = slapd.tool("ldapsearch", &["-LLL", "-b", BASE, &format!("(uid={victim})"), "uid"], "");
        let named = slapd.tool("ldapsearch", &["-LLL", "-b", BASE, "(objectClass=angariumAlias)", "member"], "");
        let is_member = named.contains(&format!("uid={victim},"));
        let found = [is_there, inbox, !entry.trim().is_empty(), is_member];
        assert!(found == [is_there; 4], "user, mailbox, entry, membership: {found:?}");
        // A login that fails takes a while to say so.
        assert!(!is_there || imap(&killed, &victim, "x").starts_with("OK"));
        server = Some(killed);
    }
    let log = fs::read_to_string(home.path().join("server.log")).unwrap();
    let finished = log.matches("directory.ldap.resumed").count() + log.matches("account.resumed").count();
    println!("{finished} changes of {} were finished by the next start", 2 * rounds);
    let recovered =
        ["directory.ldap.resumed", "account.resumed", "store.recovered", "mailbox.index.repaired", "ledger.tail.cut"];
    server.unwrap().stop(&recovered.map(str::to_owned));
    home.check_store();
}
