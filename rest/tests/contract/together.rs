//! Two administrators at once: nobody's work is undone by somebody who has not seen it.

use serde_json::json;

use crate::harness::Site;

/// Both have seen the same state, and change it at the same moment: one of them is told to look again, with what the other
/// has done left alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_is_told_and_nothing_is_lost() {
    let site = Site::new();
    let (mut first, mut second) = (site.client("admin"), site.client("admin"));
    let path = "/api/v1/users/joe";
    let (mut titles, mut offices) = (0, 0);
    for round in 0..20 {
        let seen = first.get(path).await;
        let (etag, before) = (seen.etag(), seen.json());
        let change = |field: &str| Some(json!({"contact": {field: format!("{field} {round}")}}));
        let (title, office) = tokio::join!(
            first.change("PATCH", path, &etag, change("title")),
            second.change("PATCH", path, &etag, change("office")),
        );
        let (won, field, lost) = if title.status == 200 { (title, "title", office) } else { (office, "office", title) };
        if field == "title" {
            titles += 1
        } else {
            offices += 1
        }
        let row = won.is(200);
        lost.problem(412, "conflict", None);
        assert_eq!(row["contact"][field], format!("{field} {round}"));
        let other = if field == "title" { "office" } else { "title" };
        assert_eq!(row["contact"][other], before["contact"][other], "the other's did not happen");
        assert_eq!(first.get(path).await.json(), row);
        // Who looks again gets it done, beside what the other did.
        let again = second.change("PATCH", path, &won.etag(), change(other)).await.is(200);
        assert_eq!(again["contact"][field], format!("{field} {round}"));
        assert_eq!(again["contact"][other], format!("{other} {round}"));
        // What was seen before is no good any more, whatever is done with it.
        for (method, below, body) in [
            ("DELETE", "", None),
            ("PUT", "/enabled", Some(json!({"enabled": false}))),
            ("PUT", "/quota", Some(json!({"limit_mib": 1}))),
        ] {
            second.change(method, &format!("{path}{below}"), &etag, body).await.problem(412, "conflict", None);
        }
    }
    assert_eq!(titles + offices, 20);
}

/// A domain too: whoever renames or deletes one has seen it as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_was_changed_is_not_deleted() {
    let site = Site::new();
    let (mut first, mut second) = (site.client("admin"), site.client("admin"));
    for round in 0..10 {
        let name = format!("d{round}.example");
        let path = format!("/api/v1/domains/{name}");
        let etag = first.post("/api/v1/domains", json!({"name": name})).await.etag();
        let rename = format!("{path}/rename");
        let (deleted, renamed) = tokio::join!(
            first.change("DELETE", &path, &etag, None),
            second.change("POST", &rename, &etag, Some(json!({"name": format!("r{round}.example")}))),
        );
        let is_there = first.get(&format!("/api/v1/domains/r{round}.example")).await.status == 200;
        first.get(&path).await.problem(404, "no-domain", Some("domain"));
        match (deleted.status, renamed.status) {
            (204, 404 | 409 | 412) => assert!(!is_there),
            (404 | 412, 200) => assert!(is_there),
            other => panic!("{other:?}"),
        }
    }
    let etag = first.post("/api/v1/domains", json!({"name": "x.example"})).await.etag();
    let other = first.post("/api/v1/domains", json!({"name": "y.example"})).await.etag();
    second.change("PATCH", "/api/v1/domains/x.example", &etag, Some(json!({"description": "Changed"}))).await.is(200);
    let going = |etag: &str, name: &str| json!({"name": name, "revision": etag.trim_matches('"')});
    let all = json!({"domains": [going(&other, "y.example"), going(&etag, "x.example")]});
    first.post("/api/v1/domain-deletions", all).await.problem(412, "conflict", None);
    for name in ["x.example", "y.example"] {
        assert_eq!(first.get(&format!("/api/v1/domains/{name}")).await.is(200)["deleting"], false);
    }
    let all = json!({"domains": [{"name": "x.example"}, {"name": "y.example"}]});
    first.post("/api/v1/domain-deletions", all).await.is(200);
}
