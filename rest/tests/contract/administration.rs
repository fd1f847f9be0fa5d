//! Why a quota is full, recounting, who did what, and the whole directory as a text.

use mailstore::{MailboxName, QuotaLimits};
use serde_json::{Value, json};

use crate::harness::Site;

#[tokio::test]
async fn why_a_quota_is_full() {
    let site = Site::new();
    let (mut admin, mut joe) = (site.client("admin"), site.client("joe"));
    admin.change("PUT", "/api/v1/users/joe/quota", "*", Some(json!({"limit_mib": 10}))).await.is(200);
    let usage = joe.get("/api/v1/users/joe/usage?largest=5").await.is(200);
    assert_eq!((&usage["root"], &usage["limit_mib"], &usage["right"]), (&json!("user/joe"), &json!(10), &json!(true)));
    let nothing = json!({"octets": 0, "messages": 0});
    assert_eq!(usage["folders"][0], json!({"mailbox": "user/joe", "used": nothing, "expunged": nothing}));
    assert_eq!((&usage["charged"], &usage["largest"]), (&nothing, &json!([])));
    let without = admin.get("/api/v1/users/sue/usage").await.is(200);
    assert_eq!((&without["limit_mib"], &without["charged"]), (&Value::Null, &Value::Null));
    joe.get("/api/v1/users/sue/usage").await.problem(403, "denied", None);
    admin.get("/api/v1/users/nobody/usage").await.problem(404, "no-user", Some("uid"));
    admin.get("/api/v1/users/joe/usage?largest=1001").await.problem(422, "rule", Some("largest"));
}

