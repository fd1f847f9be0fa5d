//! The history in a directory of its own.

use durable::disk::{Fault, FaultyDisk, RealDisk};

use super::*;

fn joe() -> UserId {
    UserId::parse("joe").unwrap()
}

fn attempt(conn: u64, at: u64, address: &str, refused: Option<&'static str>) -> Attempt {
    let login = Login {
        first: at,
        last: at,
        count: 1,
        refused: refused.map(Into::into),
        from: Some(address.parse().unwrap()),
        protocol: "imap".into(),
        mechanism: "PLAIN".into(),
        tls: Some("TLSv1.3".into()),
        app: None,
        client: None,
        by: None,
        acting_as: None,
    };
    Attempt { conn, login }
}

fn open(dir: &Path) -> Logins {
    Logins::new(dir, Arc::new(RealDisk), 100)
}

fn file_of(dir: &Path) -> PathBuf {
    let hash = blake3::hash(b"joe");
    dir.join(format!("logins/{:02x}/joe.log", hash.as_bytes()[0]))
}

#[test]
fn what_was_noted_is_there_at_once_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let logins = open(dir.path());
    assert_eq!(logins.of(&joe()).unwrap(), []);
    logins.note(&joe(), attempt(1, 1000, "192.0.2.1", None));
    logins.note(&joe(), attempt(2, 1001, "192.0.2.1", None));
    logins.note(&joe(), attempt(3, 1002, "2001:db8::1", Some("password")));
    let check = |logins: &Logins| {
        let found = logins.of(&joe()).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!((found[0].last, found[0].refused.as_deref()), (1002, Some("password")));
        assert_eq!((found[1].first, found[1].last, found[1].count), (1000, 1001, 2));
        assert_eq!(found[1].from, Some("192.0.2.1".parse().unwrap()));
    };
    check(&logins);
    logins.close();
    check(&logins);
    check(&open(dir.path()));
    logins.forget(&joe());
    assert_eq!(open(dir.path()).of(&joe()).unwrap(), []);
    assert!(!file_of(dir.path()).exists());
}

#[test]
fn a_client_that_names_itself_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let logins = open(dir.path());
    for conn in 1..=3 {
        logins.note(&joe(), attempt(conn, 1000 + conn, "192.0.2.1", None));
    }
    logins.name_client(&joe(), 3, "Rider 1.0");
    logins.name_client(&joe(), 3, "Rider 1.0");
    logins.name_client(&joe(), 77, "Nobody");
    logins.note(&joe(), attempt(4, 1004, "192.0.2.1", None));
    logins.name_client(&joe(), 4, "Rider 1.0");
    let found: Vec<_> = logins.of(&joe()).unwrap().into_iter().map(|login| (login.client, login.count)).collect();
    assert_eq!(found, [(Some("Rider 1.0".to_owned()), 2), (None, 2)]);
}

#[test]
fn damage_costs_the_line_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let logins = open(dir.path());
    logins.note(&joe(), attempt(1, 1000, "192.0.2.1", None));
    logins.close();
    let file = file_of(dir.path());
    // Torn in the middle of a line, then some rubbish.
    let mut octets = std::fs::read(&file).unwrap();
    octets.extend(b"\xff\0{\"first\":1}\n{\"first\":2000,\"last\":20");
    std::fs::write(&file, octets).unwrap();
    let logins = open(dir.path());
    logins.note(&joe(), attempt(1, 3000, "192.0.2.2", None));
    logins.close();
    let times: Vec<_> = open(dir.path()).of(&joe()).unwrap().iter().map(|login| login.last).collect();
    assert_eq!(times, [3000, 1000]);
    // Something that is no file.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let logins = open(dir.path());
    logins.note(&joe(), attempt(1, 4000, "192.0.2.2", None));
    assert!(logins.of(&joe()).is_err());
    logins.close();
}

#[test]
fn files_stay_small_whoever_tries() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let logins = open(dir.path());
        if round == 0 {
            logins.note(&joe(), attempt(1, 1, "192.0.2.1", None));
        }
        for n in 0..300 {
            let address = format!("2001:db8:{round:x}::{n:x}");
            logins.note(&joe(), attempt(n, 1000 + round * 1000 + n, &address, Some("password")));
        }
        assert!(logins.shared.gathered.lock().entries <= 100);
        logins.close();
        assert!(std::fs::metadata(file_of(dir.path())).unwrap().len() < 2 * 64 * 1024);
    }
    let found = open(dir.path()).of(&joe()).unwrap();
    assert_eq!(found.len(), 51);
    assert_eq!(found.last().map(|login| (login.last, login.is_success())), Some((1, true)));
    assert_eq!(found[0].last, 20_299);
}

/// As one left by a server that was to keep more.
#[test]
fn the_end_of_a_file_that_is_too_long_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let file = file_of(dir.path());
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    let mut octets = Vec::new();
    for n in 0..10_000 {
        let login = attempt(1, 1000 + n * 100_000, "192.0.2.1", None).login;
        octets.extend(serde_json::to_vec(&login).unwrap());
        octets.push(b'\n');
    }
    assert!(octets.len() > 1 << 20);
    std::fs::write(&file, octets).unwrap();
    let (newest, oldest) = (1000 + 9999 * 100_000, 1000 + 9900 * 100_000);
    let ends = |logins: &Logins| {
        let found = logins.of(&joe()).unwrap();
        (found[0].last, found.last().unwrap().last, found.len())
    };
    let logins = open(dir.path());
    assert_eq!(ends(&logins), (newest, oldest, 100));
    logins.note(&joe(), attempt(2, newest + 100_000, "192.0.2.1", None));
    logins.close();
    assert_eq!(ends(&open(dir.path())), (newest + 100_000, oldest + 100_000, 100));
    assert!(std::fs::metadata(&file).unwrap().len() < 64 * 1024);
}

#[test]
fn a_disk_that_fails_costs_the_entries_only() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let logins = Logins::new(dir.path(), disk.clone(), 100);
    disk.set_fault(Some(Fault::Fail { at: 1, errno: rustix::io::Errno::NOSPC, lasting: true }));
    logins.note(&joe(), attempt(1, 1000, "192.0.2.1", None));
    logins.close();
    assert_eq!(open(dir.path()).of(&joe()).unwrap(), []);
}
