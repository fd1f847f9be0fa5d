//! Conversations, and what is left of them.

use proptest::prelude::*;

use super::*;

/// Runs a conversation: `C:` lines as the framing hands them out, `S:` as octets.
struct Conversation {
    mask: Mask,
    texts: Texts,
}

impl Conversation {
    fn new(service: &str, bodies: bool) -> Self {
        Self { mask: Mask::new(service, bodies, true).expect("a mail protocol"), texts: Texts::new() }
    }

    fn client(&mut self, what: Heard<'_>) -> &mut Self {
        self.mask.heard(what, 0, &mut self.texts);
        self
    }

    fn line(&mut self, line: &str) -> &mut Self {
        self.client(Heard::Line(line.as_bytes()))
    }

    fn fragment(&mut self, text: &str, literal: Option<u64>) -> &mut Self {
        self.text(text, literal, true)
    }

    /// What goes on behind a literal.
    fn more(&mut self, text: &str, literal: Option<u64>) -> &mut Self {
        self.text(text, literal, false)
    }

    fn text(&mut self, text: &str, literal: Option<u64>, begins: bool) -> &mut Self {
        let literal = literal.map(|len| Literal { len, sync: true, binary: false });
        self.client(Heard::Fragment { text: text.as_bytes(), literal, begins })
    }

    fn server(&mut self, octets: impl AsRef<[u8]>) -> &mut Self {
        self.mask.said(octets.as_ref(), &mut self.texts);
        self
    }

    #[track_caller]
    fn shows(&mut self, expected: &[&str]) -> &mut Self {
        let texts = std::mem::take(&mut self.texts).into_iter().map(|(side, text)| match side {
            Side::Client => format!("C: {text}"),
            Side::Server => format!("S: {text}"),
        });
        assert_eq!(texts.collect::<Vec<_>>(), expected);
        self
    }
}

#[test]
fn imap_logins() {
    let mut imap = Conversation::new("imap", true);
    imap.server("* OK ready\r\n").fragment("a LOGIN joe secret", None).shows(&["S: * OK ready", "C: a LOGIN [hidden]"]);
    imap.fragment("b login ", Some(3)).client(Heard::Literal(b"joe")).more(" ", Some(6));
    imap.client(Heard::Literal(b"secret")).more("", None);
    imap.shows(&["C: b login{3}", "C: [hidden]", "C: [hidden]{6}", "C: [hidden]", "C: [hidden]"]);
    imap.fragment("c AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=", None).shows(&["C: c AUTHENTICATE PLAIN [hidden]"]);
    imap.fragment("c AUTHENTICATE AGpvZQBzZWNyZXQ=", None).shows(&["C: c AUTHENTICATE [hidden]"]);
    imap.fragment("d AUTHENTICATE PLAIN", None).server("+ \r\n").line("AGpvZQBzZWNyZXQ=").server("d OK\r\n");
    imap.shows(&["C: d AUTHENTICATE PLAIN", "S: + ", "C: [hidden]", "S: d OK"]);
    // What might be one.
    imap.fragment("LOGIN joe secret", None).fragment("a LOGON joe secret", None).fragment("secret", None);
    imap.fragment("a  LOGIN joe secret", None).line("secret").client(Heard::Refused);
    imap.shows(&["C: [hidden]", "C: [hidden]", "C: [hidden]", "C: [hidden]", "C: [hidden]", "C: [a malformed line]"]);
    imap.fragment("e IDLE", None).line("DONE").shows(&["C: e IDLE", "C: DONE"]);
}

/// What was announced is not waited for: the session may have refused the literal, and the command with it.
#[test]
fn imap_logins_behind_a_refused_literal() {
    let mut imap = Conversation::new("imap", true);
    imap.fragment("1 APPEND INBOX ", Some(310)).server("1 BAD Log in first\r\n").fragment("2 LOGIN joe secret", None);
    imap.shows(&["C: 1 APPEND INBOX {310}", "S: 1 BAD Log in first", "C: 2 LOGIN [hidden]"]);
    imap.fragment("3 APPEND INBOX ", Some(310)).fragment("4 AUTHENTICATE PLAIN AGpvZQBzZWNyZXQ=", None);
    imap.shows(&["C: 3 APPEND INBOX {310}", "C: 4 AUTHENTICATE PLAIN [hidden]"]);
    imap.fragment("5 SELECT ", Some(9)).fragment("6 LOGIN joe ", Some(6)).client(Heard::Literal(b"secret"));
    imap.more(" secret", None).shows(&["C: 5 SELECT {9}", "C: 6 LOGIN [hidden]{6}", "C: [hidden]", "C: [hidden]"]);
    imap.fragment("7 LOGIN ", Some(99)).fragment("8 NOOP", None).shows(&["C: 7 LOGIN{99}", "C: 8 NOOP"]);
}

