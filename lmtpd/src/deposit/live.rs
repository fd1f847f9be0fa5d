//! The directory and the store themselves.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use directory::{Directory, UserId};
use mailstore::{
    Access, AppendOptions, Error, Mailbox, MailboxName, NewMessage, QuotaCheck, Rights, StageWriter, Staged, Store,
    SystemFlags, Timestamp, Uid,
};
use parking_lot::Mutex;

use super::{Deposit, Door, Quota, Resolution, Stage};

/// How long a delivery is remembered: the MTA repeats what it got no reply to within hours.
const REMEMBERED: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Octets that are read at a time when a message is copied to another partition.
const COPY: usize = 256 * 1024;

/// The directory and the store of this server.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<dyn Directory>,
}

/// A message being written, and where.
pub(crate) struct LiveStage {
    writer: StageWriter,
    partition: String,
}

/// A durable message: once per partition, because a hard link does not reach across.
pub(crate) struct LiveStaged {
    staged: Arc<Staged>,
    partition: String,
    elsewhere: Mutex<BTreeMap<String, Arc<Staged>>>,
}

impl Stage for LiveStage {
    fn would_block(&self, more: usize) -> bool {
        self.writer.would_spill(more)
    }

    fn write(&mut self, octets: &[u8]) -> Result<(), Error> {
        self.writer.write(octets)
    }
}

impl Deposit for Live {
    type Stage = LiveStage;
    type Staged = LiveStaged;

    fn resolves_from_memory(&self) -> bool {
        self.directory.answers_from_memory()
    }

    fn resolve(&self, local: &str, domain: Option<&str>) -> Resolution {
        match self.directory.resolve(local, domain) {
            Ok(directory::Resolution::User(user)) => Resolution::Users(vec![user.as_str().to_owned()]),
            Ok(directory::Resolution::Alias(users)) => {
                Resolution::Users(users.iter().map(|user| user.as_str().to_owned()).collect())
            }
            Ok(directory::Resolution::Disabled(_)) => Resolution::Disabled,
            Ok(directory::Resolution::Unknown) => Resolution::Unknown,
            Err(error) => {
                tracing::error!(event = "lmtp.directory.failed", %error);
                Resolution::Unavailable
            }
        }
    }

    fn access(&self, user: &str) -> Access {
        let account = UserId::parse(user).and_then(|user| self.directory.account(&user)).ok().flatten();
        account.map_or_else(Access::anonymous, |account| Access::user(user).in_groups(account.groups))
    }

    fn door(&self, mailbox: &MailboxName, submitter: &Access) -> Option<Door> {
        let rights = self.store.row(mailbox)?.rights(submitter);
        Some(Door { visible: rights.contains(Rights::LOOKUP), open: rights.contains(Rights::POST) })
    }

