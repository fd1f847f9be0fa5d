//! The connection and the shell itself.

use std::path::Path;

use super::options::{Options, Takes};
use super::{Output, TABLE, find, usage};
use crate::imap::Part;
use crate::session::{Mechanism, Session};
use crate::shell::Shell;
use crate::trouble::{Kind, Trouble, printable};
use crate::value::Value;

/// ```text
/// authenticate [--mechanism plain|login] [--authz USER] [USER]
/// ```
pub(super) fn authenticate(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("mechanism", Takes::Value), ("authz", Takes::Value)])?;
    let user = match options.words[..] {
        [] => None,
        [user] => Some(user.to_owned()),
        _ => return Err(usage("authenticate")),
    };
    let mechanism = options.value("mechanism").map(str::parse::<Mechanism>).transpose()?;
    shell.log_in(user, options.value("authz").map(str::to_owned), mechanism)
}

/// ```text
/// server [HOST]
/// ```
pub(super) fn server(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    match words {
        [] => output.line(shell.session()?.host()),
        [host] => shell.connect(host)?,
        _ => return Err(usage("server")),
    }
    Ok(())
}

/// ```text
/// disconnect
/// ```
pub(super) fn disconnect(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    none("disconnect", words)?;
    shell.disconnect();
    Ok(())
}

/// ```text
/// exit
/// ```
pub(super) fn exit(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    none("exit", words)?;
    shell.leave();
    Ok(())
}

/// The server's name, version and what else it tells (ID, RFC 2971).
///
/// ```text
/// version
/// ```
pub(super) fn version(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    none("version", words)?;
    let session: &mut Session = shell.session()?;
    if !session.can("ID") {
        return Err(Trouble::new(Kind::Refused, "the server does not tell (ID)"));
    }
    let answer = session.run(&[Part::Raw("ID (\"name\" \"cyradm\" \"vendor\" \"Angarium\")")])?;
    for response in answer.responses.iter().filter(|response| response.first().is_some_and(|v| v.is("ID"))) {
        for [name, value] in response.get(1).and_then(Value::list).unwrap_or_default().as_chunks::<2>().0 {
            if let (Some(name), Some(value)) = (name.text(), value.text()) {
                output.line(printable(&format!("{name}: {value}")));
            }
        }
    }
    Ok(())
}

/// The directory of this process: files for `>` are meant from there.
///
/// ```text
/// chdir [DIRECTORY]
/// ```
pub(super) fn chdir(_: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let directory = match words {
        [] => std::env::home_dir().ok_or_else(|| Trouble::new(Kind::File, "there is no home directory"))?,
        [directory] => Path::new(directory).to_owned(),
        _ => return Err(usage("chdir")),
    };
    std::env::set_current_dir(&directory)
        .map_err(|error| Trouble::new(Kind::File, format!("{}: {error}", directory.display())))
}

/// ```text
/// help [COMMAND]
/// ```
pub(super) fn help(_: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    match words {
        [] => {
            for command in TABLE {
                let names = [&[command.name], command.short].concat().join(", ");
                output.line(format!("{names:<34} {}", command.about));
            }
            output.line("");
            output
                .line("command; command    one after the other           command > file, >> file    output to a file");
            output.line("\"a b\"  'a b'  a\\ b   a word with a blank            # comment");
        }
        [name] => {
            let command = find(name)?;
            output.line(format!("{} {}", command.name, command.arguments).trim_end());
            if !command.short.is_empty() {
                output.line(format!("also: {}", command.short.join(", ")));
            }
            output.line(command.about);
        }
        _ => return Err(usage("help")),
    }
    Ok(())
}

fn none(name: &str, words: &[String]) -> Result<(), Trouble> {
    if words.is_empty() { Ok(()) } else { Err(usage(name)) }
}
