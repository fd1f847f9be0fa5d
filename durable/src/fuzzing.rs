//! What the fuzzers throw bytes at; only there when they are compiled (`--cfg fuzzing`, which cargo-fuzz sets).

use crate::journal::{encode, parse};

/// Bytes as a line of a journal, as they are and with a right checksum: what is understood is written the same way.
pub fn journal_line(bytes: &[u8]) {
    let summed = [format!("{:08x} ", crc32fast::hash(bytes)).as_bytes(), bytes].concat();
    for bytes in [bytes, &summed] {
        if let Some(line) = parse(bytes) {
            let mut written = Vec::new();
            encode(&mut written, line);
            assert_eq!(written.pop(), Some(b'\n'));
            assert_eq!(parse(&written), Some(line));
        }
    }
}
