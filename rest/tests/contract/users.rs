//! Users over HTTP: made, seen, changed, deleted; passwords, quotas, logins.

use directory::{Privilege, Secret};
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Site};

fn ann() -> Value {
    json!({
        "uid": "Ann", "mail": "ann.example@example.org", "password": "a secret", "given_name": "Ann", "surname": "Example",
        "alternates": ["a.example@example.org"], "contact": {"title": "Boss", "fax": "12"},
        "forwarding": {"to": ["ann@else.example"], "keep_copy": true}, "groups": ["sales"], "quota_limit_mib": 10,
        "vacation": {"on": true}, "junk_filter": {"on": true},
    })
}

#[tokio::test]
async fn from_making_to_deletion() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let made = admin.post("/api/v1/users", ann()).await;
    let user = made.is(201);
    assert_eq!(
        (&user["uid"], &user["state"], &user["display_name"]),
        (&json!("ann"), &json!("active"), &json!("Ann Example"))
    );
    assert_eq!(made.header("location"), Some("/api/v1/users/ann"));
    assert!(!made.text.contains("a secret"));
    let seen = admin.get("/api/v1/users/ann").await;
    assert_eq!((seen.is(200), seen.etag()), (user, made.etag()));
    assert!(site.store.row(&mailstore::MailboxName::inbox("ann").unwrap()).is_some());

    let change = json!({"surname": "Other", "contact": {"fax": null, "pager": "7"}, "forwarding": null, "quota_limit_mib": null});
    let path = "/api/v1/users/ann";
    admin.send("PATCH", path, &[], Some(change.clone())).await.problem(428, "precondition", Some("If-Match"));
    let changed = admin.change("PATCH", path, &seen.etag(), Some(change.clone())).await;
    let user = changed.is(200);
    assert_eq!((&user["display_name"], &user["forwarding"]), (&json!("Ann Other"), &Value::Null));
    assert_eq!(
        (&user["contact"]["title"], &user["contact"]["fax"], &user["contact"]["pager"]),
        (&json!("Boss"), &json!(""), &json!("7"))
    );
    assert_eq!(user["quota_limit_mib"], Value::Null);
    admin.change("PATCH", path, &seen.etag(), Some(change)).await.problem(412, "conflict", None);
    let named = admin.change("PATCH", path, "*", Some(json!({"display_name": "Nan"}))).await.is(200);
    let renamed = admin.change("PATCH", path, "*", Some(json!({"given_name": "Anna"}))).await.is(200);
    assert_eq!((&named["display_name"], &renamed["display_name"]), (&json!("Nan"), &json!("Nan")), "it was chosen");

    admin
        .change("PUT", &format!("{path}/enabled"), "\"1\"", Some(json!({"enabled": false})))
        .await
        .problem(412, "conflict", None);
    let disabled = admin.change("PUT", &format!("{path}/enabled"), "*", Some(json!({"enabled": false}))).await;
    assert_eq!(disabled.is(200)["state"], "disabled");

    let list = json!({"address": "list@example.org", "owners": ["ann"], "members": ["joe"]});
    admin.post("/api/v1/aliases", list).await.is(201);
    assert_eq!(admin.get(&format!("{path}/aliases")).await.is(200), json!({"addresses": ["list@example.org"]}));
    assert_eq!(
        admin.get(&format!("{path}/vanishing")).await.is(200),
        json!({"addresses": ["list@example.org"], "left": []})
    );
    admin.change("DELETE", path, &seen.etag(), None).await.problem(412, "conflict", None);
    let deleted = admin.change("DELETE", path, &disabled.etag(), None).await;
    assert_eq!(deleted.is(200), json!({"uid": "ann", "aliases": ["list@example.org"]}));
    admin.get(path).await.problem(404, "no-user", Some("uid"));
    assert!(site.store.row(&mailstore::MailboxName::inbox("ann").unwrap()).is_none());
}

fn exceptions(patterns: &[&str]) -> Value {
    let one = |pattern: &&str| json!({"pattern": pattern, "decision": "deny"});
    json!({"exceptions": patterns.iter().map(one).collect::<Vec<_>>()})
}

