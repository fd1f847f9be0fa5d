//! Making mailboxes. A row in state `Creating`, which nobody sees, is durable before the directory is made; so a crash
//! leaves nothing that the next start would not remove.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Store, now};
use crate::acl::{Access, Acl, Rights};
use crate::error::{Error, Result};
use crate::ident::UniqueId;
use crate::layout::DEFAULT_PARTITION;
use crate::list::{Change, Row, RowState, not_found};
use crate::mailbox::{Marks, Surroundings, create_files};
use crate::name::{DELETED_PREFIX, MailboxName};
use crate::quota::QuotaLimits;
use crate::special_use::SpecialUse;

/// Most mailboxes of one user unless the options say otherwise: every operation on his tree looks at all of them.
pub const MAX_MAILBOXES_PER_USER: usize = 10_000;

/// Marks that a new mailbox starts with, so that its first delivery need not wait for the mailboxes database.
const FIRST_MARKS: Marks = Marks { last_uid: 1024, modseq: 1 << 20 };

/// What a new mailbox is like, as far as its place does not say.
#[derive(Clone, Default, Debug)]
pub struct CreateOptions {
    /// What it is for (RFC 6154, CREATE USE).
    pub special_use: Vec<SpecialUse>,
    /// Where its directory is made; only administrators choose. By default where the mailbox above it is.
    pub partition: Option<String>,
    /// Its ACL; by default that of the nearest mailbox above it.
    pub acl: Option<Acl>,
    /// Its identity, when it comes from elsewhere.
    pub unique_id: Option<UniqueId>,
}

impl Store {
    /// CREATE. A user makes mailboxes below those where he has `k`; administrators make them anywhere, and alone at the
    /// top. Names between it and the next mailbox above need not exist, and are not made. Blocks.
    ///
    /// # Errors
    /// [`Error::Denied`], [`Error::Exists`], [`Error::Limit`], [`Error::Invalid`] for a special use that is taken.
    pub fn create(&self, access: &Access, name: &MailboxName, options: &CreateOptions) -> Result<Arc<Row>> {
        let _names = self.names.exclusive(&[name]);
        self.check_may_create(access, name)?;
        self.check_count(access, name, 1)?;
        if options.partition.is_some() && !access.admin {
            return Err(Error::Denied("only administrators choose a partition".to_owned()));
        }
        self.create_locked(name, options, None)
    }

    /// Whether `access` may make the name `name`, which does not exist.
    pub(super) fn check_may_create(&self, access: &Access, name: &MailboxName) -> Result<()> {
        let denied = || Err(Error::Denied(format!("{} may not create {name}", access.user)));
        if name.is_deleted() || name.as_str() == DELETED_PREFIX {
            return denied();
        }
        match self.list.ancestor(name) {
            Some(above) if !access.admin && !above.rights(access).contains(Rights::CREATE) => return denied(),
            // `user/joe/x` where there is no `user/joe`: whose would it be?
            None if name.owner().is_some() && !name.is_inbox() => {
                return if access.admin { Err(Error::NotFound(inbox_of(name))) } else { denied() };
            }
            None if !access.admin => return denied(),
            _ => {}
        }
        if self.list.any(name).is_some() {
            return Err(Error::Exists(name.to_string()));
        }
        Ok(())
    }

    /// Whether the owner of `name` may have `more` mailboxes. Administrators may go beyond.
    pub(super) fn check_count(&self, access: &Access, name: &MailboxName, more: usize) -> Result<()> {
        if let Some(owner) = name.owner().filter(|_| !access.admin)
            && self.list.owned_by(owner).saturating_add(more) > self.options.max_mailboxes
        {
            return Err(Error::Limit("the user has as many mailboxes as allowed"));
        }
        Ok(())
    }

