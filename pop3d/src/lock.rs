//! Exclusive access to a maildrop (RFC 1939, 4): one session at a time, where the site wants that. It keeps out other POP3
//! sessions only; IMAP and deliveries go on, and cannot disturb a session's numbers.

use std::collections::HashSet;
use std::sync::Arc;

use mailstore::UniqueId;
use parking_lot::Mutex;

/// The maildrops that are in use, by the mailboxes' identity: a rename frees none.
#[derive(Debug, Default)]
pub(crate) struct Locks(Mutex<HashSet<String>>);

/// A maildrop in use, until this is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    locks: Arc<Locks>,
    mailbox: String,
}

impl Locks {
    /// Takes the maildrop; nothing if somebody has it.
    pub(crate) fn take(self: &Arc<Self>, mailbox: &UniqueId) -> Option<Lock> {
        let mailbox = mailbox.as_str().to_owned();
        let free = self.0.lock().insert(mailbox.clone());
        free.then(|| Lock { locks: Arc::clone(self), mailbox })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.locks.0.lock().remove(&self.mailbox);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let locks = Arc::new(Locks::default());
        let (one, other) = (UniqueId::random().unwrap(), UniqueId::random().unwrap());
        let held = locks.take(&one).unwrap();
        assert!(locks.take(&one).is_none());
        let _other = locks.take(&other).unwrap();
        drop(held);
        assert!(locks.take(&one).is_some());
    }
}
