//! Framing of IMAP commands, each case delivered in every split.

use super::*;

const LIMITS: CommandLimits =
    CommandLimits { line: 40, arguments: 100, literals: 3, literal: 1000, non_sync_literal: 1000, discard: 200 };

/// What a session does with every literal.
#[derive(Clone, Copy, PartialEq)]
enum Choice {
    Whole,
    Pieces,
    Refuse,
    Ignore,
}

/// One line for each thing that came out: `text|`, `text{n}`, `=literal`, `!error`, `!!fatal error`.
fn run(input: &[u8], step: usize, choice: Choice, limits: CommandLimits) -> Vec<String> {
    let mut session =
        Session { framer: CommandFramer::new(limits), choice, out: Vec::new(), reading: None, closed: false };
    let mut buffer = BytesMut::new();
    for piece in input.chunks(step) {
        buffer.extend_from_slice(piece);
        session.consume(&mut buffer);
        if session.closed {
            break;
        }
        assert!(buffer.len() <= 200 + step, "buffer is bounded");
    }
    session.out
}

struct Session {
    framer: CommandFramer,
    choice: Choice,
    out: Vec<String>,
    reading: Option<Vec<u8>>,
    closed: bool,
}

impl Session {
    fn consume(&mut self, buffer: &mut BytesMut) {
        while !self.closed {
            if self.reading.is_some() {
                if !self.literal(buffer) {
                    return;
                }
                continue;
            }
            match self.framer.next(buffer) {
                Ok(None) => return,
                Ok(Some(fragment)) => self.fragment(&fragment),
                Err(bad) => self.bad(&bad),
            }
        }
    }

    fn fragment(&mut self, fragment: &Fragment) {
        let text = fragment.text.escape_ascii();
        let Some(literal) = fragment.literal else {
            self.out.push(format!("{text}|"));
            return;
        };
        let (tilde, plus) = (if literal.binary { "~" } else { "" }, if literal.sync { "" } else { "+" });
        self.out.push(format!("{text}{tilde}{{{}{plus}}}", literal.len));
        match self.choice {
            Choice::Whole | Choice::Pieces => self.reading = Some(Vec::new()),
            Choice::Refuse => {
                if let Err(bad) = self.framer.refuse_literal() {
                    self.bad(&bad);
                }
            }
            Choice::Ignore => {}
        }
    }

    /// Whether the literal ended.
    fn literal(&mut self, buffer: &mut BytesMut) -> bool {
        if self.choice == Choice::Whole {
            match self.framer.literal_whole(buffer) {
                Ok(None) => return false,
                Ok(Some(data)) => self.out.push(format!("={}", data.escape_ascii())),
                Err(bad) => self.bad(&bad),
            }
            self.reading = None;
            return true;
        }
        match self.framer.literal_piece(buffer) {
            LiteralStep::Data(data) => {
                self.reading.as_mut().unwrap().extend_from_slice(&data);
                true
            }
            LiteralStep::NeedInput => false,
            LiteralStep::Done => {
                self.out.push(format!("={}", self.reading.take().unwrap().escape_ascii()));
                true
            }
        }
    }

    fn bad(&mut self, bad: &BadCommand) {
        let head = bad.head.escape_ascii();
        self.out.push(format!("{}{head}: {}", if bad.fatal { "!!" } else { "!" }, bad.error));
        self.closed = bad.fatal;
    }
}

#[track_caller]
fn check(input: &[u8], choice: Choice, expected: &[&str]) {
    for step in 1..=input.len().min(300) {
        assert_eq!(run(input, step, choice, LIMITS), expected, "{} in steps of {step}", input.escape_ascii());
    }
}

#[test]
fn commands_without_literals() {
    check(b"a NOOP\r\nb LOGOUT\r\n", Choice::Whole, &["a NOOP|", "b LOGOUT|"]);
    check(b"\r\n", Choice::Whole, &["|"]);
    check(b"a NO", Choice::Whole, &[]);
}

#[test]
fn literals_whole_and_in_pieces() {
    for choice in [Choice::Whole, Choice::Pieces] {
        check(
            b"a LOGIN {3}\r\njoe {6+}\r\nsec\r\nr\r\nb NOOP\r\n",
            choice,
            &["a LOGIN {3}", "=joe", " {6+}", "=sec\\r\\nr", "|", "b NOOP|"],
        );
        check(b"a X {0}\r\n\r\nb X {0+}\r\n c\r\n", choice, &["a X {0}", "=", "|", "b X {0+}", "=", " c|"]);
        check(b"a APPEND x ~{3+}\r\n\0\r\n\r\n", choice, &["a APPEND x ~{3+}", "=\\x00\\r\\n", "|"]);
        check(b"a X {8+}\r\nb NOOP\r\n\r\n", choice, &["a X {8+}", "=b NOOP\\r\\n", "|"]);
    }
}

