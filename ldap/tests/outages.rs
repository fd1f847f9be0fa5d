//! A server that goes away, hangs, or is not the one it should be.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test reports trouble by panicking, and says what it leaves out"
)]

mod slapd;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use directory::{
    Actor, Address, Directory, DomainName, Error, NewUser, Origin, Resolution, Secret, Service, User, UserId, Verdict,
};
use durable::disk::RealDisk;
use ldap::{Identity, Ldap, Settings, Url};
use slapd::Slapd;

/// Far longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(home: &Path, settings: &Settings) -> directory::Result<Ldap> {
    Ldap::open(home, Arc::new(RealDisk), true, settings)
}

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn add(directory: &Ldap, uid: &str) {
    let mail = Address::parse(&format!("{uid}@example.com")).unwrap();
    let row = NewUser { uid: id(uid), mail, given_name: String::new(), surname: String::new(), admin: false };
    directory.create_user(&row, &Secret::new("right")).unwrap();
    directory.activate_user(&row.uid).unwrap();
}

fn enter(directory: &Ldap, password: &str) -> directory::Result<bool> {
    let verdict = directory.authenticate("joe", &Secret::new(password), &Origin::now("imap", None))?;
    Ok(matches!(verdict, Verdict::Accepted(_)))
}

fn is_unavailable<T: std::fmt::Debug>(result: directory::Result<T>) -> String {
    match result {
        Err(Error::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// Asks until there is an answer.
fn until<T>(ask: impl Fn() -> directory::Result<T>) -> T {
    let begun = Instant::now();
    loop {
        match ask() {
            Ok(answer) => return answer,
            Err(Error::Unavailable(why)) => assert!(begun.elapsed() < PATIENCE, "{why}"),
            Err(error) => panic!("{error}"),
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_server_that_is_killed_puts_logins_and_mail_off() {
    if slapd::is_left_out() {
        return;
    }
    let (mut slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let settings = Settings { cache_fresh: Duration::ZERO, cache_stale: PATIENCE * 10, ..slapd.settings() };
    let directory = open(home.path(), &settings).unwrap();
    add(&directory, "joe");
    add(&directory, "sue");
    assert!(enter(&directory, "right").unwrap() && !enter(&directory, "wrong").unwrap());
    let resolve = |local: &str| directory.resolve(local, Some("example.com"));
    assert_eq!(resolve("joe").unwrap(), Resolution::User(id("joe")));
    assert_eq!(directory.status().outage, None);

    // Logins go on all the time, and everybody is told the truth or to come again. Who is known and right gets in.
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::channel();
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                assert!(enter(&directory, "right").unwrap());
            }
        });
        for password in ["wrong", "", "wrong"] {
            let (directory, sender) = (&directory, sender.clone());
            scope.spawn(move || {
                let mut down = false;
                let begun = Instant::now();
                loop {
                    match enter(directory, password) {
                        Ok(is_in) => {
                            assert!(!is_in);
                            if down {
                                return;
                            }
                        }
                        Err(Error::Unavailable(_)) if !down => {
                            down = true;
                            sender.send(()).unwrap();
                        }
                        Err(Error::Unavailable(why)) => assert!(begun.elapsed() < PATIENCE, "{why}"),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        slapd.kill();
        for _ in 0..3 {
            receiver.recv_timeout(PATIENCE).unwrap();
        }
        let why = is_unavailable(enter(&directory, "wrong"));
        assert!(why.contains("LDAP server"), "{why}");
        assert_eq!(resolve("joe").unwrap(), Resolution::User(id("joe")), "of somebody who is known");
        for unknown in ["sue", "nobody", "postmaster"] {
            is_unavailable(resolve(unknown));
        }
        is_unavailable(Service::new(&directory, Actor::server()).set_password(&id("joe"), &Secret::new("x")));
        let status = directory.status();
        assert!(status.outage.is_some() && status.bridged > 0 && status.cached > 0, "{status:?}");
        slapd.restart();
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(until(|| resolve("nobody")), Resolution::Unknown);
    assert_eq!(directory.status().outage, None);
    until(|| directory.set_password(&id("joe"), &Secret::new("new")));
    assert!(enter(&directory, "new").unwrap() && !enter(&directory, "right").unwrap());
}

#[test]
fn a_server_that_hangs_is_waited_for_so_long_and_no_longer() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let wait = Duration::from_millis(300);
    let directory = open(home.path(), &slapd.settings()).unwrap();
    add(&directory, "joe");
    drop(directory);
    let settings = Settings {
        operation_timeout: wait,
        connect_timeout: wait,
        retry_at_most: Duration::from_millis(1),
        cache_fresh: Duration::ZERO,
        ..slapd.settings()
    };
    // On a machine that is busy enough the first answers may take longer than that, too.
    let directory = until(|| open(home.path(), &settings));
    slapd.hang();
    let begun = Instant::now();
    let why = is_unavailable(enter(&directory, "right"));
    assert!(begun.elapsed() >= wait, "{why}");
    assert!(why.contains("no answer"), "{why}");
    slapd.go_on();
    assert!(until(|| enter(&directory, "right")));
}

#[test]
fn a_wrong_bind_password_is_told_to_the_administrator() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let identity = Identity { dn: slapd::MANAGER.into(), password: Secret::new("not the manager's secret") };
    let settings = Settings { identity: Some(identity), ..slapd.settings() };
    assert!(!format!("{settings:?}").contains("secret"));
    let why = is_unavailable(open(home.path(), &settings));
    for part in [slapd::MANAGER, "invalidCredentials", "49"] {
        assert!(why.contains(part), "{why}");
    }
    assert!(!why.contains("secret"), "{why}");
}

#[test]
fn a_server_that_may_not_be_written_to_says_so() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start("readonly on"), tempfile::tempdir().unwrap());
    let why = is_unavailable(open(home.path(), &slapd.settings()));
    assert!(why.contains("can't be made"), "{why}");
}

/// A change that was written down and not carried out, as by a server that was killed, is finished by the next.
#[test]
fn what_a_crash_cut_short_is_finished() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let directory = open(home.path(), &slapd.settings()).unwrap();
    add(&directory, "joe");
    directory.create_domain(&DomainName::parse("old.example").unwrap(), "").unwrap();
    let intent = r#"{"revision":77,"steps":[
        {"rename":{"from":"old.example","to":"new.example","revision":77}},
        {"alias":{"row":{"address":"a@example.com","owners":["joe"],"users":["joe"],"aliases":["b@example.com"]},"key":"aa"}},
        {"alias":{"row":{"address":"b@example.com","owners":["joe"],"users":["joe"]},"key":"bb"}},
        {"delete_user":"nobody"},{"delete_domain":"nothing.example"},{"delete_alias":"x@example.com"}],
        "entries":[{"number":900,"time":1,"who":"joe","as":"administrator","via":"web","action":"test","object":"x"}]}"#
        .replace('\n', "");
    let entry =
        format!("dn: cn=intent,{}\nobjectClass: angariumRecord\ncn: intent\nangariumIntent: {intent}\n", slapd::BASE);
    slapd.tool("ldapadd", &[], &entry);
    // Somebody who has it in the way is told to try again, and then it is done.
    let refused = Service::new(&directory, Actor::server()).set_password(&id("joe"), &Secret::new("x"));
    is_unavailable(refused);
    directory.set_password(&id("joe"), &Secret::new("y")).unwrap();
    assert!(!enter(&directory, "x").unwrap() && enter(&directory, "y").unwrap());
    let check = |directory: &Ldap| {
        let a = directory.alias(&Address::parse("a@example.com").unwrap()).unwrap().unwrap();
        assert_eq!(a.aliases, [Address::parse("b@example.com").unwrap()]);
        let names: Vec<_> = directory.domains().unwrap().into_iter().map(|row| row.name.to_string()).collect();
        assert_eq!(names, ["example.com", "new.example"]);
        let log = std::fs::read_to_string(home.path().join("log/audit.log")).unwrap();
        assert_eq!(log.matches("\"number\":900").count(), 1, "{log}");
    };
    check(&directory);
    drop(directory);
    slapd.tool("ldapadd", &[], &entry);
    let directory = open(home.path(), &slapd.settings()).unwrap();
    check(&directory);
    drop(directory);

    // The same in parts, as a large one is written.
    let (first, second) = intent.split_at(intent.find("{\"alias\":").unwrap());
    for (name, part) in [("intent-1", first), ("intent-2", second), ("intent", "{\"parts\":2}")] {
        let base = slapd::BASE;
        let dn = format!("dn: cn={name},{base}\nobjectClass: angariumRecord\ncn: {name}\n");
        slapd.tool("ldapadd", &[], &format!("{dn}angariumIntent: {part}\n"));
    }
    let directory = open(home.path(), &slapd.settings()).unwrap();
    check(&directory);
    let left = slapd.tool("ldapsearch", &["-LLL", "-b", slapd::BASE, "(cn=intent*)", "cn"], "");
    assert!(left.trim().is_empty(), "{left}");
}

/// An LDAP server takes requests up to a size, and an import may be larger.
#[test]
fn a_change_larger_than_a_request() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start("sockbuf_max_incoming_auth 262143"), tempfile::tempdir().unwrap());
    let directory = open(home.path(), &slapd.settings()).unwrap();
    let service = Service::new(&directory, Actor::server());
    let kept = directory.passwords().hash(&Secret::new("right")).unwrap();
    let users: Vec<_> = (0..800)
        .map(|n| {
            let mail = Address::parse(&format!("user{n}@example.com")).unwrap();
            (User::new(id(&format!("user{n}")), mail, "Joe", &"Smith".repeat(20)), kept.clone())
        })
        .collect();
    service.create_users(&users).unwrap();
    assert_eq!(service.counts(None).unwrap().users, users.len());
    let left = slapd.tool("ldapsearch", &["-LLL", "-b", slapd::BASE, "(cn=intent*)", "cn"], "");
    assert!(left.trim().is_empty(), "{left}");
}