#[test]
fn imap_literals_of_clients() {
    let mut imap = Conversation::new("imaps", false);
    imap.fragment("a SEARCH SUBJECT ", Some(4)).client(Heard::Literal(b"ab\r\n")).more("", None);
    imap.shows(&["C: a SEARCH SUBJECT {4}", "C: ab\\r\\n", "C: "]);
    imap.fragment("a SEARCH SUBJECT ", Some(300)).client(Heard::Literal(&[b'x'; 300])).more(" 1", None);
    imap.shows(&["C: a SEARCH SUBJECT {300}", "C: [300 octets]", "C:  1"]);
    imap.fragment("a APPEND INBOX ", Some(6)).client(Heard::Body(b"abc")).client(Heard::Body(b"def"));
    imap.server("a OK\r\n").shows(&["C: a APPEND INBOX {6}", "C: [6 octets]", "S: a OK"]);
}

#[test]
fn imap_literals_of_ours() {
    let mut imap = Conversation::new("imap", false);
    let message = "x".repeat(300) + "a OK secret {3}\r\n";
    let fetch = format!("* 1 FETCH (BODY[] {{{}}}\r\n{message} UID 1)\r\na OK done\r\n", message.len());
    let expected = ["S: * 1 FETCH (BODY[] {317}", "S: [317 octets]", "S:  UID 1)", "S: a OK done"];
    imap.server(&fetch).shows(&expected);
    for octet in fetch.bytes() {
        imap.server([octet]);
    }
    imap.shows(&expected);
    imap.server("* LIST () \"/\" {3}\r\na\nb\r\n* OK [ALERT] not one {3}\r\nb OK {2}\r\n").shows(&[
        "S: * LIST () \"/\" {3}",
        "S: a\\nb",
        "S: ",
        "S: * OK [ALERT] not one {3}",
        "S: b OK {2}",
    ]);
    // A line too long to be kept still announces its literal.
    let long = "y".repeat(2 * LINE);
    imap.server(format!("* 1 FETCH (ENVELOPE {long} BODY[] {{300}}\r\n{})\r\n", "z".repeat(300)));
    assert_eq!(imap.texts.len(), 3);
    assert!(!imap.texts.iter().any(|(_, text)| text.contains('z')));
    imap.texts.clear();
    // Sent by the kernel.
    imap.server("* 2 FETCH (BODY[] {100000}\r\n");
    imap.mask.said_of_file(100_000, &mut imap.texts);
    imap.server(")\r\n").shows(&["S: * 2 FETCH (BODY[] {100000}", "S: [100000 octets]", "S: )"]);

    let mut all = Conversation::new("imap", true);
    all.server(&fetch);
    assert!(all.texts.iter().any(|(_, text)| text.contains("secret")));
}

#[test]
fn pop3() {
    let mut pop3 = Conversation::new("pop3", false);
    pop3.server("+OK ready\r\n").line("USER joe").server("+OK\r\n").line("pass secret").server("+OK\r\n");
    pop3.shows(&["S: +OK ready", "C: USER joe", "S: +OK", "C: pass [hidden]", "S: +OK"]);
    // Pipelined, and a message that looks like replies.
    pop3.line("LIST").line("RETR 1").line("RETR 2").line("NOOP");
    pop3.server("+OK\r\n1 5\r\n.\r\n+OK\r\n+OK secret\r\n..\r\n.\r\n-ERR no\r\n+OK idle\r\n");
    pop3.shows(&[
        "C: LIST",
        "C: RETR 1",
        "C: RETR 2",
        "C: NOOP",
        "S: +OK",
        "S: 1 5",
        "S: .",
        "S: +OK",
        "S: [16 octets]",
        "S: .",
        "S: -ERR no",
        "S: +OK idle",
    ]);
    pop3.line("AUTH PLAIN").server("+ \r\n").line("AGpvZQBzZWNyZXQ=").server("-ERR\r\n").line("NOOP").server("+OK\r\n");
    pop3.shows(&["C: AUTH PLAIN", "S: + ", "C: [hidden]", "S: -ERR", "C: NOOP", "S: +OK"]);
    // A response that is no line is answered once, as AUTH.
    pop3.line("AUTH PLAIN").server("+ \r\n").client(Heard::Refused).server("-ERR\r\n");
    pop3.client(Heard::Refused).server("-ERR\r\n").line("RETR 1").server("+OK\r\nprivate\r\n.\r\n");
    pop3.shows(&[
        "C: AUTH PLAIN",
        "S: + ",
        "C: [a malformed line]",
        "S: -ERR",
        "C: [a malformed line]",
        "S: -ERR",
        "C: RETR 1",
        "S: +OK",
        "S: [9 octets]",
        "S: .",
    ]);
    pop3.line("AUTH PLAIN AGpvZQBzZWNyZXQ=").server("+OK\r\n").line("secret").line("APOP joe abc");
    pop3.shows(&["C: AUTH PLAIN [hidden]", "S: +OK", "C: [hidden]", "C: APOP [hidden]"]);
    pop3.line("AUTH AGpvZQBzZWNyZXQ=").server("-ERR\r\n").shows(&["C: AUTH [hidden]", "S: -ERR"]);
    // Nobody knows whether RETR is a command yet, so nobody knows what is a message.
    pop3.line("AUTH PLAIN AGpvZQBzZWNyZXQ=")
        .line("STAT")
        .line("RETR 1")
        .server("+OK\r\n+OK 1 5\r\n+OK\r\nhello\r\n.\r\n");
    let ok = "S: +OK [hidden]";
    pop3.shows(&["C: AUTH PLAIN [hidden]", "C: [hidden]", "C: [hidden]", ok, ok, ok]);
}

