//! LIST (RFC 9051, 6.3.9; RFC 5258, 5819, 6154, 8440): `a LIST (SUBSCRIBED RECURSIVEMATCH) "" ("%" "Lists/*") RETURN
//! (CHILDREN STATUS (UNSEEN))`, and LSUB of rev1.

mod chosen;
mod pattern;
mod walk;

use std::sync::Arc;

use mailstore::{Row, SpecialUse};

use super::status;
use crate::context::Context;
use crate::namespace::{INBOX, SEPARATOR};
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::{self, ListLine};
use crate::session::{Account, Authenticated};
use crate::types::{List, ListPattern, ListReturn, ListSelection, MailboxArg, StatusItem};
use chosen::Chosen;
use pattern::Pattern;
use walk::{Entry, Walk};

/// What the client wants to know.
pub(super) struct Wanted {
    patterns: Vec<Pattern>,
    selection: Vec<ListSelection>,
    subscribed: bool,
    my_rights: bool,
    status: Option<Vec<StatusItem>>,
}

pub(crate) async fn list(context: &mut Context, user: &mut Authenticated, arguments: List) -> Outcome {
    let wanted = wanted(&arguments)?;
    let account = Arc::clone(&user.account);
    // RFC 9051, 6.3.9: an empty pattern asks for the separator, and for no mailbox.
    if !arguments.parenthesised && arguments.patterns.iter().all(|pattern| pattern.as_str().is_empty()) {
        let line = ListLine { attributes: &["\\Noselect"], name: "", old_name: None, child_info: &[] };
        let encoding = context.encoding();
        context.send(|out| reply::list(out, &line, encoding));
        return Ok(Done::ok("LIST completed"));
    }
    if wanted.selects(ListSelection::Subscribed) || wanted.selects(ListSelection::SpecialUse) {
        list_chosen(context, &account, &wanted).await?;
    } else {
        list_all(context, &account, &wanted).await?;
    }
    Ok(Done::ok("LIST completed"))
}

/// RFC 3501, 6.3.9. With `%` at the end, levels above subscribed names are told as `\Noselect`.
pub(crate) async fn lsub(
    context: &mut Context,
    user: &mut Authenticated,
    reference: MailboxArg,
    pattern: ListPattern,
) -> Outcome {
    let account = Arc::clone(&user.account);
    let patterns = [Pattern::new(reference.as_str(), pattern.as_str())];
    let chosen = Chosen::subscribed(context, &account).await?;
    let encoding = context.encoding();
    let names = chosen.matching(&patterns, patterns[0].ends_in_level());
    for batch in names.chunks(crate::tell::BATCH) {
        context.send(|out| {
            for found in batch {
                let attributes: &[&str] = if found.chosen { &[] } else { &["\\Noselect"] };
                reply::lsub(out, attributes, &found.entry.client, encoding);
            }
        });
        context.relieve().await?;
    }
    Ok(Done::ok("LSUB completed"))
}

fn wanted(arguments: &List) -> Result<Wanted, CommandError> {
    let selection = &arguments.selection;
    // RFC 5258, 3.1: RECURSIVEMATCH says something about other options, so it cannot stand alone.
    let about = |option: &ListSelection| matches!(option, ListSelection::Subscribed | ListSelection::SpecialUse);
    if selection.contains(&ListSelection::RecursiveMatch) && !selection.iter().any(about) {
        return Err(CommandError::bad("RECURSIVEMATCH needs another selection option"));
    }
    let returns = arguments.returns.as_deref().unwrap_or_default();
    let reference = arguments.reference.as_str();
    Ok(Wanted {
        patterns: arguments.patterns.iter().map(|pattern| Pattern::new(reference, pattern.as_str())).collect(),
        subscribed: returns.contains(&ListReturn::Subscribed) || selection.contains(&ListSelection::Subscribed),
        my_rights: returns.contains(&ListReturn::MyRights),
        status: returns.iter().find_map(|option| match option {
            ListReturn::Status(items) => Some(items.clone()),
            _ => None,
        }),
        selection: selection.clone(),
    })
}

impl Wanted {
    fn selects(&self, option: ListSelection) -> bool {
        self.selection.contains(&option)
    }
}

