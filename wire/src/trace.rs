//! Protocol traces: what one user or one address sends and is sent, for an administrator who looks for a client's trouble.
//!
//! A trace is a rule here and a queue of [`Record`]s to whoever writes them down. A session that fits is *tapped*: its row
//! ([`crate::sessions`]) holds what [`mask`](self) needs to leave secrets and mail out. A session that is not costs one
//! relaxed load for each command read and each write. Nobody waits for a trace: what its queue does not take is counted and
//! lost.

mod mask;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use crate::connection::Peer;
use network::Network;

pub(crate) use mask::Heard;
use mask::Mask;

/// Records that may wait for their writer: 1,024, some seconds of a busy client.
const QUEUE: usize = 1024;

/// Whose sessions are traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Those of this user, from the end of the login on.
    User(String),
    /// Those from these addresses, from the greeting on.
    From(Network),
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Whom::User(user) => user.fmt(f),
            Whom::From(network) => network.fmt(f),
        }
    }
}

/// What is to be traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Whose sessions.
    pub whom: Whom,
    /// Messages and long literals too. Passwords never.
    pub bodies: bool,
    /// When it ends by itself.
    pub until: Instant,
}

/// Who has said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client.
    Client,
    /// We.
    Server,
}

/// Something that was said, without line ends, control characters escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: SystemTime,
    /// The connection's number, the log's `conn`.
    pub conn: u64,
    /// The service's name.
    pub service: &'static str,
    /// The other end.
    pub peer: Peer,
    /// Who.
    pub side: Side,
    /// What.
    pub text: String,
}

/// A trace that is on.
#[derive(Debug)]
pub struct Trace {
    id: u64,
    order: Order,
    records: AtomicU64,
    lost: AtomicU64,
}

impl Trace {
    /// Its number.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What was asked for.
    #[must_use]
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Records so far, and how many of them were lost because nobody took them in time.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.records.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}

/// A trace and the way to its writer, who hears of its end when the last of these is gone.
#[derive(Debug)]
pub(crate) struct Sink {
    trace: Arc<Trace>,
    to: SyncSender<Record>,
}

impl Sink {
    /// Whether it goes on.
    fn send(&self, record: Record) -> bool {
        self.trace.records.fetch_add(1, Ordering::Relaxed);
        match self.to.try_send(record) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.trace.lost.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

/// All traces of the process.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// How many there are: read without the lock when somebody connects or logs in.
    on: AtomicUsize,
    last: AtomicU64,
    /// The newest last. Locked alone, or behind the rows.
    all: Mutex<Vec<Arc<Sink>>>,
}

impl Traces {
    pub(crate) fn begin(&self, order: Order) -> (Arc<Trace>, Receiver<Record>) {
        let (to, records) = sync_channel(QUEUE);
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let trace = Arc::new(Trace { id, order, records: AtomicU64::new(0), lost: AtomicU64::new(0) });
        let mut all = self.all();
        all.push(Arc::new(Sink { trace: Arc::clone(&trace), to }));
        // Before anybody looks at the rows: who logs in from now on sees it.
        self.on.store(all.len(), Ordering::SeqCst);
        (trace, records)
    }

    /// Takes those away that `chosen` picks, and returns them.
    pub(crate) fn end(&self, mut chosen: impl FnMut(&Trace) -> bool) -> Vec<Arc<Trace>> {
        let mut all = self.all();
        let ended = all.extract_if(.., |sink| chosen(&sink.trace)).map(|sink| Arc::clone(&sink.trace)).collect();
        self.on.store(all.len(), Ordering::SeqCst);
        ended
    }

    pub(crate) fn list(&self) -> Vec<Arc<Trace>> {
        self.all().iter().map(|sink| Arc::clone(&sink.trace)).collect()
    }

