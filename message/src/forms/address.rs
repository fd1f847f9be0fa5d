//! Address lists (RFC 5322, 3.4 and 4.4), read as tolerantly as mail needs it.
//!
//! ```abnf
//! address-list = (address *("," address)) / obs-addr-list
//! address      = mailbox / group
//! mailbox      = name-addr / addr-spec
//! name-addr    = [display-name] angle-addr
//! angle-addr   = [CFWS] "<" [obs-route] addr-spec ">" [CFWS]
//! group        = display-name ":" [group-list] ";" [CFWS]
//! obs-route    = obs-domain-list ":"
//! ```
//!
//! One pass without going back, so that a list of a million addresses, or of a million brackets, takes linear time
//! (CVE-2024-23184). An address without a host is still an address: it gets [`MISSING_HOST`], because NIL there would
//! say that a group begins.

use crate::lexer::{Lexer, is_atext, trim};

/// The host of an address that has none, as Dovecot has it. A host name cannot look so.
pub(crate) const MISSING_HOST: &[u8] = b"MISSING_DOMAIN";

/// The local part of an address that has none, as Dovecot has it.
pub(crate) const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";

/// One element of an address list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Address<'a> {
    Mailbox {
        /// The display name without quoting, or the comment that stands for one.
        name: Option<&'a [u8]>,
        /// The obsolete source route, such as `@a,@b`.
        route: Option<&'a [u8]>,
        /// The local part without quoting; empty if there is none.
        mailbox: &'a [u8],
        /// `None` if there is none.
        host: Option<&'a [u8]>,
    },
    GroupStart(&'a [u8]),
    GroupEnd,
}

/// Calls `each` with every element of the list in the raw header value, groups always closed.
pub(crate) fn each_address(value: &[u8], each: impl FnMut(Address<'_>)) {
    Parser { lexer: Lexer::new(value), found: Found::default(), comment: Vec::new(), in_group: false, each }.run();
}

struct Parser<'a, F> {
    lexer: Lexer<'a>,
    found: Found,
    /// The last comment, which is the name of an address without one (RFC 822 mail: `joe@x (Joe)`).
    comment: Vec<u8>,
    in_group: bool,
    each: F,
}

/// What has been read of one address.
#[derive(Debug, Default)]
struct Found {
    /// All words so far, one space between those that were apart: a display name, if it turns out to be one.
    phrase: Vec<u8>,
    /// Where in the phrase the words begin that no white space parts: a local part, if an `@` follows.
    run_start: usize,
    /// The last word ends in a dot, so that white space behind it parts nothing.
    dotted: bool,
    mailbox: Vec<u8>,
    host: Option<Vec<u8>>,
    route: Option<Vec<u8>>,
    /// There was an angle bracket or an at sign, so what follows is no part of it.
    complete: bool,
    /// There was an angle bracket, so the phrase is the display name.
    angle: bool,
    /// There was a quoted string, whose spaces belong to a local part.
    quoted: bool,
}

