//! Bytes as an IMAP command: parsing never panics, and what was understood is understood the same way when it is printed
//! and parsed again.
#![no_main]

use imapd::syntax::{parse, print};
use imapd::types::Encoding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for encoding in [Encoding::ModifiedUtf7, Encoding::Utf8] {
        if let Ok(request) = parse(bytes, encoding) {
            let printed = print(&request, encoding);
            assert_eq!(parse(&printed, encoding).as_ref(), Ok(&request), "{}", printed.escape_ascii());
        }
    }
});
