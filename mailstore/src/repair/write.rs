//! Putting in place what a repair has made.
//!
//! The order matters for a crash in between: numbers are reserved before they are used, files are where the new index says
//! before it is there, and what is left of an older state is good beside what is new. A second run does the rest.

use std::path::Path;

use durable::disk::Disk;
use rustix::process::geteuid;

use super::make::Made;
use super::run::{Look, Repair};
use crate::error::Result;
use crate::header;
use crate::ident::{ModSeq, Timestamp, UidValidity};
use crate::index::CACHE_START;
use crate::list::Row;
use crate::mailbox::{EXPUNGED_DIR, Marks, Replacement, SeenChoice, contents, message_path, write_closed_seen};

/// Writes everything.
pub(super) fn write(repair: &Repair<'_>, look: &mut Look, made: Option<Made>) -> Result<()> {
    let row = change_row(repair, look)?;
    let validity = row.uid_validity;
    let identity = repair.store.identity(&row)?;
    if let Some(held) = repair.held.filter(|_| row != repair.row) {
        held.set_identity(identity.clone());
    }
    let disk = repair.store.disk();
    let dir = &repair.identity.dir;
    remove_and_move(repair, look, made.as_ref().map_or(&[], |made| &made.renamed))?;
    if look.header_file.keep_bad {
        let path = dir.join(header::FILE);
        gone(disk.rename(&path, &path.with_extension("header.bad")))?;
    }
    let seen = match std::mem::replace(&mut look.seen, SeenChoice::Stays) {
        _ if look.base.foreign => SeenChoice::Reset,
        // The file names its UIDVALIDITY.
        SeenChoice::Stays if look.bump => current_seen(repair, look)?,
        seen => seen,
    };
    match made {
        Some(made) => replace(repair, look, made, seen, validity)?,
        None => match repair.held {
            Some(held) => held.replace_seen(seen)?,
            None => write_closed_seen(&**disk, dir, seen, look.base.header.last_uid, look.base.header.uid_validity)?,
        },
    }
    // cyrus.header repeats the row; an index may have raised its UIDVALIDITY.
    if look.header_file.rewrite || look.header_file.keep_bad || row != repair.row {
        match repair.held {
            Some(held) => held.write_header_file()?,
            None => {
                let keywords = look.header_file.keywords.clone();
                disk.replace_file(&dir.join(header::FILE), &contents(&identity, keywords).encode())?;
            }
        }
    }
    Ok(())
}

/// A new UIDVALIDITY or ACL, in the mailboxes database before anywhere else. Returns the row as it is now.
fn change_row(repair: &Repair<'_>, look: &Look) -> Result<Row> {
    let store = repair.store;
    let now = Timestamp::now().seconds;
    let mut row = repair.row.clone();
    row.uid_validity = match look.bump {
        true => store.new_uid_validity(now).max(UidValidity::at(0, Some(look.base.header.uid_validity))),
        false => row.uid_validity.max(look.base.header.uid_validity),
    };
    if let Some(acl) = look.header_file.other_acl.as_ref().filter(|_| repair.options.header_acl) {
        row.acl = acl.clone();
    }
    if row != repair.row {
        row.modified = now.max(row.modified.saturating_add(1));
        store.put_row(row.clone())?;
    }
    Ok(row)
}

