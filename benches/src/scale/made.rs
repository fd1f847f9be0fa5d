//! Stores written straight to disk: rows as a dump of the mailboxes database (docs/formats/journal.md, mailboxes.md), from
//! which the next start makes the index; directories with files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use harness::Home;

/// Folders of each user, INBOX first.
const FOLDERS: [&str; 10] =
    ["", "/Archive", "/Archive/2024", "/Archive/2025", "/Drafts", "/Junk", "/Lists", "/Lists/rust", "/Sent", "/Trash"];

/// When all of them were made, Unix seconds.
const TIME: u64 = 1_790_000_000;

/// Mailbox names of `count` mailboxes, ten of each user.
pub(super) fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("user/{}{}", user(n / FOLDERS.len()), FOLDERS[n % FOLDERS.len()]))
}

fn user(n: usize) -> String {
    format!("m{n:07}")
}

/// Puts a mailbox list of `count` rows in the place of the one that is there. `roots`: each user has a quota root.
pub(super) fn write_list(home: &Home, count: usize, roots: bool) -> io::Result<()> {
    let copies = home.config_dir().join("copies");
    for entry in fs::read_dir(&copies)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("mailboxes.")
            && !entry.file_name().to_string_lossy().ends_with(".lock")
        {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(home.config_dir().join("mailboxes.db"))?;
    let mut rows: Vec<(String, String)> = Vec::with_capacity(3 * count + 1);
    for (n, name) in names(count).enumerate() {
        let id = id(n);
        let owner = user(n / FOLDERS.len());
        let root = if roots { format!("\"root\":\"user/{owner}\",") } else { String::new() };
        let row = format!(
            "{{\"acl\":\"{owner}\\tlrswipkxtecdan\\t\",\"created\":{TIME},\"id\":\"{id}\",\"modified\":{TIME},\"name\":\"{name}\",\
             \"partition\":\"default\",{root}\"uidvalidity\":{TIME}}}"
        );
        rows.push((format!("I/{id}"), format!("\"{name}\"")));
        rows.push((format!("M/{id}"), "[0,1]".to_owned()));
        rows.push((format!("N/{name}"), row));
        if roots && n % FOLDERS.len() == 0 {
            rows.push((format!("Q/{name}"), "{\"storage_kib\":1048576}".to_owned()));
        }
    }
    rows.push(("V/uidvalidity".to_owned(), TIME.to_string()));
    rows.sort();
    dump(&copies, count as u64, &rows)?;
    let header = format!("{count} {count} {{\"journal\":\"mailboxes\",\"version\":1}}");
    let line = format!("{:08x} {header}\n", crc32fast::hash(header.as_bytes()));
    fs::write(copies.join("mailboxes.journal"), line)
}

/// The unique id of mailbox number `n`: spread like random ones.
fn id(n: usize) -> String {
    let mix = |n: u64| {
        (n ^ 0x9e37_79b9_7f4a_7c15)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .rotate_left(29)
            .wrapping_mul(0x94d0_49bb_1331_11eb)
    };
    format!("{:016x}{n:016x}", mix(n as u64))
}

fn dump(copies: &Path, seq: u64, rows: &[(String, String)]) -> io::Result<()> {
    let mut out = BufWriter::new(File::create(copies.join(format!("mailboxes.{seq:020}.{TIME}.dump")))?);
    let mut crc = crc32fast::Hasher::new();
    let mut line = |text: &str| {
        crc.update(text.as_bytes());
        out.write_all(text.as_bytes())
    };
    line(&format!("{{\"dump\":\"mailboxes\",\"version\":1,\"seq\":{seq},\"time\":{TIME}}}\n"))?;
    for (key, value) in rows {
        line(&format!("[\"{key}\",{value}]\n"))?;
    }
    let (rows, crc) = (rows.len(), crc.finalize());
    writeln!(out, "{{\"rows\":{rows},\"through\":{seq},\"crc\":\"{crc:08x}\"}}")?;
    out.into_inner()?.sync_all()
}

/// Gives each of these mailboxes a directory with `files`.
pub(super) fn write_directories(
    home: &Home,
    count: usize,
    mut files: impl FnMut(usize, &Path) -> io::Result<()>,
) -> io::Result<()> {
    for (n, name) in names(count).enumerate() {
        let directory = home.spool().join(name);
        fs::create_dir_all(&directory)?;
        files(n, &directory)?;
    }
    Ok(())
}
