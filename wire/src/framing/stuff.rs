//! Dot-stuffing on the way out (RFC 1939, 3; RFC 5321, 4.5.2): a message as the body of a multi-line response.
//!
//! Octets are queued as slices of what was read; only a line that begins with a dot costs a cut, and a dot. What a client
//! sees are CRLF lines, whatever the message holds: a bare LF leaves as CRLF. It would otherwise depend on the client
//! whether `LF . CRLF` inside a message ends it, and whoever wrote the message could write the next response.

use bytes::Bytes;

use crate::Output;

/// Stuffs one message, which comes in any number of pieces.
#[derive(Debug)]
pub struct DotStuffer {
    /// The last octet that went out; LF at the beginning, where a line begins, too.
    last: u8,
    /// Whether anything went out.
    begun: bool,
    /// Lines that may still go out; `None`: all.
    lines: Option<u64>,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self { last: b'\n', begun: false, lines: None }
    }
}

impl DotStuffer {
    /// From here on, at most `lines` lines go out (TOP, behind the header).
    pub fn limit(&mut self, lines: u64) {
        self.lines = Some(lines);
    }

    /// Whether the limit is reached: no more pieces are wanted.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.lines == Some(0)
    }

    /// Queues a piece.
    pub fn put(&mut self, piece: Bytes, output: &mut Output) {
        if piece.is_empty() || self.is_full() {
            return;
        }
        self.begun = true;
        if self.last == b'\n' && piece[0] == b'.' {
            output.put(".");
        }
        // What stands before `from` is queued.
        let mut from = 0;
        let mut end = piece.len();
        for lf in memchr::memchr_iter(b'\n', &piece) {
            let before = if lf == 0 { self.last } else { piece[lf - 1] };
            if before != b'\r' {
                output.put_bytes(piece.slice(from..lf));
                output.put("\r");
                from = lf;
            }
            if let Some(lines) = &mut self.lines {
                *lines -= 1;
                if *lines == 0 {
                    end = lf + 1;
                    break;
                }
            }
            if piece.get(lf + 1) == Some(&b'.') {
                output.put_bytes(piece.slice(from..=lf));
                output.put(".");
                from = lf + 1;
            }
        }
        output.put_bytes(piece.slice(from..end));
        self.last = piece[end - 1];
    }

    /// Queues the end: a CRLF if the last line has none, then the dot.
    pub fn finish(self, output: &mut Output) {
        if self.begun && self.last != b'\n' {
            output.put("\r\n");
        }
        output.put(".\r\n");
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::framing::{DotFramer, DotPiece};

    /// What goes out for a message that comes in pieces of `step` octets.
    fn stuffed(message: &[u8], step: usize, lines: Option<u64>) -> Vec<u8> {
        let mut output = Output::default();
        let mut stuffer = DotStuffer::default();
        if let Some(lines) = lines {
            stuffer.limit(lines);
        }
        for piece in message.chunks(step) {
            stuffer.put(Bytes::copy_from_slice(piece), &mut output);
        }
        stuffer.finish(&mut output);
        output.taken()
    }

    fn check(message: &[u8], lines: Option<u64>, expected: &[u8]) {
        for step in 1..=message.len().max(1) {
            let got = stuffed(message, step, lines);
            let (got, expected) = (got.escape_ascii().to_string(), expected.escape_ascii().to_string());
            assert_eq!(got, expected, "{} in steps of {step}", message.escape_ascii());
        }
    }

    #[test]
    fn dots_and_line_ends() {
        check(b"", None, b".\r\n");
        check(b"a\r\n", None, b"a\r\n.\r\n");
        check(b".\r\n..\r\na.b\r\n", None, b"..\r\n...\r\na.b\r\n.\r\n");
        check(b"no end", None, b"no end\r\n.\r\n");
        check(b"cr at the end\r", None, b"cr at the end\r\r\n.\r\n");
        check(b"a\n.\nb\n", None, b"a\r\n..\r\nb\r\n.\r\n");
        check(b"\n\n.", None, b"\r\n\r\n..\r\n.\r\n");
        check(b"a\r.\r\n", None, b"a\r.\r\n.\r\n");
    }

    #[test]
    fn limits() {
        check(b"a\r\n.b\r\nc\r\n", Some(0), b".\r\n");
        check(b"a\r\n.b\r\nc\r\n", Some(1), b"a\r\n.\r\n");
        check(b"a\r\n.b\r\nc\r\n", Some(2), b"a\r\n..b\r\n.\r\n");
        check(b"a\n.b\nc", Some(3), b"a\r\n..b\r\nc\r\n.\r\n");
        check(b"a\r\n.b\r\nc\r\n", Some(u64::MAX), b"a\r\n..b\r\nc\r\n.\r\n");
    }

    proptest! {
        /// What a client that takes CRLF for a line's end reads is the message with its bare LFs repaired.
        #[test]
        fn comes_back(text in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'x')], 0..200), step in 1..50usize) {
            let mut expected = Vec::new();
            let mut last = b'\n';
            for &octet in &text {
                if octet == b'\n' && last != b'\r' {
                    expected.push(b'\r');
                }
                expected.push(octet);
                last = octet;
            }
            if !expected.is_empty() && last != b'\n' {
                expected.extend_from_slice(b"\r\n");
            }
            let mut buffer = BytesMut::from(&stuffed(&text, step, None)[..]);
            let (mut framer, mut read) = (DotFramer::default(), Vec::new());
            loop {
                match framer.next(&mut buffer) {
                    Some(DotPiece::Data(data)) => read.extend_from_slice(&data),
                    Some(DotPiece::End) => break,
                    None => prop_assert!(false, "no end"),
                }
            }
            prop_assert!(buffer.is_empty());
            prop_assert_eq!(read, expected);
        }
    }
}
