//! ACL (RFC 4314) and QUOTA (RFC 9208) commands.

use std::fmt::Write;

use bytes::{BufMut, BytesMut};
use nom::Parser;

use super::{
    Fault, Input, Parsed, expect,
    mailbox::{mailbox, print_mailbox},
    number::number64,
    text::{astring, atom, parenthesised, print_astring, print_parenthesised, sp},
};
use crate::types::{AString, Arguments, Encoding, MailboxArg, QuotaLimit, Rights, RightsChange, RightsOperation};

/// Resources in one SETQUOTA: we know a handful.
const MAX_RESOURCES: usize = 32;
/// Octets in an ACL identifier: every entry is stored with its mailbox.
const MAX_IDENTIFIER: usize = 1024;

/// ```abnf
/// setacl     = "SETACL" SP mailbox SP identifier SP mod-rights
/// mod-rights = astring ; +rights to add, -rights to remove, rights to replace
/// ```
pub(super) fn set_acl<'a>(encoding: Encoding) -> impl FnMut(Input<'a>) -> Parsed<'a, Arguments> {
    move |input| {
        let (rest, (mailbox, (), identifier, ())) = (mailbox(encoding), sp, identifier, sp).parse(input)?;
        let (after, text) = expect("rights", astring).parse(rest)?;
        let (operation, rights) = match text.as_bytes() {
            [b'+', rights @ ..] => (RightsOperation::Add, rights),
            [b'-', rights @ ..] => (RightsOperation::Remove, rights),
            rights => (RightsOperation::Replace, rights),
        };
        match Rights::new(rights) {
            Some(rights) => {
                let change = RightsChange { operation, rights };
                Ok((after, Arguments::SetAcl { mailbox, identifier, change }))
            }
            None => Err(Fault::refused(rest, "Rights are lower-case letters and digits")),
        }
    }
}

/// ```abnf
/// deleteacl  = "DELETEACL" SP mailbox SP identifier
/// listrights = "LISTRIGHTS" SP mailbox SP identifier
/// ```
pub(super) fn mailbox_identifier<'a>(
    encoding: Encoding,
    arguments: fn(MailboxArg, AString) -> Arguments,
) -> impl FnMut(Input<'a>) -> Parsed<'a, Arguments> {
    move |input| {
        let (rest, (mailbox, (), identifier)) = (mailbox(encoding), sp, identifier).parse(input)?;
        Ok((rest, arguments(mailbox, identifier)))
    }
}

/// ```abnf
/// identifier = astring
/// ```
/// UTF-8 without control characters: an identifier is written into the mailbox list.
fn identifier(input: Input<'_>) -> Parsed<'_, AString> {
    let (rest, identifier) = expect("an identifier", astring).parse(input)?;
    let legal = |text: &str| !text.is_empty() && text.len() <= MAX_IDENTIFIER && !text.contains(char::is_control);
    match identifier.to_str().is_some_and(legal) {
        true => Ok((rest, identifier)),
        false => Err(Fault::refused(input, "Identifier is empty, too long, not UTF-8 or holds control characters")),
    }
}

/// ```abnf
/// setquota          = "SETQUOTA" SP quota-root-name SP setquota-list
/// setquota-list     = "(" [setquota-resource *(SP setquota-resource)] ")"
/// setquota-resource = resource-name SP resource-limit
/// resource-limit    = number64
/// ```
pub(super) fn set_quota(input: Input<'_>) -> Parsed<'_, Arguments> {
    let resource = |input| {
        let (rest, (resource, (), limit)) = (expect("a resource", atom), sp, number64).parse(input)?;
        Ok((rest, QuotaLimit { resource, limit }))
    };
    let (rest, (root, (), limits)) = (astring, sp, parenthesised(resource, MAX_RESOURCES, "resources")).parse(input)?;
    Ok((rest, Arguments::SetQuota { root, limits }))
}

pub(super) fn print_set_acl(
    out: &mut BytesMut,
    mailbox: &MailboxArg,
    identifier: &AString,
    change: &RightsChange,
    encoding: Encoding,
) {
    print_mailbox_identifier(out, mailbox, identifier, encoding);
    let sign = match change.operation {
        RightsOperation::Replace => "",
        RightsOperation::Add => "+",
        RightsOperation::Remove => "-",
    };
    out.put_u8(b' ');
    print_astring(out, format!("{sign}{}", change.rights.as_str()).as_bytes(), encoding);
}

pub(super) fn print_mailbox_identifier(
    out: &mut BytesMut,
    mailbox: &MailboxArg,
    identifier: &AString,
    encoding: Encoding,
) {
    print_mailbox(out, mailbox.as_str(), encoding);
    out.put_u8(b' ');
    print_astring(out, identifier.as_bytes(), encoding);
}

pub(super) fn print_set_quota(out: &mut BytesMut, root: &AString, limits: &[QuotaLimit], encoding: Encoding) {
    print_astring(out, root.as_bytes(), encoding);
    out.put_u8(b' ');
    print_parenthesised(out, limits, |out, limit| {
        // Writing to a BytesMut cannot fail.
        let _ = write!(out, "{} {}", limit.resource, limit.limit);
    });
}
