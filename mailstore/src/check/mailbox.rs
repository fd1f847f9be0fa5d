//! Checking one mailbox against its files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use durable::disk::{FileKind, is_temporary_name};

use super::CheckReport;
use crate::cache::{CacheBuf, CacheItems};
use crate::cache_file::{self, CacheFile};
use crate::error::Result;
use crate::header::{self, MailboxHeader};
use crate::ident::ContentHash;
use crate::index::{self, Header, IndexFile, Record};
use crate::list::Row;
use crate::mailbox::{Mailbox, message_uid};
use crate::seen::{self, Seen};
use crate::store::Store;

/// A message file larger than this is not read for its hash: no such message is accepted.
const MAX_MESSAGE: u64 = 1 << 32;

impl Store {
    pub(super) fn check_mailbox(&self, row: &Row, contents: bool, report: &mut CheckReport) {
        report.mailboxes += 1;
        let mailbox = match self.mailbox(&row.name) {
            Ok(mailbox) => mailbox,
            Err(error) => return report.damage(&row.name, None, format!("can't be opened: {error}")),
        };
        let checked = self.check_header(row, &mailbox, report).and_then(|keywords| {
            let records = self.check_index(row, &mailbox, keywords, report)?;
            self.check_files(row, &mailbox, &records, contents, report)
        });
        if let Err(error) = checked {
            report.damage(&row.name, None, error.to_string());
        }
    }

    /// cyrus.header; returns how many keywords it names.
    fn check_header(&self, row: &Row, mailbox: &Mailbox, report: &mut CheckReport) -> Result<usize> {
        let bytes = self.disk().read(&mailbox.dir().join(header::FILE), header::MAX_SIZE)?;
        match MailboxHeader::decode(&bytes) {
            Err(what) => {
                report.damage(&row.name, None, format!("cyrus.header: {what}"));
                Ok(0)
            }
            Ok(decoded) => {
                let header = decoded.header;
                if let Some(what) = decoded.damage {
                    report.damage(&row.name, None, format!("cyrus.header: {what}"));
                }
                if header.unique_id != row.unique_id {
                    report.damage(&row.name, None, "cyrus.header has another unique id than the mailboxes database");
                }
                if header.acl != row.acl.to_string() {
                    report.damage(&row.name, None, "cyrus.header has another ACL than the mailboxes database");
                }
                Ok(header.keywords.len())
            }
        }
    }

    /// cyrus.index, cyrus.cache and cyrus.seen; returns all records by UID.
    fn check_index(
        &self,
        row: &Row,
        mailbox: &Arc<Mailbox>,
        keywords: usize,
        report: &mut CheckReport,
    ) -> Result<BTreeMap<u32, Record>> {
        let dir = mailbox.dir();
        // Nothing is written while this is held, so the files agree with each other.
        let reading = mailbox.read();
        let (index, loaded) = IndexFile::open(self.disk(), &dir.join(index::FILE))?;
        let header = loaded.header;
        let mut bad = |uid, what: &str| report.damage(&row.name, uid, what);
        if loaded.records < header.records {
            bad(None, "the index is shorter than its header says");
        }
        if header.uid_validity < row.uid_validity {
            bad(None, "UIDVALIDITY went back");
        }
        let marks = self.marks(row)?;
        if header.last_uid > marks.last_uid || header.highest_modseq.get() > marks.modseq {
            bad(None, "the high-water marks in the mailboxes database are too low");
        }
        let (mut records, mut last, mut used, mut exists) = (BTreeMap::new(), 0, 0u64, 0u32);
        index.scan(loaded.records, |number, record| {
            let Some(record) = record else { return bad(None, &format!("record {number} has a wrong checksum")) };
            let uid = record.uid.get();
            if uid <= last {
                bad(Some(uid), "UIDs don't ascend");
            }
            if uid > header.last_uid || record.modseq > header.highest_modseq {
                bad(Some(uid), "UID or mod-sequence is beyond what the header says");
            }
            if keywords < 128 && record.keywords >> keywords != 0 {
                bad(Some(uid), "has keywords without names");
            }
            last = uid;
            if !record.is_expunged() {
                used += u64::from(record.size);
                exists += 1;
            }
            records.insert(uid, record);
        })?;
        if (used, exists) != (header.used, header.exists) {
            bad(None, "sizes or number of messages in the header are wrong");
        }
        let live = records.iter().filter(|(_, record)| !record.is_expunged()).map(|(uid, _)| *uid);
        if !live.eq(reading.uids().iter()) {
            bad(None, "the open mailbox holds other messages than its index");
        }
        self.check_cache(row, &dir, header.generation, &records, report)?;
        self.check_seen(row, &dir, &header, report)?;
        drop(reading);
        Ok(records)
    }

