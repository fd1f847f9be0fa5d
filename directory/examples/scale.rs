//! How long the embedded directory takes with a million users: `cargo run --release -p directory --example scale [USERS]`.
//! The figures of the last run are in docs/performance.md.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a program to measure with: it ends where it can't go on")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use directory::{
    Actor, Address, Alias, Change, Credentials, Directory, DomainName, Embedded, HashCost, Member, Page, Plan,
    ScramCost, Secret, Service, Settings, User, UserId, UserOrder, UserQuery, UserState, Words,
};
use durable::disk::RealDisk;

/// Rows of a change.
const AT_ONCE: usize = 10_000;

/// What each user has of passwords; computed once.
const PASSWORD: &str = "correct horse";

const GIVEN: [&str; 10] = ["Anna", "Bert", "Clara", "David", "Emil", "Frieda", "Gustav", "Hanna", "Ida", "Jörg"];
const SURNAMES: [&str; 8] = ["Smith", "Müller", "Garcia", "Kim", "Nowak", "Rossi", "Sato", "van den Berg"];

fn main() {
    let users: usize = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let directory = open(dir.path());
    let began = Instant::now();
    fill(&directory, users);
    println!("{users} users and {} aliases written in {:.1?}", users / 100, began.elapsed());
    let began = Instant::now();
    directory.checkpoint().unwrap();
    println!("safety copy {:.1?}", began.elapsed());
    directory.close().unwrap();
    drop(directory);
    let before = resident();
    let began = Instant::now();
    let directory = open(dir.path());
    println!("start {:.1?}, {} MiB", began.elapsed(), (resident() - before) >> 20);
    pages(&directory, users);
    look_ups(&directory, users);
    changes(&directory, users);
    directory.close().unwrap();
}

fn open(path: &Path) -> Embedded {
    let settings = Settings {
        primary_domain: domain("example.com"),
        admins: vec![],
        hash_cost: HashCost::default(),
        scram: ScramCost::default(),
    };
    Embedded::open(path, Arc::new(RealDisk), true, &settings).unwrap().0
}

fn fill(directory: &Embedded, users: usize) {
    let credentials = directory.passwords().hash(&Secret::new(PASSWORD)).unwrap();
    let put = |changes: Vec<Change>| {
        let plan = Plan { changes, events: Vec::new() };
        directory.change(&Actor::server(), &mut |_| Ok(plan.clone())).unwrap();
    };
    for first in (0..users).step_by(AT_ONCE) {
        let numbers = first..(first + AT_ONCE).min(users);
        put(numbers.flat_map(|number| person(number, &credentials)).collect());
    }
    for first in (0..users / 100).step_by(AT_ONCE) {
        put((first..(first + AT_ONCE).min(users / 100)).map(team).collect());
    }
}

fn person(number: usize, credentials: &Credentials) -> [Change; 2] {
    let (given, surname) = (GIVEN[number % 10], SURNAMES[number / 10 % 8]);
    let mut user = User::new(uid(number), address(number), given, surname);
    user.state = UserState::Active;
    let uid = user.uid.clone();
    [Change::User(user), Change::Credentials(uid, credentials.clone())]
}

/// Ten users, and the team before.
fn team(number: usize) -> Change {
    let at = |number: usize| Address::parse(&format!("team{number}@example.com")).unwrap();
    let mut alias = Alias::new(at(number));
    alias.owners = vec![uid(number)];
    alias.users = (0..10).map(|member| uid(number * 100 + member)).collect();
    if !number.is_multiple_of(10) {
        alias.add(Member::Alias(at(number - 1)));
    }
    Change::Alias(alias)
}

