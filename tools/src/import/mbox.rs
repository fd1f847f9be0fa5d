//! Messages of an mbox file, one after the other, whatever the file's size.
//!
//! A message begins at a line `From sender date` at the start of the file or of any line; without a readable date such a
//! line is text. Four dialects exist, which no file names:
//!
//! - mboxrd: lines that match `>*From ` in a body got one `>` more. One is taken off again.
//! - mboxo: the same, but only for `From `, so that a line that had `>From ` already cannot be told. With
//!   [`Quoting::Mboxo`] only `>From ` loses its `>`.
//! - mboxcl, mboxcl2: `Content-Length:` says where the body ends. It is believed only if a message or the end of the file
//!   follows there, which takes a file that can be looked ahead in; nothing is unquoted in such a message then.
//!
//! The empty line before a From_ line belongs to that, not to the message.

use std::fs::File;
use std::io::{self, BufRead};
use std::os::unix::fs::FileExt;

use mailstore::Timestamp;

use super::canonical::Canonical;
use super::from_line::from_line;
use super::lines::{Lines, Piece};
use super::status::{Flags, Status, take_status};

/// The header of one message that is held to look for flags in it: 1 MiB. Beyond it the header passes as it is.
const HEADER: usize = 1024 * 1024;

/// Converted octets that are gathered before they are handed on.
const GATHERED: usize = 64 * 1024;

/// How body lines that begin with `From ` were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quoting {
    /// `>*From ` loses a `>`.
    #[default]
    Mboxrd,
    /// `>From ` loses its `>`.
    Mboxo,
}

/// Takes a message's octets.
type Sink<'a> = dyn FnMut(&[u8]) + 'a;

/// Where we are in an mbox file. The input is passed to each call, as for [`Lines`].
pub(crate) struct Mbox {
    lines: Lines,
    /// The same file, to look ahead in.
    ahead: Option<File>,
    quoting: Quoting,
    /// The message that comes next.
    next: Option<Entry>,
    gathered: Vec<u8>,
}

/// The beginning of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Offset of its From_ line in the file.
    pub(crate) offset: u64,
    /// That line's date.
    pub(crate) date: Timestamp,
}

/// What was learnt of a message by reading it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) flags: Flags,
    /// It has a NUL octet.
    pub(crate) has_nul: bool,
    /// It is a mail program's bookkeeping.
    pub(crate) is_bookkeeping: bool,
}

/// Why no message could be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MboxError {
    /// The input does not begin with a From_ line.
    #[error("no mbox file: it does not begin with a line \"From sender date\" (offset {0})")]
    NotMbox(u64),
    /// The input cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
}

impl Mbox {
    /// Messages of `reader`, which stands at `offset` of its file.
    pub(crate) fn new(
        reader: &mut dyn BufRead,
        offset: u64,
        ahead: Option<File>,
        quoting: Quoting,
    ) -> Result<Self, MboxError> {
        let mut lines = Lines::new(offset);
        // Empty lines at the beginning are what is left of a message that was cut off.
        let next = loop {
            match lines.advance(reader)? {
                None => break None,
                Some(piece) => match from_line(lines.piece()) {
                    Some(date) => break Some(Entry { offset: piece.offset, date }),
                    None if is_empty_line(lines.piece()) => {}
                    None => return Err(MboxError::NotMbox(piece.offset)),
                },
            }
        };
        Ok(Self { lines, ahead, quoting, next, gathered: Vec::with_capacity(GATHERED * 2) })
    }

    /// The next message's beginning, `None` at the end of the file. Read the message then.
    pub(crate) fn next_entry(&mut self) -> Option<Entry> {
        self.next.take()
    }

    /// Offset of the octet behind what was read.
    pub(crate) fn offset(&self) -> u64 {
        self.next.map_or(self.lines.offset(), |next| next.offset)
    }