#[test]
fn refused_and_ignored_literals_are_never_read_as_commands() {
    for choice in [Choice::Refuse, Choice::Ignore] {
        // The peer waits for us, sees the refusal, and goes on.
        check(b"a X {8}\r\nb NOOP\r\n", choice, &["a X {8}", "b NOOP|"]);
        check(b"a X {8+}\r\nz NOOP\r\n rest\r\nb NOOP\r\n", choice, &["a X {8+}", "b NOOP|"]);
        check(b"a X {8+}\r\nz NOOP\r\n {3+}\r\n\r\n\n and {5}\r\nb NOOP\r\n", choice, &["a X {8+}", "b NOOP|"]);
        check(
            b"a X {201+}\r\nz NOOP\r\n",
            choice,
            &["a X {201+}", "!!a X {201+}: Refused command is too large to skip"],
        );
    }
}

#[test]
fn malformed_commands_are_named_and_skipped() {
    let rows: &[(&[u8], &[&str])] = &[
        (b"a X\nb N\r\n", &["!a X: Line ends with a bare LF, not CRLF", "b N|"]),
        (b"a X {3+}\nabc d\r\nb N\r\n", &["!a X {3+}: Line ends with a bare LF, not CRLF", "b N|"]),
        (b"a \r X\r\nb N\r\n", &["!a \\r X\\r: Line contains a bare CR", "b N|"]),
        (b"a \0\r\nb N\r\n", &["!a \\x00\\r: Line contains a NUL octet", "b N|"]),
        (b"a \0 {3+}\r\nabc\r\nb N\r\n", &["!a \\x00 {3+}\\r: Line contains a NUL octet", "b N|"]),
        (b"a X \"y\r\nb N\r\n", &["!a X \\\"y: Quoted string is not terminated before the end of the line", "b N|"]),
        (
            b"a X \"y{7+}\r\nz NOOP\n\r\nb N\r\n",
            &["!a X \\\"y{7+}: Quoted string is not terminated before the end of the line", "b N|"],
        ),
        (b"a X {-1}\r\nb N\r\n", &["!a X {-1}: Literal length is not a number", "b N|"]),
        (b"a X {+}\r\nb N\r\n", &["!a X {+}: Literal length is not a number", "b N|"]),
        (b"a X {1 }\r\nb N\r\n", &["!a X {1 }: Literal length is not a number", "b N|"]),
        (b"a X {007}\r\nb N\r\n", &["!a X {007}: Literal length has leading zeros", "b N|"]),
        (b"a X {007+}\r\nz NOOP\n\r\nb N\r\n", &["!a X {007+}: Literal length has leading zeros", "b N|"]),
        (
            b"a X {18446744073709551616}\r\nb N\r\n",
            &["!a X {18446744073709551616}: Literal length is out of range", "b N|"],
        ),
        (b"a X {18446744073709551616+}\r\nb N\r\n", &["!!a X {18446744073709551616+}: Literal length is out of range"]),
    ];
    for (input, expected) in rows {
        check(input, Choice::Whole, expected);
    }
}

#[test]
fn long_lines_are_reported_once_and_skipped() {
    let tag = "0123456789ABCDEFGHIJ0123456789ABCDEFGHIJ";
    let fits = format!("{tag}\r\nb N\r\n");
    check(fits.as_bytes(), Choice::Whole, &[&format!("{tag}|"), "b N|"]);

    let first = |step: usize, input: &str| {
        let out = run(input.as_bytes(), step, Choice::Whole, LIMITS);
        assert!(
            out[0].starts_with(&format!("!{tag}")) && out[0].ends_with("Line is longer than 40 octets"),
            "{}",
            out[0]
        );
        out[1..].to_vec()
    };
    for step in 1..100 {
        assert_eq!(first(step, &format!("{tag}X\r\nb N\r\n")), ["b N|"]);
        assert_eq!(first(step, &format!("{tag} {tag} {tag}\r\nb N\r\n")), ["b N|"]);
        // Its literal belongs to it.
        assert_eq!(first(step, &format!("{tag} {tag} {{8+}}\r\nz NOOP\r\n x\r\nb N\r\n")), ["b N|"]);
        assert_eq!(first(step, &format!("{tag} {tag} {{8}}\r\nb N\r\n")), ["b N|"]);
        // Skipping has an end.
        let endless = format!("{tag}{tag}{tag}{tag}{tag}{tag}");
        let out = first(step, &endless);
        assert!(out.len() == 1 && out[0].ends_with("Refused command is too large to skip"), "{out:?}");
        let huge = format!("{tag}{tag}{{9999999999999999999999+}}\r\nx");
        let out = first(step, &huge);
        assert!(out.last().is_none_or(|last| last.starts_with("!!")), "{out:?}");
    }
}