    fn find_ignoring_case(&self, wanted: &MailboxName) -> Option<MailboxName> {
        // The first levels are taken as they are: a tree is searched, not the store.
        let tree = wanted.owner().map_or_else(
            || wanted.as_str().split('/').next().unwrap_or_default().to_owned(),
            |owner| format!("user/{owner}/"),
        );
        let folded = wanted.as_str().to_lowercase();
        let mut found = None;
        self.store.list(&tree, |name, _| {
            if name.as_str().to_lowercase() == folded {
                found = Some(name.clone());
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        found
    }

    fn knows_room(&self, mailbox: &MailboxName) -> bool {
        self.store.knows_quota(mailbox)
    }

    fn has_room(&self, mailbox: &MailboxName, size: u64, quota: Quota) -> bool {
        // A root whose usage cannot be told refuses nothing here: the delivery will show what is wrong.
        let result = self.store.check_quota(mailbox, size, 1, check(quota));
        !result.is_err_and(|error| error.kind() == mailstore::ErrorKind::OverQuota)
    }

    fn stage(&self, mailbox: &MailboxName) -> Result<LiveStage, Error> {
        let partition = self.store.partition_of(mailbox);
        Ok(LiveStage { writer: self.store.stage(&partition)?, partition })
    }

    fn finish(&self, stage: LiveStage) -> Result<LiveStaged, Error> {
        let LiveStage { writer, partition } = stage;
        Ok(LiveStaged { staged: Arc::new(writer.finish()?), partition, elsewhere: Mutex::default() })
    }

    fn size(&self, message: &LiveStaged) -> u64 {
        u64::from(message.staged.size())
    }

    fn message_id(&self, message: &LiveStaged) -> Option<String> {
        let id = message.staged.analysis().message_id.as_deref()?;
        String::from_utf8(id.to_vec()).ok()
    }

    fn is_duplicate(&self, message_id: &str, mailbox: &MailboxName) -> bool {
        let Some(row) = self.store.row(mailbox) else { return false };
        let delivered = self.store.duplicates().delivered_at(message_id, &row.unique_id);
        delivered.is_some_and(|at| now().saturating_sub(at) < REMEMBERED.as_secs() as i64)
    }

    fn deliver(
        &self,
        message: &Arc<LiveStaged>,
        message_id: Option<&str>,
        to: &[&MailboxName],
        quota: Quota,
    ) -> Vec<Result<Uid, Error>> {
        let internal_date = Timestamp::now();
        let mut results: Vec<Option<Result<Uid, Error>>> = to.iter().map(|_| None).collect();
        let (mut places, mut targets) = (Vec::with_capacity(to.len()), Vec::with_capacity(to.len()));
        for (place, name) in to.iter().enumerate() {
            match self.target(message, name) {
                Ok((mailbox, staged)) => {
                    let flags = SystemFlags::NONE;
                    let message = NewMessage { staged, internal_date, flags, keywords: Vec::new(), seen: false };
                    places.push(place);
                    targets.push((mailbox, message));
                }
                Err(error) => results[place] = Some(Err(error)),
            }
        }
        let options = AppendOptions { quota: check(quota), reader: None };
        let noted = message_id.map(|id| {
            let mailboxes = targets.iter().map(|(mailbox, _)| mailbox.unique_id());
            self.store.duplicates().begin(id, message.staged.hash(), mailboxes, now())
        });
        let delivered = Store::deliver(&targets, &options);
        if let Some(noted) = noted {
            noted.end(&delivered.iter().map(Result::is_ok).collect::<Vec<_>>());
        }
        for (place, result) in places.into_iter().zip(delivered) {
            results[place] = Some(result);
        }
        let missing = || Err(Error::Unavailable("a delivery has no result".to_owned()));
        results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
    }
}

impl Live {
    /// The mailbox, and the message on its partition.
    fn target(&self, message: &LiveStaged, name: &MailboxName) -> Result<(Arc<Mailbox>, Arc<Staged>), Error> {
        let mailbox = self.store.mailbox(name)?;
        let partition = self.store.partition_of(name);
        if partition == message.partition {
            return Ok((mailbox, Arc::clone(&message.staged)));
        }
        let mut elsewhere = message.elsewhere.lock();
        if let Some(staged) = elsewhere.get(&partition) {
            return Ok((mailbox, Arc::clone(staged)));
        }
        let staged = Arc::new(self.copy(&message.staged, &partition)?);
        elsewhere.insert(partition, Arc::clone(&staged));
        Ok((mailbox, staged))
    }

    fn copy(&self, staged: &Staged, partition: &str) -> Result<Staged, Error> {
        let mut writer = self.store.stage(partition)?;
        let (mut piece, mut offset) = (vec![0; COPY], 0);
        loop {
            match staged.file().read_at(&mut piece, offset)? {
                0 => return writer.finish(),
                octets => {
                    writer.write(&piece[..octets])?;
                    offset += octets as u64;
                }
            }
        }
    }
}

fn check(quota: Quota) -> QuotaCheck {
    match quota {
        Quota::Before => QuotaCheck::EnforceAfter,
        Quota::With => QuotaCheck::Enforce,
        Quota::Ignore => QuotaCheck::Ignore,
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}
