//! Bytes as a POP3 command line, and as a form of unique ids.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    pop3d::fuzzing::command_line(data);
    if let Ok(text) = std::str::from_utf8(data) {
        pop3d::fuzzing::uidl_format(text);
    }
});
