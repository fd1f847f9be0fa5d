//! The junk filter of a user: mail that is not addressed to the user, in `To` or `Cc`, by an own address or an alias, is put
//! aside or destroyed, but for exceptions. This is what was set, and nothing that filters: that is a matter of Sieve scripts,
//! which the server does not run yet.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sender_pattern::SenderPattern;

/// Most exceptions of a list: each becomes a test of a script that runs for every message, and all are in one row.
pub const MAX_EXCEPTIONS: usize = 100;

/// What is done with junk. Exceptions stay as they are while it is off.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct JunkFilter {
    /// Whether it is on.
    pub on: bool,
    /// What becomes of junk.
    pub action: JunkAction,
    /// Senders whose mail is never junk, and senders whose mail always is. In no order: of several that cover a sender, the
    /// one that says most counts (an address, then the longest domain). Kept sorted.
    pub exceptions: Vec<JunkException>,
}

/// What becomes of junk.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JunkAction {
    /// It is in a folder of its own.
    #[default]
    Save,
    /// Nobody sees it.
    Destroy,
}

/// A sender, or many, and what becomes of mail from there.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct JunkException {
    /// Who.
    pub pattern: SenderPattern,
    /// What becomes of the mail.
    pub decision: Decision,
}

/// What becomes of mail from a sender.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// It is delivered, even if it is addressed to nobody in particular.
    Allow,
    /// It never is.
    Deny,
}

impl JunkAction {
    /// Both.
    pub const ALL: [JunkAction; 2] = [JunkAction::Save, JunkAction::Destroy];

    /// Its name in rows, commands and interfaces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            JunkAction::Save => "save",
            JunkAction::Destroy => "destroy",
        }
    }

    /// The action of that name.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `junk_filter.action`.
    pub fn parse(name: &str) -> Result<JunkAction> {
        let found = JunkAction::ALL.into_iter().find(|action| action.name() == name);
        found.ok_or_else(|| {
            Error::rule("junk_filter.action", name, "junk is either saved or destroyed: save or destroy")
        })
    }
}

impl Decision {
    /// Both.
    pub const ALL: [Decision; 2] = [Decision::Allow, Decision::Deny];

    /// Its name in rows, commands and interfaces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
        }
    }

    /// The decision of that name.
    ///
    /// # Errors
    /// [`Error::Rule`] of the field `decision`.
    pub fn parse(name: &str) -> Result<Decision> {
        let found = Decision::ALL.into_iter().find(|decision| decision.name() == name);
        found.ok_or_else(|| Error::rule("decision", name, "mail from there is either allowed or denied: allow or deny"))
    }
}

impl JunkException {
    /// An exception as texts say it, the one of this number in the list `field`.
    ///
    /// # Errors
    /// [`Error::Rule`] of that place of the list.
    pub fn parse(field: &'static str, index: usize, pattern: &str, decision: &str) -> Result<JunkException> {
        let pattern =
            SenderPattern::parse(pattern).map_err(|error| error.of_field(field).in_list(index, ".pattern"))?;
        let decision = Decision::parse(decision).map_err(|error| error.of_field(field).in_list(index, ".decision"))?;
        Ok(JunkException { pattern, decision })
    }
}

impl fmt::Display for JunkException {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.decision.name(), self.pattern)
    }
}

impl JunkFilter {
    /// What exceptions are called in errors.
    pub const EXCEPTIONS: &'static str = "junk_filter.exceptions";

    /// The senders of one kind of exception.
    pub fn patterns(&self, decision: Decision) -> impl Iterator<Item = &SenderPattern> {
        let is_it = move |exception: &&JunkException| exception.decision == decision;
        self.exceptions.iter().filter(is_it).map(|exception| &exception.pattern)
    }

    /// Makes these the senders of one kind of exception.
    pub fn set_patterns(&mut self, decision: Decision, patterns: impl IntoIterator<Item = SenderPattern>) {
        set_patterns(&mut self.exceptions, decision, patterns);
    }

    /// As a [`User`](crate::User) has it: nothing where nothing is said.
    #[must_use]
    pub fn kept(self) -> Option<Box<JunkFilter>> {
        (self != JunkFilter::default()).then(|| Box::new(self))
    }

    /// What must hold, if it is not as it was.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub(crate) fn check(&self, old: Option<&JunkFilter>) -> Result<()> {
        if old.is_some_and(|old| old.exceptions == self.exceptions) {
            return Ok(());
        }
        check_exceptions(JunkFilter::EXCEPTIONS, &self.exceptions)
    }
}

