//! Who is connected now: what an administrator sees of it, and how he ends a session.
//!
//! Every connection that a listener admits has a row here as long as it lives. The session writes into its row what it
//! learns (user, mailbox, what the client calls itself); nothing of it is looked at until somebody asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Poll;
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::time::Instant;

use crate::connection::{ConnectionInfo, Peer};
use crate::notices::{Notice, Notices};
use crate::trace::{Order, Record, Tap, Trace, Traces};

/// Characters of a client's name or mailbox that are kept: more is of no use to anybody who looks.
const LABEL: usize = 200;

/// All connections of the process.
#[derive(Debug, Default)]
pub struct Sessions {
    rows: Mutex<BTreeMap<u64, Arc<Row>>>,
    /// Locked before `rows`.
    notices: Mutex<Notices>,
    traces: Traces,
}

/// What is known of a session at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// The connection's number, the log's `conn`.
    pub id: u64,
    /// `imap`, `imaps`, `lmtp`.
    pub service: &'static str,
    /// The other end.
    pub peer: Peer,
    /// How long it has been there, whatever was done to the system's clock meanwhile.
    pub age: Duration,
    /// The TLS version, if there is TLS.
    pub tls: Option<&'static str>,
    /// Who has logged in.
    pub user: Option<Arc<str>>,
    /// The selected mailbox.
    pub mailbox: Option<Arc<str>>,
    /// What the client calls itself.
    pub client: Option<Arc<str>>,
    /// Octets read from the peer, inside TLS.
    pub octets_in: u64,
    /// Octets written to the peer, inside TLS.
    pub octets_out: u64,
}

/// Services whose connections are our own: commands, and whoever collects the metrics.
const OWN: [&str; 2] = ["control", "metrics"];

impl SessionView {
    /// Whether it is a client's or an MTA's, and may be ended.
    #[must_use]
    pub fn is_clients(&self) -> bool {
        !OWN.contains(&self.service)
    }
}

/// A connection's row.
#[derive(Debug)]
pub(crate) struct Row {
    id: u64,
    service: &'static str,
    since: Instant,
    labels: Mutex<Labels>,
    octets_in: AtomicU64,
    octets_out: AtomicU64,
    /// Somebody is in who is no administrator. Changed under the lock of the notices.
    is_user: AtomicBool,
    /// What is said to the client in the end; set when an administrator ends the session.
    reason: OnceLock<Arc<str>>,
    /// Whoever waits for that: the session's task, and nobody else.
    waiting: AtomicWaker,
    tap: Tap,
}

#[derive(Debug)]
struct Labels {
    peer: Peer,
    tls: Option<&'static str>,
    user: Option<Arc<str>>,
    mailbox: Option<Arc<str>>,
    client: Option<Arc<str>>,
}

impl Sessions {
    /// Every session, in the order in which they began.
    #[must_use]
    pub fn list(&self) -> Vec<SessionView> {
        self.rows().values().map(|row| row.view()).collect()
    }

    /// Ends the sessions that `chosen` picks: each says goodbye with `reason` as soon as it waits for its client.
    /// Returns how many there were.
    pub fn end(&self, reason: &str, mut chosen: impl FnMut(&SessionView) -> bool) -> usize {
        let reason: Arc<str> = reason.into();
        let rows = self.rows();
        let mut ended = 0;
        for row in rows.values().filter(|row| chosen(&row.view())) {
            row.end(&reason);
            ended += 1;
        }
        ended
    }

    /// Sets what everybody is told who logs in. Whether that is a change.
    pub fn set_motd(&self, motd: Option<Notice>) -> bool {
        let mut notices = self.notices();
        let changed = notices.motd != motd;
        notices.motd = motd;
        changed
    }

    /// Keeps out everybody who is no administrator, or lets them in again. The sessions of those who are in end like those
    /// of [`Sessions::end`]. Returns how many these are; `None` if nothing has changed.
    pub fn lock_out(&self, notice: Option<Notice>) -> Option<usize> {
        let mut notices = self.notices();
        if notices.lockout == notice {
            return None;
        }
        notices.lockout.clone_from(&notice);
        let Some(notice) = notice else { return Some(0) };
        let reason: Arc<str> = notice.text().into();
        // Whoever logs in now is either here already or told.
        let rows = self.rows();
        let users = rows.values().filter(|row| row.is_user.load(Ordering::Relaxed));
        Some(users.map(|row| usize::from(row.end(&reason))).sum())
    }

