//! Text as an LMTP command line.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &str| lmtpd::fuzzing::command_line(line));
