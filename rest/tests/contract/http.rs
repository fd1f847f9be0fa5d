//! Requests that are no good as HTTP, too large, or too slow; and what every answer has.

use std::time::Duration;

use serde_json::json;

use crate::harness::Site;

#[tokio::test]
async fn every_answer_tells_browsers_to_beware() {
    let site = Site::new();
    let mut admin = site.client("admin");
    for path in ["/api/v1/users", "/api/v1/nothing", "/", "/api/v1/openapi.json"] {
        let reply = admin.get(path).await;
        for (name, value) in [
            ("cache-control", "no-store"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}");
        }
        assert_eq!(reply.header("access-control-allow-origin"), None);
    }
    admin.get("/api/v1/nothing").await.problem(404, "no-path", None);
    let wrong = admin.send("PUT", "/api/v1/users", &[], None).await;
    wrong.problem(405, "method", None);
    assert_eq!(wrong.header("allow").map(|allow| allow.contains("GET") && allow.contains("POST")), Some(true));
    let preflight = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")];
    let reply = admin.send("OPTIONS", "/api/v1/users", &preflight, None).await;
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (405, None));
}

#[tokio::test]
async fn bodies_that_are_no_good() {
    let site = Site::new();
    let bearer = format!("Bearer {}", site.token("admin", None).1);
    let secret = "hunter2hunter2";
    let rows = [
        ("text/plain", "{\"name\": \"x.example\"}".to_owned(), 415, "content-type"),
        ("", "{\"name\": \"x.example\"}".to_owned(), 415, "content-type"),
        ("application/json", "{\"name\":".to_owned(), 400, "json"),
        ("application/json; charset=utf-8", "{} {}".to_owned(), 422, "body"),
        ("application/json", "{\"name\": \"x.example\"} x".to_owned(), 400, "json"),
        ("application/json", String::new(), 400, "json"),
        ("application/json", "[]".to_owned(), 422, "body"),
        ("application/json", format!("{{\"name\": {{\"a\": \"{secret}\"}}}}"), 422, "body"),
        ("application/json", format!("\"{secret}\""), 422, "body"),
        ("application/json", format!("{{\"name\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000)), 422, "body"),
        ("application/json", "x".repeat((1 << 20) + 1), 413, "too-large"),
    ];
    for (kind, body, status, code) in rows {
        let mut client = site.stranger();
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let length = body.len();
        let head = format!(
            "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n{kind}Content-Length: {length}\r\n\r\n"
        );
        let sent = async { client.write(format!("{head}{body}").as_bytes()).await };
        // What is refused by its head is answered before all of it is there.
        sent.await;
        let reply = client.reply().await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!((reply.status, reply.json()["code"].as_str()), (status, Some(code)), "{shown} {reply:?}");
        assert!(!reply.text.contains(secret), "a value is not repeated: {}", reply.text);
    }
}

#[tokio::test]
async fn a_body_in_pieces_has_the_same_limit() {
    let site = Site::new();
    let (mut client, bearer) = (site.stranger(), format!("Bearer {}", site.token("admin", None).1));
    let head = format!(
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    client.write(head.as_bytes()).await;
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..17 {
        client.write(piece.as_bytes()).await;
    }
    client.reply().await.problem(413, "too-large", None);
}

#[tokio::test(start_paused = true)]
async fn slow_clients_are_let_go() {
    let site = Site::new();
    let begun = tokio::time::Instant::now();
    // A head that never ends, and none at all.
    for part in ["GET /api/v1/users HTTP/1.1\r\nHost: x\r\n", ""] {
        let mut client = site.stranger();
        client.write(part.as_bytes()).await;
        client.rest().await;
    }
    assert!(begun.elapsed() >= Duration::from_secs(60), "{:?}", begun.elapsed());
    let (mut client, bearer) = (site.stranger(), format!("Bearer {}", site.token("admin", None).1));
    let head = format!(
        "POST /api/v1/domains HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    let begun = tokio::time::Instant::now();
    client.write(head.as_bytes()).await;
    client.reply().await.problem(408, "timeout", None);
    assert_eq!(begun.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn a_head_that_is_too_large() {
    let site = Site::new();
    let mut client = site.stranger();
    client.write(format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000)).as_bytes()).await;
    let text = client.rest().await;
    assert!(text.starts_with("HTTP/1.1 4"), "{text}");
}

#[tokio::test]
async fn requests_one_after_the_other_and_at_once() {
    let site = Site::new();
    let (mut client, bearer) = (site.stranger(), format!("Bearer {}", site.token("admin", None).1));
    let one = format!("GET /api/v1/session HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\r\n");
    client.write(one.repeat(5).as_bytes()).await;
    for _ in 0..5 {
        client.reply().await.is(200);
    }
    // Whoever is named by one request is not named by the next.
    client.get("/api/v1/session").await.problem(401, "unauthorized", None);
}

#[tokio::test]
async fn a_server_that_stops_ends_what_waits() {
    let site = Site::new();
    let mut client = site.client("admin");
    client.post("/api/v1/domains", json!({"name": "x.example"})).await.is(201);
    site.shutdown.cancel();
    assert_eq!(client.rest().await, "");
}
