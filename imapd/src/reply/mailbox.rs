//! What the server says of mailboxes (RFC 9051, 7.3 and 7.4.1).

use bytes::{BufMut, BytesMut};

use super::{put, put_list};
use crate::syntax::{print_mailbox, print_string};
use crate::types::{Encoding, StatusItem};

/// One `LIST` reply.
#[derive(Debug, Clone, Copy)]
pub struct ListLine<'a> {
    /// Attributes with their backslashes.
    pub attributes: &'a [&'a str],
    /// The name in UTF-8.
    pub name: &'a str,
    /// What the client called it, or what it was called before a RENAME (RFC 9051, 6.3.9.7).
    pub old_name: Option<&'a str>,
    /// Selection options that something below it meets: `("CHILDINFO" ("SUBSCRIBED"))` (RFC 5258, 3.5).
    pub child_info: &'a [&'a str],
}

/// ```abnf
/// mailbox-data  =/ "LIST" SP mailbox-list
/// mailbox-list  = "(" [mbx-list-flags] ")" SP (DQUOTE QUOTED-CHAR DQUOTE / nil) SP mailbox [SP mbox-list-extended]
/// ```
pub fn list(out: &mut BytesMut, line: &ListLine<'_>, encoding: Encoding) {
    out.put_slice(b"* LIST ");
    put_list(out, line.attributes.iter().copied());
    out.put_slice(b" \"/\" ");
    print_mailbox(out, line.name, encoding);
    let mut extended = Vec::new();
    if !line.child_info.is_empty() {
        let options: Vec<String> = line.child_info.iter().map(|option| format!("\"{option}\"")).collect();
        extended.push(format!("\"CHILDINFO\" ({})", options.join(" ")));
    }
    if let Some(old_name) = line.old_name {
        let mut printed = BytesMut::new();
        print_mailbox(&mut printed, old_name, encoding);
        extended.push(format!("\"OLDNAME\" ({})", String::from_utf8_lossy(&printed)));
    }
    if !extended.is_empty() {
        put(out, format_args!(" ({})", extended.join(" ")));
    }
    out.put_slice(b"\r\n");
}

/// ```abnf
/// mailbox-data =/ "LSUB" SP mailbox-list
/// ```
pub fn lsub(out: &mut BytesMut, attributes: &[&str], name: &str, encoding: Encoding) {
    out.put_slice(b"* LSUB ");
    put_list(out, attributes.iter().copied());
    out.put_slice(b" \"/\" ");
    print_mailbox(out, name, encoding);
    out.put_slice(b"\r\n");
}

/// ```abnf
/// namespace-response = "* NAMESPACE" SP namespace SP namespace SP namespace
/// namespace          = nil / "(" 1*namespace-descr ")"
/// ```
/// Each slice holds the prefixes of one class: personal, other users', shared. An empty class is NIL.
pub fn namespace(out: &mut BytesMut, classes: [&[&str]; 3], encoding: Encoding) {
    out.put_slice(b"* NAMESPACE");
    for prefixes in classes {
        out.put_u8(b' ');
        if prefixes.is_empty() {
            out.put_slice(b"NIL");
            continue;
        }
        out.put_u8(b'(');
        for prefix in prefixes {
            out.put_u8(b'(');
            print_string(out, prefix.as_bytes(), encoding);
            out.put_slice(b" \"/\")");
        }
        out.put_u8(b')');
    }
    out.put_slice(b"\r\n");
}