#[tokio::test]
async fn replies_and_the_junk_filter() {
    let site = Site::new();
    let mut joe = site.client("joe");
    let path = "/api/v1/users/joe";
    let nothing = joe.get(path).await.is(200);
    assert_eq!(nothing["vacation"], json!({"on": false, "subject": "", "text": "", "days": 7}));
    assert_eq!(nothing["junk_filter"], json!({"on": false, "action": "save", "exceptions": []}));
    let exception = |pattern: &str, decision: &str| json!({"pattern": pattern, "decision": decision});
    let change = json!({
        "vacation": {"on": true, "subject": "Away", "text": "Until May\n"},
        "junk_filter": {"action": "destroy", "exceptions": [exception("XYZ.com", "allow"), exception("a@b.example", "deny")]},
    });
    joe.change("PATCH", path, "*", Some(change)).await.is(200);
    // What is not given stays, also while it is off.
    let off = json!({"vacation": {"on": false, "days": 3, "text": null}, "junk_filter": {"on": true}});
    let user = joe.change("PATCH", path, "*", Some(off)).await.is(200);
    assert_eq!(user["vacation"], json!({"on": false, "subject": "Away", "text": "", "days": 3}));
    let sorted = json!([exception("a@b.example", "deny"), exception("xyz.com", "allow")]);
    assert_eq!(user["junk_filter"], json!({"on": true, "action": "destroy", "exceptions": sorted}));

    let mut admin = site.client("admin");
    let switches = json!({"allow_vacation": false, "allow_junk_filter": false, "junk_exceptions": sorted});
    let record = admin.change("PATCH", "/api/v1/privileges", "*", Some(switches)).await.is(200);
    assert_eq!(record["junk_exceptions"], sorted);
    let wrong = json!({"junk_exceptions": [exception("a.b", "deny"), exception("a.b", "allow")]});
    let wrong = admin.change("PATCH", "/api/v1/privileges", "*", Some(wrong)).await;
    wrong.problem(422, "rule", Some("junk_exceptions[1].pattern"));
    for field in ["vacation", "junk_filter"] {
        joe.change("PATCH", path, "*", Some(json!({field: null}))).await.problem(403, "denied", None);
        let user = admin.change("PATCH", path, "*", Some(json!({field: null}))).await.is(200);
        assert_eq!(user[field], nothing[field]);
    }
}

#[tokio::test]
async fn rules_of_every_field() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let rows = [
        ("uid", json!("a.b"), 422, "rule", "uid"),
        ("uid", json!("cyrus"), 422, "rule", "uid"),
        ("uid", json!("joe"), 409, "exists", "uid"),
        ("mail", json!("ann"), 422, "rule", "mail"),
        ("mail", json!("ann@foreign.example"), 422, "no-domain", "mail"),
        ("mail", json!("joe@example.org"), 409, "exists", "mail"),
        ("password", json!(""), 422, "rule", "password"),
        ("password", json!("a\u{0}b"), 422, "rule", "password"),
        ("given_name", json!(""), 422, "rule", "given_name"),
        ("surname", json!("a\nb"), 422, "rule", "surname"),
        ("alternates", json!(["a@else.example"]), 422, "rule", "alternates"),
        ("forwarding", json!({"to": ["nobody"]}), 422, "rule", "forwarding"),
        ("vacation", json!({"subject": "a\nb"}), 422, "rule", "vacation.subject"),
        ("vacation", json!({"text": "x".repeat(4097)}), 422, "rule", "vacation.text"),
        ("vacation", json!({"days": 91}), 422, "rule", "vacation.days"),
        ("vacation", json!({"days": -1}), 422, "body", "vacation.days"),
        ("junk_filter", json!({"action": "lose"}), 422, "body", "junk_filter.action"),
        ("junk_filter", exceptions(&["a", "b", "c", "x y"]), 422, "rule", "junk_filter.exceptions[3].pattern"),
        ("junk_filter", exceptions(&["a", "b.com", "B.com"]), 422, "rule", "junk_filter.exceptions[2].pattern"),
        ("groups", json!(["A B"]), 422, "rule", "groups"),
        ("quota_limit_mib", json!(u64::MAX), 422, "rule", "quota_limit_mib"),
        ("contact", json!({"title": "x".repeat(300)}), 422, "rule", "title"),
        ("contact", json!({"colour": "red"}), 422, "body", "contact.colour"),
        ("admin", json!("yes"), 422, "body", "admin"),
        ("colour", json!("red"), 422, "body", "colour"),
    ];
    for (field, value, status, code, wrong) in rows {
        let mut new = ann();
        new[field] = value;
        admin.post("/api/v1/users", new).await.problem(status, code, Some(wrong));
    }
    admin.get("/api/v1/users/ann").await.problem(404, "no-user", Some("uid"));
    let mut new = ann();
    new.as_object_mut().unwrap().remove("surname");
    admin.post("/api/v1/users", new).await.problem(422, "body", None);
    for (method, path) in [("DELETE", "/api/v1/users/admin"), ("PUT", "/api/v1/users/admin/enabled")] {
        let body = (method == "PUT").then(|| json!({"enabled": false}));
        assert_eq!(admin.change(method, path, "*", body).await.is(409)["code"], "protected");
    }
    admin.get("/api/v1/users/a%2Fb").await.problem(404, "no-user", Some("uid"));
}