/// What other programs do to the entries of people.
#[test]
fn other_programs_change_people() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let settings = Settings { cache_fresh: Duration::ZERO, ..slapd.settings() };
    let directory = open(home.path(), &settings).unwrap();
    add(&directory, "joe");
    assert!(enter(&directory, "right").unwrap());
    let joe = format!("uid=joe,ou=people,{}", slapd::BASE);
    slapd.tool(
        "ldapmodify",
        &[],
        &format!(
            "dn: {joe}\nchangetype: modify\nreplace: userPassword\nuserPassword: {{SHA}}L55TUjtiq8FBorTWAZ0jy6g129A=\n-\n\
             replace: sn\nsn: Other\n-\nadd: roomNumber\nroomNumber: 7\n"
        ),
    );
    assert!(!enter(&directory, "right").unwrap() && enter(&directory, "correct horse").unwrap());
    let mut row = directory.user(&id("joe")).unwrap().unwrap();
    assert_eq!(row.surname, "Other");
    row.given_name = "Joe".into();
    directory.update_user(&row).unwrap();
    let entry = slapd.tool("ldapsearch", &["-LLL", "-b", &joe, "roomNumber", "givenName"], "");
    assert!(entry.contains("roomNumber: 7") && entry.contains("givenName: Joe"), "{entry}");
    slapd.tool("ldapmodify", &[], &format!("dn: {joe}\nchangetype: modify\ndelete: userPassword\n"));
    assert!(!enter(&directory, "correct horse").unwrap(), "no password at all");
}

