//! Replies: their wire form, and the one table from what went wrong to what the client is told.

use std::borrow::Cow;

use bytes::BytesMut;
use mailstore::ErrorKind;

/// One reply, usually of one line.
///
/// ```abnf
/// reply  = *(code "-" [status SP] text CRLF) code SP [status SP] text CRLF
/// status = class "." subject "." detail       ; RFC 2034, 4
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    code: u16,
    /// The enhanced status code; empty in the greeting and LHLO's reply (RFC 2034, 4).
    status: &'static str,
    lines: Vec<Cow<'static, str>>,
}

impl Reply {
    /// A reply of one line.
    pub(crate) fn new(code: u16, status: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, status, lines: vec![text.into()] }
    }

    /// A reply of several lines; `lines` must not be empty.
    pub(crate) fn lines(code: u16, status: &'static str, lines: Vec<Cow<'static, str>>) -> Self {
        debug_assert!(!lines.is_empty());
        Self { code, status, lines }
    }

    /// `503 5.5.1`: the command does not fit the state.
    pub(crate) fn sequence(text: &'static str) -> Self {
        Self::new(503, "5.5.1", text)
    }

    /// `501 5.5.4`: the command's arguments are wrong.
    pub(crate) fn arguments(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(501, "5.5.4", text)
    }

    /// `421`: the connection is closed after this reply.
    pub(crate) fn closing(status: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(421, status, text)
    }

    /// The reply code.
    pub(crate) fn code(&self) -> u16 {
        self.code
    }

    /// Whether the client made an error that counts towards [`crate::limits::ERRORS`].
    pub(crate) fn is_client_error(&self) -> bool {
        matches!(self.code, 500..=504 | 555)
    }

    /// Appends the wire form to `out`.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        for (index, text) in self.lines.iter().enumerate() {
            let separator = if index + 1 == self.lines.len() { ' ' } else { '-' };
            let space = if self.status.is_empty() { "" } else { " " };
            out.extend_from_slice(format!("{}{separator}{}{space}{text}\r\n", self.code, self.status).as_bytes());
        }
    }

    /// The first line without its CRLF.
    #[cfg(test)]
    pub(crate) fn summary(&self) -> String {
        let text = self.lines.first().map_or("", |line| line.as_ref());
        format!("{} {} {text}", self.code, self.status)
    }
}

/// What a client is told when a mailbox is over its quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OverQuota {
    /// `552 5.2.2`: the sender learns of it at once.
    #[default]
    Permanent,
    /// `452 4.2.2`: the MTA keeps the message and tries for days.
    Temporary,
}

/// What is wrong with a message as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    /// A NUL octet: no reader of mail copes with it (RFC 5321, 4.5.3.1.6; RFC 5322, 4).
    Nul,
    /// CR without LF, or LF without CR (RFC 5321, 2.3.8).
    BareLineEnd,
    /// A header over [`crate::limits::HEADER`].
    HeaderTooBig,
}

/// Why a recipient or a message is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nobody has that address, or nobody who may be known.
    UnknownAddress,
    /// The user is there but takes no mail.
    Disabled,
    /// The mailbox is known to the submitter, who may not post there.
    NotPermitted,
    /// The directory cannot say now.
    DirectoryDown,
    /// The directory knows the user, and the store has no INBOX (being created, or lost): never a reason to bounce.
    MailboxMissing,
    /// The mailbox takes no more.
    OverQuota,
    /// The message is larger than allowed.
    TooBig,
    /// See [`Defect`].
    BadMessage(Defect),
    /// The store failed.
    Store(ErrorKind),
}

