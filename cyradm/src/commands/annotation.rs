//! Annotations of mailboxes and of the server (METADATA, RFC 5464).

use super::options::{Options, Takes};
use super::{Output, usage};
use crate::imap::Part;
use crate::session::{Session, decoded};
use crate::shell::Shell;
use crate::trouble::{Kind, Trouble, printable};
use crate::value::Value;

/// Where Cyrus keeps its own annotations.
const CYRUS: &str = "/vendor/cmu/cyrus-imapd/";

/// Attributes that go by a short name: of mailboxes, and of the server.
const OF_MAILBOXES: &[&str] = &["comment", "expire", "news2mail", "pop3showafter", "sharedseen", "sieve", "squat"];
const OF_SERVER: &[&str] = &["motd", "comment", "admin", "shutdown", "expire", "squat"];

/// Attributes that are not Cyrus' own.
const STANDARD: &[&str] = &["comment", "motd", "admin"];

/// ```text
/// mboxconfig [--private] MAILBOX ATTRIBUTE VALUE|none
/// ```
pub(super) fn configure(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("private", Takes::Nothing)])?;
    let [mailbox, attribute, value @ ..] = &options.words[..] else { return Err(usage("mboxconfig")) };
    if value.is_empty() {
        return Err(usage("mboxconfig"));
    }
    let entry = entry(attribute, OF_MAILBOXES, options.has("private"))?;
    let session = shell.session()?;
    for mailbox in session.expand(mailbox)? {
        store(session, &mailbox, &entry, &value.join(" "))?;
    }
    Ok(())
}

/// ```text
/// setinfo ATTRIBUTE VALUE|none
/// ```
pub(super) fn set_info(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let ([attribute, value @ ..], 2..) = (words, words.len()) else { return Err(usage("setinfo")) };
    store(shell.session()?, "", &entry(attribute, OF_SERVER, false)?, &value.join(" "))
}

/// ```text
/// setmetadata [--private] MAILBOX ENTRY VALUE|none
/// ```
pub(super) fn set(shell: &mut Shell<'_>, words: &[String], _: &mut Output) -> Result<(), Trouble> {
    let options = Options::parse(words, &[("private", Takes::Nothing)])?;
    let [mailbox, name, value @ ..] = &options.words[..] else { return Err(usage("setmetadata")) };
    if value.is_empty() {
        return Err(usage("setmetadata"));
    }
    let entry = entry(name, OF_MAILBOXES, options.has("private"))?;
    store(shell.session()?, mailbox, &entry, &value.join(" "))
}

/// ```text
/// getmetadata [MAILBOX] [ENTRY]
/// ```
pub(super) fn get(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    let (mailbox, name) = match words {
        [] => ("", None),
        [mailbox] => (mailbox.as_str(), None),
        [mailbox, name] => (mailbox.as_str(), Some(entry(name, OF_MAILBOXES, false)?)),
        _ => return Err(usage("getmetadata")),
    };
    show(shell.session()?, mailbox, name.as_deref(), output)
}

/// ```text
/// info [MAILBOX]
/// ```
pub(super) fn info(shell: &mut Shell<'_>, words: &[String], output: &mut Output) -> Result<(), Trouble> {
    let session = shell.session()?;
    match words {
        [] => show(session, "", None, output),
        [pattern] => session.expand(pattern)?.iter().try_for_each(|mailbox| show(session, mailbox, None, output)),
        _ => Err(usage("info")),
    }
}

/// The entry that a name means: `/shared/comment` of `comment`; what begins with a slash is meant as it is.
fn entry(name: &str, known: &[&str], private: bool) -> Result<String, Trouble> {
    let scope = if private { "/private" } else { "/shared" };
    let is_whole = |name: &str| name.starts_with("/shared/") || name.starts_with("/private/");
    let entry = match name.strip_prefix('/') {
        Some(_) if is_whole(name) => name.to_owned(),
        Some(_) => format!("{scope}{name}"),
        None if STANDARD.contains(&name) && known.contains(&name) => format!("{scope}/{name}"),
        None if known.contains(&name) => format!("{scope}{CYRUS}{name}"),
        None => return Err(Trouble::usage(format!("{name} is none of {} and begins with no /", known.join(" ")))),
    };
    // RFC 5464, 3.2: printable ASCII without wildcards and doubled slashes.
    let is_entry = |entry: &str| entry.bytes().all(|octet| octet.is_ascii_graphic() && !b"*%\"\\(){".contains(&octet));
    if !is_entry(&entry) || entry.contains("//") || entry.ends_with('/') {
        return Err(Trouble::usage(format!("{name} names no annotation")));
    }
    Ok(entry)
}

fn store(session: &mut Session, mailbox: &str, entry: &str, value: &str) -> Result<(), Trouble> {
    check_metadata(session)?;
    let value = if value.eq_ignore_ascii_case("none") { Part::Raw("NIL") } else { Part::Text(value) };
    session.on("SETMETADATA", mailbox, &[Part::Raw(" ("), Part::Raw(entry), Part::Raw(" "), value, Part::Raw(")")])?;
    Ok(())
}

fn show(session: &mut Session, mailbox: &str, entry: Option<&str>, output: &mut Output) -> Result<(), Trouble> {
    check_metadata(session)?;
    let entry = entry.unwrap_or("(/private /shared)");
    let answer = session.on("GETMETADATA (DEPTH infinity)", mailbox, &[Part::Raw(" "), Part::Raw(entry)])?;
    for response in answer.responses.iter().filter(|response| response.first().is_some_and(|v| v.is("METADATA"))) {
        let [_, name, Value::List(values), ..] = &response[..] else { continue };
        output.line(format!("{{{}}}:", decoded(&name.text().unwrap_or_default())));
        for [entry, value] in values.as_chunks::<2>().0 {
            let (entry, value) = (entry.text().unwrap_or_default(), value.text());
            output.line(printable(&format!("  {entry}: {}", value.unwrap_or_else(|| "NIL".to_owned()))));
        }
    }
    Ok(())
}

fn check_metadata(session: &Session) -> Result<(), Trouble> {
    if session.can("METADATA") || session.can("METADATA-SERVER") {
        return Ok(());
    }
    Err(Trouble::new(Kind::Refused, "the server has no annotations (METADATA)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_short_names() {
        for (name, private, expected) in [
            ("comment", false, Some("/shared/comment")),
            ("comment", true, Some("/private/comment")),
            ("expire", false, Some("/shared/vendor/cmu/cyrus-imapd/expire")),
            ("/vendor/x/y", true, Some("/private/vendor/x/y")),
            ("/private/comment", false, Some("/private/comment")),
            ("motd", false, None),
            ("/a b", false, None),
            ("/a//b", false, None),
            ("/a)", false, None),
            ("/", false, None),
        ] {
            assert_eq!(entry(name, OF_MAILBOXES, private).ok().as_deref(), expected, "{name}");
        }
        assert_eq!(entry("motd", OF_SERVER, false).unwrap(), "/shared/motd");
    }
}
