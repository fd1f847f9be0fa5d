//! CRLF lines, for LMTP, POP3, SASL exchanges and the end of IDLE.

use bytes::{Bytes, BytesMut};

use super::FrameError;
use super::http::FirstLine;

/// Cuts CRLF-terminated lines off a buffer.
///
/// A line that is too long is reported as soon as it is (the peer may never end it) and skipped to its LF by the
/// following calls.
#[derive(Debug, Default)]
pub struct LineFramer {
    /// Octets at the start of the buffer known to hold no LF.
    scanned: usize,
    skipping: bool,
    first: FirstLine,
}

impl LineFramer {
    /// The next line without its CRLF, `None` when the buffer holds no whole line yet.
    ///
    /// # Errors
    /// [`FrameError`] when the line is over `limit` octets or holds a bare CR, bare LF or NUL. The line is then consumed
    /// (or will be): the next call goes on behind it.
    pub fn next(&mut self, buffer: &mut BytesMut, limit: usize) -> Result<Option<Bytes>, FrameError> {
        loop {
            let Some(lf) = self.find_lf(buffer) else {
                if self.skipping {
                    self.scanned = 0;
                    buffer.clear();
                } else if buffer.len() > limit + 1 {
                    // One more than the limit may still be the CR of a line that just fits.
                    self.skipping = true;
                    let http = self.first.is_request(buffer);
                    return Err(if http { FrameError::HttpRequest } else { FrameError::LineTooLong { limit } });
                }
                return Ok(None);
            };
            self.scanned = 0;
            let line = buffer.split_to(lf + 1).freeze();
            if std::mem::take(&mut self.skipping) {
                continue;
            }
            if self.first.is_request(&line) {
                return Err(FrameError::HttpRequest);
            }
            return check_line(line, limit).map(Some);
        }
    }

    /// Goes behind a line that was too long, for a caller that reads something else than a line next. Whether its end was
    /// found; more octets are needed otherwise.
    pub fn skip_refused(&mut self, buffer: &mut BytesMut) -> bool {
        if !self.skipping {
            return true;
        }
        self.scanned = 0;
        let Some(lf) = memchr::memchr(b'\n', buffer) else {
            buffer.clear();
            return false;
        };
        bytes::Buf::advance(buffer, lf + 1);
        self.skipping = false;
        true
    }

    fn find_lf(&mut self, buffer: &BytesMut) -> Option<usize> {
        let from = self.scanned.min(buffer.len());
        let found = memchr::memchr(b'\n', &buffer[from..]).map(|at| from + at);
        self.scanned = buffer.len();
        found
    }
}

/// Strips the CRLF of `line`, which ends with LF, and refuses what must not be in a line.
pub(super) fn check_line(mut line: Bytes, limit: usize) -> Result<Bytes, FrameError> {
    line.truncate(line.len() - 1);
    if line.last() != Some(&b'\r') {
        return Err(if line.len() > limit { FrameError::LineTooLong { limit } } else { FrameError::BareLf });
    }
    line.truncate(line.len() - 1);
    if line.len() > limit {
        return Err(FrameError::LineTooLong { limit });
    }
    match memchr::memchr2(b'\r', 0, &line) {
        None => Ok(line),
        Some(at) if line[at] == 0 => Err(FrameError::Nul),
        Some(_) => Err(FrameError::BareCr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `input` in pieces of `step` octets and collects all that comes out.
    fn run(input: &[u8], limit: usize, step: usize) -> Vec<Result<Vec<u8>, FrameError>> {
        let mut framer = LineFramer::default();
        let mut buffer = BytesMut::new();
        let mut out = Vec::new();
        for piece in input.chunks(step) {
            buffer.extend_from_slice(piece);
            loop {
                match framer.next(&mut buffer, limit) {
                    Ok(Some(line)) => out.push(Ok(line.to_vec())),
                    Ok(None) => break,
                    Err(error) => out.push(Err(error)),
                }
            }
            assert!(buffer.len() <= limit + 2 + step, "buffer is bounded");
        }
        out
    }

    fn check(input: &[u8], limit: usize, expected: &[Result<&[u8], FrameError>]) {
        let expected: Vec<_> = expected.iter().map(|r| r.map(<[u8]>::to_vec)).collect();
        for step in 1..=input.len() {
            assert_eq!(run(input, limit, step), expected, "{} in steps of {step}", input.escape_ascii());
        }
    }

    #[test]
    fn lines_in_every_split() {
        check(b"LHLO a\r\nQUIT\r\n", 10, &[Ok(b"LHLO a"), Ok(b"QUIT")]);
        check(b"\r\n", 10, &[Ok(b"")]);
        check(b"0123456789\r\nx\r\n", 10, &[Ok(b"0123456789"), Ok(b"x")]);
        check(b"unfinished", 10, &[]);
    }

    #[test]
    fn what_follows_a_refused_line_is_found() {
        let mut framer = LineFramer::default();
        let mut buffer = BytesMut::from("0123456789ABCDEF");
        assert!(framer.next(&mut buffer, 10).is_err());
        assert!(!framer.skip_refused(&mut buffer) && buffer.is_empty());
        buffer.extend_from_slice(b"GHI\r\na NOOP\r\n");
        assert!(framer.skip_refused(&mut buffer) && framer.skip_refused(&mut buffer));
        assert_eq!(buffer, "a NOOP\r\n");
        assert_eq!(framer.next(&mut buffer, 10).unwrap().unwrap(), "a NOOP");
    }

    #[test]
    fn http_requests_are_known_by_their_first_line() {
        check(b"GET / HTTP\r\n", 10, &[Err(FrameError::HttpRequest)]);
        check(b"GET /0123456789\r\n", 10, &[Err(FrameError::HttpRequest)]);
        check(b"CAPA\r\nGET /\r\n", 10, &[Ok(b"CAPA"), Ok(b"GET /")]);
    }

    #[test]
    fn bad_lines_are_named_and_skipped() {
        check(b"a\nb\r\n", 10, &[Err(FrameError::BareLf), Ok(b"b")]);
        check(b"a\rb\r\nc\r\n", 10, &[Err(FrameError::BareCr), Ok(b"c")]);
        check(b"a\r\r\nc\r\n", 10, &[Err(FrameError::BareCr), Ok(b"c")]);
        check(b"a\0b\r\nc\r\n", 10, &[Err(FrameError::Nul), Ok(b"c")]);
        let long = FrameError::LineTooLong { limit: 10 };
        check(b"0123456789A\r\nx\r\n", 10, &[Err(long), Ok(b"x")]);
        check(b"0123456789ABCDEFGHIJ0123456789\r\nx\r\n", 10, &[Err(long), Ok(b"x")]);
        check(b"0123456789A\nx\r\n", 10, &[Err(long), Ok(b"x")]);
    }
}
