//! What LMTP needs of the directory and the store, as one trait: the protocol is tested against a store in memory, and
//! this page says which of its questions may block.

mod live;

use std::sync::Arc;

use mailstore::{Access, Error, MailboxName, Uid};

pub(crate) use live::Live;

/// The directory and the store, as LMTP sees them.
pub(crate) trait Deposit: Send + Sync + 'static {
    /// A message being received; removed when dropped.
    type Stage: Stage;
    /// A message that is whole and durable; removed when dropped.
    type Staged: Send + Sync + 'static;

    /// Whether [`resolve`](Self::resolve) and [`access`](Self::access) never block here.
    fn resolves_from_memory(&self) -> bool;

    /// Whose address `local@domain` is. The local part is taken as it is: `+` has no meaning here. May block.
    fn resolve(&self, local: &str, domain: Option<&str>) -> Resolution;

    /// What is known of a user who posts. May block.
    fn access(&self, user: &str) -> Access;

    /// What `submitter` may do with the mailbox; nothing if there is none. Does not block.
    fn door(&self, mailbox: &MailboxName, submitter: &Access) -> Option<Door>;

    /// The mailbox whose name is `wanted` but for the case of letters. Does not block.
    fn find_ignoring_case(&self, wanted: &MailboxName) -> Option<MailboxName>;

    /// Whether [`has_room`](Self::has_room) does not block for this mailbox now.
    fn knows_room(&self, mailbox: &MailboxName) -> bool;

    /// Whether the mailbox's quota has room for a message of `size` octets. May block.
    fn has_room(&self, mailbox: &MailboxName, size: u64, quota: Quota) -> bool;

    /// Begins a message that will be delivered to `mailbox` among others. May block, but not for long: it makes no file yet.
    fn stage(&self, mailbox: &MailboxName) -> Result<Self::Stage, Error>;

    /// Ends a message and makes it durable. Blocks.
    fn finish(&self, stage: Self::Stage) -> Result<Self::Staged, Error>;

    /// The message's size in octets.
    fn size(&self, message: &Self::Staged) -> u64;

    /// The message's Message-ID, if it has a usable one.
    fn message_id(&self, message: &Self::Staged) -> Option<String>;

    /// Whether this message came to this mailbox before. May block.
    fn is_duplicate(&self, message_id: &str, mailbox: &MailboxName) -> bool;

    /// Delivers a copy to each mailbox. What succeeds is durable, and remembered as a delivery of `message_id` if there is
    /// one. Blocks.
    fn deliver(
        &self,
        message: &Arc<Self::Staged>,
        message_id: Option<&str>,
        to: &[&MailboxName],
        quota: Quota,
    ) -> Vec<Result<Uid, Error>>;
}

/// A message being written.
pub(crate) trait Stage: Send + 'static {
    /// Whether writing `more` octets may block.
    fn would_block(&self, more: usize) -> bool;

    /// Adds octets.
    fn write(&mut self, octets: &[u8]) -> Result<(), Error>;
}

/// Whose an address is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// That of these users: one, or those whom an alias reaches.
    Users(Vec<String>),
    /// Nobody's.
    Unknown,
    /// That of a user who takes no mail.
    Disabled,
    /// The directory cannot say now.
    Unavailable,
}

/// What a submitter may do with a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Door {
    /// Know that it exists (right `l`).
    pub(crate) visible: bool,
    /// Post to it (right `p`).
    pub(crate) open: bool,
}

/// How the quota is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quota {
    /// Usage before the message must be within the limit.
    Before,
    /// Usage with the message must be within the limit.
    With,
    /// Not.
    Ignore,
}
