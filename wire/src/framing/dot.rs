//! Dot-stuffed bodies (RFC 5321, 4.5.2): what follows LMTP's DATA.

use bytes::{Bytes, BytesMut};

/// A piece of a dot-stuffed body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DotPiece {
    /// Octets of the message, stuffing removed.
    Data(Bytes),
    /// The terminating `CRLF . CRLF` was read; its first CRLF was delivered as the end of the last line.
    End,
}

/// Removes dot-stuffing and finds the end of a body.
///
/// Only `CRLF . CRLF` ends it. `LF . LF`, `LF . CRLF`, `CR . CR` and the like are message text, as they are for a
/// careful sender: reading them as an end is the "SMTP smuggling" of 2023. Bare CR and LF are passed through and
/// reported by [`DotFramer::saw_bare_cr`] and [`DotFramer::saw_bare_lf`], so that the caller decides what to do with such
/// a message.
#[derive(Debug)]
pub struct DotFramer {
    state: State,
    bare_cr: bool,
    bare_lf: bool,
}

/// What the octets just read mean for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Start of the body, or behind a CRLF.
    LineStart,
    /// Behind a dot at the start of a line; the dot is held back.
    Dot,
    /// Behind `. CR` at the start of a line; both are held back.
    DotCr,
    /// Inside a line.
    Text,
    /// Behind a CR inside a line; it was delivered.
    Cr,
}

impl Default for DotFramer {
    fn default() -> Self {
        Self { state: State::LineStart, bare_cr: false, bare_lf: false }
    }
}

impl DotFramer {
    /// The next piece of the body, `None` when more octets are needed. Consumes what it returns; octets behind the end
    /// stay in the buffer.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Option<DotPiece> {
        // Each round delivers the octets up to the next held-back dot, so unstuffed text is never copied.
        let mut at = 0;
        while let Some(&byte) = buffer.get(at) {
            match (self.state, byte) {
                (State::LineStart, b'.') => {
                    if at > 0 {
                        return Some(DotPiece::Data(buffer.split_to(at).freeze()));
                    }
                    bytes::Buf::advance(buffer, 1);
                    self.state = State::Dot;
                }
                (State::Dot, b'\r') => {
                    bytes::Buf::advance(buffer, 1);
                    self.state = State::DotCr;
                }
                (State::DotCr, b'\n') => {
                    bytes::Buf::advance(buffer, 1);
                    self.state = State::LineStart;
                    return Some(DotPiece::End);
                }
                (State::DotCr, _) => {
                    // Stuffing was one dot; the CR behind it is text.
                    self.bare_cr = true;
                    self.state = State::Text;
                    return Some(DotPiece::Data(Bytes::from_static(b"\r")));
                }
                (State::Text | State::LineStart | State::Dot, _) => at = self.text(buffer, at),
                (State::Cr, b'\n') => {
                    self.state = State::LineStart;
                    at += 1;
                }
                (State::Cr, _) => {
                    self.bare_cr = true;
                    self.state = State::Text;
                }
            }
        }
        (at > 0).then(|| DotPiece::Data(buffer.split_to(at).freeze()))
    }

    /// Whether a CR without LF was delivered.
    pub fn saw_bare_cr(&self) -> bool {
        self.bare_cr
    }

    /// Whether an LF without CR was delivered.
    pub fn saw_bare_lf(&self) -> bool {
        self.bare_lf
    }

    /// Passes over text from `at` and says where it stopped: behind the next CR, or at the buffer's end.
    fn text(&mut self, buffer: &BytesMut, at: usize) -> usize {
        let rest = &buffer[at..];
        let (text, state) = match memchr::memchr(b'\r', rest) {
            Some(cr) => (&rest[..cr], State::Cr),
            None => (rest, State::Text),
        };
        self.bare_lf = self.bare_lf || memchr::memchr(b'\n', text).is_some();
        self.state = state;
        at + text.len() + usize::from(state == State::Cr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, what is left behind its end (`None`: no end found), and whether bare CR and LF were seen.
    fn run(input: &[u8], step: usize) -> (Vec<u8>, Option<Vec<u8>>, bool, bool) {
        let mut framer = DotFramer::default();
        let mut buffer = BytesMut::new();
        let mut body = Vec::new();
        let mut pieces = input.chunks(step);
        while let Some(piece) = pieces.next() {
            buffer.extend_from_slice(piece);
            while let Some(piece) = framer.next(&mut buffer) {
                match piece {
                    DotPiece::Data(data) => {
                        assert!(!data.is_empty());
                        body.extend_from_slice(&data);
                    }
                    DotPiece::End => {
                        let mut rest = buffer.to_vec();
                        pieces.for_each(|piece| rest.extend_from_slice(piece));
                        return (body, Some(rest), framer.saw_bare_cr(), framer.saw_bare_lf());
                    }
                }
            }
        }
        (body, None, framer.saw_bare_cr(), framer.saw_bare_lf())
    }

    fn check(input: &[u8], body: &[u8], rest: Option<&[u8]>, bare_cr: bool, bare_lf: bool) {
        for step in 1..=input.len() {
            let expected = (body.to_vec(), rest.map(<[u8]>::to_vec), bare_cr, bare_lf);
            assert_eq!(run(input, step), expected, "{} in steps of {step}", input.escape_ascii());
        }
    }

    #[test]
    fn bodies_in_every_split() {
        check(b".\r\n", b"", Some(b""), false, false);
        check(b"a\r\n.\r\nQUIT\r\n", b"a\r\n", Some(b"QUIT\r\n"), false, false);
        check(b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n", Some(b""), false, false);
        check(b"..a\r\n.b\r\n...\r\n.\r\n", b".a\r\nb\r\n..\r\n", Some(b""), false, false);
        check(b"a.\r\n.\r\n", b"a.\r\n", Some(b""), false, false);
        check(b"\r\n.\r\n", b"\r\n", Some(b""), false, false);
        check(b"a\r\n", b"a\r\n", None, false, false);
    }

    #[test]
    fn only_crlf_dot_crlf_ends() {
        check(b"a\n.\nb\r\n.\r\n", b"a\n.\nb\r\n", Some(b""), false, true);
        check(b"a\n.\r\nb\r\n.\r\n", b"a\n.\r\nb\r\n", Some(b""), false, true);
        check(b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", Some(b""), true, false);
        check(b"a\r\n.\nb\r\n.\r\n", b"a\r\n\nb\r\n", Some(b""), false, true);
        check(b"a\r\n.\rb\r\n.\r\n", b"a\r\n\rb\r\n", Some(b""), true, false);
        check(b"a\r\n.\r\r\n.\r\n", b"a\r\n\r\r\n", Some(b""), true, false);
        check(b"a\r\r\n.\r\n", b"a\r\r\n", Some(b""), true, false);
    }
}