impl Refusal {
    /// The refusal in one word, for the log.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::UnknownAddress => "unknown-address",
            Self::Disabled => "disabled",
            Self::NotPermitted => "not-permitted",
            Self::DirectoryDown => "directory-down",
            Self::MailboxMissing => "mailbox-missing",
            Self::OverQuota => "over-quota",
            Self::TooBig => "too-big",
            Self::BadMessage(_) => "bad-message",
            Self::Store(_) => "store-failed",
        }
    }

    /// Whether the client is told to try again. A full mailbox is no reason to send a message again to those who have it.
    pub(crate) fn is_temporary(self) -> bool {
        self.reply(OverQuota::Permanent).code() < 500
    }

    /// The one table of refusals on the wire (RFC 5321, 4.2; RFC 3463).
    pub(crate) fn reply(self, over_quota: OverQuota) -> Reply {
        let (code, status, text) = match self {
            Self::UnknownAddress | Self::Store(ErrorKind::NotFound) => (550, "5.1.1", "No such user or mailbox here"),
            Self::Store(ErrorKind::BadName) => (550, "5.1.1", "No mailbox can have that name"),
            Self::Disabled => (550, "5.2.1", "Mailbox is disabled"),
            Self::NotPermitted | Self::Store(ErrorKind::Denied) => {
                (550, "5.7.1", "Not permitted to post to this mailbox")
            }
            Self::DirectoryDown => (451, "4.4.3", "Directory is not available, try again later"),
            Self::MailboxMissing => (451, "4.2.1", "Mailbox is not available, try again later"),
            Self::OverQuota | Self::Store(ErrorKind::OverQuota) => match over_quota {
                OverQuota::Permanent => (552, "5.2.2", "Mailbox is full"),
                OverQuota::Temporary => (452, "4.2.2", "Mailbox is full"),
            },
            Self::TooBig | Self::Store(ErrorKind::TooBig) => (552, "5.3.4", "Message is larger than allowed"),
            Self::BadMessage(Defect::Nul) => (554, "5.6.0", "Message contains a NUL octet"),
            Self::BadMessage(Defect::BareLineEnd) => (554, "5.6.0", "Message contains a bare CR or bare LF"),
            Self::BadMessage(Defect::HeaderTooBig) => (554, "5.6.0", "Message header is larger than allowed"),
            Self::Store(ErrorKind::DiskFull) => (451, "4.3.1", "Mail system storage is full, try again later"),
            Self::Store(ErrorKind::Corrupt | ErrorKind::Limit) => {
                (451, "4.2.0", "Mailbox needs repair, try again later")
            }
            Self::Store(ErrorKind::InUse) => (451, "4.2.1", "Mailbox is not available, try again later"),
            Self::Store(ErrorKind::Unavailable) => (451, "4.3.2", "Mail store is not available, try again later"),
            Self::Store(_) => (451, "4.3.0", "Mail system failure, try again later"),
        };
        Reply::new(code, status, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_form() {
        let mut out = BytesMut::new();
        Reply::new(250, "2.1.5", "Ok").write(&mut out);
        Reply::lines(250, "", vec!["host".into(), "SIZE 1".into(), "CHUNKING".into()]).write(&mut out);
        assert_eq!(&out[..], b"250 2.1.5 Ok\r\n250-host\r\n250-SIZE 1\r\n250 CHUNKING\r\n");
    }

    #[test]
    fn refusals() {
        let rows = [
            (Refusal::UnknownAddress, "550 5.1.1"),
            (Refusal::Disabled, "550 5.2.1"),
            (Refusal::NotPermitted, "550 5.7.1"),
            (Refusal::DirectoryDown, "451 4.4.3"),
            (Refusal::MailboxMissing, "451 4.2.1"),
            (Refusal::OverQuota, "552 5.2.2"),
            (Refusal::TooBig, "552 5.3.4"),
            (Refusal::BadMessage(Defect::Nul), "554 5.6.0"),
            (Refusal::BadMessage(Defect::BareLineEnd), "554 5.6.0"),
            (Refusal::BadMessage(Defect::HeaderTooBig), "554 5.6.0"),
            (Refusal::Store(ErrorKind::NotFound), "550 5.1.1"),
            (Refusal::Store(ErrorKind::Exists), "451 4.3.0"),
            (Refusal::Store(ErrorKind::Denied), "550 5.7.1"),
            (Refusal::Store(ErrorKind::BadName), "550 5.1.1"),
            (Refusal::Store(ErrorKind::OverQuota), "552 5.2.2"),
            (Refusal::Store(ErrorKind::TooBig), "552 5.3.4"),
            (Refusal::Store(ErrorKind::Limit), "451 4.2.0"),
            (Refusal::Store(ErrorKind::InUse), "451 4.2.1"),
            (Refusal::Store(ErrorKind::Expunged), "451 4.3.0"),
            (Refusal::Store(ErrorKind::Invalid), "451 4.3.0"),
            (Refusal::Store(ErrorKind::Corrupt), "451 4.2.0"),
            (Refusal::Store(ErrorKind::DiskFull), "451 4.3.1"),
            (Refusal::Store(ErrorKind::Io), "451 4.3.0"),
            (Refusal::Store(ErrorKind::Unavailable), "451 4.3.2"),
        ];
        for (refusal, expected) in rows {
            let summary = refusal.reply(OverQuota::Permanent).summary();
            assert_eq!(&summary[..9], expected, "{refusal:?}");
        }
        for full in [Refusal::OverQuota, Refusal::Store(ErrorKind::OverQuota)] {
            assert!(full.reply(OverQuota::Temporary).summary().starts_with("452 4.2.2 "));
        }
    }
}
