//! The list of mailboxes.

use super::options::{Options, Takes};
use super::{Output, usage};
use crate::shell::Shell;
use crate::trouble::Trouble;

/// Each mailbox in a line, with its attributes: `user/joe (\HasChildren)`.
///
/// ```text
/// listmailbox [--subscribed] [--specialuse] [PATTERN [REFERENCE]]
/// ```
pub(super) fn list(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("subscribed", Takes::Nothing), ("specialuse", Takes::Nothing)])?;
    let (pattern, reference) = match options.words[..] {
        [] => ("*", ""),
        [pattern] => (pattern, ""),
        [pattern, reference] => (pattern, reference),
        _ => return Err(usage("listmailbox")),
    };
    let session = shell.session()?;
    let command = match (options.has("subscribed"), options.has("specialuse")) {
        (false, false) => "LIST",
        (true, false) => "LSUB",
        (false, true) => "LIST (SPECIAL-USE)",
        (true, true) => "LIST (SUBSCRIBED SPECIAL-USE)",
    };
    for listed in session.list(command, reference, pattern)? {
        output.line(format!("{} ({})", listed.name, listed.attributes.join(" ")));
    }
    Ok(())
}