/// Files that go, and files that get other names. Durable when this returns.
fn remove_and_move(repair: &Repair<'_>, look: &Look, renamed: &[(u32, u32)]) -> Result<()> {
    let disk = &**repair.store.disk();
    let dir = &repair.identity.dir;
    let names = look.files.leftovers.iter();
    let odd = look.files.odd.iter().filter(|_| repair.options.odd_files == super::OddFiles::Remove);
    for name in names.chain(odd) {
        gone(disk.unlink(&dir.join(name)))?;
    }
    for uid in &look.plan.remove {
        gone(disk.unlink(&message_path(dir, uid)))?;
    }
    for uid in &look.plan.put_aside {
        put_aside(repair, disk, dir, uid)?;
    }
    for uid in &look.plan.take_back {
        gone(disk.rename_no_replace(&message_path(&dir.join(EXPUNGED_DIR), uid), &message_path(dir, uid)))?;
    }
    if look.plan.expunge.iter().any(|uid| look.files.aside.contains(uid)) {
        disk.sync_dir(&dir.join(EXPUNGED_DIR))?;
    }
    for (old, new) in renamed {
        disk.rename_no_replace(&message_path(dir, *old), &message_path(dir, *new))?;
    }
    let touched = !look.files.leftovers.is_empty() || !look.plan.remove.is_empty() || !renamed.is_empty();
    for name in &look.plan.wrong_mode {
        disk.set_mode(&dir.join(name), 0o600, Some(geteuid().as_raw()))?;
    }
    if touched || !look.plan.take_back.is_empty() || !look.plan.put_aside.is_empty() || !look.files.odd.is_empty() {
        disk.sync_dir(dir)?;
    }
    Ok(())
}

fn put_aside(repair: &Repair<'_>, disk: &dyn Disk, dir: &Path, uid: u32) -> Result<()> {
    let from = message_path(dir, uid);
    if !repair.store.surroundings().keeps_expunged() {
        return gone(disk.unlink(&from));
    }
    let aside = dir.join(EXPUNGED_DIR);
    match disk.mkdir(&aside) {
        Err(error) if !error.is_exists() => return Err(error.into()),
        _ => {}
    }
    gone(disk.rename(&from, &message_path(&aside, uid)))
}

/// What is gone already needs no removal.
fn gone(done: durable::disk::Result<()>) -> Result<()> {
    match done {
        Err(error) if !error.is_not_found() => Err(error.into()),
        _ => Ok(()),
    }
}

fn current_seen(repair: &Repair<'_>, look: &Look) -> Result<SeenChoice> {
    let path = repair.identity.dir.join(crate::seen::FILE);
    let bytes = repair.store.disk().read(&path, crate::seen::MAX_SIZE)?;
    Ok(SeenChoice::Written(crate::seen::Seen::decode(&bytes, look.base.header.uid_validity, |_, _| {})))
}

/// Index and cache.
fn replace(repair: &Repair<'_>, look: &Look, made: Made, seen: SeenChoice, validity: UidValidity) -> Result<()> {
    let (base, store) = (&look.base, repair.store);
    let mut header = base.header.clone();
    header.uid_validity = validity;
    header.cache_len = made.cache_len.max(CACHE_START);
    if made.cache.is_some() {
        header.generation = super::run::next_generation(base.header.generation);
    }
    let before = header.last_uid;
    header.last_uid = header.last_uid.max(made.last_uid);
    if repair.held.is_none() {
        header.highest_modseq = header.highest_modseq.max(ModSeq::new(repair.identity.marks.modseq));
    }
    // One for the repair, the rest for what happens until the numbers are in use.
    let modseq = header.highest_modseq.next();
    match repair.held {
        Some(held) => held.reserve(header.last_uid, modseq)?,
        None => store.raise_marks(&repair.row, Marks { last_uid: header.last_uid, modseq: modseq.get() })?,
    }
    let surfaced = made
        .records
        .iter()
        .any(|record| record.created_modseq == ModSeq::ZERO && record.uid.get() <= before && !record.is_expunged());
    let replacement = Replacement {
        header,
        records: made.records,
        renewed: made.renewed,
        seen_up_to: base.seen_up_to,
        keywords: look.header_file.keywords.clone(),
        cache: made.cache,
        seen,
        forgetful: base.damaged || base.put_back,
        reselect: base.put_back || look.bump || surfaced,
    };
    if let Some(held) = repair.held {
        return held.replace(replacement);
    }
    let header = replacement.write_closed(store.disk(), &repair.identity.dir, store.surroundings().boot_id())?;
    if let Some(root) = &repair.identity.quota {
        if base.lost {
            // What it was charged for went with the index.
            store.recount_loaded(root.mailbox_name())?;
        } else {
            root.correct(base.charged, header.quota_used());
        }
    }
    Ok(())
}