#[tokio::test]
async fn what_users_may() {
    let site = Site::new();
    let mut joe = site.client("joe");
    let own = joe.get("/api/v1/users/joe").await;
    let all: Vec<String> = own.is(200).as_object().unwrap().keys().cloned().collect();
    let others = joe.get("/api/v1/users/sue").await.is(200);
    let hidden: Vec<_> = all.into_iter().filter(|key| others.get(key).is_none()).collect();
    assert_eq!(hidden, ["admin", "forwarding", "groups", "junk_filter", "quota_limit_mib", "state", "vacation"]);

    let change = Some(json!({"contact": {"office": "5"}, "forwarding": {"to": ["joe@else.example"]}}));
    joe.change("PATCH", "/api/v1/users/joe", &own.etag(), change.clone()).await.is(200);
    joe.change("PATCH", "/api/v1/users/sue", "*", change.clone()).await.problem(403, "denied", None);
    for starred in [
        json!({"mail": "j@example.org"}),
        json!({"alternates": ["j@example.org"]}),
        json!({"quota_limit_mib": 5}),
        json!({"admin": true}),
        json!({"groups": ["x"]}),
    ] {
        let refused = joe.change("PATCH", "/api/v1/users/joe", "*", Some(starred.clone())).await;
        assert_eq!(refused.is(403)["code"], "denied", "{starred}");
    }
    joe.post("/api/v1/users", ann()).await.problem(403, "denied", None);
    joe.change("DELETE", "/api/v1/users/sue", "*", None).await.problem(403, "denied", None);
    joe.change("PUT", "/api/v1/users/joe/enabled", "*", Some(json!({"enabled": false})))
        .await
        .problem(403, "denied", None);
    joe.put("/api/v1/users/sue/password", json!({"password": "x"})).await.problem(403, "denied", None);
    joe.put("/api/v1/users/joe/password", json!({"hash": "$6$x"})).await.problem(403, "denied", None);
    for path in ["aliases", "vanishing", "logins", "quota", "app-passwords"] {
        joe.get(&format!("/api/v1/users/sue/{path}")).await.problem(403, "denied", None);
    }
    for path in ["/api/v1/quotas", "/api/v1/tokens"] {
        joe.get(path).await.problem(403, "denied", None);
    }
    joe.get("/api/v1/users").await.is(200);
    let mut privileges = site.service().privileges().unwrap();
    privileges.set(Privilege::UserSearch, false);
    privileges.set(Privilege::Forwarding, false);
    site.service().set_privileges(&privileges).unwrap();
    for path in ["/api/v1/users", "/api/v1/users/sue", "/api/v1/users/nobody", "/api/v1/groups/x"] {
        joe.get(path).await.problem(403, "denied", None);
    }
    for path in
        ["/api/v1/users/joe", "/api/v1/users/joe/quota", "/api/v1/users/joe/logins", "/api/v1/users/joe/aliases"]
    {
        joe.get(path).await.is(200);
    }
    let change = Some(json!({"forwarding": null}));
    joe.change("PATCH", "/api/v1/users/joe", "*", change).await.problem(403, "denied", None);
}

