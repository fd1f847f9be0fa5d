//! Bytes as they come from a socket: framing never panics, and what it makes of them does not depend on the pieces in
//! which they arrive.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wire::framing::{CommandFramer, CommandLimits, DotFramer, DotPiece, FrameError, LineFramer, LiteralStep};

/// Small, so that a fuzzer comes across them; but for what is read and thrown away, which nothing counts of a line that
/// came in one piece.
const LIMITS: CommandLimits =
    CommandLimits { line: 48, arguments: 96, literals: 3, literal: 64, non_sync_literal: 32, discard: 1 << 30 };

/// What a framer made of the bytes.
type Events = Vec<String>;

fuzz_target!(|bytes: &[u8]| {
    let size = bytes.first().map_or(1, |&byte| usize::from(byte) % 7 + 1);
    assert_eq!(commands(bytes, size), commands(bytes, bytes.len().max(1)));
    assert_eq!(lines(bytes, size), lines(bytes, bytes.len().max(1)));
    assert_eq!(body(bytes, size), body(bytes, bytes.len().max(1)));
});

fn commands(bytes: &[u8], size: usize) -> Events {
    let (mut framer, mut buffer, mut events) = (CommandFramer::new(LIMITS), BytesMut::new(), Events::new());
    let mut literal = Vec::new();
    let (mut reading, mut compared) = (false, None);
    'input: for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            if reading {
                match framer.literal_piece(&mut buffer) {
                    LiteralStep::Data(data) => literal.extend_from_slice(&data),
                    LiteralStep::NeedInput => break,
                    LiteralStep::Done => {
                        events.push(format!("literal {:?}", std::mem::take(&mut literal)));
                        reading = false;
                    }
                }
                continue;
            }
            match framer.next(&mut buffer) {
                Ok(None) => break,
                Ok(Some(fragment)) => {
                    reading = fragment.literal.is_some();
                    events.push(format!("{fragment:?}"));
                }
                Err(bad) => {
                    events.push(format!("{:?}", bad.error));
                    // Of a line that is too long only the end is kept: whether it announces a literal that is to be
                    // thrown away, and ends the connection if that is too large, may be told only if all was there.
                    compared = compared.or(matches!(bad.error, FrameError::LineTooLong { .. }).then_some(events.len()));
                    if bad.fatal {
                        break 'input;
                    }
                }
            }
        }
    }
    events.truncate(compared.unwrap_or(events.len()));
    events
}

fn lines(bytes: &[u8], size: usize) -> Events {
    let (mut framer, mut buffer, mut events) = (LineFramer::default(), BytesMut::new(), Events::new());
    for piece in bytes.chunks(size) {
        buffer.extend_from_slice(piece);
        loop {
            match framer.next(&mut buffer, LIMITS.line) {
                Ok(None) => break,
                line => events.push(format!("{line:?}")),
            }
        }
    }
    events
}

/// The text of a dot-stuffed body, whether it ended, and what is behind its end.
fn body(bytes: &[u8], size: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    let (mut framer, mut buffer, mut text) = (DotFramer::default(), BytesMut::new(), Vec::new());
    let mut pieces = bytes.chunks(size);
    while let Some(piece) = pieces.next() {
        buffer.extend_from_slice(piece);
        while let Some(piece) = framer.next(&mut buffer) {
            match piece {
                DotPiece::Data(data) => text.extend_from_slice(&data),
                DotPiece::End => {
                    let rest = pieces.flatten().copied();
                    return (text, Some(buffer.iter().copied().chain(rest).collect()));
                }
            }
        }
    }
    (text, None)
}