/// ```abnf
/// mailbox-data    =/ "STATUS" SP mailbox SP "(" [status-att-list] ")"
/// status-att-val  = ("MESSAGES" SP number) / ...
/// ```
/// Values are numbers, `None` for NIL (APPENDLIMIT); only `MAILBOXID` is a word and comes by itself (RFC 8474, 4.3).
pub fn status(
    out: &mut BytesMut,
    name: &str,
    items: &[(StatusItem, Option<u64>)],
    mailbox_id: Option<&str>,
    encoding: Encoding,
) {
    out.put_slice(b"* STATUS ");
    print_mailbox(out, name, encoding);
    out.put_slice(b" (");
    for (at, (item, value)) in items.iter().enumerate() {
        let space = if at == 0 { "" } else { " " };
        match value {
            Some(value) => put(out, format_args!("{space}{} {value}", item.name())),
            None => put(out, format_args!("{space}{} NIL", item.name())),
        }
    }
    if let Some(id) = mailbox_id {
        let space = if items.is_empty() { "" } else { " " };
        put(out, format_args!("{space}MAILBOXID ({id})"));
    }
    out.put_slice(b")\r\n");
}

/// ```abnf
/// mailbox-data = "FLAGS" SP flag-list
/// ```
pub fn flags<'a>(out: &mut BytesMut, flags: impl IntoIterator<Item = &'a str>) {
    out.put_slice(b"* FLAGS ");
    put_list(out, flags);
    out.put_slice(b"\r\n");
}

/// `* n EXISTS`
pub fn exists(out: &mut BytesMut, messages: u32) {
    put(out, format_args!("* {messages} EXISTS\r\n"));
}

/// `* n RECENT` (rev1)
pub fn recent(out: &mut BytesMut, messages: u32) {
    put(out, format_args!("* {messages} RECENT\r\n"));
}

#[cfg(test)]
mod tests {
    use super::super::tests::printed;
    use super::*;

    const REV1: Encoding = Encoding::ModifiedUtf7;

    #[test]
    fn lists() {
        let check = |line: ListLine<'_>, encoding, expected: &str| {
            assert_eq!(printed(|out| list(out, &line, encoding)), expected);
        };
        let line = ListLine { attributes: &["\\Noselect"], name: "foo", old_name: None, child_info: &[] };
        check(line, REV1, "* LIST (\\Noselect) \"/\" foo\r\n");
        check(ListLine { name: "Entwürfe", ..line }, REV1, "* LIST (\\Noselect) \"/\" Entw&APw-rfe\r\n");
        check(ListLine { name: "ü", ..line }, Encoding::Utf8, "* LIST (\\Noselect) \"/\" \"\\xc3\\xbc\"\r\n");
        check(ListLine { attributes: &[], name: "a \"b\"", ..line }, REV1, "* LIST () \"/\" \"a \\\"b\\\"\"\r\n");
        check(
            ListLine { attributes: &[], old_name: Some("b c"), child_info: &["SUBSCRIBED"], ..line },
            REV1,
            "* LIST () \"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (\"b c\"))\r\n",
        );
        assert_eq!(printed(|out| lsub(out, &[], "#news", REV1)), "* LSUB () \"/\" #news\r\n");
    }

    #[test]
    fn namespaces() {
        assert_eq!(
            printed(|out| namespace(out, [&[""], &["user/"], &[]], REV1)),
            "* NAMESPACE ((\"\" \"/\")) ((\"user/\" \"/\")) NIL\r\n"
        );
    }

    #[test]
    fn status_replies() {
        let items = [(StatusItem::Messages, Some(231)), (StatusItem::AppendLimit, None)];
        assert_eq!(
            printed(|out| status(out, "blurdybloop", &items, None, REV1)),
            "* STATUS blurdybloop (MESSAGES 231 APPENDLIMIT NIL)\r\n"
        );
        assert_eq!(printed(|out| status(out, "a", &[], Some("F1"), REV1)), "* STATUS a (MAILBOXID (F1))\r\n");
    }

    #[test]
    fn sizes_and_flags() {
        assert_eq!(printed(|out| flags(out, ["\\Seen", "$Junk"])), "* FLAGS (\\Seen $Junk)\r\n");
        assert_eq!(printed(|out| exists(out, 23)), "* 23 EXISTS\r\n");
        assert_eq!(printed(|out| recent(out, 0)), "* 0 RECENT\r\n");
    }
}
