//! Two threads that nobody waits for: one syncs what was written a moment ago, the other does what was put off.
//! Both sleep until there is something to do. After an unclean stop a third one reads the mailboxes database once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};
use crate::list::MailboxList;
use crate::mailbox::Mailbox;
use crate::quota::roots::QuotaRoots;

/// How often the mailboxes database is asked whether it wants a dump, while it changes.
const MAINTENANCE: Duration = Duration::from_secs(60);

/// Mailboxes that wait for a sync are synced by several threads at once if there are at least so many: the file system
/// joins their journal writes.
const PARALLEL: usize = 8;

/// What the two threads are told.
pub(super) struct Background {
    queue: Mutex<Queue>,
    wake: Condvar,
    jobs: Sender<Job>,
}

#[derive(Default)]
struct Queue {
    dirty: Vec<Arc<Mailbox>>,
    /// When the first of them became dirty.
    since: Option<Instant>,
    /// When the mailbox list was first changed after its last maintenance.
    list_changed: Option<Instant>,
    stop: bool,
}

enum Job {
    Run(Box<dyn FnOnce() + Send>),
    Stop,
}

/// What the syncing thread works with.
pub(super) struct Tools {
    pub(super) list: Arc<MailboxList>,
    pub(super) roots: Arc<QuotaRoots>,
    /// How long a change may wait for its sync.
    pub(super) window: Duration,
}

impl Background {
    /// Starts the threads.
    pub(super) fn start(tools: Tools) -> Result<(Arc<Background>, Vec<JoinHandle<()>>)> {
        let (jobs, todo) = channel();
        let background = Arc::new(Background { queue: Mutex::default(), wake: Condvar::new(), jobs });
        let syncing = Arc::clone(&background);
        let list = Arc::clone(&tools.list);
        let failed = |error: std::io::Error| Error::Unavailable(format!("no thread: {error}"));
        let builder = || std::thread::Builder::new();
        let syncer = builder().name("store-sync".into()).spawn(move || syncing.sync_loop(&tools)).map_err(failed)?;
        let worker = builder().name("store-work".into()).spawn(move || work_loop(&todo)).map_err(failed)?;
        let mut threads = vec![syncer, worker];
        if !list.is_checked() {
            let checking = Arc::clone(&background);
            let checker = builder().name("list-check".into()).spawn(move || checking.check(&list)).map_err(failed)?;
            threads.push(checker);
        }
        Ok((background, threads))
    }

    /// The mailbox waits for a sync.
    pub(super) fn note_dirty(&self, mailbox: Arc<Mailbox>) {
        let mut queue = self.queue.lock();
        queue.dirty.push(mailbox);
        if queue.since.is_none() {
            queue.since = Some(Instant::now());
            self.wake.notify_all();
        }
    }

    /// The mailbox list has changed.
    pub(super) fn note_list_change(&self) {
        let mut queue = self.queue.lock();
        if queue.list_changed.is_none() {
            queue.list_changed = Some(Instant::now());
            self.wake.notify_all();
        }
    }

    /// Runs `work` after everything that was put off before.
    pub(super) fn run_later(&self, work: Box<dyn FnOnce() + Send>) {
        // After the stop there is nobody to run it; the next start finds what is left to do.
        let _ = self.jobs.send(Job::Run(work));
    }

    /// Tells the threads to finish what they have, and to end.
    pub(super) fn stop(&self) {
        self.queue.lock().stop = true;
        self.wake.notify_all();
        let _ = self.jobs.send(Job::Stop);
    }

    /// Works as long as it rests: nobody needs the result now.
    fn check(&self, list: &MailboxList) {
        let mut since = Instant::now();
        let checked = list.check(&mut || {
            let mut queue = self.queue.lock();
            let until = Instant::now() + since.elapsed();
            while !queue.stop && !self.wake.wait_until(&mut queue, until).timed_out() {}
            since = Instant::now();
            !queue.stop
        });
        match checked {
            Ok(()) => tracing::debug!(event = "mailboxes.checked"),
            Err(error) => tracing::error!(event = "mailboxes.check.failed", %error),
        }
    }

    fn sync_loop(&self, tools: &Tools) {
        loop {
            let (dirty, maintain, stop) = self.next_round(tools.window);
            sync_all(&dirty, &tools.roots);
            drop(dirty);
            if maintain && let Err(error) = tools.list.maintain() {
                tracing::error!(event = "mailboxes.maintain.failed", %error);
            }
            if stop {
                return;
            }
        }
    }

    /// Waits until something is due: mailboxes to sync, whether the list wants maintenance, whether this is the end.
    fn next_round(&self, window: Duration) -> (Vec<Arc<Mailbox>>, bool, bool) {
        let mut queue = self.queue.lock();
        loop {
            let now = Instant::now();
            let sync_at = queue.since.map(|since| since + window);
            let maintain_at = queue.list_changed.map(|since| since + MAINTENANCE);
            let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
            if queue.stop || due(sync_at) || due(maintain_at) {
                let (stop, maintain) = (queue.stop, due(maintain_at));
                if maintain {
                    queue.list_changed = None;
                }
                queue.since = None;
                return (std::mem::take(&mut queue.dirty), maintain, stop);
            }
            match [sync_at, maintain_at].into_iter().flatten().min() {
                Some(at) => {
                    self.wake.wait_until(&mut queue, at);
                }
                None => self.wake.wait(&mut queue),
            }
        }
    }
}

fn sync_all(dirty: &[Arc<Mailbox>], roots: &QuotaRoots) {
    if dirty.len() < PARALLEL {
        dirty.iter().for_each(|mailbox| sync_one(mailbox, roots));
        return;
    }
    std::thread::scope(|scope| {
        for part in dirty.chunks(dirty.len().div_ceil(PARALLEL)) {
            scope.spawn(move || part.iter().for_each(|mailbox| sync_one(mailbox, roots)));
        }
    });
}

fn sync_one(mailbox: &Arc<Mailbox>, roots: &QuotaRoots) {
    let identity = mailbox.identity();
    if let Err(error) = mailbox.sync() {
        tracing::error!(event = "mailbox.sync.failed", mailbox = %identity.name, %error);
    }
    if let Some(root) = &identity.quota
        && let Err(error) = roots.write(root)
    {
        tracing::error!(event = "quota.write.failed", root = root.name(), %error);
    }
}

fn work_loop(todo: &Receiver<Job>) {
    while let Ok(Job::Run(work)) = todo.recv() {
        // One job that panics must not end all others.
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!(event = "store.work.panicked");
        }
    }
}
