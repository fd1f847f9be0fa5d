//! What a repair has to say: one event for each thing that was changed, is odd, or could not be repaired.

use std::borrow::Cow;
use std::fmt;

/// What kind of event it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RepairKind {
    /// Something was changed, or would be in a dry run.
    Change,
    /// Something is odd, and was left as it is.
    Note,
    /// Something could not be repaired.
    Problem,
}

/// One thing that a repair did or saw in a mailbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RepairEvent {
    /// What kind of event.
    pub kind: RepairKind,
    /// What happened, for programs: `message.added`.
    pub code: &'static str,
    /// The message concerned.
    pub uid: Option<u32>,
    /// What happened, for people.
    pub what: Cow<'static, str>,
}

impl RepairEvent {
    /// An event that concerns no single message.
    pub fn new(kind: RepairKind, code: &'static str, what: impl Into<Cow<'static, str>>) -> RepairEvent {
        RepairEvent { kind, code, uid: None, what: what.into() }
    }

    /// Writes the event to the log of a mailbox or directory.
    pub fn log(&self, place: &impl fmt::Display) {
        let (code, uid, what) = (self.code, self.uid, &*self.what);
        match self.kind {
            RepairKind::Change => tracing::warn!(event = "reconstruct.changed", mailbox = %place, code, uid, what),
            RepairKind::Note => tracing::info!(event = "reconstruct.noted", mailbox = %place, code, uid, what),
            RepairKind::Problem => tracing::error!(event = "reconstruct.failed", mailbox = %place, code, uid, what),
        }
    }
}

impl fmt::Display for RepairEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.uid {
            Some(uid) => write!(f, "uid {uid}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Events in the order in which they came up.
#[derive(Default, Debug)]
pub(super) struct Events(pub(super) Vec<RepairEvent>);

impl Events {
    pub(super) fn change(&mut self, code: &'static str, uid: Option<u32>, what: impl Into<Cow<'static, str>>) {
        self.add(RepairKind::Change, code, uid, what.into());
    }

    pub(super) fn note(&mut self, code: &'static str, uid: Option<u32>, what: impl Into<Cow<'static, str>>) {
        self.add(RepairKind::Note, code, uid, what.into());
    }

    pub(super) fn problem(&mut self, code: &'static str, uid: Option<u32>, what: impl Into<Cow<'static, str>>) {
        self.add(RepairKind::Problem, code, uid, what.into());
    }

    pub(super) fn has_changes(&self) -> bool {
        self.0.iter().any(|event| event.kind == RepairKind::Change)
    }

    fn add(&mut self, kind: RepairKind, code: &'static str, uid: Option<u32>, what: Cow<'static, str>) {
        self.0.push(RepairEvent { kind, code, uid, what });
    }
}