#[tokio::test]
async fn page_by_page_and_searched() {
    let site = Site::new();
    for name in ["u1", "u2", "u3", "u4", "u5"] {
        site.add_user(name);
    }
    let mut admin = site.client("admin");
    for order in ["uid", "mail"] {
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = admin.get(&format!("/api/v1/users?limit=3&order={order}{after}")).await.is(200);
            found.extend(page["items"].as_array().unwrap().iter().map(|row| row["uid"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(found, ["admin", "joe", "sue", "u1", "u2", "u3", "u4", "u5"], "by {order}");
    }
    let mut count = async |query: &str| {
        admin.get(&format!("/api/v1/users?{query}")).await.is(200)["items"].as_array().unwrap().len()
    };
    assert_eq!(count("q=U").await, 6, "sue too");
    assert_eq!(count("q=u+3").await, 1);
    assert_eq!(count("q=example.org").await, 0);
    assert_eq!(count("q=example.org&in_addresses=true").await, 8);
    assert_eq!(count("domain=else.example").await, 0);
    let wrong = admin.get("/api/v1/users?order=size").await;
    wrong.problem(422, "query", Some("order"));
    admin.get("/api/v1/users?domain=a%20b").await.problem(422, "rule", Some("domain"));
}

#[tokio::test]
async fn passwords() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let works = |user: &str, password: &str| {
        let origin = directory::Origin::now("imap", None);
        let verdict = site.directory.authenticate(user, &Secret::new(password), &origin).unwrap();
        matches!(verdict, directory::Verdict::Accepted(_))
    };
    assert!(works("joe", PASSWORD));
    let path = "/api/v1/users/joe/password";
    admin.put(path, json!({"password": "another"})).await.is(204);
    assert!(works("joe", "another") && !works("joe", PASSWORD));
    site.client("joe").put(path, json!({"password": "a third"})).await.is(204);
    assert!(works("joe", "a third"));
    for wrong in [json!({}), json!({"password": "x", "hash": "y"})] {
        admin.put(path, wrong).await.problem(422, "rule", Some("password"));
    }
    admin.put(path, json!({"hash": "nothing of the kind"})).await.problem(422, "rule", Some("hash"));
    admin.put("/api/v1/users/nobody/password", json!({"password": "x"})).await.problem(404, "no-user", Some("uid"));

    let path = "/api/v1/users/joe/app-passwords";
    let made =
        admin.post(path, json!({"name": "phone", "protocols": ["imap"], "networks": ["127.0.0.0/8"]})).await.is(201);
    let password = made["password"].as_str().unwrap();
    admin.post(path, json!({"name": "phone", "protocols": ["imap"]})).await.problem(409, "exists", Some("name"));
    admin.post(path, json!({"name": "x", "protocols": ["smtp"]})).await.problem(422, "rule", Some("protocols"));
    admin.post(path, json!({"name": "x", "protocols": ["imap"], "networks": ["x"]})).await.problem(
        422,
        "rule",
        Some("networks"),
    );
    admin.post(path, json!({"name": "x", "protocols": ["imap"], "expires": 1})).await.problem(
        422,
        "rule",
        Some("expires"),
    );
    let list = admin.get(path).await;
    assert_eq!(list.is(200)["items"][0]["networks"], json!(["127.0.0.0/8"]));
    assert!(!list.text.contains(password), "it is shown once");
    admin.send("DELETE", &format!("{path}/tablet"), &[], None).await.problem(404, "no-app-password", Some("name"));
    admin.send("DELETE", &format!("{path}/phone"), &[], None).await.is(204);
    admin.send("DELETE", path, &[], None).await.is(204);
    assert_eq!(admin.get(path).await.is(200), json!({"items": []}));
}

#[tokio::test]
async fn quotas_and_logins() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let path = "/api/v1/users/joe/quota";
    let none = admin.get(path).await;
    assert_eq!((&none.is(200)["limit_mib"], &none.json()["used_kib"]), (&Value::Null, &Value::Null));
    admin.send("PUT", path, &[], Some(json!({"limit_mib": 5}))).await.problem(428, "precondition", Some("If-Match"));
    let set = admin.change("PUT", path, &none.etag(), Some(json!({"limit_mib": 5}))).await;
    let expected = json!({
        "uid": "joe", "mail": "joe@example.org", "limit_mib": 5, "used_kib": 0, "free_kib": 5120, "percent": 0,
        "warning": false, "full": false,
    });
    assert_eq!(set.is(200), expected);
    admin.change("PUT", path, &none.etag(), Some(json!({"limit_mib": 6}))).await.problem(412, "conflict", None);
    admin.change("PUT", path, "*", Some(json!({}))).await.problem(422, "body", None);
    admin.change("PUT", path, "*", Some(json!({"limit_mib": -1}))).await.problem(422, "body", Some("limit_mib"));
    let full = admin.change("PUT", path, "*", Some(json!({"limit_mib": 0}))).await.is(200);
    assert_eq!((&full["full"], &full["percent"]), (&json!(true), &Value::Null));
    let all = admin.get("/api/v1/quotas?domain=example.org&limit=2").await.is(200);
    let mails: Vec<_> = all["items"].as_array().unwrap().iter().map(|row| row["mail"].as_str().unwrap()).collect();
    assert_eq!((mails, &all["next"]), (vec!["admin@example.org", "joe@example.org"], &json!("joe@example.org")));
    let mut joe = site.client("joe");
    joe.get(path).await.is(200);
    joe.change("PUT", path, "*", Some(json!({"limit_mib": null}))).await.problem(403, "denied", None);

    joe.post("/api/v1/session", json!({"user": "joe", "password": PASSWORD})).await.is(201);
    let logins = joe.get("/api/v1/users/joe/logins").await.is(200);
    assert_eq!((&logins["items"][0]["mechanism"], &logins["items"][0]["refused"]), (&json!("password"), &Value::Null));
}

#[tokio::test]
async fn privileges_and_groups() {
    let site = Site::new();
    let mut admin = site.client("admin");
    let seen = admin.get("/api/v1/privileges").await;
    assert_eq!(seen.is(200)["allow_forwarding"], true);
    let change = json!({"allow_forwarding": false, "default_quota_mib": 50, "default_folders": ["Sent"]});
    let path = "/api/v1/privileges";
    admin.send("PATCH", path, &[], Some(change.clone())).await.problem(428, "precondition", Some("If-Match"));
    let changed = admin.change("PATCH", path, &seen.etag(), Some(change.clone())).await;
    assert_eq!(
        (&changed.is(200)["allow_forwarding"], &changed.json()["default_quota_mib"]),
        (&json!(false), &json!(50))
    );
    admin.change("PATCH", path, &seen.etag(), Some(change.clone())).await.problem(412, "conflict", None);
    admin.change("PATCH", path, "*", Some(json!({"default_folders": ["a//b"]}))).await.problem(
        422,
        "rule",
        Some("default_folders"),
    );
    let mut joe = site.client("joe");
    assert_eq!(joe.get(path).await.is(200), changed.json());
    joe.change("PATCH", path, "*", Some(change)).await.problem(403, "denied", None);
    let mut new = ann();
    new.as_object_mut().unwrap().remove("quota_limit_mib");
    assert_eq!(admin.post("/api/v1/users", new).await.is(201)["quota_limit_mib"], 50, "the default");
    assert!(site.store.row(&mailstore::MailboxName::parse("user/ann/Sent").unwrap()).is_some());
    let groups = admin.get("/api/v1/groups").await.is(200);
    assert_eq!(groups, json!({"items": [{"name": "sales", "users": 1}], "next": null}));
    assert_eq!(joe.get("/api/v1/groups/sales").await.is(200), json!({"items": [{"uid": "ann"}], "next": null}));
    joe.get("/api/v1/groups/none").await.problem(404, "no-group", None);
}