    /// Begins to trace: sessions that have logged in from their next command on, others when they do, new ones from the
    /// beginning. Records must be taken as they come; who takes no more ends the trace.
    pub fn trace(&self, order: Order) -> (Arc<Trace>, Receiver<Record>) {
        let (trace, records) = self.traces.begin(order);
        for row in self.rows().values() {
            // In the middle of a login nobody knows what is a secret.
            if row.labels().user.is_some() {
                self.tap(row, false);
            }
        }
        (trace, records)
    }

    /// Ends the traces that `chosen` picks, and returns them.
    pub fn end_traces(&self, chosen: impl FnMut(&Trace) -> bool) -> Vec<Arc<Trace>> {
        let ended = self.traces.end(chosen);
        if !ended.is_empty() {
            let rows = self.rows();
            rows.values().for_each(|row| ended.iter().for_each(|trace| row.tap.take_off(trace.id())));
        }
        ended
    }

    /// The traces that are on.
    #[must_use]
    pub fn traces(&self) -> Vec<Arc<Trace>> {
        self.traces.list()
    }

    /// Taps a session if a trace fits.
    fn tap(&self, row: &Row, fresh: bool) {
        let (user, peer) = {
            let labels = row.labels();
            (labels.user.clone(), labels.peer)
        };
        if let Some(sink) = self.traces.find(user.as_deref(), &peer) {
            row.tap.put_on(sink, row.id, row.service, peer, fresh);
        }
    }

