//! What clients write where a user name belongs.

/// A user name as a client writes it.
///
/// ```abnf
/// login-name = user-id ["+" folder]
/// ```
/// A user ID holds no `+`, so the first one ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoginName<'a> {
    /// The user ID, as written.
    pub user: &'a str,
    /// The folder.
    pub detail: Option<&'a str>,
}

impl<'a> LoginName<'a> {
    /// Takes a name apart; with `details` off all of it is the user ID.
    #[must_use]
    pub fn parse(name: &'a str, details: bool) -> LoginName<'a> {
        match name.split_once('+').filter(|_| details) {
            Some((user, detail)) => LoginName { user, detail: Some(detail).filter(|detail| !detail.is_empty()) },
            None => LoginName { user: name, detail: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name, details, user, detail| {
            assert_eq!(LoginName::parse(name, details), LoginName { user, detail }, "{name}");
        };
        check("joe", true, "joe", None);
        check("joe+Lists/rust", true, "joe", Some("Lists/rust"));
        check("joe+a+b", true, "joe", Some("a+b"));
        check("joe+", true, "joe", None);
        check("+x", true, "", Some("x"));
        check("joe+x", false, "joe+x", None);
    }
}
