//! A user who does honest work while others attack, and takes the time of it.

use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use harness::Server;

/// How long a command may take. An idle server answers within a millisecond; this is for a debug build on a machine that is
/// busy with other things. What it must catch is a server that stands still.
const LONGEST: Duration = Duration::from_secs(5);

/// How long half of them may take during one input. An attack that holds a lock or a thread misses this by far.
const MEDIAN: Duration = Duration::from_millis(500);

/// Between two commands: a witness must notice what happens, not be a load.
const PACE: Duration = Duration::from_millis(5);

/// The witness.
pub(crate) struct Witness {
    seen: Arc<Seen>,
    over: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// How long each command took.
#[derive(Default)]
struct Seen {
    times: Mutex<Vec<Duration>>,
    /// One more has ended.
    more: Condvar,
}

impl Witness {
    /// `sue` looks at her INBOX, again and again.
    pub(crate) fn begin(server: &Server) -> Self {
        let (over, told) = mpsc::channel::<()>();
        let seen: Arc<Seen> = Arc::default();
        let its = Arc::clone(&seen);
        let mut imap = server.imap("sue");
        imap.must("SELECT INBOX").unwrap();
        let thread = std::thread::spawn(move || {
            while told.recv_timeout(PACE) == Err(mpsc::RecvTimeoutError::Timeout) {
                let begin = Instant::now();
                let answer = imap.must("FETCH 1:3 (FLAGS ENVELOPE)").expect("the witness is served");
                assert_eq!(answer.untagged.len(), 3);
                its.times().push(begin.elapsed());
                its.more.notify_all();
            }
        });
        Self { seen, over: Some(over), thread: Some(thread) }
    }

    /// Forgets what was seen so far.
    pub(crate) fn reset(&self) {
        self.seen.times().clear();
    }

    /// Looks at what was seen since the last [`Witness::reset`], once another command has begun and ended.
    pub(crate) fn was_served(&self) {
        let times = self.seen.times();
        let wanted = times.len() + 2;
        let served = self.seen.more.wait_timeout_while(times, 2 * LONGEST, |times| times.len() < wanted);
        let (times, timeout) = served.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "the witness is not served any more");
        let mut times = times.clone();
        times.sort();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        assert!(longest < LONGEST, "the witness waited {longest:?}");
        assert!(median < MEDIAN, "the witness waited {median:?} most of the time");
    }
}

impl Seen {
    fn times(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        drop(self.over.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
