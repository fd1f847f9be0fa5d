//! What a message must be to come in, and what is changed in it: a filter between the octets a client sends and the
//! stage file. No I/O.
//!
//! Refused are NUL octets, bare CR and LF (or these are repaired), and headers beyond reason. Everything else is stored
//! as it came: 8-bit octets in headers, long lines, headers that are no headers. A bounce would help nobody, and the
//! readers of mail cope.
//!
//! Changed is only the top: a trace header is put there, and `Return-Path:` fields of the message are removed, because
//! there must be one and it must be ours (RFC 5321, 4.4). A message that does not begin with a header field gets an
//! empty line between the trace header and itself, lest its first line became part of that.

use bytes::{Bytes, BytesMut};
use memchr::{memchr, memchr3_iter, memmem};

use crate::limits;
use crate::reply::Defect;
use crate::settings::BareLineEnds;

/// A message being filtered. After an error it is of no more use.
#[derive(Debug)]
pub(crate) struct Intake {
    bare_line_ends: BareLineEnds,
    /// Put before the message.
    trace: Bytes,
    /// The header as far as it has come; `None` behind its end.
    header: Option<Header>,
    /// The last octet was a CR. It is held back until the next one shows what it is.
    after_cr: bool,
}

#[derive(Debug, Default)]
struct Header {
    octets: BytesMut,
    /// Octets known to hold no end of the header, not even its beginning.
    searched: usize,
}

impl Intake {
    /// A new message; `trace` is whole header fields.
    pub(crate) fn new(trace: Bytes, bare_line_ends: BareLineEnds) -> Self {
        Self { bare_line_ends, trace, header: Some(Header::default()), after_cr: false }
    }

    /// Takes octets of the message and appends to `out` what goes to the stage.
    pub(crate) fn push(&mut self, piece: Bytes, out: &mut Vec<Bytes>) -> Result<(), Defect> {
        let Some(&first) = piece.first() else { return Ok(()) };
        let mut done = 0;
        if std::mem::take(&mut self.after_cr) {
            if first == b'\n' {
                self.accept(Bytes::from_static(b"\r\n"), out)?;
                done = 1;
            } else {
                self.bare(b" ", out)?;
            }
        }
        for at in memchr3_iter(0, b'\r', b'\n', &piece) {
            if at < done {
                continue;
            }
            match piece[at] {
                0 => return Err(Defect::Nul),
                b'\r' => match piece.get(at + 1) {
                    Some(b'\n') => {}
                    Some(_) => {
                        self.accept(piece.slice(done..at), out)?;
                        self.bare(b" ", out)?;
                        done = at + 1;
                    }
                    None => {
                        self.accept(piece.slice(done..at), out)?;
                        self.after_cr = true;
                        return Ok(());
                    }
                },
                _ if at > done && piece[at - 1] == b'\r' => {}
                _ => {
                    self.accept(piece.slice(done..at), out)?;
                    self.bare(b"\r\n", out)?;
                    done = at + 1;
                }
            }
        }
        self.accept(piece.slice(done..), out)
    }

    /// Ends the message.
    pub(crate) fn end(&mut self, out: &mut Vec<Bytes>) -> Result<(), Defect> {
        if std::mem::take(&mut self.after_cr) {
            self.bare(b" ", out)?;
        }
        if let Some(header) = self.header.take() {
            // No empty line: all of it is header, or none is.
            self.put_header(&header.octets.freeze(), out);
        }
        Ok(())
    }

    /// A bare CR or LF came: refuses the message or puts `instead`.
    fn bare(&mut self, instead: &'static [u8], out: &mut Vec<Bytes>) -> Result<(), Defect> {
        match self.bare_line_ends {
            BareLineEnds::Refuse => Err(Defect::BareLineEnd),
            BareLineEnds::Repair => self.accept(Bytes::from_static(instead), out),
        }
    }

    /// Octets whose line ends are in order.
    fn accept(&mut self, octets: Bytes, out: &mut Vec<Bytes>) -> Result<(), Defect> {
        if octets.is_empty() {
            return Ok(());
        }
        let Some(header) = &mut self.header else {
            out.push(octets);
            return Ok(());
        };
        header.octets.extend_from_slice(&octets);
        match header.end() {
            Some(end) => {
                let mut octets = std::mem::take(&mut header.octets);
                self.header = None;
                let head = octets.split_to(end).freeze();
                if head.len() > limits::HEADER {
                    return Err(Defect::HeaderTooBig);
                }
                self.put_header(&head, out);
                if !octets.is_empty() {
                    out.push(octets.freeze());
                }
                Ok(())
            }
            None if header.octets.len() > limits::HEADER => Err(Defect::HeaderTooBig),
            None => Ok(()),
        }
    }

