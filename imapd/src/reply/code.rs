//! Response codes (RFC 9051, 7.1; RFC 5530 and the extensions named below).

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use super::{put, put_list, put_words};
use crate::types::NumberSet;

/// `resp-text-code`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A human must see the text.
    Alert,
    /// The mailbox exists already.
    AlreadyExists,
    /// UIDVALIDITY and the UIDs of appended messages, in order (RFC 4315).
    AppendUid(u32, NumberSet),
    /// Wrong credentials.
    AuthenticationFailed,
    /// Right credentials, but not for this.
    AuthorizationFailed,
    /// The charsets that SEARCH knows.
    BadCharset(&'static [&'static str]),
    /// Not possible here, whoever asks.
    Cannot,
    /// Capabilities.
    Capability(Vec<Cow<'static, str>>),
    /// The client does something odd.
    ClientBug,
    /// What follows is about another mailbox (RFC 7162, 3.2.11).
    Closed,
    /// An administrator must help.
    ContactAdmin,
    /// UIDVALIDITY of the destination, UIDs copied, UIDs given to the copies (RFC 4315).
    CopyUid(u32, NumberSet, NumberSet),
    /// Stored mail is damaged.
    Corruption,
    /// The password has expired.
    Expired,
    /// Another client has expunged what was asked for.
    ExpungeIssued,
    /// Not while it has children.
    HasChildren,
    /// The highest mod-sequence of the mailbox (RFC 7162, 3.1.2.1).
    HighestModSeq(u64),
    /// Somebody else holds it.
    InUse,
    /// A limit of this server.
    Limit,
    /// UIDs or sequence numbers that UNCHANGEDSINCE kept from being changed (RFC 7162, 3.1.3).
    Modified(NumberSet),
    /// There is no such mailbox.
    Nonexistent,
    /// Mod-sequences are not kept (RFC 7162, 3.1.2.2).
    NoModSeq,
    /// The rights do not suffice.
    NoPerm,
    /// `$` was not set.
    NotSaved,
    /// Quota exceeded.
    OverQuota,
    /// A message cannot be parsed.
    Parse,
    /// Flags that can be changed for good.
    PermanentFlags(Vec<String>),
    /// Not without TLS.
    PrivacyRequired,
    /// The mailbox was opened for reading.
    ReadOnly,
    /// The mailbox was opened for writing.
    ReadWrite,
    /// A bug on our side.
    ServerBug,
    /// The message or the command is too large (RFC 7889, RFC 9051 6.3.12).
    TooBig,
    /// CREATE the mailbox, then try again.
    TryCreate,
    /// The next UID.
    UidNext(u32),
    /// UIDs are not kept.
    UidNotSticky,
    /// UIDVALIDITY.
    UidValidity(u32),
    /// Something we need is down for now.
    Unavailable,
    /// The transfer encoding of a part is not known (RFC 3516).
    UnknownCte,
    /// The first message that is not \Seen (rev1).
    Unseen(u32),
    /// The special use cannot be had (RFC 6154).
    UseAttr,
}

impl Code {
    /// Prints the code without its brackets.
    pub(super) fn print(&self, out: &mut BytesMut) {
        match self {
            Code::AppendUid(validity, uids) => put(out, format_args!("APPENDUID {validity} {uids}")),
            Code::CopyUid(validity, from, to) => put(out, format_args!("COPYUID {validity} {from} {to}")),
            Code::BadCharset(names) => {
                out.put_slice(b"BADCHARSET ");
                put_list(out, names.iter().copied());
            }
            Code::Capability(names) => {
                out.put_slice(b"CAPABILITY");
                put_words(out, names.iter().map(AsRef::as_ref));
            }
            Code::HighestModSeq(value) => put(out, format_args!("HIGHESTMODSEQ {value}")),
            Code::Modified(numbers) => put(out, format_args!("MODIFIED {numbers}")),
            Code::PermanentFlags(flags) => {
                out.put_slice(b"PERMANENTFLAGS ");
                put_list(out, flags.iter().map(String::as_str));
            }
            Code::UidNext(uid) => put(out, format_args!("UIDNEXT {uid}")),
            Code::UidValidity(value) => put(out, format_args!("UIDVALIDITY {value}")),
            Code::Unseen(number) => put(out, format_args!("UNSEEN {number}")),
            simple => out.put_slice(simple.name().as_bytes()),
        }
    }

