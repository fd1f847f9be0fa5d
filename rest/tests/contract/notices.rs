//! What everybody is told at the login, and keeping users out.

use serde_json::json;

use crate::harness::Site;

#[tokio::test]
async fn the_message_of_the_day() {
    let site = Site::new();
    let (mut admin, mut joe) = (site.client("admin"), site.client("joe"));
    assert_eq!(joe.get("/api/v1/motd").await.is(200), json!({"message": null}));
    let set = admin.change("PUT", "/api/v1/motd", "*", Some(json!({"message": "Grüße „an alle“"}))).await;
    assert_eq!(set.is(200), json!({"message": "Grusse \"an alle\""}));
    assert_eq!(joe.get("/api/v1/motd").await.is(200)["message"], "Grusse \"an alle\"");
    let longest = "ß".repeat(200);
    for (message, rule) in [
        ("two\nlines", "one line"),
        ("a\r\n* BYE", "one line"),
        ("  ", "is empty"),
        (&format!("{longest}x"), "longer than 400 characters"),
    ] {
        let refused = admin.change("PUT", "/api/v1/motd", "*", Some(json!({"message": message}))).await;
        let problem = refused.problem(422, "rule", Some("message"));
        assert!(problem["rule"].as_str().is_some_and(|text| text.contains(rule)), "{problem}");
    }
    assert_eq!(joe.get("/api/v1/motd").await.is(200)["message"], "Grusse \"an alle\"", "nothing has changed");
    let set = admin.change("PUT", "/api/v1/motd", "*", Some(json!({"message": longest}))).await;
    assert_eq!(set.is(200)["message"], "s".repeat(400));
    for _ in 0..2 {
        admin.change("DELETE", "/api/v1/motd", "*", None).await.is(204);
    }
    assert_eq!(joe.get("/api/v1/motd").await.is(200), json!({"message": null}));
}

#[tokio::test]
async fn users_are_kept_out() {
    let site = Site::new();
    let (mut admin, mut joe) = (site.client("admin"), site.client("joe"));
    assert_eq!(admin.get("/api/v1/lockout").await.is(200), json!({"message": null}));
    let told = admin.change("PUT", "/api/v1/lockout", "*", Some(json!({"message": "Back at noon"}))).await;
    assert_eq!(told.is(200), json!({"message": "Back at noon", "sessions_ended": 0}));
    assert_eq!(admin.get("/api/v1/lockout").await.is(200), json!({"message": "Back at noon"}));
    admin.change("DELETE", "/api/v1/lockout", "*", None).await.is(204);
    // Users neither see nor change it.
    joe.get("/api/v1/lockout").await.problem(403, "denied", None);
    for (method, body) in [("PUT", Some(json!({"message": "x"}))), ("DELETE", None)] {
        for path in ["/api/v1/lockout", "/api/v1/motd"] {
            joe.change(method, path, "*", body.clone()).await.problem(403, "denied", None);
        }
    }
    let entries = site.directory.audited(None, 2).unwrap();
    let said: Vec<_> = entries.iter().map(|entry| (entry.action.as_str(), entry.fields[0].clone())).collect();
    let text = |before: &str, after: &str| ("text".to_owned(), before.to_owned(), after.to_owned());
    assert_eq!(said, [("lockout.update", text("Back at noon", "")), ("lockout.update", text("", "Back at noon"))]);
}
