//! Bytes as a message: analysing never panics, and what it says of sections lies within the message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::{Limits, Sections, analyse};

fuzz_target!(|bytes: &[u8]| {
    let analysis = analyse(bytes, &Limits::default());
    assert!(analysis.header_size <= bytes.len());
    assert!(Sections::decode(&analysis.sections).is_ok());
    // And the decoder itself, which reads a cache file, on bytes that no encoder made.
    let _ = Sections::decode(bytes);
});
