//! Lines of a file, in bounded memory.

use std::io::{self, BufRead, ErrorKind};

/// Longest piece of a line that is held: 64 KiB. A longer line comes in pieces.
pub(crate) const PIECE: usize = 64 * 1024;

/// Where we are in an input. The input itself is passed to each call: it may be the console's standard input, which is
/// wanted for reporting between two calls.
pub(crate) struct Lines {
    /// The current piece.
    piece: Vec<u8>,
    /// Offset of the octet behind the piece.
    offset: u64,
    /// The next piece begins a line.
    at_start: bool,
}

/// Where the current piece stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Offset of its first octet in the input.
    pub(crate) offset: u64,
    /// It begins a line.
    pub(crate) starts: bool,
    /// It ends with LF, or the input ends.
    pub(crate) ends: bool,
}

impl Lines {
    /// Lines of an input whose first octet is the one at `offset` of its file.
    pub(crate) fn new(offset: u64) -> Self {
        Self { piece: Vec::new(), offset, at_start: true }
    }

    /// Reads the next piece; `None` at the end of the input.
    pub(crate) fn advance(&mut self, reader: &mut dyn BufRead) -> io::Result<Option<Piece>> {
        self.piece.clear();
        let (offset, starts) = (self.offset, self.at_start);
        let mut ends = false;
        while !ends && self.piece.len() < PIECE {
            let available = match reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                ends = true;
                break;
            }
            let room = available.len().min(PIECE - self.piece.len());
            let lf = memchr::memchr(b'\n', &available[..room]);
            let taken = lf.map_or(room, |lf| lf + 1);
            self.piece.extend_from_slice(&available[..taken]);
            reader.consume(taken);
            self.offset += taken as u64;
            ends = lf.is_some();
        }
        self.at_start = ends;
        Ok((!self.piece.is_empty()).then_some(Piece { offset, starts, ends }))
    }

    /// The octets of the current piece.
    pub(crate) fn piece(&self) -> &[u8] {
        &self.piece
    }

    /// Offset of the octet behind the current piece.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn pieces() {
        let long = "x".repeat(PIECE + 10);
        let text = format!("a\n\n{long}\nlast");
        for capacity in [1, 7, 1 << 20] {
            let mut reader = BufReader::with_capacity(capacity, text.as_bytes());
            let mut lines = Lines::new(100);
            let mut got = Vec::new();
            while let Some(piece) = lines.advance(&mut reader).unwrap() {
                assert!(lines.piece().len() <= PIECE);
                got.push((piece.offset, piece.starts, piece.ends, lines.piece().len()));
            }
            let second = 103 + PIECE as u64;
            let expected = [
                (100, true, true, 2),
                (102, true, true, 1),
                (103, true, false, PIECE),
                (second, false, true, 11),
                (second + 11, true, true, 4),
            ];
            assert_eq!(got, expected);
        }
    }
}
