//! Replies under construction: runs of text and stretches of message files, in order. Made on a thread that may block,
//! without a connection; written on the session's task, without a lock.

use bytes::{Bytes, BytesMut};
use mailstore::disk::DiskFile;
use wire::{Connection, WriteError};

/// One thing to send.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Octets.
    Text(Bytes),
    /// `length` octets of a file from `offset`.
    File {
        /// The message file.
        file: DiskFile,
        /// Where to begin.
        offset: u64,
        /// How many octets.
        length: u64,
    },
}

/// Things to send, in order.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    done: Vec<Piece>,
    /// Text behind the last piece.
    pub(crate) text: BytesMut,
    /// Octets of text that are held in `done`.
    held: usize,
}

/// A place to go back to when a message turns out not to be there after all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pieces: usize,
    held: usize,
    text: usize,
}

impl Pieces {
    /// Nothing yet, with room for `octets` of text.
    pub(crate) fn with_room(octets: usize) -> Pieces {
        Pieces { text: BytesMut::with_capacity(octets), ..Pieces::default() }
    }

    /// The present end.
    pub(crate) fn mark(&self) -> Mark {
        Mark { pieces: self.done.len(), held: self.held, text: self.text.len() }
    }

    /// Forgets everything behind `mark`.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        if self.done.len() > mark.pieces {
            // The text at the mark was sealed into the first piece behind it.
            if let Some(Piece::Text(sealed)) = self.done.get(mark.pieces) {
                self.text = BytesMut::from(&sealed[..mark.text.min(sealed.len())]);
            }
            self.done.truncate(mark.pieces);
            self.held = mark.held;
        } else {
            self.text.truncate(mark.text);
        }
    }

    /// Adds a stretch of a file.
    pub(crate) fn file(&mut self, file: DiskFile, offset: u64, length: u64) {
        if length > 0 {
            self.seal();
            self.done.push(Piece::File { file, offset, length });
        }
    }

    /// Adds octets without copying them, unless they are few.
    pub(crate) fn owned(&mut self, octets: Vec<u8>) {
        if octets.len() < COPY_BELOW {
            return self.text.extend_from_slice(&octets);
        }
        self.seal();
        self.held += octets.len();
        self.done.push(Piece::Text(octets.into()));
    }

    /// Octets held in memory.
    pub(crate) fn held(&self) -> usize {
        self.held + self.text.len()
    }

    /// Everything, to be written.
    pub(crate) fn finish(mut self) -> Vec<Piece> {
        self.seal();
        self.done
    }

    fn seal(&mut self) {
        if !self.text.is_empty() {
            self.held += self.text.len();
            self.done.push(Piece::Text(self.text.split().freeze()));
        }
    }
}

/// Below this, octets are copied behind their neighbours.
const COPY_BELOW: usize = 1024;

/// Writes pieces, waiting while the client does not take them.
pub(crate) async fn write(connection: &mut Connection, pieces: Vec<Piece>) -> Result<(), WriteError> {
    for piece in pieces {
        match piece {
            Piece::Text(octets) => connection.output().put_bytes(octets),
            Piece::File { file, offset, length } => connection.write_file(file.as_file(), offset, length).await?,
        }
        connection.relieve().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: Pieces) -> Vec<Vec<u8>> {
        let text = |piece| match piece {
            Piece::Text(octets) => octets.to_vec(),
            Piece::File { .. } => panic!("no file was added"),
        };
        pieces.finish().into_iter().map(text).collect()
    }

    #[test]
    fn small_pieces_join() {
        let mut pieces = Pieces::default();
        pieces.text.extend_from_slice(b"a");
        pieces.owned(b"b".to_vec());
        pieces.owned(vec![b'c'; COPY_BELOW]);
        pieces.text.extend_from_slice(b"d");
        assert_eq!(pieces.held(), 3 + COPY_BELOW);
        assert_eq!(text(pieces), [b"ab".to_vec(), vec![b'c'; COPY_BELOW], b"d".to_vec()]);
    }

    #[test]
    fn a_message_can_be_taken_back() {
        let check = |more: &dyn Fn(&mut Pieces)| {
            let mut pieces = Pieces::default();
            pieces.owned(vec![b'c'; COPY_BELOW]);
            pieces.text.extend_from_slice(b"kept");
            let (mark, held) = (pieces.mark(), pieces.held());
            more(&mut pieces);
            pieces.rewind(mark);
            assert_eq!(pieces.held(), held);
            assert_eq!(text(pieces), [vec![b'c'; COPY_BELOW], b"kept".to_vec()]);
        };
        check(&|_| {});
        check(&|pieces| pieces.text.extend_from_slice(b"lost"));
        check(&|pieces| pieces.owned(vec![b'x'; COPY_BELOW]));
        check(&|pieces| {
            pieces.text.extend_from_slice(b"lost");
            pieces.owned(vec![b'x'; COPY_BELOW]);
            pieces.text.extend_from_slice(b"lost");
        });
    }
}
