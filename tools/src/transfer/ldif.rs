//! The LDAP Data Interchange Format (RFC 2849), as far as it holds entries.
//!
//! ```abnf
//! ldif-content       = version-spec 1*(1*SEP ldif-attrval-record)
//! version-spec       = "version:" FILL "1"
//! ldif-attrval-record = dn-spec SEP 1*attrval-spec
//! dn-spec            = "dn:" (FILL distinguishedName / ":" FILL base64-string)
//! attrval-spec       = AttributeDescription ":" (FILL [SAFE-STRING] / ":" FILL base64-string / "<" FILL url) SEP
//! SAFE-STRING        = SAFE-INIT-CHAR *SAFE-CHAR
//! SAFE-CHAR          = %x01-09 / %x0B-0C / %x0E-7F
//! SAFE-INIT-CHAR     = SAFE-CHAR but " ", ":" and "<"
//! SEP                = [CR] LF
//! FILL               = *SPACE
//! ```
//! A line that begins with a blank is the continuation of the one before; one that begins with `#` is a comment, and so are its
//! continuations. Written are lines of at most 76 octets. UTF-8 without base64 is read, though nobody may write it.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::lines::{Lines, MAX_LINE, Next};
use super::problem::Problem;

/// Longest line that is written.
const WIDTH: usize = 76;

/// An entry. It may have secrets in it, and can't be printed.
pub(super) struct Record {
    /// The line of its name.
    pub(super) line: usize,
    pub(super) dn: String,
    /// In the order of the file.
    pub(super) attributes: Vec<(String, Vec<u8>)>,
}

/// Appends an attribute with a value, folded.
pub(super) fn write(out: &mut String, name: &str, value: &str) {
    let mut line = String::with_capacity(name.len() + value.len() + 3);
    line.push_str(name);
    if is_safe(value) {
        line.push_str(": ");
        line.push_str(value);
    } else {
        line.push_str(":: ");
        STANDARD.encode_string(value, &mut line);
    }
    // All of it is ASCII.
    let (first, mut rest) = line.split_at(line.len().min(WIDTH));
    out.push_str(first);
    out.push('\n');
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(rest.len().min(WIDTH - 1));
        out.push(' ');
        out.push_str(piece);
        out.push('\n');
        rest = more;
    }
}

/// Whether a value can stand as it is. One with a blank at its end could, but editors take it off.
fn is_safe(value: &str) -> bool {
    value.bytes().all(|octet| octet.is_ascii() && !matches!(octet, 0 | b'\n' | b'\r'))
        && !value.starts_with([' ', ':', '<'])
        && !value.ends_with(' ')
}

/// Reads entries; whatever is wrong with one is noted, and it is passed over.
///
/// # Errors
/// Those of the stream.
pub(super) fn read(
    lines: &mut Lines<'_>,
    problems: &mut Vec<Problem>,
    each: &mut dyn FnMut(Record, &mut Vec<Problem>),
) -> io::Result<()> {
    let mut reading = Reading { problems, each, record: None, is_bad: false, is_begun: false };
    let (mut line, mut logical, mut number) = (Vec::new(), Vec::new(), 0_usize);
    loop {
        let next = lines.next(&mut line)?;
        let is_more = next == Next::Line && line.first() == Some(&b' ') && number > 0;
        if is_more && logical.len() + line.len() <= MAX_LINE {
            logical.extend_from_slice(&line[1..]);
            continue;
        }
        if is_more || next == Next::TooLong {
            let rule = format!("the line is longer than {} MiB", MAX_LINE >> 20);
            reading.wrong(lines.number, &rule);
            continue;
        }
        if number > 0 {
            reading.line(number, &logical);
        }
        number = 0;
        logical.clear();
        match next {
            Next::End => {
                reading.end();
                return Ok(());
            }
            _ if line.is_empty() => reading.end(),
            _ if line.first() == Some(&b' ') => reading.wrong(lines.number, "it continues no line"),
            _ => {
                number = lines.number;
                logical.extend_from_slice(&line);
            }
        }
    }
}

