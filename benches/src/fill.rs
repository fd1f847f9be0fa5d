//! Mailboxes with known contents, made once and found again by the next run.

use crate::corpus::Corpus;
use crate::imap::Imap;
use crate::{Failure, parse};

/// Messages in one APPEND (RFC 3502).
const BATCH: usize = 50;

/// Makes sure that `mailbox` holds messages `0..count` of the corpus, in this order, each with its flags and date.
pub(crate) async fn fill(imap: &mut Imap, mailbox: &str, corpus: &Corpus, count: usize) -> Result<(), Failure> {
    if !make(imap, mailbox, count).await? {
        return Ok(());
    }
    let batch = if imap.can("MULTIAPPEND").await? { BATCH } else { 1 };
    for begin in (0..count).step_by(batch) {
        append(imap, mailbox, corpus, begin..count.min(begin + batch)).await?;
    }
    check_count(imap, mailbox, count).await
}

/// Makes sure that `mailbox` holds `count` messages: those of `source`, which has `distinct` ones, over and over.
pub(crate) async fn multiply(
    imap: &mut Imap,
    source: &str,
    distinct: usize,
    mailbox: &str,
    count: usize,
) -> Result<(), Failure> {
    if make(imap, mailbox, count).await? {
        top_up(imap, source, distinct, mailbox, count).await?;
    }
    Ok(())
}

/// Copies messages of `source` until `mailbox` holds `count`, whatever it held before.
pub(crate) async fn top_up(
    imap: &mut Imap,
    source: &str,
    distinct: usize,
    mailbox: &str,
    count: usize,
) -> Result<(), Failure> {
    if !imap.has(mailbox).await? {
        imap.run(&format!("CREATE {mailbox}"), |_| Ok(())).await?;
    }
    imap.select(source).await?;
    let there = imap.messages(mailbox).await?;
    for begin in (there..count).step_by(distinct) {
        let end = distinct.min(count - begin);
        imap.run(&format!("COPY 1:{end} {mailbox}"), |_| Ok(())).await?;
    }
    imap.run("CLOSE", |_| Ok(())).await?;
    check_count(imap, mailbox, count).await
}

/// Makes the mailbox if it is not there. Whether it is to be filled; what is neither full nor empty is emptied.
async fn make(imap: &mut Imap, mailbox: &str, count: usize) -> Result<bool, Failure> {
    if mailbox != "INBOX" && !imap.has(mailbox).await? {
        imap.run(&format!("CREATE {mailbox}"), |_| Ok(())).await?;
    }
    let there = imap.messages(mailbox).await?;
    if there == count {
        return Ok(false);
    }
    if there > 0 {
        imap.select(mailbox).await?;
        imap.run("STORE 1:* +FLAGS.SILENT (\\Deleted)", |_| Ok(())).await?;
        imap.run("EXPUNGE", |_| Ok(())).await?;
        imap.run("CLOSE", |_| Ok(())).await?;
        check_count(imap, mailbox, 0).await?;
    }
    Ok(true)
}

/// Appends some messages of the corpus with one command; the server must give each a UID.
async fn append(
    imap: &mut Imap,
    mailbox: &str,
    corpus: &Corpus,
    numbers: std::ops::Range<usize>,
) -> Result<(), Failure> {
    let messages: Vec<_> = numbers.clone().map(|n| corpus.message(n)).collect();
    let openings: Vec<_> = numbers
        .zip(&messages)
        .map(|(n, message)| {
            format!(" ({}) \"{}\" {{{}+}}\r\n", Corpus::flags(n), Corpus::internal_date(n), message.len())
        })
        .collect();
    let command = format!("APPEND {mailbox}");
    let mut parts = vec![command.as_bytes()];
    for (opening, message) in openings.iter().zip(&messages) {
        parts.extend([opening.as_bytes(), message.head.as_bytes(), message.body]);
    }
    imap.run_with(&parts, |_| Ok(())).await?;
    match parse::code(imap.status(), "APPENDUID") {
        Some(_) => Ok(()),
        None => Err(Failure::wrong("APPEND without APPENDUID", imap.status())),
    }
}

async fn check_count(imap: &mut Imap, mailbox: &str, count: usize) -> Result<(), Failure> {
    let there = imap.messages(mailbox).await?;
    if there == count {
        Ok(())
    } else {
        Err(Failure::Wrong(format!("{mailbox} has {there} messages instead of {count}")))
    }
}