impl<F: FnMut(Address<'_>)> Parser<'_, F> {
    fn run(mut self) {
        loop {
            let apart = self.lexer.skip_cfws_into(Some(&mut self.comment));
            let Some(byte) = self.lexer.peek() else { break };
            match byte {
                b',' => {
                    self.lexer.bump();
                    self.finish();
                }
                b';' => {
                    self.lexer.bump();
                    self.finish();
                    self.end_group();
                }
                b':' if !self.in_group && !self.found.complete => {
                    self.lexer.bump();
                    (self.each)(Address::GroupStart(trim(&self.found.phrase)));
                    self.found = Found::default();
                    self.comment.clear();
                    self.in_group = true;
                }
                b'<' => {
                    self.lexer.bump();
                    if self.found.complete {
                        // A comma is missing.
                        self.finish();
                    }
                    self.angle_address();
                }
                b'@' if !self.found.complete && !self.found.phrase.is_empty() => {
                    self.lexer.bump();
                    self.address_spec();
                }
                _ => self.word(byte, apart),
            }
        }
        self.finish();
        self.end_group();
    }

    /// One word of a phrase or local part; anything that fits nowhere counts as one.
    fn word(&mut self, byte: u8, apart: bool) {
        let phrase = &mut self.found.phrase;
        let dotted = byte == b'.' || self.found.dotted;
        let length = phrase.len();
        if apart && !phrase.is_empty() {
            phrase.push(b' ');
        }
        if apart && !dotted {
            self.found.run_start = phrase.len();
        }
        match byte {
            b'"' => {
                self.lexer.bump();
                self.lexer.quoted_string(phrase);
                self.found.quoted = true;
            }
            _ if is_atext(byte) || byte == b'.' => {
                phrase.extend_from_slice(self.lexer.take_while(|byte| is_atext(byte) || byte == b'.'));
            }
            b'>' => _ = self.lexer.bump(),
            _ => phrase.extend(self.lexer.bump()),
        }
        self.found.dotted = byte != b'"' && phrase.ends_with(b".");
        if self.found.complete {
            // Words behind an address belong to nothing.
            phrase.truncate(length);
        }
    }

    /// `"<" [obs-route] addr-spec ">"`, the opening bracket taken.
    fn angle_address(&mut self) {
        let found = &mut self.found;
        (found.complete, found.angle) = (true, true);
        self.lexer.skip_cfws();
        if self.lexer.peek() == Some(b'@') {
            let mut route = Vec::new();
            while let Some(byte) = self.lexer.peek().filter(|byte| !matches!(byte, b':' | b'>')) {
                if !self.lexer.skip_cfws() {
                    route.push(byte);
                    self.lexer.bump();
                }
            }
            if self.lexer.eat(b':') {
                found.route = Some(route);
            }
        }
        loop {
            self.lexer.skip_cfws();
            if found.host.is_some() && matches!(self.lexer.peek(), Some(b',' | b';' | b'<')) {
                // The closing bracket is missing.
                return;
            }
            match self.lexer.bump() {
                None | Some(b'>') => return,
                Some(b'"') if found.host.is_none() => _ = self.lexer.quoted_string(&mut found.mailbox),
                Some(b'@') => {
                    // A second one: what was taken for the host is still local part.
                    if let Some(host) = found.host.replace(Vec::new()) {
                        found.mailbox.push(b'@');
                        found.mailbox.extend_from_slice(&host);
                    }
                }
                Some(byte) => found.host.as_mut().unwrap_or(&mut found.mailbox).push(byte),
            }
        }
    }

    /// The host of an address without brackets, the `@` taken.
    fn address_spec(&mut self) {
        let found = &mut self.found;
        found.complete = true;
        found.mailbox = found.phrase.split_off(found.run_start.min(found.phrase.len()));
        // Spaces around dots, which RFC 5322, 4.4 allows, are not part of it; quoted ones are.
        if !found.quoted {
            found.mailbox.retain(|&byte| byte != b' ');
        }
        let mut host = Vec::new();
        loop {
            let apart = self.lexer.skip_cfws_into(Some(&mut self.comment));
            match self.lexer.peek() {
                Some(b'.') => host.extend(self.lexer.bump()),
                Some(b'[') => host.extend_from_slice(domain_literal(&mut self.lexer)),
                Some(byte) if is_atext(byte) && (!apart || host.is_empty() || host.ends_with(b".")) => {
                    host.extend_from_slice(self.lexer.take_while(is_atext));
                }
                _ => break,
            }
        }
        found.host = Some(host);
    }

    /// Hands out what has been read, if anything.
    fn finish(&mut self) {
        let mut found = std::mem::take(&mut self.found);
        let comment = std::mem::take(&mut self.comment);
        if !found.complete {
            // A word alone is most likely a local part without a host, several are a name without an address.
            if found.run_start == 0 {
                found.mailbox = std::mem::take(&mut found.phrase);
            }
            if found.mailbox.is_empty() && found.phrase.is_empty() {
                return;
            }
        }
        let phrase = trim(&found.phrase);
        let comment = Some(comment.as_slice()).filter(|_| !found.angle);
        let name = Some(phrase).filter(|phrase| !phrase.is_empty()).or(comment).filter(|name| !name.is_empty());
        (self.each)(Address::Mailbox {
            name,
            route: found.route.as_deref(),
            mailbox: trim(&found.mailbox),
            host: found.host.as_deref().filter(|host| !host.is_empty()),
        });
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            (self.each)(Address::GroupEnd);
        }
    }
}