    /// The trace header, then the message's own without its Return-Path fields.
    fn put_header(&mut self, header: &Bytes, out: &mut Vec<Bytes>) {
        out.push(std::mem::take(&mut self.trace));
        if !header.is_empty() && !header.starts_with(b"\r\n") && !begins_with_field(header) {
            out.push(Bytes::from_static(b"\r\n"));
            out.push(header.clone());
            return;
        }
        let (mut from, mut at) = (0, 0);
        while at < header.len() {
            let end = field_end(header, at);
            if is_return_path(&header[at..end]) {
                if from < at {
                    out.push(header.slice(from..at));
                }
                from = end;
            }
            at = end;
        }
        if from < header.len() {
            out.push(header.slice(from..));
        }
    }
}

impl Header {
    /// Where the body begins, behind the empty line. Looks at each octet once.
    fn end(&mut self) -> Option<usize> {
        if self.octets.starts_with(b"\r\n") {
            return Some(2);
        }
        let found = memmem::find(&self.octets[self.searched..], b"\r\n\r\n").map(|at| self.searched + at + 4);
        self.searched = self.octets.len().saturating_sub(3);
        found
    }
}

/// ```abnf
/// field = 1*ftext *WSP ":" ...       ; the white space is obs-syntax (RFC 5322, 4.5)
/// ```
fn begins_with_field(header: &[u8]) -> bool {
    memchr(b':', header).is_some_and(|colon| {
        let name = header[..colon].trim_ascii_end();
        !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
    })
}

