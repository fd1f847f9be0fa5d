//! The server is killed with SIGKILL while users and domains are made, renamed and deleted, over and over. Afterwards each
//! of them is whole or not there: row, INBOX, directory, subscriptions, quota root, addresses, aliases; and what was
//! acknowledged has happened. `ANGARIUM_KILL_ROUNDS` says how often.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports trouble by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};

use harness::transcript::Protocol;
use harness::{DOMAIN, Home, Imap, PASSWORD, Server};
use serde_json::Value;

const ROUNDS: usize = 20;

/// Users that each domain that is renamed has all the time.
const RESIDENTS: usize = 5;

/// A change as a clerk orders it. Each is one command.
#[derive(Clone, Debug)]
enum Change {
    CreateUser { user: String, domain: String },
    DeleteUser(String),
    CreateDomain(String),
    DeleteDomain(String),
    RenameDomain { from: String, to: String },
    CreateAlias { alias: String, member: String },
}

impl Change {
    fn order(&self, home: &Home) -> std::process::Output {
        let password = format!("{PASSWORD}\n").into_bytes();
        match self {
            Change::CreateUser { user, domain } => {
                home.run(&["user", "create", user, "--domain", domain, "--quota", "10", "--password-stdin"], &password)
            }
            Change::DeleteUser(user) => home.run(&["user", "delete", user], b""),
            Change::CreateDomain(domain) => home.run(&["domain", "create", domain], b""),
            Change::DeleteDomain(domain) => home.run(&["domain", "delete", domain, "--cascade"], b""),
            Change::RenameDomain { from, to } => home.run(&["domain", "rename", from, to], b""),
            Change::CreateAlias { alias, member } => {
                home.run(&["alias", "create", alias, "--owner", member, "--member", member], b"")
            }
        }
    }
}

/// What must be there: nothing is said of what was ordered and not acknowledged.
#[derive(Clone, Default, Debug)]
struct Promised {
    users: BTreeMap<String, bool>,
    domains: BTreeMap<String, bool>,
}

impl Promised {
    fn acknowledge(&mut self, change: &Change) {
        match change.clone() {
            Change::CreateUser { user, .. } => {
                self.users.insert(user, true);
            }
            Change::DeleteUser(user) => {
                self.users.insert(user, false);
            }
            Change::CreateDomain(domain) => {
                self.domains.insert(domain, true);
            }
            Change::DeleteDomain(domain) => {
                self.users.retain(|user, _| !is_guest(user));
                self.domains.insert(domain, false);
            }
            Change::RenameDomain { from, to } => {
                self.domains.insert(from, false);
                self.domains.insert(to, true);
            }
            Change::CreateAlias { .. } => {}
        }
    }

    /// It was ordered, and nobody knows whether it has happened.
    fn doubt(&mut self, change: &Change) {
        match change {
            Change::CreateUser { user, .. } | Change::DeleteUser(user) => {
                self.users.remove(user);
            }
            Change::CreateDomain(domain) => {
                self.domains.remove(domain);
            }
            Change::DeleteDomain(domain) => {
                self.users.retain(|user, _| !is_guest(user));
                self.domains.remove(domain);
            }
            Change::RenameDomain { from, to } => {
                self.domains.remove(from);
                self.domains.remove(to);
            }
            Change::CreateAlias { .. } => {}
        }
    }
}

/// Users of the domains that come and go.
fn is_guest(user: &str) -> bool {
    user.starts_with("guest")
}

/// What there is, as the server and the disk tell.
struct Found {
    users: BTreeMap<String, String>,
    domains: BTreeSet<String>,
}

