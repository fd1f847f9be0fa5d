//! Whose work a thread does at the moment, so that every line of the log can tell; and work that may block.
//!
//! A session's task says so each time it is polled, and takes it along to the threads that block. That is a copy of three
//! words; a span of `tracing` would cost atomic operations and the lock of the filter at each poll, whether anybody logs or
//! not.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;

/// A delivery's identifier, unique over the life of the host: the second, the process, and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryId {
    second: u64,
    number: u64,
}

impl DeliveryId {
    /// That of delivery `number` of this process, which begins now.
    #[must_use]
    pub fn now(number: u64) -> Self {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self { second, number }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}-{:x}", self.second, std::process::id(), self.number)
    }
}

/// Whose work is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whose {
    /// The connection's number.
    pub conn: Option<u64>,
    /// The delivery under way on it.
    pub delivery: Option<DeliveryId>,
}

thread_local! {
    static NOW: Cell<Whose> = const { Cell::new(Whose { conn: None, delivery: None }) };
}

/// Whose work this thread does now.
#[must_use]
pub fn whose() -> Whose {
    NOW.get()
}

/// The session at work begins a delivery, or has ended it.
pub fn set_delivery(delivery: Option<DeliveryId>) {
    NOW.set(Whose { delivery, ..NOW.get() });
}

/// Runs `future` as the work of a connection. Boxed: an `async fn` would hold what it was given beside what it pins, and
/// there are ten thousand of them.
pub fn of_connection<F: Future>(conn: u64, future: F) -> impl Future<Output = F::Output> {
    let mut future = Box::pin(future);
    let mut whose = Whose { conn: Some(conn), delivery: None };
    std::future::poll_fn(move |cx| {
        let _before = Before(NOW.replace(whose));
        let polled = future.as_mut().poll(cx);
        // A delivery may have begun.
        whose = NOW.get();
        polled
    })
}

/// Runs work that may block on a thread that may, as the work of whoever asks for it.
pub fn blocking<T, F>(work: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let whose = whose();
    let waits = Counted::new(&WAITING);
    tokio::task::spawn_blocking(move || {
        drop(waits);
        let _runs = Counted::new(&RUNNING);
        let _before = Before(NOW.replace(whose));
        work()
    })
}

/// How many pieces of work wait for a thread that may block, and how many run on one.
#[must_use]
pub fn blocking_load() -> (u64, u64) {
    (WAITING.load(Ordering::Relaxed), RUNNING.load(Ordering::Relaxed))
}

static WAITING: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// One more, until it is dropped, by whatever way.
struct Counted(&'static AtomicU64);

impl Counted {
    fn new(counter: &'static AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whose work it was before; so it is again, also behind a panic.
struct Before(Whose);

impl Drop for Before {
    fn drop(&mut self) {
        NOW.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_task_has_its_own() {
        assert_eq!(whose(), Whose::default());
        let session = |conn| {
            of_connection(conn, async move {
                let id = DeliveryId::now(conn);
                for delivery in [None, Some(id), None] {
                    set_delivery(delivery);
                    tokio::task::yield_now().await;
                    let expected = Whose { conn: Some(conn), delivery };
                    assert_eq!(whose(), expected);
                    assert_eq!(blocking(whose).await.expect("it runs"), expected);
                }
            })
        };
        tokio::join!(session(1), session(2), session(3));
        assert_eq!(whose(), Whose::default());
        assert_eq!(blocking(whose).await.expect("it runs"), Whose::default());
    }

    #[tokio::test]
    async fn a_panic_leaves_nothing_behind() {
        let local = tokio::task::LocalSet::new();
        let session =
            local.run_until(async { tokio::task::spawn_local(of_connection(7, async { panic!("asked for") })).await });
        assert!(session.await.is_err());
        assert_eq!(whose(), Whose::default());
    }

    #[test]
    fn identifiers_tell_second_process_and_number() {
        let text = DeliveryId { second: 0x6550_0000, number: 0x2a }.to_string();
        assert_eq!(text, format!("65500000-{:x}-2a", std::process::id()));
    }
}
