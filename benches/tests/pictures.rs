//! The pictures and tables in docs/ are those of the figures beside them.

#![allow(clippy::unwrap_used, reason = "a test reports trouble by panicking")]

use std::fs;
use std::path::Path;

use benches::growth::{Figures, chapter, picture};

const AGAIN: &str = "draw anew: cargo run -p benches --bin growth -- --draw --document docs/performance.md";

#[test]
fn pictures_are_those_of_the_figures() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let figures = fs::read_to_string(docs.join("growth/figures.json")).unwrap();
    let figures: Figures = serde_json::from_str(&figures).unwrap();
    let chapter = fs::read_to_string(docs.join("performance.md")).unwrap();
    assert!(chapter.contains(&chapter::write(&figures)), "the tables of docs/performance.md are others; {AGAIN}");
    for subject in &figures.subjects {
        let name = format!("growth/{}.svg", subject.name);
        let there = fs::read_to_string(docs.join(&name)).unwrap();
        assert!(there == picture::draw(subject), "docs/{name} is another picture; {AGAIN}");
        assert!(chapter.contains(&format!("]({name})")), "docs/performance.md does not show docs/{name}");
    }
}
