//! The table of commands: what a client can say, and in which states.

use std::borrow::Cow;

use crate::reply::Reply;

/// A set of session states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct States(u8);

impl States {
    /// Before LHLO.
    pub(crate) const CONNECTED: Self = Self(1);
    /// Between transactions.
    pub(crate) const GREETED: Self = Self(2);
    /// MAIL was accepted.
    pub(crate) const SENDER: Self = Self(4);
    /// RCPT was accepted at least once.
    pub(crate) const RECIPIENTS: Self = Self(8);
    /// BDAT has begun the message.
    pub(crate) const CHUNKS: Self = Self(16);
    /// All of them.
    const ANY: Self = Self(31);

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn contains(self, state: Self) -> bool {
        self.0 & state.0 == state.0
    }
}

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Lhlo,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Rset,
    Noop,
    Vrfy,
    Help,
    StartTls,
    Auth,
    Quit,
    /// HELO and EHLO, which must not succeed (RFC 2033, 4.1): this is not SMTP.
    SmtpHello,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Command {
    /// The word on the wire.
    name: &'static str,
    /// What it does.
    pub(crate) verb: Verb,
    /// Where it is legal.
    states: States,
    /// Where it is not, what is missing.
    missing: &'static str,
    /// How it is written, for HELP; empty for what is not offered.
    syntax: &'static str,
}

/// BDAT is legal everywhere: its octets must be read whatever it is worth.
#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    Command { name: "LHLO", verb: Verb::Lhlo, states: States::ANY, missing: "", syntax: "LHLO domain" },
    Command { name: "MAIL", verb: Verb::Mail, states: States::GREETED, missing: "Send LHLO first, and RSET before a new MAIL", syntax: "MAIL FROM:<address> [SIZE=n] [BODY=8BITMIME] [SMTPUTF8] [AUTH=id]" },
    Command { name: "RCPT", verb: Verb::Rcpt, states: States::SENDER.or(States::RECIPIENTS), missing: "Send MAIL first", syntax: "RCPT TO:<address> [IGNOREQUOTA]" },
    Command { name: "DATA", verb: Verb::Data, states: States::RECIPIENTS, missing: "No valid recipients", syntax: "DATA" },
    Command { name: "BDAT", verb: Verb::Bdat, states: States::ANY, missing: "", syntax: "BDAT size [LAST]" },
    Command { name: "RSET", verb: Verb::Rset, states: States::ANY, missing: "", syntax: "RSET" },
    Command { name: "NOOP", verb: Verb::Noop, states: States::ANY, missing: "", syntax: "NOOP" },
    Command { name: "VRFY", verb: Verb::Vrfy, states: States::ANY, missing: "", syntax: "VRFY address" },
    Command { name: "HELP", verb: Verb::Help, states: States::ANY, missing: "", syntax: "HELP" },
    Command { name: "STARTTLS", verb: Verb::StartTls, states: States::GREETED, missing: "Not now", syntax: "STARTTLS" },
    Command { name: "AUTH", verb: Verb::Auth, states: States::GREETED, missing: "Not now", syntax: "AUTH mechanism [response]" },
    Command { name: "QUIT", verb: Verb::Quit, states: States::ANY, missing: "", syntax: "QUIT" },
    Command { name: "HELO", verb: Verb::SmtpHello, states: States::ANY, missing: "", syntax: "" },
    Command { name: "EHLO", verb: Verb::SmtpHello, states: States::ANY, missing: "", syntax: "" },
];

/// The command that `line` begins with, and its arguments; or what to answer instead.
pub(crate) fn find(line: &str, state: States) -> Result<(Verb, &str), Reply> {
    let (word, arguments) = line.split_once(' ').unwrap_or((line, ""));
    let command = COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(word));
    match command {
        None => Err(Reply::new(500, "5.5.1", "Unknown command")),
        Some(command) if !command.states.contains(state) => Err(Reply::sequence(command.missing)),
        Some(command) => Ok((command.verb, arguments.trim_end_matches(' '))),
    }
}

/// The names of all commands.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// The name of the command that `line` begins with; empty if it is none.
pub(crate) fn name_of(line: &[u8]) -> &'static str {
    let word = line.split(|octet| *octet == b' ').next().unwrap_or_default();
    let command = COMMANDS.iter().find(|command| command.name.as_bytes().eq_ignore_ascii_case(word));
    command.map_or("", |command| command.name)
}

/// The reply to HELP.
pub(crate) fn help() -> Reply {
    let lines = COMMANDS.iter().filter(|command| !command.syntax.is_empty());
    Reply::lines(214, "2.0.0", lines.map(|command| Cow::Borrowed(command.syntax)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, state: States, expected: Result<(Verb, &str), &str>) {
        let got = find(line, state).map_err(|reply| reply.summary()[..9].to_owned());
        assert_eq!(got, expected.map_err(str::to_owned), "{line} in {state:?}");
    }

    #[test]
    fn the_table() {
        let all = [States::CONNECTED, States::GREETED, States::SENDER, States::RECIPIENTS, States::CHUNKS];
        let rows: [(&str, Verb, &[States]); 12] = [
            ("LHLO", Verb::Lhlo, &all),
            ("MAIL", Verb::Mail, &[States::GREETED]),
            ("RCPT", Verb::Rcpt, &[States::SENDER, States::RECIPIENTS]),
            ("DATA", Verb::Data, &[States::RECIPIENTS]),
            ("BDAT", Verb::Bdat, &all),
            ("RSET", Verb::Rset, &all),
            ("NOOP", Verb::Noop, &all),
            ("VRFY", Verb::Vrfy, &all),
            ("STARTTLS", Verb::StartTls, &[States::GREETED]),
            ("AUTH", Verb::Auth, &[States::GREETED]),
            ("QUIT", Verb::Quit, &all),
            ("EHLO", Verb::SmtpHello, &all),
        ];
        for (name, verb, legal) in rows {
            for state in all {
                let expected = if legal.contains(&state) { Ok((verb, "")) } else { Err("503 5.5.1") };
                check(name, state, expected);
            }
        }
    }

    #[test]
    fn lines() {
        check("lhlo mx.example.com ", States::CONNECTED, Ok((Verb::Lhlo, "mx.example.com")));
        check("Mail From:<>", States::GREETED, Ok((Verb::Mail, "From:<>")));
        check("", States::GREETED, Err("500 5.5.1"));
        check("XCLIENT ADDR=1", States::GREETED, Err("500 5.5.1"));
        check("QUIT\tnow", States::GREETED, Err("500 5.5.1"));
        check(" QUIT", States::GREETED, Err("500 5.5.1"));
    }
}