    /// The name of a code without arguments.
    const fn name(&self) -> &'static str {
        match self {
            Code::Alert => "ALERT",
            Code::AlreadyExists => "ALREADYEXISTS",
            Code::AppendUid(..) => "APPENDUID",
            Code::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Code::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Code::BadCharset(_) => "BADCHARSET",
            Code::Cannot => "CANNOT",
            Code::Capability(_) => "CAPABILITY",
            Code::ClientBug => "CLIENTBUG",
            Code::Closed => "CLOSED",
            Code::ContactAdmin => "CONTACTADMIN",
            Code::CopyUid(..) => "COPYUID",
            Code::Corruption => "CORRUPTION",
            Code::Expired => "EXPIRED",
            Code::ExpungeIssued => "EXPUNGEISSUED",
            Code::HasChildren => "HASCHILDREN",
            Code::HighestModSeq(_) => "HIGHESTMODSEQ",
            Code::InUse => "INUSE",
            Code::Limit => "LIMIT",
            Code::Modified(_) => "MODIFIED",
            Code::Nonexistent => "NONEXISTENT",
            Code::NoModSeq => "NOMODSEQ",
            Code::NoPerm => "NOPERM",
            Code::NotSaved => "NOTSAVED",
            Code::OverQuota => "OVERQUOTA",
            Code::Parse => "PARSE",
            Code::PermanentFlags(_) => "PERMANENTFLAGS",
            Code::PrivacyRequired => "PRIVACYREQUIRED",
            Code::ReadOnly => "READ-ONLY",
            Code::ReadWrite => "READ-WRITE",
            Code::ServerBug => "SERVERBUG",
            Code::TooBig => "TOOBIG",
            Code::TryCreate => "TRYCREATE",
            Code::UidNext(_) => "UIDNEXT",
            Code::UidNotSticky => "UIDNOTSTICKY",
            Code::UidValidity(_) => "UIDVALIDITY",
            Code::Unavailable => "UNAVAILABLE",
            Code::UnknownCte => "UNKNOWN-CTE",
            Code::Unseen(_) => "UNSEEN",
            Code::UseAttr => "USEATTR",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let check = |code: Code, expected: &str| {
            let mut out = BytesMut::new();
            code.print(&mut out);
            assert_eq!(out, expected.as_bytes());
        };
        let one: NumberSet = [304, 319, 320].into_iter().collect();
        let two: NumberSet = [3956, 3957, 3958].into_iter().collect();
        check(Code::CopyUid(38505, one.clone(), two.clone()), "COPYUID 38505 304,319:320 3956:3958");
        check(Code::AppendUid(38505, two), "APPENDUID 38505 3956:3958");
        check(Code::BadCharset(&["US-ASCII", "UTF-8"]), "BADCHARSET (US-ASCII UTF-8)");
        check(Code::Capability(vec!["IMAP4rev2".into(), "IMAP4rev1".into()]), "CAPABILITY IMAP4rev2 IMAP4rev1");
        check(Code::PermanentFlags(vec!["\\Seen".into(), "\\*".into()]), "PERMANENTFLAGS (\\Seen \\*)");
        check(Code::PermanentFlags(Vec::new()), "PERMANENTFLAGS ()");
        check(Code::Modified(one), "MODIFIED 304,319:320");
        check(Code::HighestModSeq(715_194_045_007), "HIGHESTMODSEQ 715194045007");
        check(Code::UidNext(4392), "UIDNEXT 4392");
        check(Code::ReadOnly, "READ-ONLY");
        check(Code::UnknownCte, "UNKNOWN-CTE");
    }
}
