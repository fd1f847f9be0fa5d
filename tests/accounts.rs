//! App passwords and the history of logins, as an administrator makes and reads them.

#![allow(clippy::expect_used, clippy::panic, reason = "a test reports trouble by panicking")]

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::transcript::Protocol;
use harness::{Home, Imap, PASSWORD, Pop3, Server};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn code(home: &Home, arguments: &[&str]) -> Option<i32> {
    home.run(arguments, b"").status.code()
}

fn imap(server: &Server, password: &str) -> bool {
    Imap::login(server.address(Protocol::Imap), "joe", password).is_ok()
}

fn pop3(server: &Server, password: &str) -> bool {
    let connected = Pop3::open(server.address(Protocol::Pop3)).expect("a greeting");
    connected.login("joe", password).is_ok()
}

#[test]
fn an_app_password_from_its_making_to_its_end() {
    let home = Home::new(PROGRAM, &[]);
    home.add_user("joe");
    let add = ["user", "app-password", "add", "joe"];
    let made_alone = home.must_run(&[&add[..], &["old phone", "--network", "198.51.100.0/24"]].concat(), b"");
    let server = home.start();
    let made = home.run(&[&add[..], &["phone", "--protocol", "imap", "--expires", "90d"]].concat(), b"");
    let password = String::from_utf8(made.stdout).expect("UTF-8").trim_end().to_owned();
    assert_eq!((password.len(), made.status.code()), (29, Some(0)), "{password:?}");
    assert!(String::from_utf8_lossy(&made.stderr).contains("only time"));
    for (arguments, expected) in [
        (&["phone"][..], 73),
        (&["x", "--protocol", "smtp"], 64),
        (&["x", "--network", "192.0.2.1/24"], 64),
        (&["x", "--expires", "soon"], 64),
        (&[" x"], 64),
    ] {
        assert_eq!(code(&home, &[&add[..], arguments].concat()), Some(expected), "{arguments:?}");
    }
    assert_eq!(code(&home, &["user", "app-password", "add", "nobody", "x"]), Some(67));

    let never = &objects(&home.must_run(&["user", "app-password", "list", "joe", "--json"], b""))[1];
    assert_eq!((&never["name"], &never["last_used"]), (&"phone".into(), &Value::Null));
    assert!(imap(&server, &password) && imap(&server, &password.replace('-', "")));
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    let response = STANDARD.encode(format!("\0joe\0{password}"));
    client.must(&format!("AUTHENTICATE PLAIN {response}")).expect("it is right");
    assert!(!pop3(&server, &password), "it is for IMAP");
    assert!(pop3(&server, PASSWORD) && !imap(&server, made_alone.trim_end()));
    let log = server.log();
    for reason in ["app-protocol", "app-network"] {
        let told = log.lines().any(|line| line.contains("login.app.refused") && line.contains(reason));
        assert!(told, "{reason} is not in\n{log}");
    }
    assert!(!log.contains(&password));
    let rows = objects(&home.must_run(&["user", "app-password", "list", "joe", "--json"], b""));
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[0]["name"], &rows[0]["networks"][0]), (&"old phone".into(), &"198.51.100.0/24".into()));
    assert_eq!((&rows[1]["protocols"][0], rows[1]["last_used"].is_string()), (&"imap".into(), true));
    let table = home.must_run(&["user", "app-password", "list", "joe"], b"");
    assert!(table.contains("phone") && table.contains("no use known") && table.contains("last used 2"), "{table}");

    home.must_run(&["user", "passwd", "joe", "--password-stdin"], b"another\n");
    assert!(imap(&server, &password) && imap(&server, "another"));
    server.stop(&[]);
    let server = home.start();
    assert!(imap(&server, &password), "it outlives a restart");
    home.must_run(&["user", "app-password", "remove", "joe", "phone"], b"");
    assert!(!imap(&server, &password), "taken back at once, however often it was right");
    assert_eq!(code(&home, &["user", "app-password", "remove", "joe", "phone"]), Some(66));
    assert_eq!(code(&home, &["user", "app-password", "remove", "joe"]), Some(64), "all of them is to be said");
    home.must_run(&["user", "app-password", "remove", "joe", "--all"], b"");
    assert_eq!(home.must_run(&["user", "app-password", "list", "joe"], b""), "");
    server.stop(&[]);
}

