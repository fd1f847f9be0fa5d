//! `angarium restore`: mail from a backup, into place or into another folder.
//!
//! Nothing that is there is touched, and no UID is used twice: messages that the mailbox has (by their hash) are left
//! alone, but for those that nobody has flagged or read since they came, which get their flags back; all others are appended with their
//! flags, keywords, internal dates and the owner's \Seen. Run twice, it does
//! nothing the second time. To go back to a mailbox as it was, UIDs included, put its directory back and run
//! `reconstruct` (docs/recovery.md).

use std::path::PathBuf;

use mailstore::{MailboxName, Store, UidSet};

use crate::backup::manifest::{self, Entry};
use crate::error::CommandError;
use crate::import::{ImportRequest, Source, import};
use crate::{Console, Exit};

/// What to restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// The backup's directory.
    pub from: PathBuf,
    /// The mailbox, with those below it unless messages are named. A user is his INBOX.
    pub mailbox: MailboxName,
    /// Only these messages of it, by their UIDs in the backup.
    pub uids: Option<UidSet>,
    /// Where it goes instead of into place.
    pub into: Option<MailboxName>,
    /// Say only what would be done.
    pub dry_run: bool,
    /// Print the summaries as JSON.
    pub json: bool,
}

/// Restores mail. Ends with the first failure's code.
///
/// # Errors
/// There is no such backup, or nothing of that name in it.
pub fn restore(store: &Store, request: &RestoreRequest, console: &mut dyn Console) -> Result<Exit, CommandError> {
    let from = console.directory().join(&request.from);
    let mut found = false;
    let mut exit = Exit::Ok;
    manifest::read(&from, |entry| {
        let Entry::Mailbox { name, directory, messages, .. } = entry else { return Ok(()) };
        let Ok(name) = MailboxName::parse(&name) else { return Ok(()) };
        if name != request.mailbox && (request.uids.is_some() || !name.is_below(&request.mailbox)) {
            return Ok(());
        }
        let Some(path) = manifest::place(&from, &directory) else { return Ok(()) };
        found = true;
        let target = target(request, &name)?;
        if request.dry_run {
            console.out(&format!("{name}: {messages} messages would go to {target}, but for those that are there"))?;
            return Ok(());
        }
        let source = Source::Backup { path, uids: request.uids.clone() };
        let request = ImportRequest { source, target, ignore_quota: true, resume: true, json: request.json };
        let ended = import(store, console, &request);
        exit = if exit == Exit::Ok { ended } else { exit };
        Ok::<_, CommandError>(())
    })?;
    if !found {
        let (name, from) = (&request.mailbox, from.display());
        return Err(CommandError::Missing(format!("there is no mailbox {name} in the backup {from}")));
    }
    Ok(exit)
}

/// Where a mailbox goes.
fn target(request: &RestoreRequest, name: &MailboxName) -> Result<MailboxName, CommandError> {
    let Some(into) = &request.into else { return Ok(name.clone()) };
    match name.as_str().strip_prefix(request.mailbox.as_str()).and_then(|rest| rest.strip_prefix('/')) {
        Some(below) => into.child(below).map_err(|problem| CommandError::Usage(problem.to_string())),
        None => Ok(into.clone()),
    }
}
