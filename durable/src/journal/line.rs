//! One line of the journal, written and read.

/// A line whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    pub(crate) seq: u64,
    pub(crate) synced: u64,
    pub(crate) payload: &'a str,
}

/// Appends a line with its line break. The payload is JSON as serde_json prints it, so it has no line break of its own.
pub(crate) fn encode(out: &mut Vec<u8>, line: Line<'_>) {
    let body = format!("{} {} {}", line.seq, line.synced, line.payload);
    let crc = crc32fast::hash(body.as_bytes());
    out.extend_from_slice(format!("{crc:08x} ").as_bytes());
    out.extend_from_slice(body.as_bytes());
    out.push(b'\n');
}

/// Reads a line without its line break; `None` if anything about it is wrong.
pub(crate) fn parse(bytes: &[u8]) -> Option<Line<'_>> {
    let (crc, body) = (bytes.get(..8)?, bytes.get(9..)?);
    if bytes[8] != b' ' || !crc.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let crc = u32::from_str_radix(str::from_utf8(crc).ok()?, 16).ok()?;
    if crc32fast::hash(body) != crc {
        return None;
    }
    let mut fields = str::from_utf8(body).ok()?.splitn(3, ' ');
    Some(Line { seq: number(fields.next()?)?, synced: number(fields.next()?)?, payload: fields.next()? })
}

fn number(digits: &str) -> Option<u64> {
    // `parse` alone would take a leading plus sign.
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_every_flipped_bit() {
        let line = Line { seq: 12, synced: 10, payload: r#"[["k",{"a":"ü"}]]"# };
        let mut bytes = Vec::new();
        encode(&mut bytes, line);
        assert_eq!(bytes.pop(), Some(b'\n'));
        assert_eq!(parse(&bytes), Some(line));
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(parse(&damaged), None, "byte {at}, bit {bit}");
            }
            assert_eq!(parse(&bytes[..at]), None, "cut at {at}");
        }
    }

    #[test]
    fn the_example_of_the_document_is_a_journal() {
        let document = include_str!("../../../docs/formats/journal.md");
        let example = document.split("Example:").nth(1).unwrap().split("```").nth(1).unwrap();
        let lines: Vec<_> = example.lines().skip(1).map(|line| parse(line.as_bytes()).expect(line)).collect();
        assert_eq!(lines.iter().map(|line| (line.seq, line.synced)).collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 1)]);
    }

    #[test]
    fn signs_and_missing_fields_are_refused() {
        for body in ["+1 0 []", "1 -0 []", "1 0", "1", "", " 0 []", "18446744073709551616 0 []"] {
            let line = format!("{:08x} {body}", crc32fast::hash(body.as_bytes()));
            let parsed = parse(line.as_bytes());
            // An empty number parses to nothing as well.
            assert_eq!(parsed, None, "{body:?}");
        }
    }
}