#[test]
fn who_has_logged_in() {
    let home = Home::new(PROGRAM, &["limits.login_history = 10"]);
    home.add_user("joe");
    home.add_user("admin");
    let logins = |user: &str| objects(&home.must_run(&["user", "logins", user, "--json"], b""));
    assert_eq!(logins("joe"), Vec::<Value>::new());
    assert!(home.must_run(&["user", "show", "joe"], b"").contains("last login     none known"));
    let server = home.start();
    let mut client = Imap::login(server.address(Protocol::Imap), "joe", PASSWORD).expect("joe logs in");
    client.must("ID (\"name\" \"Rider\" \"version\" \"1.0\")").expect("told");
    assert!(!pop3(&server, "wrong"));
    let mut client = Imap::open(server.address(Protocol::Imap)).expect("a greeting");
    let response = STANDARD.encode(format!("joe\0admin\0{PASSWORD}"));
    client.must(&format!("AUTHENTICATE PLAIN {response}")).expect("an administrator may");
    let check = |rows: &[Value]| {
        assert_eq!(rows.len(), 3, "{rows:?}");
        let row = |protocol: &str, mechanism: &str| {
            rows.iter().find(|row| row["protocol"] == protocol && row["mechanism"] == mechanism).expect("a row")
        };
        let own = row("imap", "password");
        assert_eq!(
            (&own["client"], &own["from"], &own["result"]),
            (&"Rider 1.0".into(), &"127.0.0.1".into(), &"ok".into())
        );
        assert_eq!(row("pop3", "password")["reason"], "password");
        assert_eq!(row("imap", "PLAIN")["by"], "admin");
    };
    check(&logins("joe"));
    assert_eq!(logins("admin")[0]["acting_as"], "joe");
    let shown: Value = serde_json::from_str(&home.must_run(&["user", "show", "joe", "--json"], b"")).expect("JSON");
    assert_eq!((&shown["uid"], shown["last_login"].is_string()), (&"joe".into(), true));
    assert_eq!(code(&home, &["user", "logins", "nobody"]), Some(67));
    assert_eq!(code(&home, &["user", "show", "nobody"]), Some(67));
    server.stop(&[]);
    check(&logins("joe"));
    let table = home.must_run(&["user", "logins", "joe"], b"");
    assert!(table.lines().count() == 4 && table.contains("client \"Rider 1.0\""), "{table}");
    let server = home.start();
    check(&logins("joe"));
    // Whatever lies there costs the history and nothing else.
    server.kill();
    std::fs::remove_dir_all(home.config_dir().join("logins")).expect("removed");
    std::fs::write(home.config_dir().join("logins"), "rubbish").expect("written");
    let server = home.start();
    assert!(imap(&server, PASSWORD));
    server.stop(&["logins.write.failed".to_owned()]);
}

/// A hash that nobody could check would lock its user out; the administrator hears which kind it is, and what would do.
#[test]
fn a_hash_from_elsewhere_is_taken_or_refused_by_its_kind() {
    let home = Home::new(PROGRAM, &[]);
    home.add_user("joe");
    let passwd = |hash: &str| home.run(&["user", "passwd", "joe", "--hash"], format!("{hash}\n").as_bytes());
    for (hash, kind) in [
        ("$1$salt$qJH7.N4xYta3aEG/dfqo/0", "MD5-crypt hashes ($1$)"),
        ("$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", "yescrypt hashes ($y$)"),
        ("{NTLM}8846f7eaee8fb117ad06bdd830b7586c", "{NTLM} hashes"),
        ("$6$salt$cut", "that hash is damaged"),
    ] {
        let output = passwd(hash);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(kind) && said.contains("{SSHA512}"), "{hash}: {said}");
    }
    // SHA-1 of "correct horse".
    assert!(passwd("{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=").status.success());
    let server = home.start();
    assert!(imap(&server, "correct horse") && !imap(&server, PASSWORD));
    server.stop(&[]);
}

