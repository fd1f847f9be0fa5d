//! Line ends as the store has them: CRLF only. What comes from files has LF, CRLF, and now and then CR CR LF, which two
//! conversions in a row make.

use memchr::memchr3_iter;

/// CRs in a row that are held back to see whether a line ends behind them. More are text.
const HELD: u8 = 8;

/// Turns every line end into CRLF, and a CR that ends no line into a space.
#[derive(Debug, Default)]
pub(crate) struct Canonical {
    held: u8,
    nul: bool,
}

impl Canonical {
    /// Appends to `out` what `piece` becomes.
    pub(crate) fn convert(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for at in memchr3_iter(0, b'\r', b'\n', piece) {
            if at > done {
                self.release(out);
                out.extend_from_slice(&piece[done..at]);
            }
            done = at + 1;
            match piece[at] {
                b'\n' => {
                    self.held = 0;
                    out.extend_from_slice(b"\r\n");
                }
                b'\r' if self.held < HELD => self.held += 1,
                b'\r' => out.push(b' '),
                _ => {
                    self.release(out);
                    self.nul = true;
                }
            }
        }
        if done < piece.len() {
            self.release(out);
            out.extend_from_slice(&piece[done..]);
        }
    }

    /// Ends the text; a last line without a line end gets one.
    pub(crate) fn end(&mut self, ends_line: bool, out: &mut Vec<u8>) {
        if !ends_line {
            self.held = 0;
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Whether there was a NUL octet: such a text is no message.
    pub(crate) fn saw_nul(&self) -> bool {
        self.nul
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        out.extend(std::iter::repeat_n(b' ', usize::from(std::mem::take(&mut self.held))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: &[u8], nul: bool) {
        for step in 1..=input.len().max(1) {
            let (mut canonical, mut out) = (Canonical::default(), Vec::new());
            input.chunks(step).for_each(|piece| canonical.convert(piece, &mut out));
            canonical.end(input.is_empty() || input.ends_with(b"\n"), &mut out);
            assert_eq!(out, expected, "{} in steps of {step}", input.escape_ascii());
            assert_eq!(canonical.saw_nul(), nul);
        }
    }

    #[test]
    fn line_ends() {
        check(b"", b"", false);
        check(b"a\nb\n", b"a\r\nb\r\n", false);
        check(b"a\r\nb\r\n", b"a\r\nb\r\n", false);
        check(b"a\r\r\n\r\r\nb", b"a\r\n\r\nb\r\n", false);
        check(b"a\rb\r\rc\n", b"a b  c\r\n", false);
        check(b"a\r", b"a\r\n", false);
        check(b"a\0b\n", b"ab\r\n", true);
        check(&[b'\r'; 20], &[[b' '; 12].as_slice(), b"\r\n"].concat(), false);
    }
}