fn certificate(names: &[&str]) -> (rcgen::CertifiedKey<rcgen::KeyPair>, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let pem = made.cert.pem();
    (made, pem)
}

#[test]
fn a_server_is_believed_for_its_certificate_only() {
    if slapd::is_left_out() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (ours, pem) = certificate(&["127.0.0.1"]);
    let at = |name: &str| home.path().join(name);
    std::fs::write(at("cert.pem"), &pem).unwrap();
    std::fs::write(at("key.pem"), ours.signing_key.serialize_pem()).unwrap();
    std::fs::write(at("other.pem"), certificate(&["127.0.0.1"]).1).unwrap();
    std::fs::write(at("empty.pem"), "nothing").unwrap();
    let slapd = Slapd::start(&format!(
        "TLSCertificateFile {}\nTLSCertificateKeyFile {}",
        at("cert.pem").display(),
        at("key.pem").display()
    ));
    let settings = |ca: &str| Settings { ca_file: Some(at(ca)), ..slapd.settings() };
    let directory = open(home.path(), &settings("cert.pem")).unwrap();
    add(&directory, "joe");
    assert!(enter(&directory, "right").unwrap());
    for (ca, expected) in [("other.pem", "UnknownIssuer"), ("empty.pem", "no certificate"), ("none.pem", "none.pem")] {
        let why = is_unavailable(open(home.path(), &settings(ca)));
        assert!(why.contains(expected) || why.contains("certificate"), "{ca}: {why}");
    }
    let url = |scheme: &str, host: &str, port: u16| Url::parse(&format!("{scheme}://{host}:{port}")).unwrap();
    let foreign = Settings { url: url("ldaps", "localhost", slapd.tls_port.unwrap()), ..settings("cert.pem") };
    let why = is_unavailable(open(home.path(), &foreign));
    assert!(why.contains("localhost"), "another name: {why}");

    // The same after StartTLS.
    let clear = url("ldap", "127.0.0.1", slapd.port);
    let begun = |ca: &str| Settings { url: clear.clone(), starttls: true, ..settings(ca) };
    assert!(enter(&open(home.path(), &begun("cert.pem")).unwrap(), "right").unwrap());
    let why = is_unavailable(open(home.path(), &begun("other.pem")));
    assert!(why.contains("UnknownIssuer") || why.contains("certificate"), "{why}");
    let plain = Slapd::start("");
    let deaf = Settings { url: url("ldap", "127.0.0.1", plain.port), ..begun("cert.pem") };
    is_unavailable(open(home.path(), &deaf));

    // What can't be read changes nothing; then connections are made anew, with what is right now.
    assert!(directory.successor(&settings("none.pem")).is_err());
    assert!(enter(&directory, "right").unwrap());
    directory.hand_over(directory.successor(&settings("other.pem")).unwrap());
    is_unavailable(directory.domains().and_then(|_| directory.user(&id("sue"))));
    directory.hand_over(directory.successor(&begun("cert.pem")).unwrap());
    assert_eq!(directory.user(&id("sue")).unwrap(), None);
    assert!(directory.status().connections > 0);
}

