//! Messages to test with: small ones by number, and mbox files of thousands made of real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The small message number `n`, with CRLF line ends.
pub fn small(n: usize) -> Vec<u8> {
    format!(
        "Return-Path: <sender{n}@example.org>\r\n\
         Date: Thu, 01 Jan 2026 00:{minute:02}:{second:02} +0000\r\n\
         From: Sender {n} <sender{n}@example.org>\r\n\
         To: joe@example.org\r\n\
         Subject: message {n}\r\n\
         Message-ID: <small-{n}@example.org>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\
         \r\n\
         This is message {n}.\r\n",
        minute = n / 60 % 60,
        second = n % 60,
    )
    .into_bytes()
}

/// A message of an mbox file, as a mail client must find it after the import.
pub struct Original {
    /// Its bytes, lines ended by LF, as they are written into the file and as a client stores them.
    pub text: Vec<u8>,
    /// Its internal date, in seconds since 1970.
    pub date: u64,
    /// The flags, as the letters of a Maildir: a subset of `FRS`.
    pub flags: &'static str,
}

/// Flags that an mbox can carry: its Status, its X-Status, and what a Maildir makes of them.
const FLAGS: [(&str, &str, &str); 5] =
    [("O", "", ""), ("RO", "", "S"), ("RO", "F", "FS"), ("RO", "A", "RS"), ("O", "F", "F")];

/// 2020-01-01, when the first message of an mbox arrives.
const EPOCH: u64 = 1_577_836_800;

/// Minutes between two messages.
const STEP: u64 = 61;

/// The directories that tests/fetch-corpus makes.
const FETCHED: [&str; 3] = ["bounces", "mail-parser", "notmuch"];

/// The real mail that tests/fetch-corpus has put beside `tmp`, the `CARGO_TARGET_TMPDIR` of a test, every message as it was
/// found. Says on behalf of `test` what is missing, and is empty if all is.
pub fn fetched(tmp: &str, test: &str) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for name in FETCHED {
        let directory = Path::new(tmp).with_file_name("corpus").join(name);
        if !directory.is_dir() {
            println!("MISSING {name} for {test}: tests/fetch-corpus fetches it");
            continue;
        }
        let mut files = files_below(&directory);
        files.sort();
        messages.extend(files.iter().map(|file| fs::read(file).expect("a file just listed can be read")));
    }
    messages
}

/// `count` messages made of those in `directory`, of `others`, and, where Python's own test suite is installed, of the mail
/// in it, each with a number and a Message-ID of its own; and the mbox file that holds them.
pub fn mbox(directory: &Path, others: &[Vec<u8>], count: usize) -> (Vec<u8>, Vec<Original>) {
    let mut bases = bases(directory);
    bases.extend(others.iter().filter_map(|message| usable(message)));
    let mut file = Vec::new();
    let mut originals = Vec::with_capacity(count);
    for number in 0..count {
        let text = renumbered(&bases[number % bases.len()], number);
        let date = EPOCH + number as u64 * STEP * 60;
        let (status, x_status, flags) = FLAGS[number % FLAGS.len()];
        file.extend_from_slice(format!("From sender@example.org {}\nStatus: {status}\n", ctime(date)).as_bytes());
        if !x_status.is_empty() {
            file.extend_from_slice(format!("X-Status: {x_status}\n").as_bytes());
        }
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let quoted = line.iter().position(|&byte| byte != b'>').unwrap_or(0);
            if line[quoted..].starts_with(b"From ") {
                file.push(b'>');
            }
            file.extend_from_slice(line);
        }
        file.push(b'\n');
        originals.push(Original { text, date, flags });
    }
    (file, originals)
}

/// The number that [`mbox`] gave a message.
pub fn number(text: &[u8]) -> Option<usize> {
    let line = text.strip_prefix(b"X-Number: ")?;
    let end = line.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&line[..end]).ok()?.parse().ok()
}

fn bases(directory: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = Vec::new();
    for directory in [Some(directory.to_owned()), python_mail()].into_iter().flatten() {
        let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
    }
    files.sort();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml" || extension == "txt"));
    let bases: Vec<_> = files.iter().filter_map(|path| usable(&fs::read(path).ok()?)).collect();
    assert!(bases.len() >= 5, "{} has too few messages", directory.display());
    bases
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            if path.is_dir() { directories.push(path) } else { files.push(path) }
        }
    }
    files
}

/// A message with LF line ends that an mbox and mbsync can carry unchanged: it begins with a header that ends and holds no
/// Status of its own, and nowhere is a NUL or a CR. A From_ line is no part of it.
fn usable(message: &[u8]) -> Option<Vec<u8>> {
    let mut text: Vec<u8> = message.iter().copied().filter(|&byte| byte != b'\r').collect();
    if text.starts_with(b"From ") {
        text.drain(..=text.iter().position(|&byte| byte == b'\n')?);
    }
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let first = text.split(|&byte| byte == b'\n').next()?;
    let name = first.split(|&byte| byte == b':').next()?;
    let is_header = name.len() < first.len() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let header_end = text.windows(2).position(|window| window == b"\n\n")?;
    let header = text[..header_end].to_ascii_lowercase();
    let bookkept = header.windows(7).any(|window| window == b"status:" || window == b"x-imap:");
    (is_header && !text.contains(&0) && !bookkept).then_some(text)
}

/// The message under a number and a Message-ID of its own.
fn renumbered(base: &[u8], number: usize) -> Vec<u8> {
    let mut text = format!("X-Number: {number}\nMessage-ID: <corpus-{number}@example.org>\n").into_bytes();
    let mut in_header = true;
    for line in base.split_inclusive(|&byte| byte == b'\n') {
        in_header &= line != b"\n";
        if in_header && line.to_ascii_lowercase().starts_with(b"message-id:") {
            text.extend_from_slice(b"X-Original-");
        }
        text.extend_from_slice(line);
    }
    text
}

/// The mail in Python's test suite, if it is installed.
fn python_mail() -> Option<PathBuf> {
    let script = "import os, test.test_email as t; print(os.path.join(os.path.dirname(t.__file__), 'data'), end='')";
    let output = Command::new("python3").args(["-c", script]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned().into())
}

/// `Wed Jan  1 00:00:00 2020`, as it stands in a From_ line.
fn ctime(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let days = seconds / 86_400;
    let (mut year, mut left) = (1970, days);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = |year: u64| if is_leap(year) { 366 } else { 365 };
    while left >= length(year) {
        left -= length(year);
        year += 1;
    }
    let february = length(year) - 337;
    let mut month = 0;
    for size in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if left < size {
            break;
        }
        left -= size;
        month += 1;
    }
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let weekday = DAYS[(days % 7) as usize];
    format!("{weekday} {} {:2} {hour:02}:{minute:02}:{second:02} {year}", MONTHS[month], left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_from_lines() {
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_782_399, "Mon Feb 28 23:59:59 2000"),
            (951_782_400, "Tue Feb 29 00:00:00 2000"),
            (EPOCH, "Wed Jan  1 00:00:00 2020"),
            (1_767_225_599, "Wed Dec 31 23:59:59 2025"),
        ] {
            assert_eq!(ctime(seconds), text);
        }
    }

    #[test]
    fn messages_have_numbers() {
        let text = renumbered(b"Subject: x\nMessage-Id: <a@b>\n\nmessage-id: stays\n", 7);
        assert_eq!(number(&text), Some(7));
        assert!(text.ends_with(b"X-Original-Message-Id: <a@b>\n\nmessage-id: stays\n"));
    }
}
