//! Mailboxes: made, deleted, renamed, subscribed to, rebuilt, moved.

use super::options::{Options, Takes};
use super::{Output, usage};
use crate::imap::Part;
use crate::shell::Shell;
use crate::trouble::Trouble;

/// ```text
/// createmailbox [--partition PARTITION] [--specialuse FLAG] MAILBOX [PARTITION]
/// ```
pub(super) fn create(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("partition", Takes::Value), ("specialuse", Takes::Value)])?;
    let (mailbox, partition) = match options.words[..] {
        [mailbox] => (mailbox, options.value("partition")),
        [mailbox, partition] if !options.has("partition") => (mailbox, Some(partition)),
        _ => return Err(usage("createmailbox")),
    };
    let mut rest = Vec::new();
    let special_use = options.value("specialuse").map(attribute).transpose()?;
    match (special_use.as_deref(), partition) {
        (Some(special_use), partition) => {
            rest.extend([Part::Raw(" (USE ("), Part::Raw(special_use), Part::Raw(")")]);
            if let Some(partition) = partition {
                rest.extend([Part::Raw(" PARTITION "), Part::Text(partition)]);
            }
            rest.push(Part::Raw(")"));
        }
        (None, Some(partition)) => rest.extend([Part::Raw(" "), Part::Text(partition)]),
        (None, None) => {}
    }
    shell.session()?.on("CREATE", mailbox, &rest).map(drop)
}

/// `\Drafts` of `\Drafts` or `drafts`.
fn attribute(word: &str) -> Result<String, Trouble> {
    let name = word.trim_start_matches('\\');
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(Trouble::usage(format!("{word} is no special use")));
    }
    Ok(format!("\\{name}"))
}

/// ```text
/// deletemailbox MAILBOX
/// ```
pub(super) fn delete(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let [mailbox] = words else { return Err(usage("deletemailbox")) };
    shell.session()?.on("DELETE", mailbox, &[]).map(drop)
}

/// ```text
/// renamemailbox [--partition PARTITION] OLD NEW [PARTITION]
/// ```
pub(super) fn rename(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("partition", Takes::Value)])?;
    let (old, new, partition) = match options.words[..] {
        [old, new] => (old, new, options.value("partition")),
        [old, new, partition] if !options.has("partition") => (old, new, Some(partition)),
        _ => return Err(usage("renamemailbox")),
    };
    let new = crate::modified_utf7::encode(new);
    let mut rest = vec![Part::Raw(" "), Part::Text(&new)];
    if let Some(partition) = partition {
        rest.extend([Part::Raw(" "), Part::Text(partition)]);
    }
    shell.session()?.on("RENAME", old, &rest).map(drop)
}

/// ```text
/// subscribe MAILBOX...
/// ```
pub(super) fn subscribe(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    subscription(shell, "SUBSCRIBE", words)
}

/// ```text
/// unsubscribe MAILBOX...
/// ```
pub(super) fn unsubscribe(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    subscription(shell, "UNSUBSCRIBE", words)
}

fn subscription(shell: &mut Shell<'_>, command: &str, words: &[String]) -> Result<(), Trouble> {
    if words.is_empty() {
        return Err(usage(&command.to_ascii_lowercase()));
    }
    for pattern in words {
        for mailbox in shell.session()?.expand(pattern)? {
            shell.session()?.on(command, &mailbox, &[])?;
        }
    }
    Ok(())
}

/// ```text
/// reconstruct [-r] MAILBOX
/// ```
pub(super) fn reconstruct(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("recursive", Takes::Nothing)])?;
    let [mailbox] = options.words[..] else { return Err(usage("reconstruct")) };
    let rest = if options.has("recursive") { &[Part::Raw(" RECURSIVE")][..] } else { &[] };
    shell.session()?.on("RECONSTRUCT", mailbox, rest).map(drop)
}

/// ```text
/// xfermailbox MAILBOX SERVER [PARTITION]
/// ```
pub(super) fn transfer(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let ([mailbox, target @ ..], 2..=3) = (words, words.len()) else { return Err(usage("xfermailbox")) };
    let rest: Vec<_> = target.iter().flat_map(|word| [Part::Raw(" "), Part::Text(word)]).collect();
    shell.session()?.on("XFER", mailbox, &rest).map(drop)
}
