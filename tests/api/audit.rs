//! Who did what from where is in the audit log; no secret is in any log.

use std::io::{Read, Write};

use harness::PASSWORD;
use harness::transcript::Protocol;
use serde_json::{Value, json};

use crate::client::{Site, connect};
use crate::limits::{BALANCED, ask, elsewhere, from_elsewhere};

#[test]
fn changes_are_written_down_and_secrets_are_not() {
    let site = Site::new(&[BALANCED, "log.level = \"debug\"", "log.format = \"json\""]);
    let bearer = format!("Authorization: Bearer {}", site.token);
    let mut socket = from_elsewhere(&site, true);
    let mut secrets = vec![PASSWORD.to_owned(), site.token.clone()];
    let mut secret = |text: &Value| {
        let text = text.as_str().expect("a text").to_owned();
        secrets.push(text.clone());
        text
    };
    let mut admin = |method: &str, path: &str, body: &Value| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(&mut socket, &[&bearer, "If-Match: *"], method, path, &body)
    };

    let new = json!({"uid": "ann", "password": secret(&json!("first-Secret-1")), "given_name": "A", "surname": "B"});
    admin("POST", "/api/v1/users", &new).is(201);
    admin("PATCH", "/api/v1/users/ann", &json!({"surname": "Other", "quota_limit_mib": 7})).is(200);
    admin("PUT", "/api/v1/users/ann/password", &json!({"password": secret(&json!("second-Secret-2"))})).is(204);
    let hash = secret(&json!("{SHA256}XohImNooBHFR0OVvjcYpJ3NgPQ1qq73WKhHvch0VQtg="));
    admin("PUT", "/api/v1/users/ann/password", &json!({"hash": hash})).is(204);
    let app =
        admin("POST", "/api/v1/users/ann/app-passwords", &json!({"name": "phone", "protocols": ["imap"]})).is(201);
    secret(&app["password"]);
    let token = admin("POST", "/api/v1/tokens", &json!({"name": "robot", "user": "ann"})).is(201);
    secret(&token["token"]);
    admin("DELETE", &format!("/api/v1/tokens/{}", token["id"].as_str().expect("an ID")), &Value::Null).is(204);
    // What is wrong is not repeated either.
    let spoiled = json!({"uid": "x", "password": {"a": secret(&json!("third-Secret-3"))}});
    admin("POST", "/api/v1/users", &spoiled).is(422);
    let clear = json!({"password": secret(&json!("fourth-\u{0}Secret-4"))});
    admin("PUT", "/api/v1/users/ann/password", &clear).is(422);
    admin("DELETE", "/api/v1/users/ann", &Value::Null).is(200);

    // A user, by session.
    let log_in = |password: &str| json!({"user": "joe", "password": password, "bearer": true}).to_string();
    let wrong = secret(&json!("fifth-Secret-5"));
    ask(&mut socket, &[], "POST", "/api/v1/session", &log_in(&wrong)).problem(401, "login");
    let session = ask(&mut socket, &[], "POST", "/api/v1/session", &log_in(PASSWORD)).is(201);
    let joes = format!("Authorization: Bearer {}", secret(&session["token"]));
    let change = r#"{"contact": {"office": "5"}}"#;
    ask(&mut socket, &[&joes, "If-Match: *"], "PATCH", "/api/v1/users/joe", change).is(200);
    ask(&mut socket, &[&joes, "If-Match: *"], "PATCH", "/api/v1/users/sue", change).problem(403, "denied");
    let cookie = ask(&mut socket, &[], "POST", "/api/v1/session", &log_in(PASSWORD).replace("true", "false"));
    secret(&cookie.is(201)["csrf_token"]);
    let sent = cookie.header("set-cookie").and_then(|cookie| cookie.split(['=', ';']).nth(1)).expect("a cookie");
    secret(&json!(sent));
    // Where it does not belong.
    let lost = secret(&json!("angt_sixth-Secret-6"));
    ask(&mut socket, &[&format!("Authorization: Bearer {lost}")], "GET", "/api/v1/users", "").is(401);
    drop(socket);
    set_quota(&site);
    // A command comes from this machine.
    site.home.must_run(&["api-token", "create", "nightly", "--user", "joe"], b"");

    let (log, audit) = site.stop(&[]);
    assert!(log.contains("rest.request.finished"), "the requests are there: {log}");
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
        assert!(!audit.contains(secret), "{secret} is in the audit log");
    }
    let entries: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let rest: Vec<&Value> = entries.iter().filter(|entry| entry["via"] == "rest").collect();
    assert!(rest.iter().all(|entry| entry["from"] == "192.0.2.7" && entry["time"].as_u64() > Some(0)), "{rest:?}");
    let by = |via: &str| entries.iter().filter(|entry| entry["via"] == via).cloned().collect::<Vec<_>>();
    let imap = by("imap");
    assert!(imap.len() == 1 && imap[0]["from"] == "192.0.2.7" && imap[0]["who"] == "admin", "{imap:?}");
    assert_eq!((&imap[0]["action"], &imap[0]["object"]), (&"user.update".into(), &"joe".into()));
    let told = by("command").pop().expect("the last one");
    assert_eq!(
        (&told["action"], &told["object"], &told["from"]),
        (&"api-token.create".into(), &"joe".into(), &Value::Null)
    );
    assert_eq!(told["fields"][1], json!(["name", "", "nightly"]));
    for (who, role, action, object) in [
        ("admin", "administrator", "user.create", "ann"),
        ("admin", "administrator", "user.update", "ann"),
        ("admin", "administrator", "user.password", "ann"),
        ("admin", "administrator", "user.delete", "ann"),
        ("admin", "administrator", "api-token.create", "ann"),
        ("admin", "administrator", "api-token.delete", "ann"),
        ("joe", "user", "user.update", "joe"),
    ] {
        let fits = |entry: &&&Value| {
            (&entry["who"], &entry["as"], &entry["object"]) == (&who.into(), &role.into(), &object.into())
                && entry["action"] == action
        };
        assert!(rest.iter().any(|entry| fits(&entry)), "{who} {action} {object}: {rest:#?}");
    }
}

/// Over IMAP, from elsewhere.
fn set_quota(site: &Site) {
    let mut socket = connect(site.server.address(Protocol::Imap));
    let lines = format!("a LOGIN admin {PASSWORD}\r\nb SETQUOTA user/joe (STORAGE 10240)\r\nc LOGOUT\r\n");
    socket.write_all(&[elsewhere(true), lines.into_bytes()].concat()).expect("sent");
    let mut said = String::new();
    socket.read_to_string(&mut said).expect("text to its end");
    assert!(said.contains("\r\nb OK "), "{said}");
}
