//! Mailbox names as administrators type them: `user/joe/Lists`, or as Cyrus wrote them, `user.joe.Lists`.

use mailstore::MailboxName;
use tools::Exit;

use crate::failure::Failure;

/// The internal form of a name or of the beginning of one. Only what begins with `user.` is taken for Cyrus' form, in
/// which `^` stands for a dot: a shared mailbox may have dots of its own.
pub(crate) fn internal(text: &str) -> String {
    if text.contains('/') || !text.starts_with("user.") {
        return text.to_owned();
    }
    tools::from_classic(text).unwrap_or_else(|| text.to_owned())
}

/// The INBOX of a user ID.
pub(crate) fn inbox(user: &str) -> Result<String, Failure> {
    let name = MailboxName::inbox(user).map_err(|problem| Failure::new(Exit::Usage, format!("{user}: {problem}")))?;
    Ok(name.to_string())
}

/// A mailbox name.
pub(crate) fn mailbox(text: &str) -> Result<MailboxName, Failure> {
    MailboxName::parse(&internal(text)).map_err(|problem| Failure::new(Exit::Usage, format!("{text}: {problem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        for (typed, expected) in [
            ("user.joe.Lists", "user/joe/Lists"),
            ("user.joe^doe", "user/joe.doe"),
            ("user/joe/Q3.2026", "user/joe/Q3.2026"),
            ("team", "team"),
            ("v1.2", "v1.2"),
            ("", ""),
        ] {
            assert_eq!(internal(typed), expected, "{typed}");
        }
    }
}