/// ```abnf
/// domain-literal = [CFWS] "[" *([FWS] dtext) [FWS] "]" [CFWS]
/// ```
fn domain_literal<'a>(lexer: &mut Lexer<'a>) -> &'a [u8] {
    let rest = lexer.rest();
    let literal = lexer.take_while(|byte| !matches!(byte, b']' | b',' | b';' | b'>'));
    if lexer.eat(b']') { &rest[..=literal.len()] } else { literal }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each element as `name|route|mailbox|host`, with `-` for none.
    fn check(value: &str, expected: &[&str]) {
        let mut found = Vec::new();
        each_address(value.as_bytes(), |address| {
            let text =
                |part: Option<&[u8]>| part.map_or("-".to_owned(), |part| String::from_utf8_lossy(part).into_owned());
            found.push(match address {
                Address::Mailbox { name, route, mailbox, host } => {
                    format!("{}|{}|{}|{}", text(name), text(route), text(Some(mailbox)), text(host))
                }
                Address::GroupStart(name) => format!("{}:", text(Some(name))),
                Address::GroupEnd => ";".to_owned(),
            });
        });
        assert_eq!(found, expected, "{value:?}");
    }

    #[test]
    fn standard_forms() {
        check("joe@example.com", &["-|-|joe|example.com"]);
        check("<joe@example.com>", &["-|-|joe|example.com"]);
        check("Joe Q. Public <john.q.public@example.com>", &["Joe Q. Public|-|john.q.public|example.com"]);
        check("\"Joe \\\"Q\\\" Public\" <joe@x>, ann@y", &["Joe \"Q\" Public|-|joe|x", "-|-|ann|y"]);
        check("Who? <one@y.test>", &["Who?|-|one|y.test"]);
        check(
            "\"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
            &["Giant; \"Big\" Box|-|sysservices|example.net"],
        );
        check(
            "A Group:Ed Jones <joe@where.test>,joe@where.test;, x@y",
            &["A Group:", "Ed Jones|-|joe|where.test", "-|-|joe|where.test", ";", "-|-|x|y"],
        );
        check("Undisclosed recipients:;", &["Undisclosed recipients:", ";"]);
        check("joe@[127.0.0.1]", &["-|-|joe|[127.0.0.1]"]);
        check("Joe <joe@[IPv6:::1]>", &["Joe|-|joe|[IPv6:::1]"]);
        check("\"joe public\"@example.com", &["-|-|joe public|example.com"]);
        check("\"a@b\"@c", &["-|-|a@b|c"]);
        check("", &[]);
    }

    #[test]
    fn obsolete_forms() {
        check("Joe <@a.test,@b.test:joe@c.test>", &["Joe|@a.test,@b.test|joe|c.test"]);
        check("joe@example.com (Joe Public)", &["Joe Public|-|joe|example.com"]);
        check("pete(his account)@silly.test(his host)", &["his host|-|pete|silly.test"]);
        check("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &["Pete|-|pete|silly.test"]);
        check("john . q . public @ example . com", &["-|-|john.q.public|example.com"]);
        check("(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", &["Hidden recipients:", ";"]);
        check(
            "Mary Smith\r\n\t<mary@x.test>,\r\n , jdoe@test . example",
            &["Mary Smith|-|mary|x.test", "-|-|jdoe|test.example"],
        );
    }

    #[test]
    fn malformed() {
        check("joe", &["-|-|joe|-"]);
        check("Joe User", &["Joe User|-||-"]);
        check("<joe>", &["-|-|joe|-"]);
        check("<>", &["-|-||-"]);
        check("Joe <>", &["Joe|-||-"]);
        check("\"\" <joe@x>", &["-|-|joe|x"]);
        check("joe@", &["-|-|joe|-"]);
        check("@x", &["-|-|@x|-"]);
        check("Joe User joe@x", &["Joe User|-|joe|x"]);
        check("[list] Joe <joe@x>", &["[list] Joe|-|joe|x"]);
        check("Joe <joe@x", &["Joe|-|joe|x"]);
        check("Joe <joe@x, Ann <ann@y>", &["Joe|-|joe|x", "Ann|-|ann|y"]);
        check("\"Joe Inc.\" joe@x", &["Joe Inc.|-|joe|x"]);
        check("Joe <joe@x> junk, ann@y", &["Joe|-|joe|x", "-|-|ann|y"]);
        check("Joe <joe@x> Ann <ann@y>", &["Joe|-|joe|x", "-|-|ann|y"]);
        check("<a@b@c>", &["-|-|a@b|c"]);
        check("\"never closed <joe@x>", &["-|-|never closed <joe@x>|-"]);
        check("(never closed joe@x", &[]);
        check(",,a@b,,", &["-|-|a|b"]);
        check("a@b;c@d", &["-|-|a|b", "-|-|c|d"]);
        check("Group: a@b", &["Group:", "-|-|a|b", ";"]);
        check("a: b: c@d;", &["a:", "b:|-|c|d", ";"]);
        check("\u{e4} <a@b>", &["\u{e4}|-|a|b"]);
        check(":", &[":", ";"]);
        check("\\", &["-|-|\\|-"]);
        check("<<a@b>>", &["-|-|<a|b"]);
        check("a@b c@d", &["-|-|a|b"]);
    }
}
