//! Groups, several domains at once, and a document applied.

use serde_json::json;

use crate::harness::Site;

/// SHA-512 of the password of all users, in base64.
const SHA512: &str = "WQww68hpOlPAldoAC1ohVGPJvFpZ2VTrBFSBLD3v7R+EgMY+Ku05aEtl2Wd74Y89lMDxhPMPEAJuVRfvY1yR6A==";

/// Lists have the length that the document says.
#[tokio::test]
async fn lists_are_bounded() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let many = |most: usize| vec!["joe"; most + 1];
    for (method, path, field, most) in [
        ("POST", "/api/v1/aliases/postmaster@example.org/members", "remove", 10_000),
        ("POST", "/api/v1/aliases/postmaster@example.org/owners", "add", 10_000),
        ("PATCH", "/api/v1/aliases/postmaster@example.org", "owners", 10_000),
        ("PATCH", "/api/v1/users/joe", "groups", 100),
        ("PATCH", "/api/v1/users/joe", "alternates", 16),
        ("PATCH", "/api/v1/privileges", "default_folders", 20),
        ("POST", "/api/v1/groups/staff/users", "add", 1000),
        ("POST", "/api/v1/connections/end", "users", 1000),
    ] {
        let refused = admin.change(method, path, "*", Some(json!({field: many(most)}))).await;
        refused.problem(422, "body", Some(field));
        assert!(refused.text.contains(&format!("more than {most}")), "{refused:?}");
    }
    let path = "/api/v1/aliases/postmaster@example.org/members";
    admin.post(path, json!({"remove": [""]})).await.problem(422, "rule", Some("members"));
}

#[tokio::test]
async fn groups() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let path = "/api/v1/groups/staff/users";
    admin.post(path, json!({"add": ["joe", "sue"]})).await.is(204);
    admin.post(path, json!({"add": ["joe"]})).await.is(204);
    assert_eq!(admin.get("/api/v1/groups").await.is(200)["items"], json!([{"name": "staff", "users": 2}]));
    admin.post(path, json!({"remove": ["sue"]})).await.is(204);
    assert_eq!(admin.get("/api/v1/groups/staff").await.is(200)["items"], json!([{"uid": "joe"}]));
    admin.post(path, json!({"remove": ["joe", "sue"]})).await.problem(422, "rule", Some("groups"));
    admin.post(path, json!({"add": ["sue", "nobody"]})).await.problem(422, "no-user", Some("uid"));
    assert_eq!(admin.get("/api/v1/groups/staff").await.is(200)["items"], json!([{"uid": "joe"}]), "all or nothing");
    admin.post(path, json!({"add": ["a b"]})).await.problem(422, "rule", Some("add"));
    site.client("joe").post(path, json!({"remove": ["joe"]})).await.problem(403, "denied", None);
}

#[tokio::test]
async fn several_domains() {
    let site = Site::new();
    let mut admin = site.client("admin");
    for name in ["a.example", "b.example"] {
        admin.post("/api/v1/domains", json!({"name": name, "description": "Branch office"})).await.is(201);
    }
    let found = admin.get("/api/v1/domains?q=branch%20B.ex").await.is(200);
    assert_eq!((found["items"].as_array().unwrap().len(), &found["items"][0]["name"]), (1, &json!("b.example")));
    let user = json!({"uid": "ann", "mail": "ann@b.example", "password": "x", "given_name": "A", "surname": "B"});
    admin.post("/api/v1/users", user).await.is(201);
    let all = |cascade: bool| json!({"domains": [{"name": "a.example"}, {"name": "b.example"}], "cascade": cascade});
    let path = "/api/v1/domain-deletions";
    admin.post(path, all(false)).await.problem(409, "protected", Some("domain"));
    admin.post(path, json!({"domains": []})).await.problem(422, "rule", Some("domains"));
    admin.post(path, json!({"domains": [{"name": "nowhere.example"}]})).await.problem(422, "no-domain", Some("domain"));
    admin.post(path, json!({"domains": [{"name": "x y"}]})).await.problem(422, "rule", Some("domains"));
    site.client("joe").post(path, all(true)).await.problem(403, "denied", None);
    assert_eq!(admin.get("/api/v1/domains").await.is(200)["items"].as_array().unwrap().len(), 3);
    assert_eq!(admin.post(path, all(true)).await.is(200), json!({"users": ["ann"]}));
    assert_eq!(admin.get("/api/v1/domains").await.is(200)["items"].as_array().unwrap().len(), 1);
    admin.get("/api/v1/users/ann").await.problem(404, "no-user", Some("uid"));
}

#[tokio::test]
async fn a_user_with_a_hash() {
    let site = Site::new();
    let mut admin = site.client("admin");
    // Of "correct-horse", by another server.
    let hash = "{SHA512}".to_owned() + SHA512;
    let mut user = json!({"uid": "ann", "hash": hash, "given_name": "A", "surname": "B"});
    admin.post("/api/v1/users", user.clone()).await.is(201);
    let log_in = json!({"user": "ann", "password": crate::harness::PASSWORD});
    site.stranger().post("/api/v1/session", log_in).await.is(201);
    user["uid"] = json!("bob");
    user["password"] = json!("x");
    admin.post("/api/v1/users", user.clone()).await.problem(422, "rule", Some("password"));
    user["hash"] = json!("{ROT13}secret");
    user.as_object_mut().unwrap().remove("password");
    let refused = admin.post("/api/v1/users", user).await;
    refused.problem(422, "rule", Some("hash"));
    assert!(!refused.text.contains("secret"), "{refused:?}");
    admin.get("/api/v1/users/bob").await.problem(404, "no-user", Some("uid"));
}

#[tokio::test]
async fn a_document_is_applied() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let document = || {
        json!({
            "domain": [{"name": "example.net"}],
            "user": [{"uid": "ann", "mail": "ann@example.net", "given_name": "Ann", "surname": "Other"}],
            "alias": [{"address": "all@example.net", "owners": ["ann"], "members": ["ann", "joe@example.org"]}],
        })
    };
    let dry = admin.post("/api/v1/apply?dry_run=true", document()).await.is(200);
    assert_eq!((dry["changes"].as_array().unwrap().len(), &dry["applied"]), (3, &json!(false)), "{dry}");
    admin.get("/api/v1/users/ann").await.problem(404, "no-user", Some("uid"));
    let done = admin.post("/api/v1/apply", document()).await.is(200);
    assert_eq!((&done["changes"], &done["applied"]), (&dry["changes"], &json!(true)));
    admin.get("/api/v1/aliases/all@example.net").await.is(200);
    assert_eq!(admin.post("/api/v1/apply", document()).await.is(200)["changes"], json!([]), "it is so already");
    let mut wrong = document();
    wrong["user"][0]["uid"] = json!("a b");
    let refused = admin.post("/api/v1/apply", wrong).await;
    refused.problem(422, "document", None);
    assert!(refused.text.contains("a b"), "{refused:?}");
    admin.post("/api/v1/apply", json!([1])).await.problem(422, "document", None);
    site.client("joe").post("/api/v1/apply", document()).await.problem(403, "denied", None);
}
