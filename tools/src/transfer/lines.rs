//! The lines of a stream, none of which is longer than memory should be asked for.

use std::io::{self, BufRead};

/// Longest line: an alias with as many members as there may be, each as long as it may be, takes half of it.
pub(super) const MAX_LINE: usize = 8 << 20;

/// Longest file: a million users fit.
const MAX_FILE: u64 = 4 << 30;

/// What comes next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A line, without its end; it may be one that has none.
    Line,
    /// A line that is longer than [`MAX_LINE`], passed over.
    TooLong,
    End,
}

/// Reads lines.
pub(super) struct Lines<'a> {
    from: &'a mut dyn BufRead,
    /// The number of the line that was read last, from 1.
    pub(super) number: usize,
    octets: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(from: &'a mut dyn BufRead) -> Self {
        Self { from, number: 0, octets: 0 }
    }

    /// Reads the next line into `line`.
    ///
    /// # Errors
    /// Those of the stream; a file that is too long.
    pub(super) fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Next> {
        line.clear();
        let (mut is_begun, mut is_long) = (false, false);
        loop {
            let octets = self.from.fill_buf()?;
            if octets.is_empty() {
                break;
            }
            if !is_begun {
                is_begun = true;
                self.number += 1;
            }
            let end = memchr::memchr(b'\n', octets);
            let piece = &octets[..end.unwrap_or(octets.len())];
            is_long |= line.len() + piece.len() > MAX_LINE;
            if !is_long {
                line.extend_from_slice(piece);
            }
            let used = end.map_or(octets.len(), |end| end + 1);
            self.from.consume(used);
            self.octets += used as u64;
            if self.octets > MAX_FILE {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is longer than 4 GiB"));
            }
            if end.is_some() {
                break;
            }
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(match (is_begun, is_long) {
            (false, _) => Next::End,
            (true, true) => Next::TooLong,
            (true, false) => Next::Line,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    #[test]
    fn lines_have_numbers_and_a_length() {
        let long = [b'x'; 100].repeat(MAX_LINE / 100 + 1);
        let text = [b"a\r\n\n", &long[..], b"\nb"].concat();
        let mut stream = BufReader::with_capacity(7, text.as_slice().chain(&b"c"[..]));
        let mut lines = Lines::new(&mut stream);
        let mut line = Vec::new();
        for (expected, text, number) in [
            (Next::Line, "a", 1),
            (Next::Line, "", 2),
            (Next::TooLong, "", 3),
            (Next::Line, "bc", 4),
            (Next::End, "", 4),
            (Next::End, "", 4),
        ] {
            assert_eq!(lines.next(&mut line).unwrap(), expected);
            if expected != Next::TooLong {
                assert_eq!(line, text.as_bytes());
            }
            assert!(line.len() <= MAX_LINE);
            assert_eq!(lines.number, number);
        }
    }
}
