//! Access control lists (RFC 4314).

use super::{Output, usage};
use crate::imap::Part;
use crate::session::{Session, decoded};
use crate::shell::Shell;
use crate::trouble::{Trouble, printable};
use crate::value::Value;

/// Words for sets of rights, as Cyrus' shell has them. `n`, annotations, is added where the server knows it.
const WORDS: &[(&str, &str)] = &[
    ("none", ""),
    ("read", "lrs"),
    ("post", "lrsp"),
    ("append", "lrsip"),
    ("write", "lrswipkxten"),
    ("delete", "lrxten"),
    ("all", "lrswipkxtean"),
];

/// ```text
/// setaclmailbox MAILBOX ID RIGHTS [ID RIGHTS]...
/// ```
pub(super) fn set(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let [pattern, pairs @ ..] = words else { return Err(usage("setaclmailbox")) };
    let (pairs, rest) = pairs.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(usage("setaclmailbox"));
    }
    let session = shell.session()?;
    let mut changes = Vec::new();
    for [identifier, rights] in pairs {
        changes.push((identifier, meaning(rights, session)?));
    }
    for mailbox in session.expand(pattern)? {
        for (identifier, rights) in &changes {
            let rest = [Part::Raw(" "), Part::Text(identifier), Part::Raw(" "), Part::Text(rights)];
            session.on("SETACL", &mailbox, &rest)?;
        }
    }
    Ok(())
}

/// The letters that a word stands for; letters stand for themselves.
fn meaning(rights: &str, session: &Session) -> Result<String, Trouble> {
    let (sign, word) = match rights.strip_prefix(['+', '-']) {
        Some(word) => (&rights[..1], word),
        None => ("", rights),
    };
    if let Some((_, letters)) = WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) {
        let knows_n = session.capability("RIGHTS").is_some_and(|rights| rights.contains('n'));
        return Ok(format!("{sign}{}", if knows_n { (*letters).to_owned() } else { letters.replace('n', "") }));
    }
    if !word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
        return Err(Trouble::usage(format!("{rights} are no rights")));
    }
    Ok(rights.to_owned())
}

/// ```text
/// deleteaclmailbox MAILBOX ID...
/// ```
pub(super) fn delete(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let ([pattern, identifiers @ ..], 2..) = (words, words.len()) else { return Err(usage("deleteaclmailbox")) };
    let session = shell.session()?;
    for mailbox in session.expand(pattern)? {
        for identifier in identifiers {
            session.on("DELETEACL", &mailbox, &[Part::Raw(" "), Part::Text(identifier)])?;
        }
    }
    Ok(())
}

/// Each entry in a line, `joe lrswipkxtecda`; with a pattern, each mailbox's name in a line before its entries.
///
/// ```text
/// listaclmailbox MAILBOX
/// ```
pub(super) fn list(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    let [pattern] = words else { return Err(usage("listaclmailbox")) };
    let session = shell.session()?;
    let mailboxes = session.expand(pattern)?;
    let is_pattern = pattern.contains(['*', '%']);
    for mailbox in mailboxes {
        let answer = session.on("GETACL", &mailbox, &[])?;
        let acl = answer.responses.iter().find(|response| response.first().is_some_and(|value| value.is("ACL")));
        let acl = acl.ok_or_else(|| Trouble::protocol("GETACL without ACL"))?;
        let indent = if is_pattern { "  " } else { "" };
        if let Some(name) = acl.get(1).and_then(Value::text).filter(|_| is_pattern) {
            output.line(format!("{}:", decoded(&name)));
        }
        for [identifier, rights] in acl.get(2..).unwrap_or_default().as_chunks::<2>().0 {
            if let (Some(identifier), Some(rights)) = (identifier.text(), rights.text()) {
                output.line(printable(&format!("{indent}{identifier} {rights}")));
            }
        }
    }
    Ok(())
}