    /// Makes a mailbox whose tree is locked; with `limits` it becomes a quota root as well.
    pub(super) fn create_locked(
        &self,
        name: &MailboxName,
        options: &CreateOptions,
        limits: Option<QuotaLimits>,
    ) -> Result<Arc<Row>> {
        if self.list.any(name).is_some() {
            return Err(Error::Exists(name.to_string()));
        }
        self.check_special_use(name, &options.special_use)?;
        let row = self.new_row(name, options, limits)?;
        let dir = self.layout().mailbox_dir(&row.partition, name)?;
        if self.directories.holds_mailbox(&dir)? {
            let what = format!("{} holds the files of an unlisted mailbox: run reconstruct", dir.display());
            return Err(Error::Invalid(what));
        }
        self.commit(Self::begun(&row).into())?;
        let active = Row { state: RowState::Active, ..row };
        // The limits become durable with the mailbox, so that no crash leaves a quota root without one.
        let mut changes = vec![Change::Put(active.clone())];
        changes.extend(limits.map(|limits| Change::Limits(name.clone(), Some(limits))));
        let made = self.make_files(&active, limits).and_then(|()| self.commit(changes));
        if let Err(error) = made {
            self.undo_create(&active, limits.is_some());
            return Err(error);
        }
        tracing::info!(event = "mailbox.created", mailbox = %name, id = %active.unique_id);
        self.row(name).ok_or_else(|| not_found(name))
    }

    /// The row of a mailbox that is being made, and its marks.
    pub(super) fn begun(row: &Row) -> [Change; 2] {
        [Change::Put(row.clone()), Change::Marks(row.unique_id.clone(), FIRST_MARKS)]
    }

    fn make_files(&self, row: &Row, limits: Option<QuotaLimits>) -> Result<()> {
        let mut identity = self.identity(row)?;
        if let Some(limits) = limits {
            identity.quota = Some(self.roots.add(&row.name, limits));
        }
        let around: Arc<dyn Surroundings> = Arc::clone(&self.shared) as _;
        create_files(&around, &identity)
    }

    /// The row of a mailbox that is to be made; with `limits` it becomes a quota root.
    pub(super) fn new_row(
        &self,
        name: &MailboxName,
        options: &CreateOptions,
        limits: Option<QuotaLimits>,
    ) -> Result<Row> {
        let above = self.list.ancestor(name);
        let acl = match (&options.acl, &above, name.owner()) {
            (Some(acl), ..) => acl.clone(),
            (None, Some(above), _) => above.acl.clone(),
            (None, None, Some(owner)) => Acl::of_inbox(owner),
            (None, None, None) => self.options.default_acl.clone(),
        };
        let partition = match (&options.partition, &above) {
            (Some(partition), _) => partition.clone(),
            (None, Some(above)) => above.partition.clone(),
            (None, None) => DEFAULT_PARTITION.to_owned(),
        };
        let unique_id = match &options.unique_id {
            Some(id) if self.list.by_id(id).is_some() => return Err(Error::Exists(format!("unique id {id}"))),
            Some(id) => id.clone(),
            None => UniqueId::random().map_err(|error| Error::Unavailable(format!("random numbers: {error}")))?,
        };
        let now = now();
        let mut special_use = options.special_use.clone();
        special_use.sort_unstable();
        special_use.dedup();
        Ok(Row {
            name: name.clone(),
            unique_id,
            uid_validity: self.list.new_uid_validity(now),
            partition,
            acl,
            quota_root: if limits.is_some() { Some(name.clone()) } else { self.list.root_of(name) },
            special_use,
            created: now,
            modified: now,
            state: RowState::Creating,
            other: BTreeMap::new(),
        })
    }

    /// The disk failed: what was begun is taken back; what can't be, the next start takes back.
    pub(super) fn undo_create(&self, row: &Row, with_limits: bool) {
        let gone = Change::Drop { name: row.name.clone(), id: row.unique_id.clone(), last: true };
        let undone = self.directories.wipe(&row.partition, &row.name).and_then(|()| self.commit(vec![gone]));
        if with_limits {
            self.forget_root(Some(&row.name));
        }
        if let Err(error) = undone {
            tracing::error!(event = "mailbox.create.undo.failed", mailbox = %row.name, %error);
        }
    }
}

fn inbox_of(name: &MailboxName) -> String {
    name.owner().map_or_else(String::new, |owner| format!("user/{owner}"))
}
