//! `deliver [-m folder] [-a authid] [-f|-r sender] [-q] USER...`: delivers one message from standard input, for scripts and
//! for MTAs that pipe mail into a program.
//!
//! The message is stored once and linked into every user's mailbox. Line ends become CRLF; a `From ` line at the top,
//! which sendmail puts there, is dropped; a NUL octet is refused. With `-f` the message gets a `Return-Path:`, and others
//! are removed. With `-m` it goes to that folder if it exists and the poster (`-a`, else nobody in particular) has the
//! right `p` there, else to the INBOX; without users `-m` names a shared mailbox, and then there is no else.

use std::io::{self, BufRead};
use std::sync::Arc;

use mailstore::{
    Access, AppendOptions, Mailbox, MailboxName, NewMessage, QuotaCheck, Rights, StageWriter, Staged, Store,
    SystemFlags, Timestamp,
};
use message::header::{Fields, header_size};
use serde::Serialize;

use crate::console::{Console, Exit};
use crate::import::{Canonical, Lines, PIECE, exit_of};

/// The header that is held to look for `Return-Path:` fields: 1 MiB. Beyond it the header passes as it is.
const HEADER: usize = 1024 * 1024;

/// Longest sender: `Return-Path: <sender>` must stay within a line (RFC 5322, 2.1.1).
const SENDER: usize = 900;

/// What to deliver, and to whom.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeliverRequest {
    /// `-m`: a folder of each user, or with no users a shared mailbox.
    pub folder: Option<String>,
    /// `-a`: the user who posts; nobody in particular by default.
    pub auth: Option<String>,
    /// `-f`, `-r`: the envelope sender; an empty text is the null sender.
    pub sender: Option<String>,
    /// `-q`: deliver although a quota is used up.
    pub ignore_quota: bool,
    /// The users, by user ID.
    pub users: Vec<String>,
    /// Print what became of each as JSON.
    pub json: bool,
}

/// What became of one recipient.
#[derive(Debug, Serialize)]
struct Delivery<'a> {
    recipient: &'a str,
    mailbox: Option<String>,
    uid: Option<u32>,
    error: Option<String>,
    exit: Exit,
}

/// Delivers a message. Blocks.
///
/// Exit codes, of the recipient that fared worst, temporary failures first: `Ok`; `TempFail` for a full quota, a full
/// disk or whatever else may pass; `NoUser`; `NoPermission`; `Data` for a message that is none; `Usage`.
pub fn deliver(store: &Store, console: &mut dyn Console, request: &DeliverRequest) -> Exit {
    let recipients: Vec<&str> = match (&request.users[..], &request.folder) {
        ([], Some(folder)) => vec![folder],
        ([], None) => return say(console, Exit::Usage, "deliver: no users, and no mailbox (-m)"),
        (users, _) => users.iter().map(String::as_str).collect(),
    };
    if request.sender.as_deref().is_some_and(|sender| !is_sender(sender)) {
        return say(console, Exit::Usage, "deliver: the sender is no address");
    }
    let targets: Vec<_> = recipients.iter().map(|recipient| target(store, request, recipient)).collect();
    // Nothing is read when nobody can get it: the caller learns at once.
    let first = targets.iter().flatten().next().map(|mailbox| store.partition_of(&mailbox.name()));
    let staged = match first {
        None => None,
        Some(partition) => match receive(store, console.stdin(), &partition, request.sender.as_deref()) {
            Ok(staged) => Some(Arc::new(staged)),
            Err((exit, why)) => return say(console, exit, &why),
        },
    };
    let deliveries = post(request, &recipients, targets, staged);
    report(console, request.json, &deliveries)
}

/// The mailbox of a recipient.
fn target(store: &Store, request: &DeliverRequest, recipient: &str) -> mailstore::Result<Arc<Mailbox>> {
    let access = request.auth.as_deref().map_or_else(Access::anonymous, Access::user);
    if request.users.is_empty() {
        let name = MailboxName::parse(recipient)?;
        if name.is_deleted() {
            return Err(mailstore::Error::NotFound(recipient.to_owned()));
        }
        store.check_post(&access, &name)?;
        return store.mailbox(&name);
    }
    let inbox = MailboxName::inbox(&recipient.to_ascii_lowercase())?;
    let folder = request.folder.as_deref().and_then(|folder| inbox.child(folder).ok());
    let open = folder.filter(|folder| store.rights(&access, folder).contains(Rights::POST));
    store.mailbox(&open.unwrap_or(inbox))
}

/// Links the message into the mailboxes, all in one go.
fn post<'a>(
    request: &DeliverRequest,
    recipients: &[&'a str],
    targets: Vec<mailstore::Result<Arc<Mailbox>>>,
    staged: Option<Arc<Staged>>,
) -> Vec<Delivery<'a>> {
    let mut open = Vec::with_capacity(targets.len());
    if let Some(staged) = staged {
        for mailbox in targets.iter().flatten() {
            let message = NewMessage {
                staged: Arc::clone(&staged),
                internal_date: Timestamp::now(),
                flags: SystemFlags::NONE,
                keywords: Vec::new(),
                seen: false,
            };
            open.push((Arc::clone(mailbox), message));
        }
    }
    let quota = if request.ignore_quota { QuotaCheck::Ignore } else { QuotaCheck::EnforceAfter };
    let mut results = Store::deliver(&open, &AppendOptions { quota, reader: None }).into_iter();
    let outcome = |(recipient, target): (&&'a str, mailstore::Result<Arc<Mailbox>>)| {
        let mailbox = target.as_ref().ok().map(|mailbox| mailbox.name().to_string());
        let missing = || Err(mailstore::Error::Unavailable("a delivery has no result".to_owned()));
        let result = target.and_then(|_| results.next().unwrap_or_else(missing));
        Delivery {
            recipient,
            mailbox,
            uid: result.as_ref().ok().map(|uid| uid.get()),
            exit: result.as_ref().err().map_or(Exit::Ok, exit_of),
            error: result.err().map(|error| error.to_string()),
        }
    };
    recipients.iter().zip(targets).map(outcome).collect()
}

