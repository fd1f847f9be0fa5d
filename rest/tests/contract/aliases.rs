//! Aliases over HTTP.

use directory::Privilege;
use serde_json::json;

use crate::harness::Site;

#[tokio::test]
async fn from_their_making_to_their_end() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let new = json!({
        "address": "Staff@example.org", "description": "All of us", "owners": ["joe"],
        "members": ["joe", "x@else.example", {"kind": "user", "name": "sue"}], "file": "/var/mail/staff", "joinable": false,
    });
    let made = admin.post("/api/v1/aliases", new).await;
    let alias = made.is(201);
    let members = json!([
        {"kind": "user", "name": "joe"}, {"kind": "user", "name": "sue"}, {"kind": "remote", "name": "x@else.example"},
    ]);
    assert_eq!(
        (&alias["address"], &alias["members"], &alias["joinable"]),
        (&json!("staff@example.org"), &members, &json!(false))
    );
    assert_eq!(made.header("location"), Some("/api/v1/aliases/staff@example.org"));
    let path = "/api/v1/aliases/staff@example.org";
    let seen = admin.get(path).await;
    assert_eq!((seen.is(200), seen.etag()), (alias, made.etag()));

    let change = json!({"description": "Us", "members": members, "file": null, "owners": ["joe", "sue@example.org"]});
    admin.send("PATCH", path, &[], Some(change.clone())).await.problem(428, "precondition", Some("If-Match"));
    let changed = admin.change("PATCH", path, &seen.etag(), Some(change.clone())).await;
    let alias = changed.is(200);
    assert_eq!((&alias["members"], &alias["file"], &alias["owners"]), (&members, &json!(null), &json!(["joe", "sue"])));
    admin.change("PATCH", path, &seen.etag(), Some(change)).await.problem(412, "conflict", None);

    let nested = json!({"address": "all@example.org", "owners": ["admin"], "members": ["staff"]});
    admin.post("/api/v1/aliases", nested).await.is(201);
    let cycle = json!({"add": ["all"]});
    admin.post(&format!("{path}/members"), cycle).await.problem(422, "rule", Some("members"));
    let changed =
        admin.post(&format!("{path}/members"), json!({"add": ["admin"], "remove": ["x@else.example", "sue"]})).await;
    assert_eq!(changed.is(200)["members"], json!([{"kind": "user", "name": "joe"}, {"kind": "user", "name": "admin"}]));
    let owners = admin.post(&format!("{path}/owners"), json!({"add": ["admin"], "remove": ["joe", "sue"]})).await;
    assert_eq!(owners.is(200)["owners"], json!(["admin"]));
    admin.post(&format!("{path}/owners"), json!({"remove": ["admin"]})).await.problem(422, "rule", Some("owners"));
    let none = json!({"remove": ["joe", "admin"]});
    admin.post(&format!("{path}/members"), none).await.problem(422, "rule", Some("members"));

    admin.send("DELETE", path, &[], None).await.problem(428, "precondition", Some("If-Match"));
    admin.change("DELETE", path, &seen.etag(), None).await.problem(412, "conflict", None);
    admin.change("DELETE", path, &owners.etag(), None).await.is(204);
    for gone in ["staff", "all"] {
        let path = format!("/api/v1/aliases/{gone}@example.org");
        admin.get(&path).await.problem(404, "no-alias", Some("alias"));
    }
}

