//! Message files against the hashes in their records.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::{ScrubFinding, ScrubPace, Scrubbed};
use crate::error::Result;
use crate::ident::{Hashing, UniqueId};
use crate::mailbox::message_path;
use crate::name::MailboxName;
use crate::repair::Known;
use crate::store::Store;

/// Message files are read so much at a time: enough for a disk to be quick, little for a budget to be kept.
const BLOCK: usize = 64 << 10;

/// A message whose file is not what it should be.
struct Suspect {
    known: Known,
    code: &'static str,
    what: String,
}

impl Store {
    /// Compares the messages above the UID `above`. What is found is looked at again before it is told: messages are expunged
    /// and mailboxes renamed while they are read.
    pub(super) fn scrub_messages(
        &self,
        id: &UniqueId,
        mut messages: Vec<Known>,
        above: u32,
        by: &mut dyn ScrubPace,
    ) -> Result<Scrubbed> {
        messages.retain(|known| known.uid > above);
        let mut suspects = Vec::new();
        let mut block = vec![0; BLOCK];
        let mut scrubbed = Scrubbed::Whole;
        for known in messages {
            let Some((_, dir)) = self.place_of(id)? else { return Ok(Scrubbed::Whole) };
            match self.compare(&message_path(&dir, known.uid), &known, &mut block, by) {
                ControlFlow::Break(()) => {
                    scrubbed = Scrubbed::Stopped;
                    break;
                }
                ControlFlow::Continue(Ok(())) => {}
                ControlFlow::Continue(Err((code, what))) => suspects.push(Suspect { known, code, what }),
            }
            self.counters().scrub.messages.add(1);
            by.reached(known.uid);
        }
        if !suspects.is_empty() {
            self.confirm(id, suspects, &mut block, by)?;
        }
        Ok(scrubbed)
    }

    /// Reads a message file; what is wrong with it, by a code and in words.
    fn compare(
        &self,
        path: &std::path::Path,
        known: &Known,
        block: &mut [u8],
        by: &mut dyn ScrubPace,
    ) -> ControlFlow<(), Result<(), (&'static str, String)>> {
        let unreadable =
            |error: &durable::disk::Error| ("message.unreadable", format!("its file can't be read ({error})"));
        let file = match self.disk().open_read(path) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => {
                return ControlFlow::Continue(Err(("message.missing", "its file is missing".to_owned())));
            }
            Err(error) => return ControlFlow::Continue(Err(unreadable(&error))),
        };
        let (mut hashing, mut at) = (Hashing::default(), 0u64);
        loop {
            // One octet more than there should be, to see a file that has grown.
            let wanted = (u64::from(known.size) + 1).saturating_sub(at).min(block.len() as u64);
            by.pace(wanted)?;
            let got = match file.read_at(&mut block[..wanted as usize], at) {
                Ok(got) => got,
                Err(error) => return ControlFlow::Continue(Err(unreadable(&error))),
            };
            self.counters().scrub.octets.add(got as u64);
            hashing.add(&block[..got]);
            at += got as u64;
            if (got as u64) < wanted || at > u64::from(known.size) {
                break;
            }
        }
        ControlFlow::Continue(match (at == u64::from(known.size), hashing.end() == known.hash) {
            (true, true) => Ok(()),
            _ if at == 0 => Err(("message.empty", "its file is empty".to_owned())),
            (false, _) => Err(("message.differs", format!("its file has not the {} bytes of its record", known.size))),
            (true, false) => Err(("message.differs", "its file is not the message that was accepted".to_owned())),
        })
    }

    /// Tells of those suspects that are messages of the mailbox still, and still not what they should be.
    fn confirm(&self, id: &UniqueId, suspects: Vec<Suspect>, block: &mut [u8], by: &mut dyn ScrubPace) -> Result<()> {
        let Some((name, dir)) = self.place_of(id)? else { return Ok(()) };
        // Files of messages that were expunged meanwhile reach their place.
        self.settle();
        let Ok(surveyed) = self.survey(&name, &super::options(by)) else { return Ok(()) };
        for Suspect { known, code, what } in suspects {
            let there = surveyed.messages.binary_search_by_key(&known.uid, |other| other.uid);
            let same = there.is_ok_and(|at| surveyed.messages[at].hash == known.hash);
            if !same
                || matches!(
                    self.compare(&message_path(&dir, known.uid), &known, block, by),
                    ControlFlow::Continue(Ok(()))
                )
            {
                continue;
            }
            let restore = format!("restore it from a backup (`angarium restore`), or run `reconstruct -G {name}`");
            by.found(ScrubFinding::left(code, &name, Some(known.uid), what, restore));
        }
        Ok(())
    }

    /// The present name and directory of a mailbox; nothing if it was deleted.
    fn place_of(&self, id: &UniqueId) -> Result<Option<(MailboxName, PathBuf)>> {
        let Some(row) = self.row_by_id(id) else { return Ok(None) };
        let dir = self.layout().mailbox_dir(&row.partition, &row.name)?;
        Ok(Some((row.name.clone(), dir)))
    }
}