struct Reading<'a> {
    problems: &'a mut Vec<Problem>,
    each: &'a mut dyn FnMut(Record, &mut Vec<Problem>),
    record: Option<Record>,
    /// Something is wrong with the record, or it is none: the rest of it is passed over.
    is_bad: bool,
    /// There was a line.
    is_begun: bool,
}

impl Reading<'_> {
    /// The record is over.
    fn end(&mut self) {
        let record = self.record.take();
        if !std::mem::take(&mut self.is_bad)
            && let Some(record) = record
        {
            (self.each)(record, self.problems);
        }
    }

    fn wrong(&mut self, line: usize, rule: &str) {
        // One for each entry: what follows from it is no news.
        if !std::mem::replace(&mut self.is_bad, true) {
            self.problems.push(Problem::new(line, "", rule));
        }
    }

    /// A whole line.
    fn line(&mut self, number: usize, line: &[u8]) {
        if line.first() == Some(&b'#') || self.is_bad {
            return;
        }
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let Some(end) = memchr::memchr(b':', line) else {
            return self.wrong(number, "a line of an entry is an attribute, a colon, and its value");
        };
        let name = String::from_utf8_lossy(&line[..end]).trim_start_matches('\u{feff}').to_ascii_lowercase();
        let value = match &line[end + 1..] {
            [b':', rest @ ..] => match STANDARD.decode(rest.trim_ascii()) {
                Ok(octets) => octets,
                Err(_) => return self.wrong(number, &format!("the value of {} is not base64", shown(&name))),
            },
            [b'<', ..] => return self.wrong(number, "a value that is somewhere else (:<) is not fetched"),
            rest => rest[rest.iter().take_while(|octet| **octet == b' ').count()..].to_vec(),
        };
        match (name.as_str(), &mut self.record) {
            ("version", None) if is_first => {
                if value != b"1" {
                    self.wrong(number, "version 1 of LDIF is read");
                }
            }
            ("dn", None) => match String::from_utf8(value) {
                Ok(dn) => self.record = Some(Record { line: number, dn, attributes: Vec::new() }),
                Err(_) => self.wrong(number, "the name of the entry is not UTF-8"),
            },
            (_, None) => self.wrong(number, "an entry begins with its name, dn:"),
            ("dn", Some(_)) => self.wrong(number, "there is an empty line between entries"),
            ("changetype" | "control", Some(_)) => {
                self.wrong(number, "that is a change, not an entry: what slapcat and ldapsearch write is read");
            }
            (_, Some(record)) => record.attributes.push((name, value)),
        }
    }
}

