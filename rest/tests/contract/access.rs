//! Who may in: tokens, sessions, cookies, and who may not.

use serde_json::json;

use crate::harness::{PASSWORD, Reply, Site};

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(reply: &Reply) -> String {
    let set = reply.header("set-cookie").expect("a cookie");
    assert!(set.contains("; HttpOnly; SameSite=Strict") && set.contains("; Path=/api"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn nobody_without_a_name() {
    let site = Site::new();
    let mut stranger = site.stranger();
    let document = stranger.get("/api/v1/openapi.json").await.is(200);
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace(['{', '}'], "");
        for (method, operation) in methods.as_object().unwrap() {
            if operation["security"] == json!([]) || operation["security"] == json!([{}]) {
                continue;
            }
            let reply = stranger.send(&method.to_uppercase(), &path, &[], None).await;
            reply.problem(401, "unauthorized", None);
            assert_eq!(reply.header("www-authenticate"), Some("Bearer realm=\"angarium\""), "{method} {path}");
        }
    }
    for wrong in ["Basic am9lOng=", "Bearer", "Bearer angt_x", "Bearer angs_x", "Bearer ", "x"] {
        stranger.send("GET", "/api/v1/users", &[("Authorization", wrong)], None).await.problem(
            401,
            "unauthorized",
            None,
        );
    }
    let cookie = [("Cookie", "angarium_session=angs_x; a=b")];
    stranger.send("GET", "/api/v1/users", &cookie, None).await.problem(401, "unauthorized", None);
}

#[tokio::test]
async fn a_session_by_cookie_needs_its_other_half() {
    let site = Site::new();
    let mut browser = site.stranger();
    let begun = browser.post("/api/v1/session", json!({"user": "JOE", "password": PASSWORD})).await;
    let session = begun.is(201);
    assert_eq!((&session["user"], &session["admin"], session.get("token")), (&json!("joe"), &json!(false), None));
    let cookie = cookie(&begun);
    let csrf = session["csrf_token"].as_str().unwrap();
    let secret = cookie.split_once('=').unwrap().1;
    assert!(!begun.text.contains(secret), "scripts do not see it");
    let with = |csrf: Option<&'static str>| csrf.map(|csrf| ("X-CSRF-Token", csrf));
    assert!(with(None).is_none());
    let seen = browser.send("GET", "/api/v1/session", &[("Cookie", &cookie)], None).await.is(200);
    assert_eq!(seen["csrf_token"], csrf);
    let change = || Some(json!({"contact": {"office": "5"}}));
    let path = "/api/v1/users/joe";
    for wrong in [vec![], vec![("X-CSRF-Token", "x")], vec![("X-CSRF-Token", "")]] {
        let mut headers = vec![("Cookie", cookie.as_str()), ("If-Match", "*")];
        headers.extend(wrong);
        browser.send("PATCH", path, &headers, change()).await.problem(403, "csrf", Some("X-CSRF-Token"));
    }
    let good = [("Cookie", cookie.as_str()), ("If-Match", "*"), ("X-CSRF-Token", csrf)];
    browser.send("PATCH", path, &good, change()).await.is(200);
    // Another user's does not fit.
    let other = browser.post("/api/v1/session", json!({"user": "sue", "password": PASSWORD})).await.is(201);
    let bad = [("Cookie", cookie.as_str()), ("If-Match", "*"), ("X-CSRF-Token", other["csrf_token"].as_str().unwrap())];
    browser.send("PATCH", path, &bad, change()).await.problem(403, "csrf", Some("X-CSRF-Token"));

    browser.send("DELETE", "/api/v1/session", &[("Cookie", &cookie)], None).await.problem(
        403,
        "csrf",
        Some("X-CSRF-Token"),
    );
    let ended = browser.send("DELETE", "/api/v1/session", &good, None).await;
    ended.is(204);
    assert!(
        ended.header("set-cookie").unwrap().contains("angarium_session=; ")
            && ended.header("set-cookie").unwrap().contains("Max-Age=0")
    );
    browser.send("GET", path, &[("Cookie", &cookie)], None).await.problem(401, "unauthorized", None);
}

#[tokio::test]
async fn a_session_as_a_token() {
    let site = Site::new();
    let mut stranger = site.stranger();
    let begun = stranger.post("/api/v1/session", json!({"user": "admin", "password": PASSWORD, "bearer": true})).await;
    let session = begun.is(201);
    assert!(begun.header("set-cookie").is_none() && session.get("csrf_token").is_none());
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    let mut admin = site.stranger().with("Authorization", &bearer);
    let seen = admin.get("/api/v1/session").await.is(200);
    assert_eq!((&seen["user"], &seen["admin"], seen.get("token")), (&json!("admin"), &json!(true), None));
    admin.post("/api/v1/domains", json!({"name": "example.net"})).await.is(201);
    let as_cookie = format!("angarium_session={}", session["token"].as_str().unwrap());
    let cookie = [("Cookie", as_cookie.as_str())];
    let new = Some(json!({"name": "example.com"}));
    stranger.send("POST", "/api/v1/domains", &cookie, new).await.problem(403, "csrf", Some("X-CSRF-Token"));
    admin.send("DELETE", "/api/v1/session", &[], None).await.is(204);
    admin.get("/api/v1/session").await.problem(401, "unauthorized", None);
}

/// Whatever is wrong, the answer is one, and comes late.
#[tokio::test(start_paused = true)]
async fn wrong_passwords_wait() {
    let site = Site::new();
    let mut stranger = site.stranger();
    let app = site
        .client("admin")
        .post("/api/v1/users/joe/app-passwords", json!({"name": "p", "protocols": ["imap"]}))
        .await
        .is(201);
    let mut answers = Vec::new();
    for (user, password, seconds) in [
        ("joe", "wrong", 3),
        ("nobody", PASSWORD, 6),
        ("joe+Lists", PASSWORD, 9),
        ("joe", app["password"].as_str().unwrap(), 12),
        ("joe", "", 15),
    ] {
        let begun = tokio::time::Instant::now();
        let reply = stranger.post("/api/v1/session", json!({"user": user, "password": password})).await;
        reply.problem(401, "login", None);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{user}");
        answers.push(reply.text);
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let logins = site.client("joe").get("/api/v1/users/joe/logins").await.is(200);
    assert!(logins["items"].as_array().unwrap().iter().any(|login| login["refused"] == "password"), "{logins}");
}

#[tokio::test]
async fn sessions_end_with_the_password() {
    let site = Site::new();
    let log_in = async |user: &str| {
        let begun =
            site.stranger().post("/api/v1/session", json!({"user": user, "password": PASSWORD, "bearer": true})).await;
        site.stranger().with("Authorization", &format!("Bearer {}", begun.is(201)["token"].as_str().unwrap()))
    };
    let (mut joe, mut sue) = (log_in("joe").await, log_in("sue").await);
    let mut admin = site.client("admin");
    // By whichever way it is changed.
    site.service().set_password(&directory::UserId::parse("joe").unwrap(), &directory::Secret::new("new")).unwrap();
    joe.get("/api/v1/session").await.problem(401, "unauthorized", None);
    sue.get("/api/v1/session").await.is(200);
    admin.change("PUT", "/api/v1/users/sue/enabled", "*", Some(json!({"enabled": false}))).await.is(200);
    sue.get("/api/v1/session").await.problem(401, "unauthorized", None);
    admin.change("PUT", "/api/v1/users/sue/enabled", "*", Some(json!({"enabled": true}))).await.is(200);
    sue.get("/api/v1/session").await.problem(401, "unauthorized", None);
}

#[tokio::test]
async fn tokens() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let made = admin.post("/api/v1/tokens", json!({"name": "backup", "user": "joe"})).await;
    let token = made.is(201);
    let secret = token["token"].as_str().unwrap().to_owned();
    let bearer = format!("Bearer {secret}");
    let mut joe = site.stranger().with("Authorization", &bearer);
    assert_eq!(joe.get("/api/v1/session").await.is(200), json!({"user": "joe", "admin": false, "expires": null}));
    let list = admin.get("/api/v1/tokens").await;
    assert_eq!(list.is(200)["items"].as_array().unwrap().len(), 2);
    assert!(!list.text.contains(&secret) && !list.text.contains("hash"), "{list:?}");
    admin.post("/api/v1/tokens", json!({"name": "backup", "user": "joe"})).await.problem(409, "exists", Some("name"));
    admin.post("/api/v1/tokens", json!({"name": "x", "user": "nobody"})).await.problem(422, "no-user", Some("uid"));
    admin.post("/api/v1/tokens", json!({"name": "x", "expires": 1})).await.problem(422, "rule", Some("expires"));
    admin.post("/api/v1/tokens", json!({"name": ""})).await.problem(422, "rule", Some("name"));
    joe.post("/api/v1/tokens", json!({"name": "x"})).await.problem(403, "denied", None);
    let path = format!("/api/v1/tokens/{}", token["id"].as_str().unwrap());
    joe.send("DELETE", &path, &[], None).await.problem(403, "denied", None);
    admin.send("DELETE", &path, &[], None).await.is(204);
    admin.send("DELETE", &path, &[], None).await.problem(404, "no-token", Some("id"));
    joe.get("/api/v1/session").await.problem(401, "unauthorized", None);
    let (_, over) = site.token("joe", Some(2));
    let mut late = site.stranger().with("Authorization", &format!("Bearer {over}"));
    late.get("/api/v1/session").await.problem(401, "unauthorized", None);
}

/// Who gets a user ID after somebody else does not get the tokens.
#[tokio::test]
async fn tokens_go_with_their_user() {
    let site = Site::new();
    let mut joe = site.client("joe");
    joe.get("/api/v1/session").await.is(200);
    let mut admin = site.client("admin");
    admin.change("DELETE", "/api/v1/users/joe", "*", None).await.is(200);
    joe.get("/api/v1/session").await.problem(401, "unauthorized", None);
    let again = json!({"uid": "joe", "password": "other", "given_name": "J", "surname": "O"});
    admin.post("/api/v1/users", again).await.is(201);
    joe.get("/api/v1/session").await.problem(401, "unauthorized", None);
}
