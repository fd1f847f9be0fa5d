//! SELECT and EXAMINE (RFC 9051, 6.3.2 and 6.3.3; RFC 7162, 3.1.8 and 3.2.5): `a SELECT INBOX`, `a SELECT INBOX (QRESYNC
//! (67890007 20050715194045000 41:211))`.

mod alert;
mod resync;

use std::sync::Arc;

use mailstore::{Keyword, Mailbox, Rights, Status};

use crate::access;
use crate::context::{Context, Enabled};
use crate::flags;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::{self, Code, ListLine};
use crate::session::{Authenticated, Selected, Session};
use crate::types::Select;
use crate::view::View;
use resync::Resynced;

pub(crate) async fn select(context: &mut Context, user: &mut Authenticated, arguments: Select) -> Outcome {
    open(context, user, arguments, false).await
}

pub(crate) async fn examine(context: &mut Context, user: &mut Authenticated, arguments: Select) -> Outcome {
    open(context, user, arguments, true).await
}

async fn open(context: &mut Context, user: &mut Authenticated, arguments: Select, examined: bool) -> Outcome {
    // RFC 7162, 3.2.5: the parameter without ENABLE QRESYNC is an error of the client.
    if arguments.qresync.is_some() && !context.enabled.qresync {
        return Err(CommandError::bad("ENABLE QRESYNC comes first"));
    }
    let account = Arc::clone(&user.account);
    let name = account.name(&arguments.mailbox)?;
    let (mailbox, rights) = access::open(context, &account, name.clone(), access::READ).await?;
    context.enabled.condstore |= arguments.condstore;

    let read_only = examined || !rights.intersects(access::CHANGING);
    let snapshot = Snapshot::take(&mailbox, account.reader(), read_only, &arguments)?;
    let selected = Selected {
        user: user.clone(),
        view: snapshot.view,
        rights,
        examined,
        keywords_told: snapshot.keywords.len(),
        watch: snapshot.watch,
        incarnation: snapshot.incarnation,
        mailbox,
    };
    let told = Told {
        status: snapshot.status,
        first_unseen: snapshot.first_unseen,
        keywords: &snapshot.keywords,
        // RFC 9051, 6.3.2: the name as we spell it, if the client has spelled it otherwise.
        name: account.namespace.to_client(&name).unwrap_or_else(|| arguments.mailbox.as_str().to_owned()),
        asked: arguments.mailbox.as_str(),
    };
    tell_state(context, &selected, &told);
    if let Some(resynced) = snapshot.resynced {
        tell_resynced(context, &selected, resynced).await?;
    }
    if can_delete(rights) {
        alert::tell(context, &account, &name).await?;
    }
    let (code, text) = match read_only {
        true => (Code::ReadOnly, if examined { "EXAMINE completed" } else { "SELECT completed, read-only" }),
        false => (Code::ReadWrite, "SELECT completed"),
    };
    Ok(Done::ok(text).code(code).enter(Session::Selected(Box::new(selected))))
}

/// The mailbox at the instant of SELECT: all that the replies tell belongs to one state of it.
struct Snapshot {
    view: View,
    status: Status,
    first_unseen: Option<u32>,
    keywords: Vec<Keyword>,
    watch: tokio::sync::watch::Receiver<u64>,
    incarnation: u64,
    resynced: Option<Resynced>,
}

impl Snapshot {
    fn take(mailbox: &Arc<Mailbox>, reader: &str, read_only: bool, arguments: &Select) -> Result<Self, CommandError> {
        let watch = mailbox.watch();
        let recent_above = mailbox.take_recent(reader, read_only)?;
        let reading = mailbox.read();
        let status = reading.status();
        let view = View::new(reading.uids(), status.highest_modseq, recent_above);
        let first_unseen = reading.first_unseen(reader).and_then(|uid| view.sequence(uid.get()));
        let resynced = match &arguments.qresync {
            Some(known) => resync::resync(known, &reading)?,
            None => None,
        };
        let keywords = reading.keywords().to_vec();
        let incarnation = reading.incarnation();
        Ok(Snapshot { view, status, first_unseen, keywords, watch, incarnation, resynced })
    }
}

/// What the replies of SELECT say besides the session's own state.
struct Told<'a> {
    status: Status,
    first_unseen: Option<u32>,
    keywords: &'a [Keyword],
    name: String,
    asked: &'a str,
}

/// The replies that SELECT must give, of rev1 and of rev2.
fn tell_state(context: &mut Context, selected: &Selected, told: &Told<'_>) {
    let Enabled { rev2, .. } = context.enabled;
    let (status, view) = (&told.status, &selected.view);
    let room = selected.mailbox.takes_keywords();
    let permitted = access::permitted(selected.effective_rights());
    let permanent = flags::permanent(permitted, told.keywords, room);
    let encoding = context.encoding();
    context.send(|out| {
        reply::flags(out, flags::of_mailbox(told.keywords));
        reply::exists(out, view.exists());
        if !rev2 {
            reply::recent(out, view.recent());
        }
    });
    if let Some(sequence) = told.first_unseen.filter(|_| !rev2) {
        context.tell_code(&Code::Unseen(sequence), "First message that is not seen");
    }
    context.tell_code(&Code::PermanentFlags(permanent), "Flags that last");
    context.tell_code(&Code::UidNext(status.uid_next), "Next UID");
    context.tell_code(&Code::UidValidity(status.uid_validity.get()), "UIDs are valid");
    // RFC 7162, 3.1.2.1: told to every client, so that it learns that there are mod-sequences.
    context.tell_code(&Code::HighestModSeq(status.highest_modseq.get()), "Highest mod-sequence");
    if rev2 {
        let old_name = Some(told.asked).filter(|asked| *asked != told.name);
        let line = ListLine { attributes: &[], name: &told.name, old_name, child_info: &[] };
        context.send(|out| reply::list(out, &line, encoding));
    }
}

/// The difference to what the client remembers: first what is gone, then what has changed (RFC 7162, 3.2.5.1).
async fn tell_resynced(context: &mut Context, selected: &Selected, resynced: Resynced) -> Result<(), CommandError> {
    context.send(|out| reply::vanished(out, &resynced.vanished, true));
    selected.tell_flags(context, &resynced.changed).await
}

/// Whether somebody with these rights is told of a full quota: those who can do something about it.
fn can_delete(rights: Rights) -> bool {
    rights.contains(Rights::DELETE_MESSAGES)
}
