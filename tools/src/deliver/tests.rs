//! Deliveries into a real store.

use mailstore::{AclMode, Identifier};

use super::*;
use crate::fixture::{Fixture, Recorder, name};

fn run(fixture: &Fixture, stdin: impl Into<Vec<u8>>, request: &DeliverRequest) -> (Exit, Recorder) {
    let mut console = Recorder::with_stdin(stdin);
    let exit = deliver(&fixture.store, &mut console, request);
    assert_eq!(fixture.staged(), 0, "a stage file is left");
    (exit, console)
}

fn to(users: &[&str]) -> DeliverRequest {
    DeliverRequest { users: users.iter().map(|user| (*user).to_owned()).collect(), ..DeliverRequest::default() }
}

#[test]
fn one_message_for_all() {
    let fixture = Fixture::new();
    let (exit, console) = run(&fixture, "Subject: x\n\nHello\n", &DeliverRequest { json: true, ..to(&["joe", "SUE"]) });
    assert_eq!(exit, Exit::Ok, "{:?}", console.err);
    for mailbox in ["user/joe", "user/sue"] {
        assert_eq!(fixture.texts(mailbox), ["Subject: x\r\n\r\nHello\r\n"]);
    }
    let out: serde_json::Value = serde_json::from_str(&console.out[0]).unwrap();
    assert_eq!(out[1]["mailbox"], "user/sue");
    assert_eq!(out[1]["uid"], 1);
}

#[test]
fn messages_are_put_in_order() {
    let sender = |sender: &str| DeliverRequest { sender: Some(sender.to_owned()), ..to(&["joe"]) };
    let rows = [
        (to(&["joe"]), "From bob Mon\nA: 1\n\nx", "A: 1\r\n\r\nx\r\n"),
        (to(&["joe"]), "A: 1\r\n\r\nFrom x\r\ny\rz", "A: 1\r\n\r\nFrom x\r\ny z\r\n"),
        (to(&["joe"]), "Return-Path: <a>\n\n", "Return-Path: <a>\r\n\r\n"),
        (
            sender("bob@x"),
            "Return-Path: <a>\nA: 1\nreturn-path:\n <b>\n\nReturn-Path: c",
            "Return-Path: <bob@x>\r\nA: 1\r\n\r\nReturn-Path: c\r\n",
        ),
        (sender(""), "A: 1", "Return-Path: <>\r\nA: 1\r\n"),
        (sender("b"), " folded\n\nx", "Return-Path: <b>\r\n\r\n folded\r\n\r\nx\r\n"),
        (sender("b"), "\n", "Return-Path: <b>\r\n\r\n"),
    ];
    for (request, input, expected) in rows {
        let fixture = Fixture::new();
        assert_eq!(run(&fixture, input, &request).0, Exit::Ok, "{input:?}");
        assert_eq!(fixture.texts("user/joe"), [expected], "{input:?}");
    }
}

#[test]
fn folders_need_the_right_to_post() {
    let fixture = Fixture::new();
    let request = |folder: &str, auth: Option<&str>| DeliverRequest {
        folder: Some(folder.to_owned()),
        auth: auth.map(str::to_owned),
        ..to(&["joe"])
    };
    let count = |mailbox: &str| fixture.texts(mailbox).len();
    assert_eq!(run(&fixture, "A: 1\n\n", &request("Lists", None)).0, Exit::Ok);
    assert_eq!(run(&fixture, "A: 1\n\n", &request("Nowhere", Some("joe"))).0, Exit::Ok);
    assert_eq!(run(&fixture, "A: 1\n\n", &request("../sue", Some("joe"))).0, Exit::Ok);
    assert_eq!((count("user/joe"), count("user/joe/Lists")), (3, 0));
    assert_eq!(run(&fixture, "A: 1\n\n", &request("Lists", Some("joe"))).0, Exit::Ok);
    let anyone = Identifier::anyone();
    fixture.store.set_acl(&Access::user("joe"), &name("user/joe/Lists"), &anyone, AclMode::Add, Rights::POST).unwrap();
    assert_eq!(run(&fixture, "A: 1\n\n", &request("Lists", None)).0, Exit::Ok);
    assert_eq!((count("user/joe"), count("user/joe/Lists"), count("user/sue")), (3, 2, 0));
}

#[test]
fn shared_mailboxes_have_no_else() {
    let fixture = Fixture::new();
    fixture.store.create(&Access::admin("admin"), &name("team"), &mailstore::CreateOptions::default()).unwrap();
    let request = |folder: &str| DeliverRequest { folder: Some(folder.to_owned()), ..DeliverRequest::default() };
    assert_eq!(run(&fixture, "A: 1\n\n", &request("team")).0, Exit::NoPermission);
    assert_eq!(run(&fixture, "A: 1\n\n", &request("nowhere")).0, Exit::NoUser);
    assert_eq!(run(&fixture, "A: 1\n\n", &request("a//b")).0, Exit::Usage);
    let anyone = Identifier::anyone();
    fixture.store.set_acl(&Access::admin("admin"), &name("team"), &anyone, AclMode::Add, Rights::POST).unwrap();
    assert_eq!(run(&fixture, "A: 1\n\n", &request("team")).0, Exit::Ok);
    assert_eq!(fixture.texts("team").len(), 1);
}

#[test]
fn refusals() {
    let fixture = Fixture::new();
    let large = "x".repeat(2 << 20);
    let rows: [(&str, DeliverRequest, Exit, &str); 8] = [
        ("A: 1\n\n", to(&["nobody"]), Exit::NoUser, "does not exist"),
        ("A: 1\n\n", to(&["../etc"]), Exit::Usage, "name"),
        ("A: 1\n\n", to(&[]), Exit::Usage, "no users"),
        ("", to(&["joe"]), Exit::Data, "no message"),
        ("A: \0\n\n", to(&["joe"]), Exit::Data, "NUL"),
        (&large, to(&["joe"]), Exit::Data, "bytes"),
        ("A: 1\n\n", DeliverRequest { sender: Some("a\nb".into()), ..to(&["joe"]) }, Exit::Usage, "sender"),
        ("A: 1\n\n", DeliverRequest { sender: Some("a>b".into()), ..to(&["joe"]) }, Exit::Usage, "sender"),
    ];
    for (input, request, exit, why) in rows {
        let (got, console) = run(&fixture, input, &request);
        assert_eq!(got, exit, "{request:?}: {:?}", console.err);
        assert!(console.err.iter().any(|line| line.contains(why)), "{why}: {:?}", console.err);
    }
    assert!(fixture.texts("user/joe").is_empty());
}

#[test]
fn one_full_mailbox_does_not_stop_the_others() {
    let fixture = Fixture::new();
    fixture.limit("joe", 0);
    let (exit, console) = run(&fixture, "A: 1\n\n", &to(&["nobody", "joe", "sue"]));
    assert_eq!(exit, Exit::TempFail, "{:?}", console.err);
    assert_eq!(console.err.len(), 2);
    assert_eq!((fixture.texts("user/joe").len(), fixture.texts("user/sue").len()), (0, 1));
    let (exit, _) = run(&fixture, "A: 1\n\n", &DeliverRequest { ignore_quota: true, ..to(&["joe"]) });
    assert_eq!((exit, fixture.texts("user/joe").len()), (Exit::Ok, 1));
}