/// Makes these the senders of one kind of exception in a list.
pub(crate) fn set_patterns(
    exceptions: &mut Vec<JunkException>,
    decision: Decision,
    patterns: impl IntoIterator<Item = SenderPattern>,
) {
    exceptions.retain(|exception| exception.decision != decision);
    exceptions.extend(patterns.into_iter().map(|pattern| JunkException { pattern, decision }));
}

/// What must hold for a list of exceptions: not too many, each once, and none against another.
///
/// # Errors
/// [`Error::Rule`].
pub(crate) fn check_exceptions(field: &'static str, exceptions: &[JunkException]) -> Result<()> {
    if exceptions.len() > MAX_EXCEPTIONS {
        return Err(Error::rule(field, exceptions.len().to_string(), "there are at most 100 exceptions"));
    }
    let mut seen = BTreeMap::new();
    for (index, exception) in exceptions.iter().enumerate() {
        let rule = match seen.insert(&exception.pattern, exception.decision) {
            None => continue,
            Some(before) if before == exception.decision => "it is given twice",
            Some(_) => "it can't be allowed and denied",
        };
        return Err(Error::rule(field, exception.pattern.to_string(), rule).in_list(index, ".pattern"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exceptions(of: &[(&str, &str)]) -> Result<Vec<JunkException>> {
        let parse = |(index, (pattern, decision)): (usize, &(&str, &str))| {
            JunkException::parse(JunkFilter::EXCEPTIONS, index, pattern, decision)
        };
        of.iter().enumerate().map(parse).collect()
    }

    #[test]
    fn errors_name_the_place() {
        let check = |of: &[(&str, &str)], expected: &str| {
            let checked = exceptions(of).and_then(|found| check_exceptions(JunkFilter::EXCEPTIONS, &found));
            assert_eq!(checked.err().map(|error| error.to_string()).unwrap_or_default(), expected);
        };
        check(&[("xyz.com", "allow"), ("joe@xyz.com", "deny"), ("mail.xyz.com", "deny")], "");
        check(
            &[("a.example", "deny"), ("x y", "deny")],
            "junk_filter.exceptions[1].pattern: \"x y\": an address (joe@xyz.com), or the domain of many (xyz.com)",
        );
        check(
            &[("a.example", "perhaps")],
            "junk_filter.exceptions[0].decision: \"perhaps\": mail from there is either allowed or denied: allow or deny",
        );
        check(
            &[("a.example", "deny"), ("b.example", "deny"), ("A.example", "deny")],
            "junk_filter.exceptions[2].pattern: \"a.example\": it is given twice",
        );
        check(
            &[("a.example", "deny"), ("a.example", "allow")],
            "junk_filter.exceptions[1].pattern: \"a.example\": it can't be allowed and denied",
        );
        let many: Vec<_> = (0..=MAX_EXCEPTIONS).map(|n| format!("d{n}.example")).collect();
        let many: Vec<_> = many.iter().map(|pattern| (pattern.as_str(), "allow")).collect();
        check(&many[..MAX_EXCEPTIONS], "");
        check(&many, "junk_filter.exceptions: \"101\": there are at most 100 exceptions");
    }

    #[test]
    fn one_kind_is_replaced() {
        let mut filter = JunkFilter {
            exceptions: exceptions(&[("a.b", "allow"), ("c.d", "deny")]).unwrap(),
            ..JunkFilter::default()
        };
        filter.set_patterns(Decision::Allow, [SenderPattern::parse("x@e.f").unwrap()]);
        let said: Vec<_> = filter.exceptions.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["deny:c.d", "allow:x@e.f"]);
        filter.set_patterns(Decision::Deny, []);
        assert_eq!(filter.patterns(Decision::Allow).count(), 1);
        filter.set_patterns(Decision::Allow, []);
        assert_eq!(filter.kept(), None);
    }

    #[test]
    fn names_are_those_of_rows() {
        for action in JunkAction::ALL {
            assert_eq!(serde_json::to_value(action).unwrap(), action.name());
            assert_eq!(JunkAction::parse(action.name()).unwrap(), action);
        }
        for decision in Decision::ALL {
            assert_eq!(serde_json::to_value(decision).unwrap(), decision.name());
        }
        assert!(JunkAction::parse("Save").is_err());
    }
}