#[test]
fn lmtp() {
    let mut lmtp = Conversation::new("lmtp", false);
    lmtp.line("LHLO mx").server("250-mail\r\n250 SIZE\r\n").line("AUTH PLAIN AGpvZQBzZWNyZXQ=").server("235 ok\r\n");
    lmtp.line("AUTH LOGIN").server("334 VXNlcm5hbWU6\r\n").line("am9l").server("334 x\r\n").line("c2VjcmV0");
    lmtp.server("235 ok\r\n").line("MAIL FROM:<a@example.org>").line("DATA").server("354 go\r\n");
    lmtp.client(Heard::Body(b"secret\r\n")).server("250 ok\r\n");
    lmtp.shows(&[
        "C: LHLO mx",
        "S: 250-mail",
        "S: 250 SIZE",
        "C: AUTH PLAIN [hidden]",
        "S: 235 ok",
        "C: AUTH LOGIN",
        "S: 334 VXNlcm5hbWU6",
        "C: [hidden]",
        "S: 334 x",
        "C: [hidden]",
        "S: 235 ok",
        "C: MAIL FROM:<a@example.org>",
        "C: DATA",
        "S: 354 go",
        "C: [8 octets]",
        "S: 250 ok",
    ]);
}

#[test]
fn a_trace_that_begins_in_the_middle() {
    let mut mask = Mask::new("pop3", false, false).expect("a mail protocol");
    let mut texts = Texts::new();
    // The end of a message that nobody knows to be one.
    mask.said(b"secret\r\n", &mut texts);
    mask.heard(Heard::Line(b"NOOP"), 11, &mut texts);
    mask.said(b"secret\r\n.\r\n+OK idle\r\n", &mut texts);
    assert_eq!(texts, [(Side::Client, "NOOP".to_owned()), (Side::Server, "+OK idle".to_owned())]);

    // The end of a login that nobody has heard the beginning of.
    let mut imap = Conversation { mask: Mask::new("imap", true, false).expect("a mail protocol"), texts: Texts::new() };
    imap.client(Heard::Literal(b"joe")).more(" secret", None).fragment("a SEARCH SUBJECT ", Some(1));
    imap.client(Heard::Literal(b"x")).more(" SEEN", None);
    imap.shows(&["C: [hidden]", "C: [hidden]", "C: a SEARCH SUBJECT {1}", "C: x", "C:  SEEN"]);
}

/// Octets that look like replies, and some that look like nothing.
fn replies() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "* 1 FETCH (BODY[] {3}\r\n",
        "* OK {3}\r\n",
        "{300}\r\n",
        "~{0}\r\n",
        "+OK\r\n",
        ".\r\n",
        "-ERR\r",
        "\n",
        "334 x\r\n",
    ];
    let word = prop::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..400);
    let text = "[ -~]{0,40}".prop_map(String::into_bytes);
    prop::collection::vec(prop_oneof![3 => word, 3 => text, 1 => noise], 0..20).prop_map(|parts| parts.concat())
}

/// All that is shown of these octets, sent in pieces of these sizes.
fn shown(service: &str, octets: &[u8], sizes: &[usize]) -> String {
    let mut session = Conversation::new(service, false);
    session.line("RETR 1").line("NOOP");
    let (mut rest, mut sizes) = (octets, sizes.iter().cycle());
    while !rest.is_empty() {
        let (piece, more) = rest.split_at(rest.len().min(sizes.next().copied().unwrap_or(1)));
        session.server(piece);
        rest = more;
    }
    session.texts.into_iter().map(|(_, text)| text).collect()
}

proptest! {
    #[test]
    fn pieces_make_no_difference(
        octets in replies().prop_map(|octets| octets.into_iter().map(|octet| octet & 0x7f).collect::<Vec<_>>()),
        sizes in prop::collection::vec(1..50_usize, 1..10),
    ) {
        for service in ["imap", "pop3", "lmtp"] {
            prop_assert_eq!(shown(service, &octets, &sizes), shown(service, &octets, &[octets.len().max(1)]));
        }
    }

    #[test]
    fn no_octets_are_too_odd(octets in replies(), sizes in prop::collection::vec(1..50_usize, 1..10)) {
        for service in ["imap", "pop3", "lmtp"] {
            shown(service, &octets, &sizes);
        }
    }
}
