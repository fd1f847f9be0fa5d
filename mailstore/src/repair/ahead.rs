//! Message files are read and analysed by several threads, ahead of the one that writes what was made of them: analysing is
//! most of the work of a repair that has lost index or cache, and one message has nothing to do with another.
//!
//! A thread holds one message at a time and keeps only what was made of it, so memory is bounded by the largest messages and
//! the cache records of some hundred.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use durable::disk::Disk;
use parking_lot::{Condvar, Mutex};

use super::make::{Prepared, Wanted, prepare};
use crate::error::Result;

/// Fewer messages than this are not worth a thread.
const WORTH_IT: usize = 64;

/// Threads at most: beyond this the one that writes is what everybody waits for.
const THREADS: usize = 4;

/// Messages that a thread takes at a time: a hand-over costs as much as the analysis of a small one.
const RUN: usize = 16;

/// What was made of so many runs may wait for the writer.
const WINDOW: usize = 16;

type Outcome = Result<Option<Prepared>>;

/// What was made of messages, in the order in which they were wanted.
pub(super) struct Ahead<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// Nothing where it is not worth it.
    readers: Option<Readers<'a>>,
}

struct Readers<'a> {
    shared: &'a Shared<'a>,
    results: Receiver<(usize, Vec<Outcome>)>,
    /// Runs that came before their turn.
    waiting: BTreeMap<usize, Vec<Outcome>>,
    /// The run whose turn it is, what is left of it.
    current: std::vec::IntoIter<Outcome>,
    /// How many runs had their turn.
    runs: usize,
    taken: usize,
}

struct Shared<'a> {
    wanted: &'a [Wanted],
    next: AtomicUsize,
    /// How many runs were taken.
    taken: Mutex<usize>,
    more: Condvar,
}

/// Runs `work`, which takes what is made of the messages `wanted`, each in its turn.
pub(super) fn with_ahead<T>(
    disk: &dyn Disk,
    dir: &Path,
    wanted: &[Wanted],
    work: impl FnOnce(&mut Ahead<'_>) -> T,
) -> T {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    if wanted.len() < WORTH_IT || threads < 2 {
        return work(&mut Ahead { disk, dir, readers: None });
    }
    let shared = Shared { wanted, next: AtomicUsize::new(0), taken: Mutex::new(0), more: Condvar::new() };
    std::thread::scope(|scope| {
        let (send, results) = channel();
        for _ in 0..threads {
            let (send, shared) = (send.clone(), &shared);
            let builder = std::thread::Builder::new().name("repair-read".to_owned());
            // Without any the writer does it alone.
            let _ = builder.spawn_scoped(scope, move || shared.read(disk, dir, &send));
        }
        drop(send);
        let readers = Readers {
            shared: &shared,
            results,
            waiting: BTreeMap::new(),
            current: Vec::new().into_iter(),
            runs: 0,
            taken: 0,
        };
        work(&mut Ahead { disk, dir, readers: Some(readers) })
    })
}

impl Ahead<'_> {
    /// What is made of the next message; nothing if its file is gone.
    pub(super) fn take(&mut self, wanted: Wanted) -> Outcome {
        let ready = self.readers.as_mut().and_then(|readers| readers.take(wanted));
        ready.unwrap_or_else(|| prepare(self.disk, self.dir, wanted))
    }
}

impl Readers<'_> {
    /// Nothing if nobody makes it.
    fn take(&mut self, wanted: Wanted) -> Option<Outcome> {
        if self.shared.wanted.get(self.taken) != Some(&wanted) {
            return None;
        }
        if self.current.len() == 0 {
            self.current = self.next_run()?.into_iter();
        }
        self.taken += 1;
        self.current.next()
    }

    fn next_run(&mut self) -> Option<Vec<Outcome>> {
        while !self.waiting.contains_key(&self.runs) {
            let (number, outcomes) = self.results.recv().ok()?;
            self.waiting.insert(number, outcomes);
        }
        let outcomes = self.waiting.remove(&self.runs);
        self.runs += 1;
        {
            // The end of it all may have been set.
            let mut taken = self.shared.taken.lock();
            *taken = (*taken).max(self.runs);
        }
        self.shared.more.notify_all();
        outcomes
    }
}

impl Drop for Readers<'_> {
    /// Whatever ended the work: nobody waits for ever.
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// A defect ends the reading, so that the writer does not wait for a message that nobody makes any more.
struct EndOnPanic<'a>(&'a Shared<'a>);

impl Drop for EndOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end();
        }
    }
}

impl Shared<'_> {
    /// No more is read than what is under way.
    fn end(&self) {
        self.next.store(usize::MAX / 2, Ordering::Relaxed);
        *self.taken.lock() = usize::MAX / 2;
        self.more.notify_all();
    }

    fn read(&self, disk: &dyn Disk, dir: &Path, send: &Sender<(usize, Vec<Outcome>)>) {
        let _others_end = EndOnPanic(self);
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(wanted) = self.wanted.chunks(RUN).nth(number) else { return };
            {
                let mut taken = self.taken.lock();
                while number >= taken.saturating_add(WINDOW) {
                    self.more.wait(&mut taken);
                }
            }
            let outcomes = wanted.iter().map(|wanted| prepare(disk, dir, *wanted)).collect();
            if send.send((number, outcomes)).is_err() {
                return;
            }
        }
    }
}