    /// Reads the message that [`Mbox::next_entry`] announced to its end. Its octets go to `sink` with CRLF line ends; what
    /// `sink` thinks of them is its own business, the message is read to the end all the same.
    pub(crate) fn read(&mut self, reader: &mut dyn BufRead, sink: &mut Sink<'_>) -> io::Result<Ending> {
        let mut text = Text { canonical: Canonical::default(), ends_line: true };
        let (status, in_body) = self.header(reader, &mut text, sink)?;
        if in_body {
            match status.content_length.and_then(|length| self.counted_end(length)) {
                Some(end) => self.counted_body(reader, end, &mut text, sink)?,
                None => self.body(reader, &mut text, sink)?,
            }
        }
        text.canonical.end(text.ends_line, &mut self.gathered);
        sink(&self.gathered);
        self.gathered.clear();
        let has_nul = text.canonical.saw_nul();
        Ok(Ending { flags: status.flags, has_nul, is_bookkeeping: status.is_bookkeeping })
    }

    /// Reads the header, its empty line included, and whether a body may follow.
    fn header(&mut self, reader: &mut dyn BufRead, text: &mut Text, sink: &mut Sink<'_>) -> io::Result<(Status, bool)> {
        let mut header = Vec::new();
        let mut in_body = false;
        while let Some(piece) = self.lines.advance(reader)? {
            if self.is_next(piece) {
                break;
            }
            header.extend_from_slice(self.lines.piece());
            in_body = piece.starts && is_empty_line(self.lines.piece());
            if in_body || header.len() > HEADER {
                in_body = true;
                break;
            }
        }
        let (status, rest) = take_status(&header);
        self.put(text, &rest, sink);
        Ok((status, in_body))
    }

    /// Reads to the next From_ line.
    fn body(&mut self, reader: &mut dyn BufRead, text: &mut Text, sink: &mut Sink<'_>) -> io::Result<()> {
        // An empty line is held back until it is known not to belong to a From_ line.
        let mut empty_line = false;
        while let Some(piece) = self.lines.advance(reader)? {
            if self.is_next(piece) {
                return Ok(());
            }
            if std::mem::take(&mut empty_line) {
                self.put(text, b"\n", sink);
            }
            if piece.starts && is_empty_line(self.lines.piece()) {
                empty_line = true;
            } else {
                let quoted = piece.starts && self.is_quoted();
                self.put_piece(text, usize::from(quoted), sink);
            }
        }
        Ok(())
    }

    /// Reads a body that is known to end at `end`, and on to the From_ line behind it.
    fn counted_body(
        &mut self,
        reader: &mut dyn BufRead,
        end: u64,
        text: &mut Text,
        sink: &mut Sink<'_>,
    ) -> io::Result<()> {
        while let Some(piece) = self.lines.advance(reader)? {
            if piece.offset < end {
                self.put_piece(text, 0, sink);
            } else if self.is_next(piece) {
                break;
            }
        }
        Ok(())
    }

    /// Where a body of `length` octets ends, if a message or the end of the file follows there.
    fn counted_end(&self, length: u64) -> Option<u64> {
        let end = self.lines.offset().checked_add(length)?;
        let mut ahead = [0; 7];
        let mut held = 0;
        let file = self.ahead.as_ref()?;
        while held < ahead.len() {
            match file.read_at(&mut ahead[held..], end.checked_add(held as u64)?).ok()? {
                0 => break,
                octets => held += octets,
            }
        }
        let ahead = &ahead[..held];
        let ahead = ahead.strip_prefix(b"\r\n").or_else(|| ahead.strip_prefix(b"\n")).unwrap_or(ahead);
        let at_end = ahead.is_empty() && file.metadata().is_ok_and(|meta| end <= meta.len());
        (at_end || ahead.starts_with(b"From ")).then_some(end)
    }

    /// Whether the current piece begins another message; if so, that is next.
    fn is_next(&mut self, piece: Piece) -> bool {
        if !piece.starts || !piece.ends {
            return false;
        }
        let date = from_line(self.lines.piece());
        self.next = date.map(|date| Entry { offset: piece.offset, date });
        date.is_some()
    }

