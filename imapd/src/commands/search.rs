//! SEARCH and UID SEARCH (RFC 9051, 6.4.4; RFC 4731, 5032, 5182, 7162).
//!
//! ```text
//! C: A282 SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith"
//! S: * ESEARCH (TAG "A282") MIN 2 COUNT 3
//! S: A282 OK SEARCH completed
//! ```

mod evaluate;
mod program;
mod sets;

use std::sync::Arc;

use mailstore::{Timestamp, UidSet};

use crate::context::Context;
use crate::outcome::{CommandError, Done, Outcome};
use crate::reply::{self, Code, Esearch};
use crate::session::Selected;
use crate::types::{NumberSet, Numbering, ReturnOptions, Search, SearchKey};
use evaluate::{evaluate, highest_mod_seq};
use program::{Compiler, SearchError};

/// Charsets named to a client that asks for one we do not know; it may use any that the Encoding Standard lists.
const CHARSETS: &[&str] = &["US-ASCII", "UTF-8"];

/// Runs SEARCH.
pub(crate) async fn run(context: &mut Context, selected: &mut Selected, search: Search) -> Outcome {
    let asks_mod_seq = mentions_mod_seq(&search.key);
    if asks_mod_seq {
        context.enable_condstore(Some(selected));
    }
    let returns =
        search.returns.or(context.enabled.rev2.then_some(ReturnOptions { all: true, ..ReturnOptions::default() }));
    let found = match find(context, selected, &search).await {
        Ok(found) => found,
        Err(error) => {
            // RFC 5182, 2.1: a search that fails leaves nothing to refer to, unless it was no command at all.
            if returns.is_some_and(|options| options.save) && !matches!(error, CommandError::Bad(_)) {
                selected.view.save(UidSet::new());
            }
            return Err(error);
        }
    };
    let told = told(&found, returns);
    let mod_seq = match asks_mod_seq && !told.is_empty() {
        true => {
            let (mailbox, told) = (Arc::clone(&selected.mailbox), told.clone());
            context.blocking(move |_| Ok::<_, mailstore::Error>(highest_mod_seq(&mailbox, &told))).await?
        }
        false => None,
    };
    answer(context, selected, search.numbering, returns, &found, mod_seq);
    if returns.is_some_and(|options| options.save) {
        selected.view.save(told);
    }
    Ok(Done::ok("SEARCH completed"))
}

/// The messages that the client knows and that pass.
async fn find(context: &Context, selected: &Selected, search: &Search) -> Result<UidSet, CommandError> {
    let compiler = Compiler::new(&selected.view, search.charset.as_ref(), Timestamp::now().seconds)?;
    let test = compiler.compile(&search.key)?;
    let candidates = selected.view.uids().clone();
    let (mailbox, reader) = (Arc::clone(&selected.mailbox), selected.account().reader().to_owned());
    context.blocking(move |_| evaluate(&mailbox, test, &reader, candidates)).await
}

/// The messages that the answer speaks of, and that SAVE keeps: all, or the ends alone (RFC 5182, 2.4; RFC 7162, 3.1.5).
fn told(found: &UidSet, returns: Option<ReturnOptions>) -> UidSet {
    match returns {
        Some(options) if (options.min || options.max) && !options.all && !options.count => {
            let ends = [found.min().filter(|_| options.min), found.max().filter(|_| options.max)];
            ends.into_iter().flatten().collect()
        }
        _ => found.clone(),
    }
}

fn answer(
    context: &mut Context,
    selected: &Selected,
    numbering: Numbering,
    returns: Option<ReturnOptions>,
    found: &UidSet,
    mod_seq: Option<u64>,
) {
    let numbers: NumberSet = match numbering {
        Numbering::Uid => found.iter().collect(),
        Numbering::Sequence => selected.view.numbered(found).map(|(sequence, _)| sequence).collect(),
    };
    let Some(options) = returns else {
        return context.send(|out| reply::search(out, numbers.iter(), mod_seq));
    };
    // RFC 5182, 2.1: SAVE alone asks for no answer.
    if !(options.min || options.max || options.all || options.count) {
        return;
    }
    let result = Esearch {
        uid: numbering == Numbering::Uid,
        min: numbers.first().filter(|_| options.min),
        max: numbers.last().filter(|_| options.max),
        count: options.count.then_some(numbers.len()),
        all: options.all.then_some(&numbers),
        mod_seq,
    };
    let Some(tag) = context.tag.clone() else { return };
    context.send(|out| reply::esearch(out, &tag, &result));
}

fn mentions_mod_seq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::And(keys) | SearchKey::Or(keys) => keys.iter().any(mentions_mod_seq),
        SearchKey::Not(key) => mentions_mod_seq(key),
        _ => false,
    }
}

impl From<SearchError> for CommandError {
    fn from(error: SearchError) -> CommandError {
        match error {
            SearchError::UnknownCharset => CommandError::refused(Code::BadCharset(CHARSETS), error.to_string()),
            SearchError::NoSuchMessage(_) | SearchError::NotInCharset => CommandError::bad(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
