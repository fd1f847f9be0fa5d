//! Reading saved mailbox lists: whatever Cyrus 2.0 to 3.x or we have dumped. A line that makes no sense costs itself.
//!
//! ```text
//! Cyrus 2.0        name TAB partition TAB acl
//! Cyrus 2.1 - 3.4  name TAB type SP partition SP acl
//! Cyrus 3, legacy  name TAB type SP partition SP acl ">" uniqueid SP mtime SP uidvalidity SP foldermodseq SP createdmodseq [SP use]
//! Cyrus 3.6        { LF *( "name": {...}, LF ) }      ; or any JSON object of that shape
//! ours             the last two, and the dumps in <config>/copies
//! acl              *( identifier TAB rights TAB )
//! ```
//!
//! Names: Cyrus writes levels with dots, dots as `^` and other characters in modified UTF-7. A list in which any name has a
//! `/` is one of ours.

use std::borrow::Cow;

use mailstore::{Acl, MailboxName, SavedList, SavedMailbox, SpecialUse, UidValidity, UniqueId};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::import::folder_name::decode_folder_name;

/// Longest partition name that Cyrus takes.
const MAX_PARTITION: usize = 64;

/// Longest mailbox name that Cyrus takes.
const MAX_NAME: usize = 490;

/// What was read.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Everything that makes sense.
    pub list: SavedList,
    /// Lines that do not, and why.
    pub problems: Vec<(u64, String)>,
}

/// Reads a saved list.
#[must_use]
pub fn parse(text: &[u8]) -> Parsed {
    let lines = || text.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).zip(1u64..);
    // Anything before the first tab, or between the first quotation marks.
    let has_slash = |line: &[u8]| {
        let name = line.split(|byte| *byte == b'\t').next().unwrap_or(line);
        name.contains(&b'/') && (line.contains(&b'\t') || line.starts_with(b"\"") || line.starts_with(b"["))
    };
    let reader = Reader { ours: lines().any(|(line, _)| has_slash(line)) };
    let mut parsed = Parsed::default();
    for (line, number) in lines() {
        if let Err(problem) = reader.line(line, &mut parsed.list) {
            parsed.problems.push((number, problem));
        }
    }
    if parsed.list.is_empty()
        && let Ok(Value::Object(document)) = serde_json::from_slice(text)
    {
        // One JSON document over other lines than Cyrus breaks it into.
        return reader.document(document);
    }
    parsed
}

struct Reader {
    /// Levels are separated by `/`.
    ours: bool,
}

