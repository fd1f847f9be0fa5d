//! The table of commands, and a file for each.

pub(crate) mod apop;
pub(crate) mod auth;
pub(crate) mod capa;
pub(crate) mod dele;
pub(crate) mod lang;
pub(crate) mod list;
pub(crate) mod noop;
pub(crate) mod pass;
pub(crate) mod quit;
pub(crate) mod retr;
pub(crate) mod rset;
pub(crate) mod stat;
pub(crate) mod stls;
pub(crate) mod top;
pub(crate) mod uidl;
pub(crate) mod user;
pub(crate) mod utf8;

use mailstore::Record;

use crate::maildrop::{Maildrop, no_such_message};
use crate::outcome::Refused;
use crate::syntax::{self, Line, MessageNumber};

/// What a command does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Apop,
    Auth,
    Capa,
    Dele,
    Lang,
    List,
    Noop,
    Pass,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    User,
    Utf8,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Command {
    /// The word on the wire.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) verb: Verb,
}

#[rustfmt::skip]
const COMMANDS: &[Command] = &[
    Command { name: "APOP", verb: Verb::Apop },
    Command { name: "AUTH", verb: Verb::Auth },
    Command { name: "CAPA", verb: Verb::Capa },
    Command { name: "DELE", verb: Verb::Dele },
    Command { name: "LANG", verb: Verb::Lang },
    Command { name: "LIST", verb: Verb::List },
    Command { name: "NOOP", verb: Verb::Noop },
    Command { name: "PASS", verb: Verb::Pass },
    Command { name: "QUIT", verb: Verb::Quit },
    Command { name: "RETR", verb: Verb::Retr },
    Command { name: "RSET", verb: Verb::Rset },
    Command { name: "STAT", verb: Verb::Stat },
    Command { name: "STLS", verb: Verb::Stls },
    Command { name: "TOP",  verb: Verb::Top },
    Command { name: "UIDL", verb: Verb::Uidl },
    Command { name: "USER", verb: Verb::User },
    Command { name: "UTF8", verb: Verb::Utf8 },
];

/// The command that a line begins with.
pub(crate) fn find(keyword: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.eq_ignore_ascii_case(keyword))
}

/// The names of all commands.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|command| command.name)
}

/// Refuses arguments where none belong.
fn no_arguments(line: &Line<'_>) -> Result<(), Refused> {
    if line.words().is_empty() { Ok(()) } else { Err(Refused::bad("No arguments belong here")) }
}

/// The one argument of RETR and DELE, and the optional one of LIST and UIDL.
fn one_message(line: &Line<'_>) -> Result<Option<MessageNumber>, Refused> {
    match line.words()[..] {
        [] => Ok(None),
        [word] => number(word).map(Some),
        _ => Err(Refused::bad("One message number belongs here")),
    }
}

/// A message number.
fn number(word: &str) -> Result<MessageNumber, Refused> {
    let number = syntax::message(word).ok_or_else(|| Refused::bad("Not a message number"))?;
    number.ok_or_else(no_such_message)
}

/// A message that can be read: not marked as deleted, not expunged by others.
fn readable(maildrop: &Maildrop, number: MessageNumber) -> Result<Record, Refused> {
    maildrop.record(maildrop.message(number)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        for command in COMMANDS {
            assert_eq!(find(&command.name.to_lowercase()).map(|found| found.verb), Some(command.verb));
        }
        for unknown in ["", "RPOP", "STATS", "STAT\t", "\u{ff33}TAT"] {
            assert!(find(unknown).is_none(), "{unknown}");
        }
    }
}
