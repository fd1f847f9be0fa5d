//! What the history of logins keeps of them, and where app passwords let in.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test reports trouble by panicking")]

mod accounts;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use directory::{AppPassword, Directory, Login, Logins, Secret, UserId};
use durable::disk::RealDisk;
use login::{Door, Failure, LoggedIn, Policy, Profile};
use tempfile::TempDir;
use tokio::io::DuplexStream;
use wire::stream::{Plain, Stream};
use wire::{Connection, ConnectionInfo, Limits, Peer};

use accounts::{embedded, user};

fn id(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

/// A directory that keeps a history.
fn directory() -> (TempDir, Arc<dyn Directory>) {
    let (dir, directory) = embedded();
    let logins = Logins::new(dir.path(), Arc::new(RealDisk), 100);
    (dir, Arc::new(directory.with_logins(logins)))
}

/// A connection of `service` that comes from `address`.
fn connection(service: &'static str, address: &str) -> (Connection, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(10_000);
    let peer = Peer::Ip((address.parse::<std::net::IpAddr>().unwrap(), 4711).into());
    let info = ConnectionInfo::new(service, peer, None);
    (Connection::new(Stream::Plain(Plain::Memory(ours)), info, &Limits::default()), theirs)
}

fn door(directory: &Arc<dyn Directory>) -> Door {
    let profile = Profile { challenge: "+ ", details: true, anonymous: false };
    Door { directory: Arc::clone(directory), policy: Policy::default(), profile }
}

async fn plain(directory: &Arc<dyn Directory>, service: &'static str, message: &str) -> Result<LoggedIn, Failure> {
    let (mut connection, _far) = connection(service, "192.0.2.7");
    let initial = STANDARD.encode(message);
    door(directory).exchange(&mut connection, "plain", Some(initial.as_bytes())).await.map(user)
}

fn seen(directory: &Arc<dyn Directory>, user: &str) -> Vec<String> {
    let show = |login: Login| {
        let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
        let who = login.by.as_deref().or(login.acting_as.as_deref());
        let what = [word(login.app.as_deref()), word(who), word(login.refused.as_deref())].join(" ");
        format!("{}x {} {} {what}", login.count, login.protocol, login.mechanism)
    };
    let mut seen: Vec<_> = directory.logins(&id(user)).unwrap().into_iter().map(show).collect();
    seen.sort();
    seen
}

#[tokio::test]
async fn an_app_password_lets_in_where_it_is_good() {
    let (_dir, directory) = directory();
    let app = AppPassword {
        name: "phone".into(),
        protocols: vec!["imap".into()],
        networks: vec!["192.0.2.0/24".parse().unwrap()],
        created: 1000,
        expires: None,
    };
    let password = directory.add_app_password(&id("joe"), &app).unwrap();
    let text = String::from_utf8(password.expose().to_vec()).unwrap();
    let message = format!("\0joe\0{text}");
    for _ in 0..2 {
        for service in ["imap", "imaps"] {
            let entered = plain(&directory, service, &message).await.unwrap();
            assert_eq!((entered.account.user.as_str(), entered.app.as_deref()), ("joe", Some("phone")));
        }
        let refused = plain(&directory, "pop3s", &message).await;
        assert!(
            matches!(&refused, Err(Failure::Refused { claimed, guess: Some(_), .. }) if claimed == "joe"),
            "{refused:?}"
        );
        let (far_away, _far) = connection("imap", "198.51.100.1");
        let refused = door(&directory).password(&far_away, "joe", password.clone()).await;
        assert!(matches!(refused, Err(Failure::Refused { guess: Some(_), .. })), "{refused:?}");
    }
    let expected =
        ["2x imap password phone - app-network", "2x pop3 PLAIN phone - app-protocol", "4x imap PLAIN phone - -"];
    assert_eq!(seen(&directory, "joe"), expected);
}

#[tokio::test]
async fn everybody_who_came_in_or_tried_is_remembered() {
    let (_dir, directory) = directory();
    plain(&directory, "imap", "\0joe+Lists\0joe-pw").await.unwrap();
    plain(&directory, "imap", "joe\0boss\0boss-pw").await.unwrap();
    for wrong in ["\0joe\0wrong", "\0Joe\0wronger", "boss\0joe\0joe-pw", "\0nobody\0x", "\0../x\0x"] {
        assert!(matches!(plain(&directory, "pop3", wrong).await, Err(Failure::Refused { .. })), "{wrong:?}");
    }
    let (over_command, _far) = connection("imap", "192.0.2.7");
    door(&directory).password(&over_command, "joe", Secret::new("joe-pw")).await.unwrap();
    let expected = [
        "1x imap PLAIN - - -",
        "1x imap PLAIN - boss -",
        "1x imap password - - -",
        "1x pop3 PLAIN - - acting-as",
        "2x pop3 PLAIN - - password",
    ];
    assert_eq!(seen(&directory, "joe"), expected);
    assert_eq!(seen(&directory, "boss"), ["1x imap PLAIN - joe -"]);
    assert_eq!(seen(&directory, "nobody"), Vec::<String>::new());
}

/// Who was right a moment ago is let in from memory; not when the password or the user has changed since.
#[tokio::test]
async fn a_change_takes_effect_at_once() {
    let (_dir, directory) = directory();
    plain(&directory, "imap", "\0joe\0joe-pw").await.unwrap();
    directory.set_password(&id("joe"), &Secret::new("new")).unwrap();
    assert!(matches!(plain(&directory, "imap", "\0joe\0joe-pw").await, Err(Failure::Refused { .. })));
    plain(&directory, "imap", "\0joe\0new").await.unwrap();
    let mut row = directory.user(&id("joe")).unwrap().unwrap();
    row.state = directory::UserState::Disabled;
    directory.update_user(&row).unwrap();
    assert!(matches!(plain(&directory, "imap", "\0joe\0new").await, Err(Failure::Refused { .. })));
}