    /// The newest trace that fits a session.
    pub(crate) fn find(&self, user: Option<&str>, peer: &Peer) -> Option<Arc<Sink>> {
        if self.on.load(Ordering::SeqCst) == 0 {
            return None;
        }
        let fits = |sink: &&Arc<Sink>| match &sink.trace.order.whom {
            Whom::User(wanted) => user == Some(wanted),
            Whom::From(network) => peer.ip().is_some_and(|ip| network.contains(ip)),
        };
        self.all().iter().rev().find(fits).cloned()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Arc<Sink>>> {
        // A trace is put in or taken out whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What hears a session, while somebody wants to.
#[derive(Debug, Default)]
pub(crate) struct Tap {
    on: AtomicBool,
    tapped: Mutex<Option<Box<Tapped>>>,
}

#[derive(Debug)]
struct Tapped {
    sink: Arc<Sink>,
    conn: u64,
    service: &'static str,
    peer: Peer,
    mask: Mask,
}

impl Tap {
    /// Whether anybody listens.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Lets a trace hear the session, from its greeting on (`fresh`) or from its next command on. A trace that is there
    /// already stays if it is the newer one.
    pub(crate) fn put_on(&self, sink: Arc<Sink>, conn: u64, service: &'static str, peer: Peer, fresh: bool) {
        let Some(mask) = Mask::new(service, sink.trace.order.bodies, fresh) else { return };
        let mut tapped = self.tapped();
        if tapped.as_ref().is_some_and(|tapped| tapped.sink.trace.id >= sink.trace.id) {
            return;
        }
        *tapped = Some(Box::new(Tapped { sink, conn, service, peer, mask }));
        self.on.store(true, Ordering::Relaxed);
    }

    /// Ends what a trace hears of the session, if it is this one.
    pub(crate) fn take_off(&self, id: u64) {
        let mut tapped = self.tapped();
        if tapped.as_ref().is_some_and(|tapped| tapped.sink.trace.id == id) {
            *tapped = None;
            self.on.store(false, Ordering::Relaxed);
        }
    }

    /// The client has said something; `waiting` octets of ours are still to be sent.
    pub(crate) fn heard(&self, what: Heard<'_>, waiting: usize) {
        self.tell(|mask, out| mask.heard(what, waiting, out));
    }

    /// These octets were sent.
    pub(crate) fn said(&self, octets: &[u8]) {
        self.tell(|mask, out| mask.said(octets, out));
    }

    /// So many octets of a file were sent.
    pub(crate) fn said_of_file(&self, octets: u64) {
        self.tell(|mask, out| mask.said_of_file(octets, out));
    }

    fn tell(&self, put: impl FnOnce(&mut Mask, &mut Vec<(Side, String)>)) {
        let mut tapped = self.tapped();
        let Some(found) = tapped.as_mut() else { return };
        let mut texts = Vec::new();
        put(&mut found.mask, &mut texts);
        let at = SystemTime::now();
        let (conn, service, peer) = (found.conn, found.service, found.peer);
        let mut records = texts.into_iter().map(|(side, text)| Record { at, conn, service, peer, side, text });
        let over = Instant::now() >= found.sink.trace.order.until;
        if over || !records.all(|record| found.sink.send(record)) {
            *tapped = None;
            self.on.store(false, Ordering::Relaxed);
        }
    }

    fn tapped(&self) -> MutexGuard<'_, Option<Box<Tapped>>> {
        // A panic in between loses a record, not the order of things.
        self.tapped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOOP: Heard<'_> = Heard::Fragment { text: b"a NOOP", literal: None, begins: true };

    fn order(whom: Whom) -> Order {
        Order { whom, bodies: false, until: Instant::now() + Duration::from_secs(600) }
    }

    /// The way to the writer of joe's trace.
    fn sink(traces: &Traces) -> Arc<Sink> {
        traces.find(Some("joe"), &Peer::Memory).expect("joe is traced")
    }

    fn peer(address: &str) -> Peer {
        Peer::Ip(format!("{address}:1").parse().expect("an address"))
    }

    #[test]
    fn the_newest_that_fits() {
        let traces = Traces::default();
        assert!(traces.find(Some("joe"), &Peer::Memory).is_none());
        let (first, _first) = traces.begin(order(Whom::User("joe".to_owned())));
        let (second, _second) = traces.begin(order(Whom::From("192.0.2.0/24".parse().expect("a network"))));
        let check = |user, address, expected: Option<u64>| {
            assert_eq!(traces.find(user, &peer(address)).map(|sink| sink.trace.id()), expected, "{user:?} {address}");
        };
        check(Some("joe"), "198.51.100.1", Some(first.id()));
        check(Some("joe"), "192.0.2.9", Some(second.id()));
        check(Some("sue"), "198.51.100.1", None);
        check(None, "192.0.2.1", Some(second.id()));
        assert_eq!(traces.end(|trace| trace.id() == second.id()).len(), 1);
        check(None, "192.0.2.1", None);
        assert_eq!(traces.end(|_| true).len(), 1);
        assert!(traces.list().is_empty());
    }

    #[test]
    fn a_full_queue_loses_records_and_a_dead_one_ends_the_tap() {
        let traces = Traces::default();
        let (trace, records) = traces.begin(order(Whom::User("joe".to_owned())));
        let tap = Tap::default();
        assert!(!tap.is_on());
        tap.put_on(sink(&traces), 7, "imap", Peer::Memory, true);
        for _ in 0..QUEUE + 10 {
            tap.heard(NOOP, 0);
        }
        assert_eq!(trace.counts(), (QUEUE as u64 + 10, 10));
        assert_eq!(records.recv().expect("a record").text, "a NOOP");
        drop(records);
        assert!(tap.is_on());
        tap.heard(NOOP, 0);
        assert!(!tap.is_on());
    }

    #[test]
    fn it_ends_by_itself() {
        let traces = Traces::default();
        let over = Order { until: Instant::now(), ..order(Whom::User("joe".to_owned())) };
        let (_, records) = traces.begin(over);
        let tap = Tap::default();
        tap.put_on(sink(&traces), 7, "imap", Peer::Memory, true);
        tap.said(b"* OK\r\n");
        assert!(!tap.is_on() && records.try_recv().is_err());
    }

    #[test]
    fn services_that_are_none_of_clients_are_not_tapped() {
        let traces = Traces::default();
        let _begun = traces.begin(order(Whom::User("joe".to_owned())));
        for service in ["control", "metrics"] {
            let tap = Tap::default();
            tap.put_on(sink(&traces), 1, service, Peer::Memory, true);
            assert!(!tap.is_on(), "{service}");
        }
    }
}
