//! What `reconstruct -f` and `ctl_mboxlist` do about rows and directories that lost each other: directories without rows
//! are listed again from what their files say, rows without directories are given an empty one or removed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use durable::disk::FileKind;

use super::{Store, later_than, now};
use crate::acl::Acl;
use crate::error::{Error, Result};
use crate::header::{self, MailboxHeader};
use crate::ident::UniqueId;
use crate::index;
use crate::layout::is_own_directory;
use crate::list::{Change, Row, RowState, not_found};
use crate::mailbox::{Marks, Surroundings, create_files, message_files};
use crate::name::MailboxName;
use crate::quota::file;

/// A directory that holds a mailbox's files, and that no row knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unlisted {
    /// The partition it lies on.
    pub partition: String,
    /// The mailbox it would be by its path; nothing if that is no mailbox name.
    pub name: Option<MailboxName>,
    /// Where it is.
    pub dir: PathBuf,
    /// Whether it has a cyrus.header that can be read: then it was a mailbox, and not only looks like one.
    pub has_header: bool,
}

/// A mailbox that was listed again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Adopted {
    /// Its row.
    pub row: Arc<Row>,
    /// What its files could not tell.
    pub warnings: Vec<&'static str>,
}

impl Store {
    /// The directories that hold a mailbox's files and have no row, parents before children. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn unlisted(&self) -> Result<Vec<Unlisted>> {
        self.unlisted_while(&mut || true)
    }

    /// The same as far as `go_on`, which is asked before each directory, lets it go.
    pub(crate) fn unlisted_while(&self, go_on: &mut dyn FnMut() -> bool) -> Result<Vec<Unlisted>> {
        let mut found = Vec::new();
        let partitions: Vec<_> =
            self.layout().partitions().map(|(name, path)| (name.to_owned(), path.to_owned())).collect();
        for (partition, top) in partitions {
            let mut todo = vec![(PathBuf::new(), top)];
            while let Some((relative, dir)) = todo.pop() {
                if !go_on() {
                    return Ok(found);
                }
                found.extend(self.unlisted_here(&partition, &relative, &dir)?);
                for entry in self.disk().read_dir(&dir)? {
                    let own = entry.name.to_str().is_some_and(is_own_directory);
                    if entry.kind == FileKind::Directory && !own && entry.name != "lost+found" {
                        todo.push((relative.join(&entry.name), dir.join(&entry.name)));
                    }
                }
            }
        }
        found.sort_by(|a, b| a.dir.cmp(&b.dir));
        Ok(found)
    }

    fn unlisted_here(&self, partition: &str, relative: &Path, dir: &Path) -> Result<Option<Unlisted>> {
        let name = relative.to_str().and_then(|text| MailboxName::parse(text).ok());
        if !self.is_unlisted(partition, name.as_ref(), dir)? {
            return Ok(None);
        }
        let has_header = self.read_header(dir).is_some();
        Ok(Some(Unlisted { partition: partition.to_owned(), name, dir: dir.to_owned(), has_header }))
    }

    /// Whether a directory holds a mailbox's files and no row tells of it.
    pub(crate) fn is_unlisted(&self, partition: &str, name: Option<&MailboxName>, dir: &Path) -> Result<bool> {
        let listed = || name.and_then(|name| self.list.any(name)).is_some_and(|row| row.partition == partition);
        Ok(self.directories.holds_mailbox(dir)? && !listed())
    }

    /// Lists the directory at `name` as a mailbox again, with what its own files say: unique id (a new one if another
    /// mailbox has it), UIDVALIDITY, ACL (only the owner's, if cyrus.header is lost), special uses. Blocks.
    ///
    /// # Errors
    /// [`Error::Exists`] if the mailbox is listed, [`Error::NotFound`] if there is nothing to list.
    pub fn adopt(&self, partition: &str, name: &MailboxName) -> Result<Adopted> {
        let _names = self.names.exclusive(&[name]);
        self.adopt_locked(partition, name)
    }

    /// The same without opening it: what is damaged stays so.
    pub(crate) fn adopt_closed(&self, partition: &str, name: &MailboxName) -> Result<Adopted> {
        let _names = self.names.exclusive(&[name]);
        self.enlist(partition, name)
    }

    /// The row that a directory would get. Nothing is changed.
    pub(crate) fn would_adopt(&self, partition: &str, name: &MailboxName) -> Result<Adopted> {
        let (dir, header, mut warnings) = self.check_adoptable(partition, name)?;
        let mut row = self.row_from_files(partition, name, &dir, header.as_ref(), &mut warnings)?;
        // As if a new id had been written there already. The row in cyrus.header is then another one than before, also when
        // both were made within the same second.
        if let Some(header) = header.filter(|header| header.unique_id != row.unique_id) {
            row.unique_id = header.unique_id;
            row.modified = row.modified.saturating_add(1);
        }
        Ok(Adopted { row: Arc::new(row), warnings })
    }

    /// Lists a directory whose tree is locked.
    pub(super) fn adopt_locked(&self, partition: &str, name: &MailboxName) -> Result<Adopted> {
        let adopted = self.enlist(partition, name)?;
        self.open_row(&adopted.row)?;
        Ok(adopted)
    }

    /// Whether a directory can be listed; what its header says, and what is wrong with that.
    fn check_adoptable(
        &self,
        partition: &str,
        name: &MailboxName,
    ) -> Result<(PathBuf, Option<MailboxHeader>, Vec<&'static str>)> {
        if self.list.any(name).is_some() {
            return Err(Error::Exists(name.to_string()));
        }
        let dir = self.layout().mailbox_dir(partition, name)?;
        if !self.directories.holds_mailbox(&dir)? {
            return Err(not_found(name));
        }
        let mut warnings = Vec::new();
        let header = self.read_header(&dir);
        if header.is_none() {
            warnings.push("cyrus.header is lost: ACL, keyword names and unique id are new");
        }
        Ok((dir, header, warnings))
    }

    fn enlist(&self, partition: &str, name: &MailboxName) -> Result<Adopted> {
        let (dir, header, mut warnings) = self.check_adoptable(partition, name)?;
        if let Some(limits) = self.lost_limits(name, header.as_ref()) {
            self.commit(vec![limits])?;
        }
        let row = self.row_from_files(partition, name, &dir, header.as_ref(), &mut warnings)?;
        if header.as_ref().is_some_and(|header| header.unique_id != row.unique_id) {
            self.write_id(&dir, header, &row.unique_id)?;
        }
        let marks = self.marks_from_files(&dir)?;
        // Loaded before the mailbox counts to it, so that its charge is added exactly once.
        let root = match &row.quota_root {
            Some(root) => self.load_root(root)?,
            None => None,
        };
        self.commit(vec![Change::Put(row.clone())])?;
        self.list.raise_marks(&row.unique_id, marks)?;
        if let Some(root) = root {
            root.take_over(index::quota_used(&**self.disk(), &dir));
        }
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        tracing::info!(event = "mailbox.adopted", mailbox = %name, id = %row.unique_id);
        Ok(Adopted { row, warnings })
    }

    /// The mailboxes whose directories are missing. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn without_directory(&self) -> Result<Vec<Arc<Row>>> {
        let (mut missing, mut failed) = (Vec::new(), None);
        self.list("", |name, row| {
            let exists =
                self.layout().mailbox_dir(&row.partition, name).and_then(|dir| Ok(self.disk().exists(&dir)?));
            match exists {
                Ok(true) => {}
                Ok(false) => missing.push(Arc::clone(row)),
                Err(error) => failed = Some(error),
            }
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        failed.map_or(Ok(missing), Err)
    }

    /// Gives a mailbox whose directory is missing an empty one. Its messages are gone, so its UIDVALIDITY is a new,
    /// larger one; everything else stays. Blocks.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it has a directory.
    pub fn recreate(&self, name: &MailboxName) -> Result<Arc<Row>> {
        let _names = self.names.exclusive(&[name]);
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        self.check_directory_missing(&row)?;
        self.let_go(&row);
        let new =
            Row { uid_validity: self.list.new_uid_validity(now()), modified: later_than(&row), ..Row::clone(&row) };
        let around: Arc<dyn Surroundings> = Arc::clone(&self.shared) as _;
        create_files(&around, &self.identity(&new)?)?;
        self.commit(vec![Change::Put(new)])?;
        tracing::warn!(event = "mailbox.recreated", mailbox = %name, "its directory was missing");
        self.row(name).ok_or_else(|| not_found(name))
    }

    /// Removes the row of a mailbox whose directory is missing (`--prune`). Blocks.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it has a directory.
    pub fn drop_row(&self, name: &MailboxName) -> Result<()> {
        let _names = self.names.exclusive(&[name]);
        let row = self.row(name).ok_or_else(|| not_found(name))?;
        self.check_directory_missing(&row)?;
        self.let_go(&row);
        self.commit(vec![Change::Drop { name: name.clone(), id: row.unique_id.clone(), last: true }])?;
        tracing::warn!(event = "mailbox.dropped", mailbox = %name, "its directory was missing");
        row.quota_root.as_ref().map_or(Ok(()), |root| self.recount_loaded(root))
    }

    fn check_directory_missing(&self, row: &Row) -> Result<()> {
        let dir = self.layout().mailbox_dir(&row.partition, &row.name)?;
        if self.disk().exists(&dir)? {
            return Err(Error::Invalid(format!("{} exists", dir.display())));
        }
        Ok(())
    }

    pub(super) fn let_go(&self, row: &Row) {
        if let Some(mailbox) = self.registry.remove(&row.unique_id) {
            mailbox.set_gone();
        }
    }

    pub(super) fn read_header(&self, dir: &Path) -> Option<MailboxHeader> {
        let bytes = self.disk().read(&dir.join(header::FILE), header::MAX_SIZE).ok()?;
        MailboxHeader::decode(&bytes).ok().map(|decoded| decoded.header)
    }

    /// If cyrus.header names a quota root that the mailboxes database has lost, its quota file still knows the limits; and
    /// where the header is lost too, the mailbox's own quota file does.
    pub(super) fn lost_limits(&self, name: &MailboxName, header: Option<&MailboxHeader>) -> Option<Change> {
        let root = match header {
            Some(header) => MailboxName::parse(header.quota_root.as_deref()?).ok()?,
            None => name.clone(),
        };
        if (root != *name && !name.is_below(&root)) || self.list.limits(&root).is_some() {
            return None;
        }
        let limits = file::read_limits(&**self.disk(), self.layout(), &root)?;
        Some(Change::Limits(root, Some(limits)))
    }

    /// The row that a directory's own files give. Nothing is written; if the unique id is a new one although there is a
    /// header, the caller writes it there ([`write_id`](Self::write_id)).
    pub(super) fn row_from_files(
        &self,
        partition: &str,
        name: &MailboxName,
        dir: &Path,
        header: Option<&MailboxHeader>,
        warnings: &mut Vec<&'static str>,
    ) -> Result<Row> {
        let before = header.and_then(|header| Row::decode(&header.row).ok());
        let unique_id = self.id_from_header(header, warnings)?;
        let by_row = before.as_ref().map(|row| row.uid_validity);
        let known = self.list.marks(&unique_id)?;
        let uid_validity = match index::header(&**self.disk(), dir).map(|header| header.uid_validity) {
            // The larger one is what clients may have seen last.
            Some(by_index) => by_row.map_or(by_index, |by_row| by_row.max(by_index)),
            // How far UIDs went is lost with the index, unless the list has a mark.
            None => match by_row.filter(|_| known.last_uid > 0) {
                Some(by_row) => by_row,
                None => {
                    warnings.push("its index is lost: UIDVALIDITY is a new one");
                    by_row.into_iter().for_each(|old| self.list.note_uid_validity(old.get()));
                    self.list.new_uid_validity(now())
                }
            },
        };
        let acl = match (&header, name.owner()) {
            (Some(header), _) => Acl::parse_lenient(&header.acl).0,
            (None, Some(owner)) => Acl::of_inbox(owner),
            (None, None) => Acl::new(),
        };
        let mut special_use = before.as_ref().map(|row| row.special_use.clone()).unwrap_or_default();
        special_use.retain(|known| self.check_special_use(name, &[*known]).is_ok());
        let now = now();
        let mut row = Row {
            name: name.clone(),
            unique_id,
            uid_validity,
            partition: partition.to_owned(),
            acl,
            quota_root: self.list.root_of(name),
            special_use,
            created: before.as_ref().map_or(now, |row| row.created),
            modified: before.as_ref().map_or(now, |row| row.modified),
            state: RowState::Active,
            other: before.as_ref().map_or_else(BTreeMap::new, |row| row.other.clone()),
        };
        // A row that is what cyrus.header says did not change, and cyrus.header need not be written again.
        if before.is_none_or(|before| before != row) {
            row.modified = now;
        }
        Ok(row)
    }

    /// The unique id that cyrus.header gives, unless another mailbox has it: a copy, which becomes a mailbox of its own.
    fn id_from_header(&self, header: Option<&MailboxHeader>, warnings: &mut Vec<&'static str>) -> Result<UniqueId> {
        if let Some(header) = header {
            if self.list.by_id(&header.unique_id).is_none() {
                return Ok(header.unique_id.clone());
            }
            warnings.push("another mailbox has its unique id: it gets a new one");
        }
        new_id()
    }

    /// Writes another unique id into cyrus.header, which would else be taken for that of another mailbox and lose its
    /// keyword names.
    pub(super) fn write_id(&self, dir: &Path, header: Option<MailboxHeader>, id: &UniqueId) -> Result<()> {
        if let Some(header) = header {
            let header = MailboxHeader { unique_id: id.clone(), ..header };
            self.disk().replace_file(&dir.join(header::FILE), &header.encode())?;
        }
        Ok(())
    }

    /// No number up to these may be used again, as far as files can tell.
    pub(super) fn marks_from_files(&self, dir: &Path) -> Result<Marks> {
        let highest = message_files(&**self.disk(), dir)?.max().unwrap_or(0);
        Ok(match index::header(&**self.disk(), dir) {
            Some(header) => Marks { last_uid: header.last_uid.max(highest), modseq: header.highest_modseq.get() },
            None => Marks { last_uid: highest, modseq: 1 },
        })
    }
}

pub(super) fn new_id() -> Result<UniqueId> {
    UniqueId::random().map_err(|error| Error::Unavailable(format!("random numbers: {error}")))
}