#[tokio::test]
async fn rules() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let rows = [
        ("address", json!("a b@example.org"), 422, "rule", Some("address")),
        ("address", json!("x@foreign.example"), 422, "no-domain", Some("address")),
        ("address", json!("joe@example.org"), 409, "exists", Some("alias")),
        ("address", json!("postmaster@example.org"), 409, "exists", Some("alias")),
        ("owners", json!([]), 422, "rule", Some("owners")),
        ("owners", json!(["nobody"]), 422, "rule", Some("owners")),
        ("owners", json!(["postmaster@example.org"]), 422, "rule", Some("owners")),
        ("members", json!([]), 422, "rule", Some("members")),
        ("members", json!(["nobody"]), 422, "rule", Some("members")),
        ("members", json!(["nobody@example.org"]), 422, "rule", Some("members")),
        ("members", json!(["group:none"]), 422, "rule", Some("members")),
        ("members", json!([{"kind": "user", "name": "nobody"}]), 422, "rule", Some("members")),
        ("members", json!([{"kind": "robot", "name": "x"}]), 422, "body", Some("members[0]")),
        ("file", json!("relative"), 422, "rule", Some("file")),
        ("program", json!("rm"), 422, "rule", Some("program")),
        ("description", json!("a\nb"), 422, "rule", Some("description")),
    ];
    for (field, value, status, code, wrong) in rows {
        let mut new = json!({"address": "x@example.org", "owners": ["joe"], "members": ["joe"]});
        new[field] = value;
        admin.post("/api/v1/aliases", new).await.problem(status, code, wrong);
    }
    admin.change("DELETE", "/api/v1/aliases/postmaster@example.org", "*", None).await.problem(
        409,
        "protected",
        Some("alias"),
    );
    admin.get("/api/v1/aliases/nobody").await.problem(404, "no-alias", Some("alias"));
}

#[tokio::test]
async fn what_users_may() {
    let site = Site::new();
    let (mut joe, mut sue) = (site.client("joe"), site.client("sue"));
    let made = joe.post("/api/v1/aliases", json!({"address": "club@example.org"})).await;
    let alias = made.is(201);
    assert_eq!((&alias["owners"], &alias["members"]), (&json!(["joe"]), &json!([{"kind": "user", "name": "joe"}])));
    let path = "/api/v1/aliases/club@example.org";
    sue.change("PATCH", path, "*", Some(json!({"description": "x"}))).await.problem(403, "denied", None);
    sue.change("DELETE", path, "*", None).await.problem(403, "denied", None);
    sue.post(&format!("{path}/owners"), json!({"add": ["sue"]})).await.problem(403, "denied", None);
    sue.send("PUT", &format!("{path}/membership"), &[], None).await.is(204);
    assert_eq!(sue.get("/api/v1/users/sue/aliases").await.is(200), json!({"addresses": ["club@example.org"]}));
    sue.send("DELETE", &format!("{path}/membership"), &[], None).await.is(204);
    joe.change("PATCH", path, "*", Some(json!({"program": "/bin/cat"}))).await.is(403);
    joe.change("PATCH", path, "*", Some(json!({"joinable": false}))).await.is(200);
    sue.send("PUT", &format!("{path}/membership"), &[], None).await.problem(403, "denied", None);
    let program = Some(json!({"program": "/bin/cat"}));
    site.client("admin").change("PATCH", path, "*", program).await.is(200);
    assert_eq!(joe.get(path).await.is(200)["program"], "/bin/cat");
    assert_eq!(sue.get(path).await.is(200)["program"], json!(null), "neither owner nor administrator");
    let mut privileges = site.service().privileges().unwrap();
    privileges.set(Privilege::AliasCreate, false);
    site.service().set_privileges(&privileges).unwrap();
    joe.post("/api/v1/aliases", json!({"address": "other@example.org"})).await.problem(403, "denied", None);
}

#[tokio::test]
async fn page_by_page_and_searched() {
    let site = Site::new();
    let mut admin = site.client("admin");
    for name in ["a1", "a2", "a3", "a4"] {
        let new = json!({"address": format!("{name}@example.org"), "description": format!("The {name}s"), "owners": ["joe"], "members": ["joe"]});
        admin.post("/api/v1/aliases", new).await.is(201);
    }
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("/api/v1/aliases?limit=2&domain=example.org{after}")).await.is(200);
        found.extend(page["items"].as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let expected = ["a1", "a2", "a3", "a4", "postmaster"].map(|name| format!("{name}@example.org"));
    assert_eq!(found, expected);
    let some = admin.get("/api/v1/aliases?q=a3+the").await.is(200);
    assert_eq!(some["items"].as_array().unwrap().len(), 1);
}
