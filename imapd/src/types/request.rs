//! One command of a client: its tag, what it asks, and the arguments.

use super::{
    AString, Atom, Fetch, List, ListPattern, MailboxArg, Numbering, QuotaLimit, RightsChange, Search, Secret, Select,
    SequenceSet, SpecialUse, StatusItem, Store, Tag,
};

/// A command as sent. APPEND is not among them: its message is streamed, see [`super::AppendPrefix`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To be repeated in the answer.
    pub tag: Tag,
    /// What is asked.
    pub arguments: Arguments,
}

/// Every command with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arguments {
    /// `CAPABILITY`
    Capability,
    /// `NOOP`
    Noop,
    /// `LOGOUT`
    Logout,
    /// `ID`: what the client tells of itself; `None` for NIL.
    Id(Option<Vec<IdField>>),
    /// `STARTTLS`
    StartTls,
    /// `AUTHENTICATE`
    Authenticate {
        /// The SASL mechanism as sent.
        mechanism: Atom,
        /// The initial response, decoded; empty for `=` (RFC 4959).
        initial: Option<Secret>,
    },
    /// `LOGIN`
    Login {
        /// User name.
        user: AString,
        /// Password.
        password: Secret,
    },
    /// `ENABLE`: at least one capability.
    Enable(Vec<Atom>),
    /// `SELECT`
    Select(Select),
    /// `EXAMINE`
    Examine(Select),
    /// `CREATE`
    Create {
        /// The new mailbox.
        mailbox: MailboxArg,
        /// `(USE (...))`: what it is for (RFC 6154, 3).
        uses: Vec<SpecialUse>,
    },
    /// `DELETE`
    Delete(MailboxArg),
    /// `RENAME`
    Rename {
        /// The old name.
        from: MailboxArg,
        /// The new name.
        to: MailboxArg,
    },
    /// `SUBSCRIBE`
    Subscribe(MailboxArg),
    /// `UNSUBSCRIBE`
    Unsubscribe(MailboxArg),
    /// `LIST`
    List(List),
    /// `LSUB` (rev1)
    Lsub {
        /// What the pattern is relative to.
        reference: MailboxArg,
        /// The pattern.
        pattern: ListPattern,
    },
    /// `NAMESPACE`
    Namespace,
    /// `STATUS`
    Status {
        /// The mailbox.
        mailbox: MailboxArg,
        /// What to tell of it; at least one item.
        items: Vec<StatusItem>,
    },
    /// `IDLE`
    Idle,
    /// `CHECK` (rev1)
    Check,
    /// `CLOSE`
    Close,
    /// `UNSELECT`
    Unselect,
    /// `EXPUNGE`
    Expunge,
    /// `UID EXPUNGE`
    UidExpunge(SequenceSet),
    /// `SEARCH` and `UID SEARCH`
    Search(Search),
    /// `FETCH` and `UID FETCH`
    Fetch(Fetch),
    /// `STORE` and `UID STORE`
    Store(Store),
    /// `COPY` and `UID COPY`
    Copy(Transfer),
    /// `MOVE` and `UID MOVE`
    Move(Transfer),
    /// `GETQUOTA`
    GetQuota(AString),
    /// `GETQUOTAROOT`
    GetQuotaRoot(MailboxArg),
    /// `SETQUOTA`
    SetQuota {
        /// The quota root.
        root: AString,
        /// Its new limits; resources that are absent lose theirs.
        limits: Vec<QuotaLimit>,
    },
    /// `GETACL`
    GetAcl(MailboxArg),
    /// `SETACL`
    SetAcl {
        /// The mailbox.
        mailbox: MailboxArg,
        /// Whose rights: a user, `anyone`, or `-` and either for negative rights.
        identifier: AString,
        /// What to do with them.
        change: RightsChange,
    },
    /// `DELETEACL`
    DeleteAcl {
        /// The mailbox.
        mailbox: MailboxArg,
        /// Whose entry.
        identifier: AString,
    },
    /// `LISTRIGHTS`
    ListRights {
        /// The mailbox.
        mailbox: MailboxArg,
        /// Whose rights.
        identifier: AString,
    },
    /// `MYRIGHTS`
    MyRights(MailboxArg),
}

/// The arguments of COPY and MOVE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// What `set` counts.
    pub numbering: Numbering,
    /// Which messages.
    pub set: SequenceSet,
    /// Where they go.
    pub mailbox: MailboxArg,
}

/// One pair of `ID` (RFC 2971, 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdField {
    /// At most 30 octets.
    pub name: AString,
    /// At most 1024 octets; `None` for NIL.
    pub value: Option<AString>,
}

impl Arguments {
    /// The command's name as the table of commands spells it.
    pub fn name(&self) -> &'static str {
        let uid = |numbering: Numbering, plain, uid| if numbering == Numbering::Uid { uid } else { plain };
        match self {
            Arguments::Capability => "CAPABILITY",
            Arguments::Noop => "NOOP",
            Arguments::Logout => "LOGOUT",
            Arguments::Id(_) => "ID",
            Arguments::StartTls => "STARTTLS",
            Arguments::Authenticate { .. } => "AUTHENTICATE",
            Arguments::Login { .. } => "LOGIN",
            Arguments::Enable(_) => "ENABLE",
            Arguments::Select(_) => "SELECT",
            Arguments::Examine(_) => "EXAMINE",
            Arguments::Create { .. } => "CREATE",
            Arguments::Delete(_) => "DELETE",
            Arguments::Rename { .. } => "RENAME",
            Arguments::Subscribe(_) => "SUBSCRIBE",
            Arguments::Unsubscribe(_) => "UNSUBSCRIBE",
            Arguments::List(_) => "LIST",
            Arguments::Lsub { .. } => "LSUB",
            Arguments::Namespace => "NAMESPACE",
            Arguments::Status { .. } => "STATUS",
            Arguments::Idle => "IDLE",
            Arguments::Check => "CHECK",
            Arguments::Close => "CLOSE",
            Arguments::Unselect => "UNSELECT",
            Arguments::Expunge => "EXPUNGE",
            Arguments::UidExpunge(_) => "UID EXPUNGE",
            Arguments::Search(search) => uid(search.numbering, "SEARCH", "UID SEARCH"),
            Arguments::Fetch(fetch) => uid(fetch.numbering, "FETCH", "UID FETCH"),
            Arguments::Store(store) => uid(store.numbering, "STORE", "UID STORE"),
            Arguments::Copy(transfer) => uid(transfer.numbering, "COPY", "UID COPY"),
            Arguments::Move(transfer) => uid(transfer.numbering, "MOVE", "UID MOVE"),
            Arguments::GetQuota(_) => "GETQUOTA",
            Arguments::GetQuotaRoot(_) => "GETQUOTAROOT",
            Arguments::SetQuota { .. } => "SETQUOTA",
            Arguments::GetAcl(_) => "GETACL",
            Arguments::SetAcl { .. } => "SETACL",
            Arguments::DeleteAcl { .. } => "DELETEACL",
            Arguments::ListRights { .. } => "LISTRIGHTS",
            Arguments::MyRights(_) => "MYRIGHTS",
        }
    }
}