    fn check_cache(
        &self,
        row: &Row,
        dir: &Path,
        generation: u32,
        records: &BTreeMap<u32, Record>,
        report: &mut CheckReport,
    ) -> Result<()> {
        let Some(cache) = CacheFile::open(self.disk(), &dir.join(cache_file::FILE), generation)? else {
            report.damage(&row.name, None, "cyrus.cache is missing or belongs to another index");
            return Ok(());
        };
        let mut buffer = CacheBuf::default();
        for record in records.values().filter(|record| !record.is_expunged() && record.cache_len > 0) {
            if !cache.read(record.uid, record.cache_offset, record.cache_len, CacheItems::ALL, &mut buffer) {
                // As after a power cut that came between an index record and its cache record.
                let what = "its cache record is bad: it is made anew when it is next read";
                report.note(&row.name, Some(record.uid.get()), what);
            }
        }
        Ok(())
    }

    fn check_seen(&self, row: &Row, dir: &Path, header: &Header, report: &mut CheckReport) -> Result<()> {
        let bytes = self.disk().read(&dir.join(seen::FILE), seen::MAX_SIZE)?;
        let seen = Seen::decode(&bytes, header.uid_validity, |line, what| {
            report.damage(&row.name, None, format!("cyrus.seen line {line}: {what}"));
        });
        for (user, reader) in seen.readers() {
            if reader.seen.max().is_some_and(|uid| uid > header.last_uid) || reader.recent_above > header.last_uid {
                report.damage(&row.name, None, format!("{user} has seen messages that never were"));
            }
        }
        Ok(())
    }

    /// Message files against records.
    fn check_files(
        &self,
        row: &Row,
        mailbox: &Arc<Mailbox>,
        records: &BTreeMap<u32, Record>,
        contents: bool,
        report: &mut CheckReport,
    ) -> Result<()> {
        let dir = mailbox.dir();
        for entry in self.disk().read_dir(&dir)? {
            let Some(name) = entry.name.to_str() else {
                report.note(&row.name, None, "a file name is not UTF-8");
                continue;
            };
            if is_temporary_name(&entry.name) {
                report.note(&row.name, None, format!("{name} was left by a crash"));
            }
            if let Some(uid) = message_uid(name)
                && !records.contains_key(&uid)
            {
                if entry.kind != FileKind::File {
                    report.note(&row.name, Some(uid), "it has the name of a message file, but is none");
                    continue;
                }
                report.damage(&row.name, Some(uid), "a message file has no record: run reconstruct");
            }
        }
        for (uid, record) in records.iter().filter(|(_, record)| !record.is_expunged()) {
            report.messages += 1;
            let path = dir.join(format!("{uid}."));
            match self.disk().metadata(&path) {
                Ok(metadata) if metadata.size != u64::from(record.size) => {
                    report.damage(&row.name, Some(*uid), "the message file has another size than its record");
                }
                Ok(_) if contents && ContentHash::of(&self.disk().read(&path, MAX_MESSAGE)?) != record.hash => {
                    report.damage(&row.name, Some(*uid), "the message file is not the message that was accepted");
                }
                Ok(_) => {}
                // Expunged a moment ago, maybe.
                Err(error) if error.is_not_found() && !mailbox.read().uids().contains(*uid) => {}
                Err(error) => report.damage(&row.name, Some(*uid), error.to_string()),
            }
        }
        Ok(())
    }
}