    pub(crate) fn enter(self: &Arc<Self>, info: &ConnectionInfo) -> Entry {
        let row = Arc::new(Row {
            id: info.id,
            service: info.service,
            since: Instant::now(),
            labels: Mutex::new(Labels { peer: info.peer, tls: None, user: None, mailbox: None, client: None }),
            octets_in: AtomicU64::new(0),
            octets_out: AtomicU64::new(0),
            is_user: AtomicBool::new(false),
            reason: OnceLock::new(),
            waiting: AtomicWaker::new(),
            tap: Tap::default(),
        });
        self.rows().insert(info.id, Arc::clone(&row));
        self.tap(&row, true);
        Entry { sessions: Arc::clone(self), row }
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Row>>> {
        // A row is put in or taken out whole, whatever panics.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self) -> MutexGuard<'_, Notices> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    /// What listens, if somebody does.
    pub(crate) fn tap(&self) -> Option<&Tap> {
        Some(&self.tap).filter(|tap| tap.is_on())
    }

    fn view(&self) -> SessionView {
        let labels = self.labels();
        SessionView {
            id: self.id,
            service: self.service,
            peer: labels.peer,
            age: self.since.elapsed(),
            tls: labels.tls,
            user: labels.user.clone(),
            mailbox: labels.mailbox.clone(),
            client: labels.client.clone(),
            octets_in: self.octets_in.load(Ordering::Relaxed),
            octets_out: self.octets_out.load(Ordering::Relaxed),
        }
    }

    /// Ends the session; whether it was not ended before. Who is ended twice hears the first reason.
    fn end(&self, reason: &Arc<str>) -> bool {
        let first = self.reason.set(Arc::clone(reason)).is_ok();
        self.waiting.wake();
        first
    }

    fn labels(&self) -> MutexGuard<'_, Labels> {
        self.labels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's own hold on its row, which goes with it.
#[derive(Debug)]
pub(crate) struct Entry {
    sessions: Arc<Sessions>,
    row: Arc<Row>,
}

impl Entry {
    pub(crate) fn set_peer(&self, peer: Peer) {
        self.row.labels().peer = peer;
        self.sessions.tap(&self.row, true);
    }

    pub(crate) fn set_tls(&self, version: Option<&'static str>) {
        self.row.labels().tls = version;
    }

    pub(crate) fn set_user(&self, user: &str) {
        self.row.labels().user = Some(label(user));
        self.sessions.tap(&self.row, false);
    }

    pub(crate) fn set_mailbox(&self, mailbox: Option<&str>) {
        let mailbox = mailbox.map(label);
        self.row.labels().mailbox = mailbox;
    }

    pub(crate) fn set_client(&self, client: &str) {
        self.row.labels().client = Some(label(client));
    }

    pub(crate) fn client(&self) -> Option<Arc<str>> {
        self.row.labels().client.clone()
    }

    pub(crate) fn set_octets(&self, octets_in: u64, octets_out: u64) {
        self.row.octets_in.store(octets_in, Ordering::Relaxed);
        self.row.octets_out.store(octets_out, Ordering::Relaxed);
    }

    /// The row, for what is sent.
    pub(crate) fn row(&self) -> Arc<Row> {
        Arc::clone(&self.row)
    }

    /// What listens, if somebody does.
    pub(crate) fn tap(&self) -> Option<&Tap> {
        self.row.tap()
    }

    /// What everybody is told who logs in.
    pub(crate) fn motd(&self) -> Option<Notice> {
        self.sessions.notices().motd.clone()
    }

    /// Somebody is in, unless users are kept out.
    pub(crate) fn admit(&self, admin: bool) -> Result<(), Notice> {
        let notices = self.sessions.notices();
        match &notices.lockout {
            Some(notice) if !admin => Err(notice.clone()),
            _ => {
                self.row.is_user.store(!admin, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// Completes when an administrator ends the session; with what he says.
    pub(crate) async fn ended(&self) -> Arc<str> {
        std::future::poll_fn(|cx| {
            if let Some(reason) = self.row.reason.get() {
                return Poll::Ready(Arc::clone(reason));
            }
            self.row.waiting.register(cx.waker());
            // It may have been set before anybody was registered.
            self.row.reason.get().map_or(Poll::Pending, |reason| Poll::Ready(Arc::clone(reason)))
        })
        .await
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sessions.rows().remove(&self.row.id);
    }
}

/// A text of a peer's, short and without control characters.
fn label(text: &str) -> Arc<str> {
    text.chars().filter(|c| !c.is_control()).take(LABEL).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_come_and_go_with_their_connections() {
        let sessions = Arc::new(Sessions::default());
        let (first, second) = (ConnectionInfo::memory(), ConnectionInfo::memory());
        let (one, two) = (sessions.enter(&first), sessions.enter(&second));
        one.set_user("joe");
        one.set_mailbox(Some("INBOX"));
        one.set_client("Mail\r\n\x1b[31m 1.0");
        one.set_octets(3, 5);
        let views = sessions.list();
        assert_eq!(views.iter().map(|view| view.id).collect::<Vec<_>>(), [first.id, second.id]);
        assert_eq!(views[0].user.as_deref(), Some("joe"));
        assert_eq!(views[0].client.as_deref(), Some("Mail[31m 1.0"));
        assert_eq!((views[0].octets_in, views[0].octets_out), (3, 5));
        assert_eq!(views[1].user, None);

        assert_eq!(sessions.end("maintenance", |view| view.user.as_deref() == Some("joe")), 1);
        assert_eq!(sessions.end("later", |view| view.id == first.id), 1);
        assert_eq!(&*one.ended().await, "maintenance");
        assert!(tokio::time::timeout(Duration::ZERO, two.ended()).await.is_err());
        drop(one);
        assert_eq!(sessions.list().len(), 1);
        drop(two);
        assert!(sessions.list().is_empty());
    }

    #[tokio::test]
    async fn users_are_kept_out_and_administrators_are_not() {
        let sessions = Arc::new(Sessions::default());
        let enter = || sessions.enter(&ConnectionInfo::memory());
        let (user, admin, stranger, late) = (enter(), enter(), enter(), enter());
        assert_eq!(user.admit(false), Ok(()));
        assert_eq!(admin.admit(true), Ok(()));
        let noon = Notice::new("Back at noon");
        assert_eq!(sessions.lock_out(noon.clone()), Some(1));
        assert_eq!(sessions.lock_out(noon.clone()), None, "no change");
        assert_eq!(&*user.ended().await, "Back at noon");
        for other in [&admin, &stranger, &late] {
            assert!(tokio::time::timeout(Duration::ZERO, other.ended()).await.is_err());
        }
        assert_eq!(stranger.admit(false).err(), noon);
        assert_eq!(late.admit(true), Ok(()));
        // Another reason ends nobody twice.
        assert_eq!(sessions.lock_out(Notice::new("Back at one")), Some(0));
        assert_eq!(sessions.lock_out(None), Some(0));
        assert_eq!(stranger.admit(false), Ok(()));

        assert_eq!(stranger.motd(), None);
        assert!(sessions.set_motd(noon.clone()) && !sessions.set_motd(noon.clone()));
        assert_eq!(stranger.motd(), noon);
    }
}