#[test]
fn totals_are_limited() {
    check(
        b"a {1}\r\nx {1}\r\nx {1}\r\nx {1}\r\nb N\r\n",
        Choice::Whole,
        &["a {1}", "=x", " {1}", "=x", " {1}", "=x", "!a {1}: Command has more than 3 literals", "b N|"],
    );
    check(
        b"a {60+}\r\n0123456789012345678901234567890123456789 123456789012345678\n {60+}\r\n\
          0123456789012345678901234567890123456789 123456789012345678\n x\r\nb N\r\n",
        Choice::Whole,
        &[
            "a {60+}",
            "=0123456789012345678901234567890123456789 123456789012345678\\n",
            " {60+}",
            "!a {60+}: Command arguments are larger than 100 octets",
            "b N|",
        ],
    );
    // In pieces only the text counts.
    check(
        b"a {60+}\r\n0123456789012345678901234567890123456789 123456789012345678\n {0+}\r\n x\r\nb N\r\n",
        Choice::Pieces,
        &["a {60+}", "=0123456789012345678901234567890123456789 123456789012345678\\n", " {0+}", "=", " x|", "b N|"],
    );
    check(b"a {1001}\r\nb N\r\n", Choice::Pieces, &["!a {1001}: Literal is larger than 1000 octets", "b N|"]);
    check(b"a {1001+}\r\nb N\r\n", Choice::Pieces, &["!!a {1001+}: Literal is larger than 1000 octets"]);
    // Counted anew for each command.
    let many = b"a {1}\r\nx {1}\r\nx {1}\r\nx\r\n".repeat(20);
    assert_eq!(run(&many, 7, Choice::Whole, LIMITS).len(), 7 * 20);
}

#[test]
fn literal_minus() {
    let limits = CommandLimits::POST_AUTH.literal_minus();
    let run = |input: &str| run(input.as_bytes(), 1, Choice::Ignore, limits);
    assert_eq!(run("a {4096+}\r\n"), ["a {4096+}"]);
    assert_eq!(run("a {4097}\r\n"), ["a {4097}"]);
    let text = "x".repeat(4095);
    let refused = "!a {4097+}: Non-synchronizing literal is larger than 4096 octets";
    assert_eq!(run(&format!("a {{4097+}}\r\n{text}\r\n\r\nb N\r\n")), [refused, "b N|"]);
}

#[test]
fn abandoned_command_is_skipped() {
    let mut framer = CommandFramer::new(LIMITS);
    let mut buffer = BytesMut::from(&b"a X {3+}\r\nabcdef {2+}\r\n\r\n\r\nb N\r\n"[..]);
    framer.abandon().unwrap();
    assert!(!framer.mid_command());
    let fragment = framer.next(&mut buffer).unwrap().unwrap();
    assert_eq!(fragment.literal.unwrap().len, 3);
    assert!(framer.mid_command());
    assert_eq!(framer.literal_whole(&mut buffer).unwrap().unwrap(), "abc");
    framer.abandon().unwrap();
    assert_eq!(framer.next(&mut buffer).unwrap().unwrap().text, "b N");
    assert!(!framer.mid_command());
}

/// Whatever became of the command before, a fragment says whether it begins one.
#[test]
fn beginnings_are_known() {
    let check = |input: &[u8], choice: Choice, expected: &[bool]| {
        for step in 1..=input.len() {
            let (mut framer, mut buffer, mut begins) = (CommandFramer::new(LIMITS), BytesMut::new(), Vec::new());
            for piece in input.chunks(step) {
                buffer.extend_from_slice(piece);
                loop {
                    if framer.literal_left() > 0 && choice == Choice::Whole {
                        match framer.literal_whole(&mut buffer) {
                            Ok(None) => break,
                            Ok(Some(_)) | Err(_) => continue,
                        }
                    }
                    match framer.next(&mut buffer) {
                        Ok(None) => break,
                        Ok(Some(_)) => begins.push(framer.began_command()),
                        Err(_) => continue,
                    }
                    if choice == Choice::Refuse {
                        framer.abandon().expect("small enough to skip");
                    }
                }
            }
            assert_eq!(begins, expected, "{} by {step}", input.escape_ascii());
        }
    };
    check(b"a NOOP\r\nb NOOP\r\n", Choice::Whole, &[true, true]);
    check(b"a X {1}\r\nx {1+}\r\ny z\r\nb NOOP\r\n", Choice::Whole, &[true, false, false, true]);
    for choice in [Choice::Refuse, Choice::Ignore] {
        check(b"a X {31}\r\nb LOGIN joe x\r\n", choice, &[true, true]);
        check(b"a X {3+}\r\nxyz {1+}\r\nx more\r\nb LOGIN joe x\r\n", choice, &[true, true]);
    }
    // Refused by the framing: too large to be held, and malformed behind a literal.
    check(b"a X {101}\r\nb LOGIN joe x\r\n", Choice::Whole, &[true, true]);
    check(b"a X {1}\r\nx\0\r\nb LOGIN joe x\r\n", Choice::Whole, &[true, true]);
}

#[test]
fn hostile_sizes_stay_linear() {
    let mut framer = CommandFramer::new(CommandLimits::PRE_AUTH);
    let mut buffer = BytesMut::new();
    let mut bad = 0;
    let noise = vec![b'('; 4096];
    let closed = (0..1000).any(|_| {
        buffer.extend_from_slice(&noise);
        match framer.next(&mut buffer) {
            Ok(next) => assert_eq!(next, None),
            Err(error) if error.fatal => return true,
            Err(_) => bad += 1,
        }
        assert!(buffer.len() <= limits::PRE_AUTH_LINE + 2 * noise.len());
        false
    });
    assert!(closed && bad == 1);
}