impl Reader {
    fn line(&self, line: &[u8], list: &mut SavedList) -> Result<(), String> {
        let line = std::str::from_utf8(line).map_err(|_| "not UTF-8")?;
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed == "{" || trimmed == "}" {
            return Ok(());
        }
        match trimmed.as_bytes()[0] {
            // The first and the last line of our dumps.
            b'{' if is_frame(trimmed) => Ok(()),
            b'[' => {
                let row = serde_json::from_str::<(Cow<'_, str>, &RawValue)>(trimmed);
                let (key, value) = row.map_err(|error| error.to_string())?;
                list.insert_entry(&key, value.get())
            }
            b'"' | b'{' => {
                let body = trimmed.trim_start_matches('{').trim_end_matches(',');
                let document = serde_json::from_str(&format!("{{{body}}}"));
                let document: Map<String, Value> = document.map_err(|error| error.to_string())?;
                document.iter().try_for_each(|(name, entry)| self.entry(name, entry, list))
            }
            _ => self.classic(line, list),
        }
    }

    fn document(&self, document: Map<String, Value>) -> Parsed {
        let mut parsed = Parsed::default();
        for ((name, entry), number) in document.iter().zip(1u64..) {
            if let Err(problem) = self.entry(name, entry, &mut parsed.list) {
                parsed.problems.push((number, format!("{name}: {problem}")));
            }
        }
        parsed
    }

    fn classic(&self, line: &str, list: &mut SavedList) -> Result<(), String> {
        let (name, rest) = line.split_once('\t').ok_or("no partition found")?;
        let kind = rest.split(' ').next().filter(|kind| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_digit()));
        let (kind, rest) = match kind {
            Some(kind) => (kind.parse::<u32>().map_err(|_| "bad type")?, rest[kind.len()..].trim_start_matches(' ')),
            None => (0, rest),
        };
        let end = rest.find([' ', '\t']).unwrap_or(rest.len());
        let (partition, rest) = (&rest[..end], rest.get(end + 1..));
        if partition.is_empty() {
            return Err("no partition found".to_owned());
        }
        let rest = rest.ok_or("no acl found")?;
        if !is_ordinary(kind) {
            return Ok(());
        }
        let (acl, more) = match rest.rsplit_once('>') {
            Some((acl, more)) => (acl, more),
            None => (rest, ""),
        };
        let mut more = more.split(' ');
        let unique_id = more.next().and_then(UniqueId::parse);
        let uid_validity = more.nth(1).and_then(|text| text.parse().ok()).and_then(UidValidity::new);
        let special_use = more.skip(2).filter_map(SpecialUse::parse).collect();
        let (acl, bad) = Acl::parse_lenient(acl);
        let partition = Some(partition_name(partition)?);
        list.insert(SavedMailbox { name: self.name(name)?, partition, acl, unique_id, uid_validity, special_use });
        complain(bad)
    }

    fn entry(&self, name: &str, entry: &Value, list: &mut SavedList) -> Result<(), String> {
        let entry = entry.as_object().ok_or("no object")?;
        let text = |field: &str| entry.get(field).and_then(Value::as_str);
        // Tombstones, names in reserve and mailboxes on other servers are no mailboxes here.
        if text("mbtype").is_some_and(|kind| kind.contains(['d', 'z', 'm', 'r', 'i'])) {
            return Ok(());
        }
        let ours = self.ours || text("separator") == Some("/");
        let name = Reader { ours }.name(name)?;
        let partition = partition_name(text("partition").ok_or("no partition found")?)?;
        let acl = match entry.get("acl") {
            Some(Value::Object(entries)) => entries
                .iter()
                .map(|(id, rights)| format!("{id}\t{}\t", rights.as_str().unwrap_or_default()))
                .collect::<String>(),
            Some(Value::String(text)) => text.clone(),
            _ => String::new(),
        };
        let (acl, bad) = Acl::parse_lenient(&acl);
        let number = |field: &str| {
            let value = entry.get(field)?;
            value.as_u64().or_else(|| value.as_str()?.parse().ok()).and_then(|number| u32::try_from(number).ok())
        };
        let uses = text("legacy_specialuse").unwrap_or_default();
        if let Some(limits) = entry.get("quota").and_then(|limits| serde_json::from_value(limits.clone()).ok()) {
            list.insert_limits(name.clone(), limits);
        }
        list.insert(SavedMailbox {
            name,
            partition: Some(partition),
            acl,
            unique_id: text("uniqueid").and_then(UniqueId::parse),
            uid_validity: number("uidvalidity").and_then(UidValidity::new),
            special_use: uses.split(' ').filter_map(SpecialUse::parse).collect(),
        });
        complain(bad)
    }

    fn name(&self, text: &str) -> Result<MailboxName, String> {
        if text.len() > MAX_NAME {
            return Err("mailbox name too long".to_owned());
        }
        let name = if self.ours { Cow::Borrowed(text) } else { Cow::Owned(from_cyrus(text)?) };
        MailboxName::parse(&name).map_err(|error| format!("{text}: {error}"))
    }
}