/// Says what became of each, and how it went altogether.
fn report(console: &mut dyn Console, json: bool, deliveries: &[Delivery<'_>]) -> Exit {
    for delivery in deliveries {
        let Delivery { recipient, mailbox, uid, error, exit } = delivery;
        tracing::info!(event = "deliver.finished", recipient, ?mailbox, ?uid, exit = exit.code(), ?error);
        // Whoever has gone away misses this; the mail is where it is.
        let _ = match error {
            Some(error) if !json => console.err(&format!("{recipient}: {error}")),
            _ => Ok(()),
        };
    }
    if json {
        let _ = console.out(&serde_json::to_string(deliveries).unwrap_or_default());
    }
    let failures = || deliveries.iter().map(|delivery| delivery.exit).filter(|exit| *exit != Exit::Ok);
    failures().find(|exit| *exit == Exit::TempFail).or_else(|| failures().next()).unwrap_or(Exit::Ok)
}

fn say(console: &mut dyn Console, exit: Exit, why: &str) -> Exit {
    let _ = console.err(why);
    exit
}

/// Reads the message to its end and makes it durable.
fn receive(
    store: &Store,
    input: &mut dyn BufRead,
    partition: &str,
    sender: Option<&str>,
) -> Result<Staged, (Exit, String)> {
    let failed = |error: mailstore::Error| (exit_of(&error), format!("deliver: {error}"));
    let broken = |error: io::Error| (Exit::TempFail, format!("deliver: standard input: {error}"));
    let mut message = Receiver {
        writer: store.stage(partition).map_err(failed)?,
        canonical: Canonical::default(),
        header: Some(Vec::new()),
        sender,
        ends_line: true,
        out: Vec::with_capacity(2 * PIECE),
    };
    let mut lines = Lines::new(0);
    let mut is_empty = true;
    while let Some(piece) = lines.advance(input).map_err(broken)? {
        is_empty = false;
        if piece.offset > 0 || !lines.piece().starts_with(b"From ") {
            message.push(lines.piece()).map_err(failed)?;
        }
    }
    if is_empty {
        return Err((Exit::Data, "deliver: no message on standard input".to_owned()));
    }
    message.end().map_err(failed)?;
    if message.canonical.saw_nul() {
        return Err((Exit::Data, "deliver: the message has a NUL octet".to_owned()));
    }
    message.writer.finish().map_err(failed)
}

/// A message on its way from standard input to the stage.
struct Receiver<'a> {
    writer: StageWriter,
    canonical: Canonical,
    /// The header as far as it has come; `None` behind it.
    header: Option<Vec<u8>>,
    sender: Option<&'a str>,
    ends_line: bool,
    /// Converted octets, used again and again.
    out: Vec<u8>,
}

impl Receiver<'_> {
    /// Takes a line, or a piece of one.
    fn push(&mut self, octets: &[u8]) -> mailstore::Result<()> {
        self.ends_line = octets.ends_with(b"\n");
        self.canonical.convert(octets, &mut self.out);
        match &mut self.header {
            Some(header) => {
                let is_end = self.out == b"\r\n";
                header.append(&mut self.out);
                if is_end || header.len() > HEADER { self.put_header() } else { Ok(()) }
            }
            None => {
                let written = self.writer.write(&self.out);
                self.out.clear();
                written
            }
        }
    }

    fn end(&mut self) -> mailstore::Result<()> {
        self.canonical.end(self.ends_line, &mut self.out);
        let rest = std::mem::take(&mut self.out);
        match &mut self.header {
            Some(header) => {
                header.extend_from_slice(&rest);
                self.put_header()
            }
            None => self.writer.write(&rest),
        }
    }

    /// Writes the header, with the sender if there is one to be noted.
    fn put_header(&mut self) -> mailstore::Result<()> {
        let Some(header) = self.header.take() else { return Ok(()) };
        let Some(sender) = self.sender else { return self.writer.write(&header) };
        self.writer.write(format!("Return-Path: <{sender}>\r\n").as_bytes())?;
        if header.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
            // Text that would become part of our field.
            self.writer.write(b"\r\n")?;
        }
        let end = header_size(&header);
        let mut at = 0;
        for field in Fields::new(&header[..end]) {
            at = field.lines.end;
            if !field.name.eq_ignore_ascii_case(b"Return-Path") {
                self.writer.write(&header[field.lines])?;
            }
        }
        self.writer.write(&header[at..])
    }
}

fn is_sender(sender: &str) -> bool {
    sender.len() <= SENDER && !sender.chars().any(|c| c.is_control() || matches!(c, '<' | '>'))
}

#[cfg(test)]
mod tests;
