//! Domains over HTTP.

use serde_json::json;

use crate::harness::Site;

#[tokio::test]
async fn from_their_making_to_their_end() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let made = admin.post("/api/v1/domains", json!({"name": "Example.NET", "description": "Sales"})).await;
    assert_eq!(made.is(201)["name"], "example.net");
    assert_eq!(made.header("location"), Some("/api/v1/domains/example.net"));
    let seen = admin.get("/api/v1/domains/example.net").await;
    assert_eq!((seen.is(200), seen.etag()), (made.json(), made.etag()));
    assert_eq!(format!("\"{}\"", seen.json()["revision"].as_str().unwrap()), seen.etag());
    let counts = admin.get("/api/v1/domains/example.net/counts").await.is(200);
    assert_eq!(counts, json!({"users": 0, "aliases": 1}), "the postmaster");

    let change = Some(json!({"description": "Marketing"}));
    let path = "/api/v1/domains/example.net";
    admin.send("PATCH", path, &[], change.clone()).await.problem(428, "precondition", Some("If-Match"));
    admin.change("PATCH", path, "\"ffff\"", change.clone()).await.problem(412, "conflict", None);
    admin.change("PATCH", path, "W/\"1\"", change.clone()).await.problem(412, "conflict", None);
    let changed = admin.change("PATCH", path, &seen.etag(), change.clone()).await;
    assert_eq!(changed.is(200)["description"], "Marketing");
    admin.change("PATCH", path, &seen.etag(), change.clone()).await.problem(412, "conflict", None);
    let several = format!("\"1\", {}", changed.etag());
    admin.change("PATCH", path, &several, change).await.is(200);

    let rename = Some(json!({"name": "example.com"}));
    let renamed = admin.change("POST", "/api/v1/domains/example.net/rename", "*", rename).await;
    assert_eq!(renamed.is(200)["name"], "example.com");
    admin.get(path).await.problem(404, "no-domain", Some("domain"));
    admin.get("/api/v1/aliases/postmaster@example.com").await.is(200);
    admin.change("DELETE", "/api/v1/domains/example.com", "\"1\"", None).await.problem(412, "conflict", None);
    admin.change("DELETE", "/api/v1/domains/example.com", &renamed.etag(), None).await.is(204);
    admin.get("/api/v1/domains/example.com").await.problem(404, "no-domain", Some("domain"));
}

#[tokio::test]
async fn with_everything_in_them() {
    let site = Site::new();
    let mut admin = site.client("admin");
    admin.post("/api/v1/domains", json!({"name": "example.net"})).await.is(201);
    let ann = json!({"uid": "ann", "mail": "ann@example.net", "password": "p", "given_name": "A", "surname": "B"});
    admin.post("/api/v1/users", ann).await.is(201);
    let path = "/api/v1/domains/example.net";
    admin.change("DELETE", path, "*", None).await.problem(409, "protected", Some("domain"));
    admin.change("DELETE", &format!("{path}?cascade=true"), "*", None).await.is(204);
    admin.get("/api/v1/users/ann").await.problem(404, "no-user", Some("uid"));
    assert!(site.store.row(&mailstore::MailboxName::inbox("ann").unwrap()).is_none(), "the mailbox is gone");
}

#[tokio::test]
async fn rules() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let problem = admin.post("/api/v1/domains", json!({"name": "a b"})).await.problem(422, "rule", Some("name"));
    assert_eq!(problem["value"], "a b");
    assert!(problem["rule"].as_str().unwrap().starts_with("only letters"), "{problem}");
    admin.post("/api/v1/domains", json!({"name": "example.org"})).await.problem(409, "exists", Some("domain"));
    let long = "x".repeat(300);
    let new = json!({"name": "example.net", "description": long});
    admin.post("/api/v1/domains", new).await.problem(422, "rule", Some("description"));
    let own = "/api/v1/domains/example.org";
    admin.change("DELETE", own, "*", None).await.problem(409, "protected", Some("domain"));
    admin.get("/api/v1/domains/a%20b").await.problem(404, "no-domain", Some("domain"));
    let mut joe = site.client("joe");
    joe.get("/api/v1/domains").await.is(200);
    joe.post("/api/v1/domains", json!({"name": "example.net"})).await.problem(403, "denied", None);
    joe.change("DELETE", own, "*", None).await.problem(403, "denied", None);
    joe.change("PATCH", own, "*", Some(json!({"description": "x"}))).await.problem(403, "denied", None);
    joe.change("POST", &format!("{own}/rename"), "*", Some(json!({"name": "x.example"})))
        .await
        .problem(403, "denied", None);
}

#[tokio::test]
async fn page_by_page() {
    let site = Site::new();
    let mut admin = site.client("admin");
    for name in ["b.example", "a.example", "c.example"] {
        admin.post("/api/v1/domains", json!({"name": name})).await.is(201);
    }
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/v1/domains?limit=2{after}")).await.is(200);
        found.extend(page["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(found, ["a.example", "b.example", "c.example", "example.org"]);
    for (query, field) in [("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit")] {
        let reply = admin.get(&format!("/api/v1/domains?{query}")).await;
        assert_eq!((reply.status, reply.json()["field"].as_str()), (422, Some(field)), "{query}");
    }
    admin.get("/api/v1/domains?colour=red").await.problem(422, "query", Some("colour"));
}