#[tokio::test]
async fn quotas_are_recounted() {
    let site = Site::new();
    let mut admin = site.client("admin");
    site.add_user("joey");
    for name in ["joe", "joey"] {
        let path = format!("/api/v1/users/{name}/quota");
        admin.change("PUT", &path, "*", Some(json!({"limit_mib": 10}))).await.is(200);
        // Somebody else has set another one beside the directory.
        let inbox = MailboxName::inbox(name).unwrap();
        let limits = QuotaLimits { storage_kib: Some(777), ..QuotaLimits::default() };
        site.store.set_quota(&inbox, Some(limits)).unwrap();
    }
    let limit = |name: &str| {
        let limits = site.store.quota_limits(&MailboxName::inbox(name).unwrap()).unwrap();
        limits.storage_kib
    };
    let finding = |name: &str, fixed: bool| {
        let text = format!("user/{name}: limit was 777, the directory says 10240");
        json!({"kind": "limit", "text": text, "fixed": fixed})
    };
    let path = "/api/v1/users/joe/quota/recount";
    let tried = admin.send("POST", &format!("{path}?dry_run=true"), &[], None).await.is(200);
    assert_eq!((&tried["findings"], limit("joe")), (&json!([finding("joe", false)]), Some(777)));
    assert_eq!(admin.send("POST", path, &[], None).await.is(200)["findings"], json!([finding("joe", true)]));
    assert_eq!(admin.send("POST", path, &[], None).await.is(200)["findings"], json!([]));
    assert_eq!((limit("joe"), limit("joey")), (Some(10240), Some(777)), "nobody else was touched");

    let (mut after, mut found, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let page = admin.send("POST", &format!("/api/v1/quotas/recount?limit=2{after}"), &[], None).await.is(200);
        found.extend(page["findings"].as_array().unwrap().clone());
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((found, pages, limit("joey")), (vec![finding("joey", true)], 2, Some(10240)));
    let mut joe = site.client("joe");
    for path in [path, "/api/v1/quotas/recount"] {
        joe.send("POST", path, &[], None).await.problem(403, "denied", None);
    }
    admin.send("POST", "/api/v1/quotas/recount?limit=0", &[], None).await.problem(422, "rule", Some("limit"));
}

#[tokio::test]
async fn the_audit_log_page_by_page() {
    let site = Site::new();
    let mut admin = site.client("admin");
    for name in ["a.example", "b.example"] {
        admin.post("/api/v1/domains", json!({"name": name})).await.is(201);
    }
    let first = admin.get("/api/v1/audit?limit=3").await.is(200);
    let actions = |page: &Value| {
        let entries = page["items"].as_array().unwrap().iter();
        entries.map(|entry| format!("{} {}", entry["action"], entry["object"]).replace('"', "")).collect::<Vec<_>>()
    };
    let mut made = actions(&first)[..2].to_vec();
    made.sort();
    assert_eq!(made, ["alias.create postmaster@b.example", "domain.create b.example"]);
    assert_eq!((&first["items"][0]["who"], &first["items"][0]["via"]), (&json!("admin"), &json!("rest")));
    let (mut all, mut next) = (actions(&first), first["next"].as_str().map(str::to_owned));
    while let Some(after) = next {
        let page = admin.get(&format!("/api/v1/audit?limit=3&after={after}")).await.is(200);
        all.extend(actions(&page));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(all, actions(&admin.get("/api/v1/audit?limit=1000").await.is(200)));
    assert_eq!(all.last().map(String::as_str), Some("domain.create example.org"), "the first one");
    admin.get("/api/v1/audit?after=x").await.problem(422, "rule", Some("after"));
    site.client("joe").get("/api/v1/audit").await.problem(403, "denied", None);
}

#[tokio::test]
async fn the_directory_goes_out_and_comes_back() {
    const ROWS: &str = "application/x-ndjson";
    let site = Site::new();
    let mut admin = site.client("admin");
    let bare = admin.get("/api/v1/directory").await;
    assert_eq!((bare.status, bare.header("content-type")), (200, Some(ROWS)), "{bare:?}");
    assert!(bare.text.lines().count() > 4 && bare.text.ends_with('\n') && !bare.text.contains("argon2"), "{bare:?}");
    let whole = admin.get("/api/v1/directory?passwords=true").await;
    assert_eq!(whole.text.matches("argon2").count(), 3, "{whole:?}");
    let ldif = admin.send("GET", "/api/v1/directory", &[("Accept", "text/x-ldif")], None).await;
    assert!(ldif.header("content-type") == Some("text/x-ldif") && ldif.text.contains("uid=joe,"), "{ldif:?}");

    // The same again changes nothing; to another server it is everything.
    let again = admin.post_text("/api/v1/directory", ROWS, &whole.text).await.is(200);
    assert_eq!((&again["made"]["users"], &again["changed"], &again["dry_run"]), (&json!(0), &json!(0), &json!(false)));
    let other = Site::with(&["admin"]);
    let mut there = other.client("admin");
    let rows: String =
        whole.text.lines().filter(|line| !line.contains(":\"admin\"")).map(|line| format!("{line}\n")).collect();
    let tried = there.post_text("/api/v1/directory?dry_run=true", ROWS, &rows).await.is(200);
    assert_eq!((&tried["made"]["users"], &tried["dry_run"]), (&json!(2), &json!(true)), "{tried}");
    there.get("/api/v1/users/joe").await.problem(404, "no-user", Some("uid"));
    let made = there.post_text("/api/v1/directory", ROWS, &rows).await.is(200);
    assert_eq!((&made["made"]["users"], &made["problems"]), (&json!(2), &json!([])), "{made}");
    let login = json!({"user": "joe", "password": crate::harness::PASSWORD, "bearer": true});
    other.stranger().post("/api/v1/session", login).await.is(201);
    assert!(other.store.row(&MailboxName::inbox("joe").unwrap()).is_some(), "with a mailbox");

    // What is wrong is told, and nothing is done.
    let wrong = format!("{rows}{}\n", json!({"user": "a b"}));
    let refused = there.post_text("/api/v1/directory", ROWS, &wrong).await.problem(422, "document", None);
    assert!(refused["detail"].as_str().is_some_and(|text| text.contains("nothing was changed")), "{refused}");
    there.post_text("/api/v1/directory", "application/json", &rows).await.problem(415, "content-type", None);
    for nonsense in ["", "\0\u{1}", "[[[[", "dn: x\n"] {
        let status = there.post_text("/api/v1/directory", ROWS, nonsense).await.status;
        assert!((200..500).contains(&status), "{nonsense:?}: {status}");
        let status = there.post_text("/api/v1/directory", "text/x-ldif", nonsense).await.status;
        assert!((200..500).contains(&status), "{nonsense:?}: {status}");
    }
    let mut joe = site.client("joe");
    joe.get("/api/v1/directory").await.problem(403, "denied", None);
    joe.post_text("/api/v1/directory", ROWS, &rows).await.problem(403, "denied", None);
    let entries = site.directory.audited(None, 10).unwrap();
    let exports: Vec<_> = entries.iter().filter(|entry| entry.action == "directory.export").collect();
    assert_eq!(exports.iter().map(|entry| entry.fields[0].2.as_str()).collect::<Vec<_>>(), ["false", "true", "false"]);
}

/// What the deletion of a user would take along, and who stays.
#[tokio::test]
async fn a_deletion_is_told_before() {
    let site = Site::new();
    let mut admin = site.client("admin");
    for (address, members) in [("alone@example.org", json!(["joe"])), ("both@example.org", json!(["joe", "sue"]))] {
        let owners = members.clone();
        admin.post("/api/v1/aliases", json!({"address": address, "owners": owners, "members": members})).await.is(201);
    }
    let told = admin.get("/api/v1/users/joe/vanishing").await.is(200);
    assert_eq!(told, json!({"addresses": ["alone@example.org"], "left": ["both@example.org"]}));
    admin.get("/api/v1/users/admin/vanishing").await.problem(409, "protected", Some("uid"));
}
