//! From the stage into the mailboxes: once for all recipients of a transaction, once per mailbox, with a result for each.
//!
//! A message that comes again within three days (its client lost our reply, RFC 1047) is answered with success and not
//! stored again. Memory of it is kept by Message-ID and mailbox and written only behind the commit; while a delivery is
//! under way, another of the same message to the same mailbox waits for it, so that a client which gave up and came back
//! before we were done gets one copy too.

use std::collections::HashSet;
use std::sync::Arc;

use mailstore::MailboxName;
use mailstore::Uid;
use parking_lot::{Condvar, Mutex};

use crate::deposit::{Deposit, Quota};
use crate::incoming::store_refusal;
use crate::reply::Refusal;
use crate::route::Route;

/// A recipient that RCPT accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addressee {
    /// Where its copy goes.
    pub(crate) route: Route,
    /// How its quota is checked.
    pub(crate) quota: Quota,
}

/// What became of a recipient's copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It is in the mailbox, durably.
    As(Uid),
    /// It is there already.
    Duplicate,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// One result per recipient, in their order.
    pub(crate) results: Vec<Result<Delivered, Refusal>>,
    /// Octets stored, trace header included; 0 if it did not come so far.
    pub(crate) size: u64,
    /// Its Message-ID.
    pub(crate) message_id: Option<String>,
}

/// Messages that are being delivered right now, by Message-ID and mailbox.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    keys: Mutex<HashSet<(String, MailboxName)>>,
    changed: Condvar,
}

/// Delivers a message. Blocks.
pub(crate) fn deliver<D: Deposit>(
    deposit: &D,
    in_flight: &InFlight,
    suppress_duplicates: bool,
    stage: D::Stage,
    addressees: &[Addressee],
) -> Outcome {
    let message = match deposit.finish(stage) {
        Ok(message) => Arc::new(message),
        Err(error) => {
            let refusal = store_refusal("finish", &error);
            return Outcome { results: vec![Err(refusal); addressees.len()], size: 0, message_id: None };
        }
    };
    let message_id = deposit.message_id(&message);
    let size = deposit.size(&message);
    let key = message_id.as_deref().filter(|_| suppress_duplicates);
    let mut parcel = Parcel { deposit, message, key, copies: Vec::new() };
    let of_addressee: Vec<usize> = addressees.iter().map(|addressee| parcel.address(addressee)).collect();
    parcel.run(in_flight);
    let result = |&index: &usize| parcel.copies[index].result.unwrap_or(Err(Refusal::Store(mailstore::ErrorKind::Io)));
    Outcome { results: of_addressee.iter().map(result).collect(), size, message_id }
}

/// One message and its copies.
struct Parcel<'a, D: Deposit> {
    deposit: &'a D,
    message: Arc<D::Staged>,
    /// The Message-ID, where duplicates are suppressed.
    key: Option<&'a str>,
    copies: Vec<Copy<'a>>,
}

/// One mailbox's copy.
struct Copy<'a> {
    mailbox: &'a MailboxName,
    fallback: Option<&'a MailboxName>,
    quota: Quota,
    result: Option<Result<Delivered, Refusal>>,
}

impl<'a, D: Deposit> Parcel<'a, D> {
    /// The index of the copy that this recipient gets: several addresses of one mailbox get one.
    fn address(&mut self, addressee: &'a Addressee) -> usize {
        let Addressee { route: Route { mailbox, fallback }, quota } = addressee;
        if let Some(index) = self.copies.iter().position(|copy| copy.mailbox == mailbox) {
            if *quota == Quota::Ignore {
                self.copies[index].quota = Quota::Ignore;
            }
            return index;
        }
        self.copies.push(Copy { mailbox, fallback: fallback.as_ref(), quota: *quota, result: None });
        self.copies.len() - 1
    }

    fn run(&mut self, in_flight: &InFlight) {
        let deposit = self.deposit;
        let _reserved = self.key.map(|key| in_flight.reserve(key, self.copies.iter().map(|copy| copy.mailbox)));
        if let Some(key) = self.key {
            for copy in &mut self.copies {
                if deposit.is_duplicate(key, copy.mailbox) {
                    copy.result = Some(Ok(Delivered::Duplicate));
                }
            }
        }
        self.deliver_open();
        // A folder that vanished since RCPT: its owner's INBOX is there.
        for copy in &mut self.copies {
            if let (Some(Err(Refusal::Store(mailstore::ErrorKind::NotFound))), Some(inbox)) =
                (copy.result, copy.fallback.take())
            {
                (copy.mailbox, copy.result) = (inbox, None);
            }
        }
        self.deliver_open();
    }

    /// Delivers all copies that have no result yet, in one call per way of checking the quota.
    fn deliver_open(&mut self) {
        for quota in [Quota::Before, Quota::With, Quota::Ignore] {
            let is_due = |copy: &Copy<'_>| copy.result.is_none() && copy.quota == quota;
            let to: Vec<&MailboxName> =
                self.copies.iter().filter(|copy| is_due(copy)).map(|copy| copy.mailbox).collect();
            if to.is_empty() {
                continue;
            }
            let results = self.deposit.deliver(&self.message, self.key, &to, quota);
            for (copy, result) in self.copies.iter_mut().filter(|copy| is_due(copy)).zip(results) {
                copy.result = Some(result.map(Delivered::As).map_err(|error| store_refusal("deliver", &error)));
            }
        }
    }
}

impl InFlight {
    /// Waits until none of these deliveries is under way, then claims all of them at once, so that two messages can never
    /// wait for each other.
    fn reserve<'a>(&self, message_id: &str, mailboxes: impl Iterator<Item = &'a MailboxName>) -> Reservation<'_> {
        let wanted: Vec<_> = mailboxes.map(|mailbox| (message_id.to_owned(), mailbox.clone())).collect();
        let mut keys = self.keys.lock();
        while wanted.iter().any(|key| keys.contains(key)) {
            self.changed.wait(&mut keys);
        }
        keys.extend(wanted.iter().cloned());
        Reservation { in_flight: self, keys: wanted }
    }
}

/// Deliveries under way; given back when dropped.
struct Reservation<'a> {
    in_flight: &'a InFlight,
    keys: Vec<(String, MailboxName)>,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut keys = self.in_flight.keys.lock();
        for key in &self.keys {
            keys.remove(key);
        }
        self.in_flight.changed.notify_all();
    }
}