/// The end of the field at `start`, its continuation lines included.
fn field_end(header: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        at = memchr(b'\n', &header[at..]).map_or(header.len(), |lf| at + lf + 1);
        if !matches!(header.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
}

fn is_return_path(field: &[u8]) -> bool {
    const NAME: &[u8] = b"Return-Path";
    field
        .split_at_checked(NAME.len())
        .is_some_and(|(name, rest)| name.eq_ignore_ascii_case(NAME) && rest.trim_ascii_start().starts_with(b":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &[u8] = b"Return-Path: <a@b>\r\n";

    fn run(input: &[u8], step: usize, policy: BareLineEnds) -> Result<Vec<u8>, Defect> {
        let mut intake = Intake::new(Bytes::from_static(TRACE), policy);
        let mut out = Vec::new();
        for piece in input.chunks(step.max(1)) {
            intake.push(Bytes::copy_from_slice(piece), &mut out)?;
        }
        intake.end(&mut out)?;
        Ok(out.concat())
    }

    fn check(input: &[u8], policy: BareLineEnds, expected: Result<&[u8], Defect>) {
        let expected = expected.map(|rest| [TRACE, rest].concat());
        for step in 1..=input.len().max(1) {
            let got = run(input, step, policy);
            assert_eq!(got, expected, "{} in steps of {step}", input.escape_ascii());
        }
    }

    #[test]
    fn plain_messages_pass_unchanged() {
        for message in [
            &b"Subject: x\r\n\r\nbody\r\n"[..],
            b"Subject: x\r\n\r\n",
            b"Subject: x\r\n",
            b"Subject: x",
            b"\r\nbody only\r\n",
            b"\r\n",
            b"",
            b"A: 1\r\n b\r\nB : 2\r\n\r\n.\r\n..\r\n",
            b"Subject: \xe4\xf6\xfc\r\n\r\n\xff\xfe\r\n",
            b"A: 1\r\nnot a field\r\nB: 2\r\n\r\nx",
        ] {
            check(message, BareLineEnds::Refuse, Ok(message));
            check(message, BareLineEnds::Repair, Ok(message));
        }
    }

    #[test]
    fn return_paths_are_removed() {
        let rows: [(&[u8], &[u8]); 6] = [
            (b"Return-Path: <x@y>\r\nA: 1\r\n\r\nReturn-Path: <body>\r\n", b"A: 1\r\n\r\nReturn-Path: <body>\r\n"),
            (b"A: 1\r\nreturn-path:\r\n <x@y>\r\nB: 2\r\n\r\n", b"A: 1\r\nB: 2\r\n\r\n"),
            (b"RETURN-PATH : <x@y>\r\nReturn-Path: <>\r\n\r\nx", b"\r\nx"),
            (b"Return-Path-X: 1\r\n\r\n", b"Return-Path-X: 1\r\n\r\n"),
            (b"A: 1\r\n Return-Path: folded\r\n\r\n", b"A: 1\r\n Return-Path: folded\r\n\r\n"),
            (b"Return-Path: <x@y>", b""),
        ];
        for (input, expected) in rows {
            check(input, BareLineEnds::Refuse, Ok(expected));
        }
    }

    #[test]
    fn what_is_no_header_is_kept_out_of_ours() {
        check(b"hello world\r\n", BareLineEnds::Refuse, Ok(b"\r\nhello world\r\n"));
        check(b" folded: x\r\n\r\nbody", BareLineEnds::Refuse, Ok(b"\r\n folded: x\r\n\r\nbody"));
        check(b": x\r\n\r\n", BareLineEnds::Refuse, Ok(b"\r\n: x\r\n\r\n"));
        check(b"one line\r\nA: 1\r\n\r\n", BareLineEnds::Refuse, Ok(b"\r\none line\r\nA: 1\r\n\r\n"));
    }

    #[test]
    fn line_ends() {
        use BareLineEnds::{Refuse, Repair};
        let rows: [(&[u8], &[u8]); 7] = [
            (b"A: 1\n\nbody\n", b"A: 1\r\n\r\nbody\r\n"),
            (b"A: 1\r\n\r\nx\n.\ny\r\n", b"A: 1\r\n\r\nx\r\n.\r\ny\r\n"),
            (b"A: 1\r\n\r\nx\ry\r\n", b"A: 1\r\n\r\nx y\r\n"),
            (b"A: 1\r\n\r\nx\r\r\ny", b"A: 1\r\n\r\nx \r\ny"),
            (b"A: 1\r\n\r\nx\r", b"A: 1\r\n\r\nx "),
            (b"A: 1\r\n\r\nx\r\n\n", b"A: 1\r\n\r\nx\r\n\r\n"),
            (b"\nbody", b"\r\nbody"),
        ];
        for (input, repaired) in rows {
            check(input, Refuse, Err(Defect::BareLineEnd));
            check(input, Repair, Ok(repaired));
        }
    }

    #[test]
    fn nul_is_refused() {
        for message in [&b"A: \0\r\n\r\n"[..], b"A: 1\r\n\r\nx\0", b"\0"] {
            check(message, BareLineEnds::Refuse, Err(Defect::Nul));
            check(message, BareLineEnds::Repair, Err(Defect::Nul));
        }
    }

    #[test]
    fn headers_are_limited_and_bodies_are_not() {
        let header = |n: usize| [b"A: ".to_vec(), vec![b'x'; n - 7], b"\r\n\r\n".to_vec()].concat();
        for step in [1000, limits::HEADER * 2] {
            let mut fits = header(limits::HEADER);
            fits.extend(std::iter::repeat_n(b'y', 3 * limits::HEADER));
            assert_eq!(run(&fits, step, BareLineEnds::Refuse).unwrap().len(), TRACE.len() + fits.len());
            assert_eq!(run(&header(limits::HEADER + 1), step, BareLineEnds::Refuse), Err(Defect::HeaderTooBig));
        }
        let endless = vec![b'x'; limits::HEADER + 1];
        assert_eq!(run(&endless, 4096, BareLineEnds::Refuse), Err(Defect::HeaderTooBig));
    }

    proptest::proptest! {
        #[test]
        fn pieces_do_not_matter(input in "[A-C:\r\n. ]{0,40}", step in 1usize..7) {
            for policy in [BareLineEnds::Refuse, BareLineEnds::Repair] {
                let whole = run(input.as_bytes(), input.len(), policy);
                proptest::prop_assert_eq!(&run(input.as_bytes(), step, policy), &whole);
                if let Ok(text) = whole {
                    let text = String::from_utf8_lossy(&text).replace("\r\n", "");
                    proptest::prop_assert!(!text.contains(['\r', '\n']));
                }
            }
        }
    }
}