/// Whether a line is the header or the trailer of one of our dumps.
fn is_frame(line: &str) -> bool {
    let frame: Option<Map<String, Value>> = serde_json::from_str(line).ok();
    frame.is_some_and(|frame| {
        let has = |field: &str| frame.get(field).is_some_and(|value| !value.is_object());
        has("dump") || (has("rows") && has("crc"))
    })
}

/// Cyrus' internal form in ours.
fn from_cyrus(text: &str) -> Result<String, String> {
    if text.contains('!') {
        return Err(format!("{text}: a mailbox of a virtual domain; user IDs are unique here"));
    }
    let swap = |c| match c {
        '.' => '/',
        '^' => '.',
        other => other,
    };
    let swapped: String = text.chars().map(swap).collect();
    // Each level by itself: what is encoded in one never reaches into the next.
    let levels = swapped.split('/').map(|level| decode_folder_name(level).unwrap_or_else(|| level.to_owned()));
    Ok(levels.collect::<Vec<_>>().join("/"))
}

/// A partition, behind a server's name if there is one.
fn partition_name(text: &str) -> Result<String, String> {
    let partition = text.rsplit('!').next().unwrap_or(text);
    match partition.len() {
        0 => Err("no partition found".to_owned()),
        1..MAX_PARTITION => Ok(partition.to_owned()),
        _ => Err("partition name too long".to_owned()),
    }
}

/// Whether a mailbox of this type (Cyrus 2) is one: 1 is on another server, 2 a name in reserve, 8 one that is being moved,
/// 16 a tombstone, 32 only a level between others.
fn is_ordinary(kind: u32) -> bool {
    kind & (1 | 2 | 8 | 16 | 32) == 0
}