fn pages(directory: &Embedded, users: usize) {
    let service = Service::new(directory, Actor::server());
    let show = |what: &str, query: UserQuery, page: Page| {
        let mut slowest = Duration::ZERO;
        let mut rows = 0;
        for _ in 0..5 {
            let began = Instant::now();
            rows = service.users(&query, &page).unwrap().rows.len();
            slowest = slowest.max(began.elapsed());
        }
        println!("{what}: {rows} rows, slowest of five {slowest:.2?}");
    };
    let own = || UserQuery { domain: Some(domain("example.com")), ..UserQuery::default() };
    let words = |typed: &str| UserQuery { words: Words::parse(typed), ..own() };
    let page = || Page::first(100);
    let middle = Page { after: Some(uid(users / 2).to_string()), limit: 100 };
    show("the first page", own(), page());
    show("a page in the middle", own(), middle.clone());
    show("a page by address", UserQuery { order: UserOrder::Mail, ..own() }, page());
    show("a search for what half have", words("a"), page());
    show("a search for one user", words(&format!("user{}", users - 1)), page());
    show("a search for nobody", words("nobody-at-all"), page());
    show("two words that never meet", words("anna jörg"), page());
    show("two words that meet late", words(&format!("an {}", users - 10)), middle);
    show("a search in addresses", UserQuery { in_addresses: true, ..words("b9.c9") }, page());
    show("a search by address", UserQuery { order: UserOrder::Mail, ..words("smith") }, page());
    show("a search in all domains", UserQuery { words: Words::parse("nobody-at-all"), ..UserQuery::default() }, page());
}

fn look_ups(directory: &Embedded, users: usize) {
    let count = 500_000;
    let measure = |what: &str, one: &dyn Fn(usize)| {
        let began = Instant::now();
        // A stride that visits all: no look-up finds the memory of the one before.
        (0..count).for_each(|n| one(n * 7_919 % users));
        println!("{what}: {:.0} a second", count as f64 / began.elapsed().as_secs_f64());
    };
    let domain = Some("example.com");
    measure("addresses of users to where they go", &|n| {
        let local = format!("a{n}.b{}.c{}", n % 10, n % 7);
        assert_eq!(directory.expand(&local, domain).unwrap().unwrap().users.len(), 1);
    });
    measure("the same with a detail", &|n| {
        let local = format!("a{n}.b{}.c{}+lists", n % 10, n % 7);
        assert!(directory.expand(&local, domain).unwrap().unwrap().detail.is_some());
    });
    measure("addresses of users for LMTP", &|n| {
        directory.resolve(&format!("a{n}.b{}.c{}", n % 10, n % 7), domain).unwrap();
    });
    measure("addresses of nobody", &|n| {
        assert!(directory.expand(&format!("nobody{n}"), domain).unwrap().is_none());
    });
    measure("teams of 10 to 100 users", &|n| {
        assert!(!directory.expand(&format!("team{}", n % (users / 100)), domain).unwrap().unwrap().users.is_empty());
    });
}

fn changes(directory: &Embedded, users: usize) {
    let service = Service::new(directory, Actor::server());
    let count = 200;
    let began = Instant::now();
    for n in 0..count {
        let mut user = directory.user(&uid(n * 997 % users)).unwrap().unwrap();
        user.surname.push('x');
        service.update_user(&user).unwrap();
    }
    println!("a change {:.2?}", began.elapsed() / count as u32);
    let began = Instant::now();
    service.begin_user_deletion(&uid(3), None).unwrap();
    println!("the beginning of a deletion {:.2?}", began.elapsed());
    let began = Instant::now();
    service.rename_domain(&domain("example.com"), &domain("example.net")).unwrap();
    println!("a domain with {users} users renamed in {:.1?}", began.elapsed());
}

fn uid(number: usize) -> UserId {
    UserId::parse(&format!("user{number}")).unwrap()
}

fn address(number: usize) -> Address {
    Address::new(&format!("a{number}.b{}.c{}", number % 10, number % 7), domain("example.com")).unwrap()
}

fn domain(name: &str) -> DomainName {
    DomainName::parse(name).unwrap()
}

/// Octets of memory of this process.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * 4096
}