/// [DOM-5] [DOM-6] [DOM-7] [DOM-9] [USR-6] [USR-7]
#[test]
fn domains_and_users_come_and_go() {
    let home = Home::new(PROGRAM, &[]);
    let server = home.start();
    let add = |user: &str, mail: &str| {
        home.must_run(&["user", "add", user, "--mail", mail, "--password-stdin"], format!("{PASSWORD}\n").as_bytes())
    };
    home.must_run(&["domain", "add", "old.example", "--description", "the second"], b"");
    add("joe", "joe.smith@old.example");
    add("sue", "sue@old.example");
    let mut client = home_imap(&server, "joe");
    let renamed = home.must_run(&["domain", "rename", "old.example", "new.example"], b"");
    assert_eq!(renamed, "old.example is new.example now, with 2 users and 1 aliases\n");
    client.must("NOOP").expect("a session goes on");
    assert!(home.must_run(&["user", "show", "joe"], b"").contains("joe.smith@new.example"));
    assert!(home.must_run(&["domain", "list"], b"").contains("new.example"));

    home.must_run(&["user", "disable", "joe"], b"");
    assert!(!imap(&server, PASSWORD), "disabled");
    home.must_run(&["user", "enable", "joe"], b"");
    assert!(imap(&server, PASSWORD));
    let mailbox = home.spool().join("user/joe");
    assert!(mailbox.exists());
    assert_eq!(home.must_run(&["user", "delete", "joe"], b""), "joe deleted\n");
    assert!(!mailbox.exists() && !imap(&server, PASSWORD));
    assert_eq!(code(&home, &["user", "delete", "joe"]), Some(67));
    for (arguments, text) in [
        (&["user", "delete", "admin"][..], "uid: \"admin\": the user admin can't be deleted"),
        (&["user", "disable", "admin"], "state: \"admin\": the user admin can't be disabled"),
        (&["domain", "delete", "new.example"], "domain: \"new.example\": it has 1 users and 0 aliases"),
        (&["domain", "add", "nodot"], "domain: \"nodot\": only the server's own domain"),
    ] {
        let refused = home.run(arguments, b"");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(64) && said.contains(text), "{arguments:?}: {said}");
    }
    server.stop(&[]);
    // The same without a server.
    home.must_run(&["domain", "delete", "new.example", "--cascade"], b"");
    assert!(!home.must_run(&["domain", "list"], b"").contains("example\n"));
    assert!(!home.must_run(&["user", "list"], b"").contains("sue"));
    let log = std::fs::read_to_string(home.config_dir().join("log/audit.log")).expect("there is an audit log");
    let actions: Vec<_> =
        objects(&log).iter().map(|entry| entry["action"].as_str().unwrap_or_default().to_owned()).collect();
    for action in ["domain.create", "user.create", "domain.rename", "user.delete", "domain.delete"] {
        assert!(actions.iter().any(|known| known == action), "{action} is not in {actions:?}");
    }
    assert!(!log.contains(PASSWORD) && !log.contains("argon2"));
}

/// A running server is asked over its control socket: its directory goes out and comes in while people are connected.
#[test]
fn a_running_server_exports_and_imports() {
    let (home, other) = (Home::new(PROGRAM, &[]), Home::new(PROGRAM, &[]));
    for user in [harness::ADMIN, "joe", "sue"] {
        home.add_user(user);
    }
    let before = home.must_run(&["directory", "export", "-"], b"");
    let (server, receiver) = (home.start(), other.start());
    let file = home.path().join("accounts.jsonl");
    let name = file.to_str().expect("UTF-8");
    home.must_run(&["directory", "export", name], b"");
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), before);
    assert_eq!(code(&home, &["directory", "export", name]), Some(73), "it is there");
    // The first start has made an administrator.
    assert_eq!(code(&other, &["directory", "import", name]), Some(65));
    other.must_run(&["directory", "import", "--replace", name], b"");
    assert!(imap(&receiver, PASSWORD), "the password came along");
    let mut client = receiver.imap("sue");
    let off = format!("{{\"user\":{{\"uid\":\"sue\",\"mail\":\"sue@{}\",\"state\":\"disabled\"}}}}", harness::DOMAIN);
    other.must_run(&["directory", "import", "--replace", "-"], off.as_bytes());
    assert!(
        client.command("NOOP").is_err() || client.command("NOOP").is_err(),
        "whoever is not welcome any more is out"
    );
    receiver.stop(&[]);
    server.stop(&[]);
    other.check_store();
}

fn home_imap(server: &Server, user: &str) -> Imap {
    Imap::login(server.address(Protocol::Imap), user, PASSWORD).expect("the password is right")
}