/// [USR-5] [USR-6] [DOM-7] [DOM-9]
#[test]
fn users_and_domains_are_whole_after_kill_9() {
    let rounds = std::env::var("ANGARIUM_KILL_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &[]);
    home.must_run(&["domain", "create", "moving0.example"], b"");
    for resident in 0..RESIDENTS {
        let change = Change::CreateUser { user: format!("resident{resident}"), domain: "moving0.example".into() };
        assert!(change.order(&home).status.success());
    }
    home.must_run(&["alias", "create", "all@moving0.example", "--owner", "resident0", "--member", "resident1"], b"");
    let mut server = home.start();
    let mut promised = Promised::default();
    let (mut acknowledged, mut cut, mut halves_ended) = (0, 0, 0);
    for round in 0..rounds {
        let found = look(&home, &promised);
        let orders = orders(round, &found);
        let done = kill_at_work(&home, server, orders, 1 + round * 5 % 11, &mut promised);
        acknowledged += done.0;
        cut += done.1;
        server = home.start();
        halves_ended += server.log().matches("account.resumed").count();
        // Shown if a comparison fails.
        println!("round {round}: {done:?}\n{}", server.log());
        let found = look(&home, &promised);
        serve(&server, &found, &promised);
        promised.users = found.users.keys().map(|user| (user.clone(), true)).collect();
        promised.domains = found.domains.iter().map(|domain| (domain.clone(), true)).collect();
    }
    println!(
        "rounds {rounds}, changes acknowledged {acknowledged}, cut short {cut}, ended by the next start {halves_ended}, half users 0"
    );
    server.stop(&["store.recovered", "ledger.tail.cut", "account.resumed", "directory.move"].map(str::to_owned));
    home.check_store();
}

/// What each of four clerks does, one after the other.
fn orders(round: usize, found: &Found) -> Vec<Vec<Change>> {
    let user = |name: String, domain: &str| Change::CreateUser { user: name, domain: domain.into() };
    let hired = (0..5).map(|n| user(format!("clerk{round}-{n}"), DOMAIN)).collect();
    let fired = found.users.keys().filter(|user| user.starts_with("clerk")).take(4).cloned();
    let moving = found.domains.iter().find(|domain| domain.starts_with("moving")).unwrap();
    let names: Vec<String> =
        std::iter::once(moving.clone()).chain((0..4).map(|n| format!("moving{round}-{n}.example"))).collect();
    let moves = names.windows(2).map(|pair| Change::RenameDomain { from: pair[0].clone(), to: pair[1].clone() });
    let mut visits: Vec<Change> =
        found.domains.iter().filter(|domain| domain.starts_with("inn")).cloned().map(Change::DeleteDomain).collect();
    for n in 0..2 {
        let (inn, guest) = (format!("inn{round}-{n}.example"), format!("guest{round}-{n}"));
        visits.push(Change::CreateDomain(inn.clone()));
        visits.push(user(guest.clone(), &inn));
        visits.push(Change::CreateAlias { alias: format!("desk@{inn}"), member: guest });
        visits.push(Change::DeleteDomain(inn));
    }
    vec![hired, fired.map(Change::DeleteUser).collect(), moves.collect(), visits]
}

/// Lets the clerks work until so many changes have been acknowledged, and kills the server in the middle of the others.
/// How many were acknowledged, and how many were not.
fn kill_at_work(
    home: &Home,
    server: Server,
    orders: Vec<Vec<Change>>,
    enough: usize,
    promised: &mut Promised,
) -> (usize, usize) {
    let is_killed = &AtomicBool::new(false);
    let (told, answers) = channel();
    let clerk = |orders: Vec<Change>, told: Sender<(Change, bool)>| {
        for change in orders {
            if is_killed.load(Ordering::SeqCst) {
                return;
            }
            let output = change.order(home);
            let is_done = output.status.success();
            assert!(is_done || is_killed.load(Ordering::SeqCst), "{change:?}: {output:?}");
            told.send((change, is_done)).unwrap();
            if !is_done {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for orders in orders {
            let told = told.clone();
            scope.spawn(move || clerk(orders, told));
        }
        drop(told);
        let mut counts = (0, 0);
        let mut server = Some(server);
        for (change, is_done) in answers {
            match is_done {
                true => promised.acknowledge(&change),
                false => promised.doubt(&change),
            }
            counts = (counts.0 + usize::from(is_done), counts.1 + usize::from(!is_done));
            if counts.0 == enough
                && let Some(server) = server.take()
            {
                is_killed.store(true, Ordering::SeqCst);
                server.kill();
            }
        }
        counts
    })
}

/// Everything that is there, which must agree with itself and with what was promised.
fn look(home: &Home, promised: &Promised) -> Found {
    let rows = |arguments: &[&str]| -> Vec<Value> {
        home.must_run(arguments, b"").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let field = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let domains: BTreeSet<String> = rows(&["domain", "list", "--json"]).iter().map(|row| field(row, "name")).collect();
    let mut users = BTreeMap::new();
    for row in rows(&["user", "list", "--json"]) {
        assert_eq!(field(&row, "state"), "active", "{row}");
        let mail = field(&row, "mail");
        let (_, domain) = mail.split_once('@').unwrap();
        assert!(domains.contains(domain), "{row}: {domains:?}");
        users.insert(field(&row, "uid"), mail);
    }
    let ids: BTreeSet<&str> = users.keys().map(String::as_str).collect();
    let mailboxes = home.must_run(&["ctl_mboxlist", "-d"], b"");
    let mailboxes: BTreeSet<&str> =
        mailboxes.lines().filter_map(|line| line.split('\t').next()?.strip_prefix("user/")).collect();
    assert_eq!(mailboxes, ids, "mailboxes and users");
    assert_eq!(names(&home.spool().join("user")), owned(&ids), "spool directories and users");
    let letters = names(&home.config_dir().join("user"));
    let files = letters.iter().flat_map(|letter| names(&home.config_dir().join("user").join(letter)));
    assert_eq!(
        files.collect::<BTreeSet<_>>(),
        ids.iter().map(|id| format!("{id}.sub")).collect(),
        "subscriptions and users"
    );
    // The administrator of a new server has no limit.
    let limited = rows(&["quota", "--json"]).into_iter().map(|row| {
        assert_eq!(row["storage"]["limit_kib"], 10 * 1024, "{row}");
        field(&row, "root").strip_prefix("user/").unwrap().to_owned()
    });
    let limited: BTreeSet<String> = limited.chain(["admin".to_owned()]).collect();
    assert_eq!(limited, owned(&ids), "quota roots and users");
    for row in rows(&["alias", "list", "--json"]) {
        let address = field(&row, "address");
        assert!(domains.contains(address.split_once('@').unwrap().1), "{row}: {domains:?}");
        for member in row["users"].as_array().unwrap() {
            let member = member.as_str().unwrap();
            assert!(member == "admin" || users.contains_key(member), "{row}");
        }
    }
    let is_moving = |name: &&String| name.starts_with("moving");
    assert_eq!(domains.iter().filter(is_moving).count(), 1, "{domains:?}");
    let residents = users.iter().filter(|(user, mail)| user.starts_with("resident") && mail.contains("@moving"));
    assert_eq!(residents.count(), RESIDENTS, "{users:?}");
    for (user, is_there) in &promised.users {
        assert_eq!(users.contains_key(user), *is_there, "the user {user}");
    }
    for (domain, is_there) in &promised.domains {
        assert_eq!(domains.contains(domain), *is_there, "the domain {domain}");
    }
    Found { users, domains }
}

/// Mail is taken for everybody who is there and for nobody else, and the newest can log in.
fn serve(server: &Server, found: &Found, promised: &Promised) {
    let gone = promised.users.iter().filter(|(_, is_there)| !**is_there).map(|(user, _)| format!("{user}@{DOMAIN}"));
    let gone: Vec<String> = gone.collect();
    let there: Vec<&String> = found.users.values().collect();
    let recipients: Vec<&str> = there.iter().map(|mail| mail.as_str()).chain(gone.iter().map(String::as_str)).collect();
    let replies = server.lmtp().deliver("x@example.net", &recipients, b"Subject: x\r\n\r\nx\r\n").unwrap();
    for (number, (recipient, reply)) in recipients.iter().zip(&replies).enumerate() {
        let expected = if number < there.len() { "250" } else { "550" };
        assert!(reply.starts_with(expected), "{recipient}: {reply}");
    }
    let newest = found.users.keys().rfind(|user| *user != "admin").unwrap();
    let mut session = Imap::login(server.address(Protocol::Imap), newest, PASSWORD).unwrap();
    session.must("SELECT INBOX").unwrap();
    for user in promised.users.iter().filter(|(_, is_there)| !**is_there).map(|(user, _)| user).take(1) {
        assert!(Imap::login(server.address(Protocol::Imap), user, PASSWORD).is_err(), "{user} is gone");
    }
}

fn names(directory: &std::path::Path) -> BTreeSet<String> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn owned(names: &BTreeSet<&str>) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
