//! Rights and quotas (RFC 4314, 3; RFC 9208, 5).

use bytes::{BufMut, BytesMut};

use super::put;
use crate::syntax::{print_astring, print_mailbox};
use crate::types::Encoding;

/// ```abnf
/// acl-data = "ACL" SP mailbox *(SP identifier SP rights)
/// ```
pub fn acl<'a>(
    out: &mut BytesMut,
    mailbox: &str,
    entries: impl IntoIterator<Item = (&'a str, &'a str)>,
    encoding: Encoding,
) {
    out.put_slice(b"* ACL ");
    print_mailbox(out, mailbox, encoding);
    for (identifier, rights) in entries {
        out.put_u8(b' ');
        print_astring(out, identifier.as_bytes(), encoding);
        out.put_u8(b' ');
        print_astring(out, rights.as_bytes(), encoding);
    }
    out.put_slice(b"\r\n");
}

/// ```abnf
/// listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights)
/// ```
/// `required` are always granted; each of `optional` is a group that is granted together.
pub fn list_rights(
    out: &mut BytesMut,
    mailbox: &str,
    identifier: &str,
    required: &str,
    optional: &[&str],
    encoding: Encoding,
) {
    out.put_slice(b"* LISTRIGHTS ");
    print_mailbox(out, mailbox, encoding);
    out.put_u8(b' ');
    print_astring(out, identifier.as_bytes(), encoding);
    for rights in std::iter::once(&required).chain(optional) {
        out.put_u8(b' ');
        print_astring(out, rights.as_bytes(), encoding);
    }
    out.put_slice(b"\r\n");
}

/// ```abnf
/// myrights-data = "MYRIGHTS" SP mailbox SP rights
/// ```
pub fn my_rights(out: &mut BytesMut, mailbox: &str, rights: &str, encoding: Encoding) {
    out.put_slice(b"* MYRIGHTS ");
    print_mailbox(out, mailbox, encoding);
    out.put_u8(b' ');
    print_astring(out, rights.as_bytes(), encoding);
    out.put_slice(b"\r\n");
}

/// One resource of a quota root, in the units of the resource (1024 octets for STORAGE).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUsage {
    /// `STORAGE`, `MESSAGE` ...
    pub resource: &'static str,
    /// What is used.
    pub usage: u64,
    /// What is allowed.
    pub limit: u64,
}

/// ```abnf
/// quota-response = "QUOTA" SP quota-root-name SP quota-list
/// quota-list     = "(" quota-resource *(SP quota-resource) ")"
/// ```
pub fn quota(out: &mut BytesMut, root: &str, resources: &[QuotaUsage], encoding: Encoding) {
    out.put_slice(b"* QUOTA ");
    print_astring(out, root.as_bytes(), encoding);
    out.put_slice(b" (");
    for (at, resource) in resources.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        put(out, format_args!("{space}{} {} {}", resource.resource, resource.usage, resource.limit));
    }
    out.put_slice(b")\r\n");
}

/// ```abnf
/// quotaroot-response = "QUOTAROOT" SP mailbox *(SP quota-root-name)
/// ```
pub fn quota_root(out: &mut BytesMut, mailbox: &str, roots: &[&str], encoding: Encoding) {
    out.put_slice(b"* QUOTAROOT ");
    print_mailbox(out, mailbox, encoding);
    for root in roots {
        out.put_u8(b' ');
        print_astring(out, root.as_bytes(), encoding);
    }
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::super::tests::printed;
    use super::*;

    const REV1: Encoding = Encoding::ModifiedUtf7;

    #[test]
    fn rights() {
        assert_eq!(
            printed(|out| acl(out, "INBOX", [("Fred", "rwipslda"), ("-a b", "")], REV1)),
            "* ACL INBOX Fred rwipslda \"-a b\" \"\"\r\n"
        );
        assert_eq!(
            printed(|out| list_rights(out, "~/Mail/saved", "smith", "la", &["r", "swi"], REV1)),
            "* LISTRIGHTS ~/Mail/saved smith la r swi\r\n"
        );
        assert_eq!(printed(|out| my_rights(out, "INBOX", "rwiptsldaex", REV1)), "* MYRIGHTS INBOX rwiptsldaex\r\n");
    }

    #[test]
    fn quotas() {
        let storage = QuotaUsage { resource: "STORAGE", usage: 10, limit: 512 };
        let message = QuotaUsage { resource: "MESSAGE", usage: 1, limit: 2 };
        assert_eq!(
            printed(|out| quota(out, "", &[storage, message], REV1)),
            "* QUOTA \"\" (STORAGE 10 512 MESSAGE 1 2)\r\n"
        );
        assert_eq!(printed(|out| quota_root(out, "INBOX", &["", "x"], REV1)), "* QUOTAROOT INBOX \"\" x\r\n");
        assert_eq!(printed(|out| quota_root(out, "comp.mail.mime", &[], REV1)), "* QUOTAROOT comp.mail.mime\r\n");
    }
}
