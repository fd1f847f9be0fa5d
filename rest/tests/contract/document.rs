//! The OpenAPI document: what it says is what there is.

use std::collections::BTreeSet;

use crate::harness::Site;

#[tokio::test]
async fn served_as_it_is_written() {
    let site = Site::new();
    let served = site.stranger().get("/api/v1/openapi.json").await.is(200);
    assert_eq!(served, serde_json::to_value(rest::openapi()).unwrap());
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn operations_have_names_and_answers() {
    let document = serde_json::to_value(rest::openapi()).unwrap();
    let mut names = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{name} is there twice");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{name}");
            let answers: Vec<_> = operation["responses"].as_object().unwrap().keys().collect();
            assert!(answers.iter().any(|status| status.starts_with('2')), "{name}: {answers:?}");
            if name != "get_document" {
                assert!(answers.iter().any(|status| *status == "401"), "{name}: {answers:?}");
            }
            let has_body = operation.get("requestBody").is_some();
            let takes_body = ["post", "put", "patch"].contains(&method.as_str());
            assert!(!has_body || takes_body, "{name}");
        }
    }
    assert!(names.len() > 35, "{names:?}");
}