#[test]
fn over_its_socket_the_kernel_says_who_we_are() {
    if slapd::is_left_out() {
        return;
    }
    let (slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    let url = Url::parse(&slapd.socket_url()).unwrap();
    let directory = open(home.path(), &Settings { url, identity: None, ..slapd.settings() }).unwrap();
    add(&directory, "joe");
    assert!(enter(&directory, "right").unwrap());
}

#[test]
fn a_directory_is_there_before_its_server() {
    if slapd::is_left_out() {
        return;
    }
    let (mut slapd, home) = (Slapd::start(""), tempfile::tempdir().unwrap());
    slapd.kill();
    let new = |create: bool| Ldap::new(home.path(), Arc::new(RealDisk), create, &slapd.settings()).unwrap();
    let (directory, other) = (new(true), new(false));
    is_unavailable(directory.resolve("joe", Some("example.com")));
    is_unavailable(directory.account(&id("joe")));
    is_unavailable(enter(&directory, "right"));
    assert!(directory.recognise("joe", &Secret::new("right"), &Origin::now("imap", None)).is_none());
    is_unavailable(directory.create_domain(&DomainName::parse("a.example").unwrap(), ""));
    slapd.restart();
    // Where there are mailboxes nobody makes a directory that knows none of their owners.
    let why = loop {
        let why = is_unavailable(other.resolve("joe", Some("example.com")));
        if !why.contains("can't be reached") {
            break why;
        }
    };
    assert!(why.contains("angarium mkimap"), "{why}");
    assert_eq!(until(|| directory.resolve("joe", Some("example.com"))), Resolution::Unknown);
    assert_eq!(directory.domains().unwrap().len(), 1);
    assert_eq!(until(|| other.domains()).len(), 1);
    add(&directory, "joe");
    assert!(enter(&directory, "right").unwrap());
}