fn complain(bad: usize) -> Result<(), String> {
    if bad == 0 { Ok(()) } else { Err(format!("{bad} entries of the acl make no sense; the others are kept")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mailboxes in short, and the lines with problems.
    fn read(text: &str) -> (Vec<String>, Vec<u64>) {
        let parsed = parse(text.as_bytes());
        let short = |saved: &SavedMailbox| {
            let acl = saved.acl.to_string().replace('\t', " ");
            let id = saved.unique_id.as_ref().map_or(String::new(), |id| format!(" {id}"));
            let validity = saved.uid_validity.map_or(String::new(), |validity| format!(" {validity}"));
            let partition = saved.partition.as_deref().unwrap_or("-");
            format!("{} {partition} {}{id}{validity}", saved.name, acl.trim())
        };
        (parsed.list.mailboxes().map(short).collect(), parsed.problems.into_iter().map(|(line, _)| line).collect())
    }

    #[test]
    fn every_form_is_read() {
        for (what, text, expected, problems) in [
            (
                "2.0",
                "user.joe\tdefault\tjoe\tlrs\t\nteam\tbig\tanyone\tlr\t\n",
                &["team big anyone lr", "user/joe default joe lrs"][..],
                &[][..],
            ),
            ("2.1", "user.joe\t0 default joe\tlrs\tanyone\tp\t\n", &["user/joe default joe lrs anyone p"], &[]),
            ("no acl entries", "user.joe\t0 default \n", &["user/joe default "], &[]),
            ("server", "user.joe\t0 mail1!default joe\tlrs\t\n", &["user/joe default joe lrs"], &[]),
            (
                "legacy",
                "user.joe\t0 default joe\tlrs\t>abc123 1700000000 99 7 3 \\Sent\n",
                &["user/joe default joe lrs abc123 99"],
                &[],
            ),
            (
                "ours",
                "user/joe\t0 default joe\tlrs\t>abc123 1 99 0 0\nv1.2\t0 default anyone\tlrs\t>d 1 2 0 0\n",
                &["user/joe default joe lrs abc123 99", "v1.2 default anyone lrs d 2"],
                &[],
            ),
            (
                "3.6",
                "{\n\"user.joe\": {\"mbtype\": \"e\", \"uidvalidity\": \"99\", \"partition\": \"default\", \"acl\": {\"joe\": \"lrs\"}, \"uniqueid\": \"abc\"},\n\"user.sue\": {\"partition\": \"default\", \"acl\": {}}\n}\n",
                &["user/joe default joe lrs abc 99", "user/sue default "],
                &[],
            ),
            (
                "pretty",
                "{\n \"user.joe\": {\n  \"partition\": \"default\",\n  \"acl\": {\"joe\": \"lrs\"}\n }\n}",
                &["user/joe default joe lrs"],
                &[],
            ),
            (
                "tombstones",
                "{\n\"user.a\": {\"mbtype\": \"de\", \"partition\": \"p\"},\n\"user.b\": {\"mbtype\": \"e\", \"partition\": \"p\"}\n}\n",
                &["user/b p "],
                &[],
            ),
            (
                "types",
                "user.a\t1 p a\tl\t\nuser.b\t2 p a\tl\t\nuser.c\t16 p a\tl\t\nuser.d\t4 p a\tl\t\n",
                &["user/d p a l"],
                &[],
            ),
            (
                "names",
                "user.joe.Entw&APw-rfe.Q3^2026\tdefault\tjoe\tlrs\t\n",
                &["user/joe/Entwürfe/Q3.2026 default joe lrs"],
                &[],
            ),
            ("crlf", "user.joe\tdefault\tjoe\tlrs\t\r\n", &["user/joe default joe lrs"], &[]),
            (
                "bad lines",
                "nonsense\nuser.joe\tdefault\tjoe\tlrs\t\nuser..x\tdefault\ta\tl\t\nuser.x\t0 \nuser.y\t0 default\n\u{1}\tp\ta\tl\t\n",
                &["user/joe default joe lrs"],
                &[1, 3, 4, 5, 6],
            ),
            ("bad acl", "user.joe\tdefault\tjoe\tlrs\tsue\tl?\t\n", &["user/joe default joe lrs"], &[1]),
            (
                "bad json line",
                "{\n\"user.joe\": {\"partition\": \"p\"},\n\"user.x\": {,\n\"user.y\": {\"partition\": \"p\"}\n}\n",
                &["user/joe p ", "user/y p "],
                &[3],
            ),
            ("virtual domain", "example.org!user.joe\tdefault\tjoe\tlrs\t\n", &[], &[1]),
            ("nothing", "", &[], &[]),
        ] {
            let (mailboxes, bad) = read(text);
            assert_eq!(mailboxes, expected, "{what} {:?}", parse(text.as_bytes()).problems);
            assert_eq!(bad, problems, "{what}");
        }
    }

    #[test]
    fn our_own_dumps_are_read() {
        let row = r#"{"name":"user/joe","id":"abc","uidvalidity":99,"partition":"default","acl":"joe\tlrs\t","created":1,"modified":2}"#;
        let text = format!(
            "{{\"dump\":\"mailboxes\",\"version\":1,\"seq\":6,\"time\":1}}\n[\"I/abc\",\"user/joe\"]\n[\"M/abc\",[7,9]]\n\
             [\"N/user/joe\",{row}]\n[\"N/user/torn\",{{]\n[\"Q/user/joe\",{{\"storage_kib\":5}}]\n[\"V/uidvalidity\",99]\n\
             {{\"crc\":\"00000000\",\"rows\":5,\"through\":6}}\n"
        );
        assert_eq!(read(&text), (vec!["user/joe default joe lrs abc 99".to_owned()], vec![5]));
    }

    #[test]
    fn hostile_lists_cost_themselves() {
        let deep = format!("\"user.x\": {}", "[".repeat(200_000));
        assert_eq!(read(&deep).1, [1]);
        let long = format!("{}\tdefault\ta\tl\t\n", "a".repeat(10_000_000));
        assert_eq!(read(&long).1, [1]);
        assert_eq!(parse(b"\xff\xfe\x00\n\xff\tp\ta\tl\t\n").problems.len(), 2);
    }
}
