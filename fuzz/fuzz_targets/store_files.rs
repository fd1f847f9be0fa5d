//! Bytes as what lies on the disk: a journal's line, an index, a cache record, and the text files of a mailbox.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    durable::fuzzing::journal_line(bytes);
    mailstore::fuzzing::index(bytes);
    mailstore::fuzzing::cache(bytes);
    mailstore::fuzzing::text(bytes);
});
