//! FETCH of a whole mailbox: the list, the headers, or everything. Each message must be answered exactly once, with what
//! the corpus says about it.

use std::sync::Arc;

use super::{KEPT, Options};
use crate::corpus::Corpus;
use crate::fill::{fill, multiply};
use crate::imap::Imap;
use crate::measure::{Client, Meter, drive};
use crate::{Failure, Report, Target, parse};

/// Bytes of a message where only its header is asked for.
pub(super) const SMALL: usize = 4000;

/// Different messages in the mailbox of which list and headers are fetched.
pub(super) const DISTINCT: usize = 2000;

/// What is asked of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    List,
    Headers,
    Body,
}

struct Reader {
    imap: Imap,
    what: What,
    corpus: Corpus,
    /// The answers of one FETCH, by sequence number, which were checked; empty before the first.
    checked: Arc<Vec<Vec<u8>>>,
    /// Which messages the present FETCH has shown.
    shown: Vec<bool>,
}

pub(super) async fn run(what: What, target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    let connections = options.connections.unwrap_or(2);
    let mut imap = Imap::login(target, 1).await?;
    let (mailbox, corpus, count) = prepare(&mut imap, what, options).await?;
    if options.prepare {
        return Ok(None);
    }
    // Once selected and closed, so that no message is \Recent below.
    imap.select(&mailbox).await?;
    imap.log_out().await?;
    let mut readers: Vec<Reader> = Vec::new();
    for _ in 0..connections {
        let mut imap = Imap::login(target, 1).await?;
        if imap.select(&mailbox).await? != count {
            return Err(Failure::Wrong(format!("{mailbox} does not have {count} messages")));
        }
        let checked = readers.first().map_or_else(Arc::default, |first| Arc::clone(&first.checked));
        let mut reader = Reader { imap, what, corpus: corpus.clone(), checked, shown: vec![false; count] };
        reader.warm_up().await?;
        readers.push(reader);
    }
    let meter = Meter::begin(target)?;
    let (readers, run) = drive(readers, options.bounds(2, 10_000)).await?;
    let (name, unit) = match what {
        What::List => ("fetch-list", "messages"),
        What::Headers => ("fetch-headers", "messages"),
        What::Body if target.tls.is_some() => ("fetch-body-tls", "MB"),
        What::Body => ("fetch-body", "MB"),
    };
    let report = meter.report(name, unit, run, false).await?;
    for reader in readers {
        reader.imap.log_out().await?;
    }
    Ok(Some(report))
}

/// The mailbox, what it contains and how many messages it has.
async fn prepare(imap: &mut Imap, what: What, options: &Options) -> Result<(String, Corpus, usize), Failure> {
    if what == What::Body {
        let count = options.population.unwrap_or(500);
        let corpus = Corpus::new(options.size, KEPT);
        let mailbox = format!("Bodies{count}-{}", options.size.unwrap_or(0));
        fill(imap, &mailbox, &corpus, count).await?;
        return Ok((mailbox, corpus, count));
    }
    let (mailbox, count) = prepare_list(imap, options.population).await?;
    Ok((mailbox, Corpus::new(Some(SMALL), KEPT), count))
}

/// Makes the mailbox with many small messages: message `k`, counted from 0, is number `k % DISTINCT` of the corpus.
pub(super) async fn prepare_list(imap: &mut Imap, population: Option<usize>) -> Result<(String, usize), Failure> {
    let count = population.unwrap_or(10_000);
    let mailbox = format!("List{count}");
    let corpus = Corpus::new(Some(SMALL), KEPT);
    if count <= DISTINCT {
        fill(imap, &mailbox, &corpus, count).await?;
    } else {
        fill(imap, "Seed", &corpus, DISTINCT).await?;
        multiply(imap, "Seed", DISTINCT, &mailbox, count).await?;
    }
    Ok((mailbox, count))
}

impl Reader {
    /// One FETCH whose answers are all parsed and checked, and remembered.
    async fn warm_up(&mut self) -> Result<(), Failure> {
        let mut answers = vec![Vec::new(); self.shown.len()];
        let what = self.what;
        self.fetch(|n, answer| {
            // Bodies are compared with the corpus itself, which stays in the processor's cache.
            if what != What::Body {
                answers[n] = answer.to_vec();
            }
        })
        .await?;
        if self.checked.is_empty() {
            self.checked = Arc::new(answers);
        }
        Ok(())
    }