/// Everything that matches.
async fn list_all(context: &mut Context, account: &Arc<Account>, wanted: &Wanted) -> Result<(), CommandError> {
    let subscribed = match wanted.subscribed {
        true => Some(Chosen::subscribed(context, account).await?),
        false => None,
    };
    let server = Arc::clone(&context.server);
    let mut walk = Walk::new(&server.store, account, &wanted.patterns);
    while let Some(entries) = walk.step() {
        for entry in entries {
            let is_subscribed = subscribed.as_ref().is_some_and(|names| names.contains(&entry.client));
            tell(context, account, wanted, &Line { entry: &entry, is_subscribed, child_info: &[] }).await?;
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// What was chosen by selection options, and with RECURSIVEMATCH what stands above it.
async fn list_chosen(context: &mut Context, account: &Arc<Account>, wanted: &Wanted) -> Result<(), CommandError> {
    let (subscribed, special) = (wanted.selects(ListSelection::Subscribed), wanted.selects(ListSelection::SpecialUse));
    let mut chosen = match subscribed {
        true => Chosen::subscribed(context, account).await?,
        false => Chosen::special_use(context, account).await,
    };
    if subscribed && special {
        chosen.keep_special_use(account);
    }
    let recursive = wanted.selects(ListSelection::RecursiveMatch);
    let options: Vec<&str> = [(subscribed, "SUBSCRIBED"), (special, "SPECIAL-USE")]
        .into_iter()
        .filter_map(|(selected, name)| selected.then_some(name))
        .collect();
    // Whether a name is subscribed is known already, unless something else was selected.
    let all_subscribed = match wanted.subscribed && !subscribed {
        true => Some(Chosen::subscribed(context, account).await?),
        false => None,
    };
    for mut found in chosen.matching(&wanted.patterns, recursive) {
        if !found.chosen {
            found.entry.row = walk::find(&context.server.store, account, &found.entry.client);
        }
        let child_info = if recursive && found.above_chosen { &options[..] } else { &[] };
        let is_subscribed = match &all_subscribed {
            Some(names) => names.contains(&found.entry.client),
            None => subscribed && found.chosen,
        };
        tell(context, account, wanted, &Line { entry: &found.entry, is_subscribed, child_info }).await?;
    }
    Ok(())
}

/// One LIST reply to be.
struct Line<'a> {
    entry: &'a Entry,
    is_subscribed: bool,
    child_info: &'a [&'a str],
}

/// Queues the LIST reply and those that follow it, writing while it is much.
async fn tell(
    context: &mut Context,
    account: &Arc<Account>,
    wanted: &Wanted,
    line: &Line<'_>,
) -> Result<(), CommandError> {
    let entry = line.entry;
    let mut attributes = attributes(context, account, entry);
    if line.is_subscribed {
        attributes.push("\\Subscribed");
    }
    let (name, encoding) = (entry.client.as_str(), context.encoding());
    let reply = ListLine { attributes: &attributes, name, old_name: None, child_info: line.child_info };
    context.send(|out| reply::list(out, &reply, encoding));
    if let Some(row) = &entry.row {
        if wanted.my_rights {
            let rights = row.rights(&account.access).to_string();
            context.send(|out| reply::my_rights(out, name, &rights, encoding));
        }
        if let Some(items) = &wanted.status {
            match Box::pin(status::tell(context, account, name, items)).await {
                // RFC 5819, 2: what cannot be told is left out, and the command goes on.
                Ok(()) | Err(CommandError::Refused(..)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    context.relieve().await?;
    Ok(())
}

/// What LIST always tells of a name: whether it is a mailbox, whether it has children, what it is for. Clients that did
/// not ask may be told (RFC 5258, 3.4; RFC 6154, 2).
fn attributes(context: &Context, account: &Account, entry: &Entry) -> Vec<&'static str> {
    let Some(row) = &entry.row else { return not_a_mailbox(context, account, &entry.client) };
    let childless = !account.namespace.may_have_children(&entry.client);
    let mut attributes = Vec::with_capacity(3);
    if childless {
        attributes.push("\\Noinferiors");
    }
    let children = !childless && walk::has_children(&context.server.store, account, &row.name);
    attributes.push(if children { "\\HasChildren" } else { "\\HasNoChildren" });
    if shows_special_use(account, row) {
        attributes.extend(row.special_use.iter().copied().map(SpecialUse::as_str));
    }
    attributes
}

/// A name that is subscribed but does not exist, or a level of the hierarchy.
fn not_a_mailbox(context: &Context, account: &Account, client: &str) -> Vec<&'static str> {
    // \NonExistent implies \Noselect (RFC 9051, 7.3.1), which older clients know.
    let below = Pattern::new(&format!("{client}{SEPARATOR}"), "*");
    let below = std::slice::from_ref(&below);
    let mut walk = Walk::new(&context.server.store, account, below);
    let children = client != INBOX && std::iter::from_fn(|| walk.step()).any(|entries| !entries.is_empty());
    vec!["\\NonExistent", "\\Noselect", if children { "\\HasChildren" } else { "\\HasNoChildren" }]
}

/// Whether LIST shows a mailbox's special use to this user. RFC 6154, 2: a special use is a user's; what another user's
/// mailbox is for would lead clients astray. An administrator looks after everybody's.
fn shows_special_use(account: &Account, row: &Row) -> bool {
    let concerned = account.access.admin || row.name.owner().is_none() || account.owns(&row.name);
    concerned && !row.special_use.is_empty()
}