/// The beginning of an attribute's name: something else may stand there.
fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Entries = Vec<(usize, String, Vec<(String, String)>)>;

    fn read_all(text: &[u8]) -> (Entries, Vec<Problem>) {
        let (mut entries, mut problems, mut stream) = (Vec::new(), Vec::new(), text);
        read(&mut Lines::new(&mut stream), &mut problems, &mut |record, _| {
            let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
            let attributes = record.attributes.into_iter().map(|(name, value)| (name, text(value))).collect();
            entries.push((record.line, record.dn, attributes));
        })
        .unwrap();
        (entries, problems)
    }

    /// Examples of RFC 2849.
    #[test]
    fn entries() {
        let text = "version: 1\n# a comment\n  of two lines: x\ndn:cn=Barbara Jensen, ou=Product Development, dc=airius,\n  \
                    dc=com\r\nobjectclass: top\ncn:Barbara\ntelephonenumber:   +1 408\n  555 1212\n\n\n# next\ndn:: b3U95Za25qWt6YOoLG89QWlyaXVz\n\
                    description:: V2hhdCBhIGNhcmVmdWwgcmVhZGVyIHlvdSBhcmUhICBUaGlzIHZhbHVlIGlzIGJ\n hc2UtNjQtZW5jb2RlZA==\nempty:\nOU;lang-ja:a: b";
        let (entries, problems) = read_all(text.as_bytes());
        assert_eq!(problems, []);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].0, entries[1].0), (4, 13));
        assert_eq!(entries[0].1, "cn=Barbara Jensen, ou=Product Development, dc=airius, dc=com");
        let expected = [pair("objectclass", "top"), pair("cn", "Barbara"), pair("telephonenumber", "+1 408 555 1212")];
        assert_eq!(entries[0].2, expected);
        assert_eq!(entries[1].1, "ou=営業部,o=Airius");
        let careful = pair("description", "What a careful reader you are!  This value is base-64-encoded");
        assert_eq!(entries[1].2, [careful, pair("empty", ""), pair("ou;lang-ja", "a: b")]);
    }

    #[test]
    fn what_is_wrong_is_said_once_with_its_line() {
        let check = |text: &str, line: usize, expected: &str| {
            let text = format!("{text}\n\ndn: cn=next\ncn: next\n");
            let (entries, problems) = read_all(text.as_bytes());
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].line == line && problems[0].text.contains(expected), "{text}: {problems:?}");
            assert_eq!(entries.last().map(|entry| entry.1.as_str()), Some("cn=next"), "{text}: the next one is read");
            assert!(!problems[0].text.contains("S3CRET"), "{problems:?}");
        };
        check("dn: cn=x\nchangetype: add\ncn: x", 2, "that is a change, not an entry");
        check("dn: cn=x\ncontrol: 1.2.3 true\nchangetype: delete", 2, "that is a change");
        check("version: 2\ndn: cn=x\ncn: x", 1, "version 1 of LDIF");
        check("cn: S3CRET\ndn: cn=x", 1, "an entry begins with its name");
        check("dn: cn=x\ncn: x\ndn: cn=y", 3, "an empty line between entries");
        check("dn: cn=x\nS3CRET\n", 2, "an attribute, a colon");
        check("dn: cn=x\nuserPassword:: S3CRET!\n", 2, "the value of userpassword is not base64");
        check("dn: cn=x\njpegPhoto:< file:///etc/shadow\n", 2, "is not fetched");
        check(" dn: cn=x", 1, "it continues no line");
        check("dn:: /w==", 1, "not UTF-8");
        check("dn: cn=x\n\nversion: 1", 3, "an entry begins with its name");
        let half = "x".repeat(5 << 20);
        let long = format!("dn: cn=x\ncn: {half}\n {half}");
        check(&long, 3, "longer than 8 MiB");
        check(&format!("dn: cn=x\ncn: {}", "x".repeat(10 << 20)), 2, "longer than 8 MiB");
    }

    #[test]
    fn lines_are_folded_and_coded() {
        let check = |value: &str, expected: &str| {
            let mut out = String::new();
            write(&mut out, "cn", value);
            assert_eq!(out, expected, "{value:?}");
        };
        check("x", "cn: x\n");
        check("", "cn: \n");
        check("a: b <c> # d", "cn: a: b <c> # d\n");
        for (odd, coded) in
            [(" x", "IHg="), ("x ", "eCA="), (":x", "Ong="), ("<x", "PHg="), ("ä", "w6Q="), ("a\nb", "YQpi")]
        {
            check(odd, &format!("cn:: {coded}\n"));
        }
        check(&"x".repeat(72), &format!("cn: {}\n", "x".repeat(72)));
        check(&"x".repeat(73), &format!("cn: {}\n x\n", "x".repeat(72)));
        check(&"x".repeat(148), &format!("cn: {}\n {}\n x\n", "x".repeat(72), "x".repeat(75)));
    }

    proptest! {
        #[test]
        fn values_come_back(values in prop::collection::vec((".{0,300}|[ :<#a]{0,200}", any::<String>()), 1..5)) {
            let mut out = "version: 1\n\ndn: cn=x\n".to_owned();
            let values: Vec<_> = values.into_iter().flat_map(|(a, b)| [("cn".to_owned(), a), ("sn".to_owned(), b)]).collect();
            values.iter().for_each(|(name, value)| write(&mut out, name, value));
            prop_assert!(out.lines().all(|line| line.len() <= WIDTH && line.is_ascii()));
            let (entries, problems) = read_all(out.as_bytes());
            prop_assert_eq!(problems, []);
            prop_assert_eq!(&entries[0].2, &values);
        }

        #[test]
        fn no_octets_end_us(octets in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'), Just(b':'), Just(b' ')], 0..300)) {
            read_all(&octets);
        }
    }
}