    fn is_quoted(&self) -> bool {
        let line = self.lines.piece();
        let marks = line.iter().take_while(|&&byte| byte == b'>').count();
        let wanted = match self.quoting {
            Quoting::Mboxrd => marks >= 1,
            Quoting::Mboxo => marks == 1,
        };
        wanted && line[marks..].starts_with(b"From ")
    }

    fn put_piece(&mut self, text: &mut Text, skip: usize, sink: &mut Sink<'_>) {
        let piece = &self.lines.piece()[skip..];
        text.put(piece, &mut self.gathered);
        self.relieve(sink);
    }

    fn put(&mut self, text: &mut Text, octets: &[u8], sink: &mut Sink<'_>) {
        text.put(octets, &mut self.gathered);
        self.relieve(sink);
    }

    fn relieve(&mut self, sink: &mut Sink<'_>) {
        if self.gathered.len() >= GATHERED {
            sink(&self.gathered);
            self.gathered.clear();
        }
    }
}

/// The text of one message.
struct Text {
    canonical: Canonical,
    ends_line: bool,
}

impl Text {
    fn put(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        if let Some(last) = octets.last() {
            self.canonical.convert(octets, out);
            self.ends_line = *last == b'\n';
        }
    }
}

fn is_empty_line(line: &[u8]) -> bool {
    line.strip_suffix(b"\n").is_some_and(|line| line.iter().all(|&byte| byte == b'\r'))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const FROM: &str = "From joe@example.com Sun Nov 22 20:34:06 2026\n";

    fn read_all(mut mbox: Mbox, reader: &mut dyn BufRead) -> Vec<(u64, String)> {
        let mut messages = Vec::new();
        while let Some(entry) = mbox.next_entry() {
            let mut text = Vec::new();
            let ending = mbox.read(reader, &mut |octets| text.extend_from_slice(octets)).unwrap();
            assert!(!ending.has_nul);
            messages.push((entry.offset, String::from_utf8(text).unwrap()));
        }
        messages
    }

    fn check_as(quoting: Quoting, input: &str, expected: &[&str]) {
        for capacity in [1, 3, 64, 1 << 16] {
            let mut reader = io::BufReader::with_capacity(capacity, input.as_bytes());
            let mbox = Mbox::new(&mut reader, 0, None, quoting).unwrap();
            let messages = read_all(mbox, &mut reader);
            let texts: Vec<_> = messages.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts, expected, "{input:?}");
            for (offset, _) in messages {
                assert!(input[offset as usize..].starts_with("From "));
            }
        }
    }

    fn check(input: &str, expected: &[&str]) {
        check_as(Quoting::Mboxrd, input, expected);
    }

    #[test]
    fn splits_at_from_lines() {
        check("", &[]);
        check("\n\n", &[]);
        check(&format!("{FROM}A: 1\n\nx\n\n{FROM}B: 2\n\ny\n\n"), &["A: 1\r\n\r\nx\r\n", "B: 2\r\n\r\ny\r\n"]);
        check(&format!("{FROM}A: 1\n\nx\n{FROM}B: 2\n\ny"), &["A: 1\r\n\r\nx\r\n", "B: 2\r\n\r\ny\r\n"]);
        check(&format!("{FROM}A: 1\n\n{FROM}B: 2\n\n"), &["A: 1\r\n\r\n", "B: 2\r\n\r\n"]);
        check(&format!("{FROM}A: 1\n\n\n\nx\n\n\n{FROM}"), &["A: 1\r\n\r\n\r\n\r\nx\r\n\r\n", ""]);
        check(&format!("{FROM}A: 1\n\nFrom here on\n\nFrom now\n"), &["A: 1\r\n\r\nFrom here on\r\n\r\nFrom now\r\n"]);
        check(&format!("\r\n{FROM}A: 1\r\n\r\nx\r\n\r\n{FROM}B: 2\r\n"), &["A: 1\r\n\r\nx\r\n", "B: 2\r\n"]);
        check(&format!("{FROM}Status: R\nA: 1\nX-UID: 3\n\nStatus: body\n"), &["A: 1\r\n\r\nStatus: body\r\n"]);
    }

    #[test]
    fn quoting() {
        let input = format!("{FROM}A: 1\n\n>From x\n>>From y\n> From z\n>Fromage\n");
        check(&input, &["A: 1\r\n\r\nFrom x\r\n>From y\r\n> From z\r\n>Fromage\r\n"]);
        check_as(Quoting::Mboxo, &input, &["A: 1\r\n\r\nFrom x\r\n>>From y\r\n> From z\r\n>Fromage\r\n"]);
    }

    #[test]
    fn lengths_are_believed_when_they_fit() {
        let body = format!("x\n>From y\n\n{FROM}z\n");
        let counted = |length: usize| format!("{FROM}Content-Length: {length}\n\n{body}\n{FROM}B: 2\n\n");
        let read = |input: &str| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(input.as_bytes()).unwrap();
            let mut reader = input.as_bytes();
            let mbox = Mbox::new(&mut reader, 0, Some(file), Quoting::Mboxrd).unwrap();
            read_all(mbox, &mut reader).into_iter().map(|(_, text)| text).collect::<Vec<_>>()
        };
        let right = read(&counted(body.len()));
        assert_eq!(right, [format!("\r\n{}", body.replace('\n', "\r\n")), "B: 2\r\n\r\n".to_owned()]);
        let without_last_line_end = read(&counted(body.len() - 1));
        assert_eq!(without_last_line_end.len(), 3, "the octets behind it do not fit");
        for wrong in [0, 1, body.len() + 2, 1 << 40, usize::MAX] {
            assert_eq!(read(&counted(wrong)), ["\r\nx\r\nFrom y\r\n", "z\r\n\r\n", "B: 2\r\n\r\n"], "{wrong}");
        }
        let last = format!("{FROM}Content-Length: 4\n\nx\ny\n");
        assert_eq!(read(&last), ["\r\nx\r\ny\r\n"]);
    }

    #[test]
    fn what_is_no_mbox() {
        let error = |input: &str| {
            Mbox::new(&mut input.as_bytes(), 0, None, Quoting::Mboxrd).err().map(|error| error.to_string())
        };
        assert!(error("Subject: x\n\ny\n").unwrap().contains("no mbox file"));
        assert!(error("\nFrom joe\n").unwrap().contains("offset 1"));
        assert!(error(&"x".repeat(1 << 20)).is_some());
    }

    #[test]
    fn bad_messages_do_not_hide_good_ones() {
        let input = format!("{FROM}A: 1\n\na\0b\n\n{FROM}B: 2\n\nx\n");
        let mut reader = input.as_bytes();
        let mut mbox = Mbox::new(&mut reader, 0, None, Quoting::Mboxrd).unwrap();
        mbox.next_entry().unwrap();
        assert!(mbox.read(&mut reader, &mut |_| ()).unwrap().has_nul);
        let second = mbox.next_entry().unwrap();
        assert_eq!(second.offset as usize, FROM.len() + 11);
        assert!(!mbox.read(&mut reader, &mut |_| ()).unwrap().has_nul);
    }

    #[test]
    fn memory_is_bounded() {
        let long_line = "y".repeat(5 << 20);
        let input = format!("{FROM}A: {long_line}\n{}\n{long_line}\n{FROM}B: 2\n", "C: 3\n".repeat(300_000));
        let mut reader = input.as_bytes();
        let mut mbox = Mbox::new(&mut reader, 0, None, Quoting::Mboxrd).unwrap();
        let mut largest = 0;
        while mbox.next_entry().is_some() {
            mbox.read(&mut reader, &mut |octets| largest = largest.max(octets.len())).unwrap();
        }
        assert!(largest < 3 * HEADER, "{largest}");
    }
}