    /// One FETCH; `each` is given each answer with the number of its message, counted from 0. How many bytes came.
    async fn fetch(&mut self, mut each: impl FnMut(usize, &[u8])) -> Result<u64, Failure> {
        let command = match self.what {
            What::List => "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
            What::Headers => {
                "UID FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID \
                 Priority X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"
            }
            What::Body => "UID FETCH 1:* (UID BODY.PEEK[])",
        };
        self.shown.fill(false);
        let Self { imap, what, corpus, checked, shown } = self;
        let (mut bytes, mut count) = (0, 0);
        imap.run(command, |answer| {
            let Some((number, rest)) = parse::numbered(answer) else { return Ok(()) };
            if !rest.starts_with(b"FETCH ") {
                return Ok(());
            }
            let n = number.wrapping_sub(1);
            match shown.get_mut(n) {
                Some(shown) if !*shown => *shown = true,
                _ => return Err(Failure::wrong("a message that is not there, or twice", answer)),
            }
            if checked.get(n).is_none_or(|checked| checked != answer) {
                check(*what, corpus, n, answer)?;
            }
            bytes += answer.len() as u64;
            count += 1;
            each(n, answer);
            Ok(())
        })
        .await?;
        if count != shown.len() {
            return Err(Failure::Wrong(format!("{count} FETCH answers for {} messages", shown.len())));
        }
        Ok(bytes)
    }
}

impl Client for Reader {
    async fn step(&mut self) -> Result<u64, Failure> {
        let bytes = self.fetch(|_, _| ()).await?;
        Ok(if self.what == What::Body { bytes } else { self.shown.len() as u64 })
    }
}

/// Whether an answer about message `n`, counted from 0, says what the corpus says.
fn check(what: What, corpus: &Corpus, n: usize, answer: &[u8]) -> Result<(), Failure> {
    let wrong = |what: &str| Failure::wrong(what, answer);
    let n = if what == What::Body { n } else { n % DISTINCT };
    let message = corpus.message(n);
    let (_, items) = parse::fetch(answer)?;
    parse::item(&items, b"UID").and_then(|uid| parse::number(uid).ok_or_else(|| wrong("UID")))?;
    if what == What::Body {
        let text = parse::string(parse::item(&items, b"BODY[]")?).ok_or_else(|| wrong("no literal"))?;
        return if message.is(text) { Ok(()) } else { Err(wrong("another message")) };
    }
    if parse::number(parse::item(&items, b"RFC822.SIZE")?) != Some(message.len()) {
        return Err(wrong("RFC822.SIZE"));
    }
    let flags = parse::item(&items, b"FLAGS")?;
    if parse::has_flag(flags, b"\\Flagged") != Corpus::is_flagged(n)
        || parse::has_flag(flags, b"\\Seen") != Corpus::is_seen(n)
    {
        return Err(wrong("FLAGS"));
    }
    let contains = |text: &[u8], part: &str| memchr::memmem::find(text, part.as_bytes()).is_some();
    if what == What::Headers {
        let name = items.iter().map(|item| item.0).find(|name| name.starts_with(b"BODY[HEADER.FIELDS"));
        let fields = parse::item(&items, name.ok_or_else(|| wrong("no header"))?)?;
        let fields = parse::string(fields).ok_or_else(|| wrong("no literal"))?;
        let subject = format!("Subject: {}\r\n", corpus.subject(n));
        let right = contains(fields, &subject) && contains(fields, "References: <") && fields.ends_with(b"\r\n\r\n");
        return if right { Ok(()) } else { Err(wrong("header fields")) };
    }
    // A day of one digit may be written with a space or with a zero.
    let date = parse::string(parse::item(&items, b"INTERNALDATE")?);
    let date = date.and_then(|date| date.strip_prefix(b" ").or(date.strip_prefix(b"0")).or(Some(date)));
    if date != Some(Corpus::internal_date(n).trim_start().as_bytes()) {
        return Err(wrong("INTERNALDATE"));
    }
    let envelope = parse::item(&items, b"ENVELOPE")?;
    if !contains(envelope, &corpus.subject(n)) || !contains(envelope, "people.example.net") {
        return Err(wrong("ENVELOPE"));
    }
    let structure = parse::item(&items, b"BODYSTRUCTURE")?;
    let is_multipart = memchr::memmem::find(message.head.as_bytes(), b"multipart/").is_some();
    if structure.starts_with(b"((") == is_multipart { Ok(()) } else { Err(wrong("BODYSTRUCTURE")) }
}
