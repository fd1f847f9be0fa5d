//! Rights (RFC 4314) and quota limits (RFC 9208) as clients write them.

/// Rights as letters and digits, each once, in the client's order. Which of them exist is the store's question.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights(String);

impl Rights {
    /// `None` if a character is not a lower-case letter or a digit (RFC 4314, 3.1).
    pub fn new(text: &[u8]) -> Option<Rights> {
        let mut rights = String::new();
        for &octet in text {
            if !octet.is_ascii_lowercase() && !octet.is_ascii_digit() {
                return None;
            }
            let right = char::from(octet);
            if !rights.contains(right) {
                rights.push(right);
            }
        }
        Some(Rights(rights))
    }

    /// The rights as characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What SETACL does with an identifier's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightsChange {
    /// How.
    pub operation: RightsOperation,
    /// Which.
    pub rights: Rights,
}

/// `mod-rights`: with or without a sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RightsOperation {
    /// These and no others.
    Replace,
    /// `+`
    Add,
    /// `-`
    Remove,
}

/// One `setquota-resource`: a resource name as sent and its limit (units of the resource: 1024 octets for STORAGE).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaLimit {
    /// `STORAGE`, `MESSAGE`, `MAILBOX` ...
    pub resource: super::Atom,
    /// Below 2^63.
    pub limit: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_lower_case_and_single() {
        let check = |text: &[u8], expected: Option<&str>| {
            assert_eq!(Rights::new(text).as_ref().map(Rights::as_str), expected);
        };
        check(b"lrs", Some("lrs"));
        check(b"lrsl0", Some("lrs0"));
        check(b"", Some(""));
        check(b"lR", None);
        check(b"l\xc3\xa4", None);
    }
}
