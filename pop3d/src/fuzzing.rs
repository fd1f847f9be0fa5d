//! What the fuzzers throw at the crate; only there when they are compiled (`--cfg fuzzing`, which cargo-fuzz sets).

use mailstore::UidValidity;

use crate::commands;
use crate::syntax::{self, Line};
use crate::uidl::UidlFormat;

/// A command line: no parser panics, and every number that is understood is one.
pub fn command_line(line: &[u8]) {
    let Some(line) = Line::parse(line) else { return };
    let _ = commands::find(line.keyword);
    for word in line.words() {
        assert!(!word.is_empty() && !word.contains(' '));
        if syntax::message(word).is_some() {
            assert!(word.bytes().all(|octet| octet.is_ascii_digit()));
            assert!(syntax::lines(word).is_some());
        }
    }
}

/// A form of unique ids: whatever is accepted makes ids that a client may be sent, and different ones.
pub fn uidl_format(text: &str) {
    let (Ok(format), Some(validity)) = (text.parse::<UidlFormat>(), UidValidity::new(u32::MAX)) else { return };
    let ids = [1, 12, u32::MAX].map(|uid| format.id(uid, validity).to_string());
    for id in &ids {
        assert!((1..=70).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic()), "{id:?}");
    }
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
}
