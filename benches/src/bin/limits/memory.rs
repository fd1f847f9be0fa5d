//! Copies and wake-ups.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Megabytes in a second that one thread copies, `size` bytes at a time.
pub(crate) fn copy_rate(size: usize, time: Duration) -> f64 {
    let source = vec![b'x'; size];
    let mut target = vec![0; size];
    let begin = Instant::now();
    let mut copied = 0_u64;
    while begin.elapsed() < time {
        target.copy_from_slice(black_box(&source));
        black_box(&mut target);
        copied += size as u64;
    }
    copied as f64 / 1e6 / begin.elapsed().as_secs_f64()
}

/// Microseconds from waking a thread to its running: half of a round trip between two threads.
pub(crate) fn wake_up_time(time: Duration) -> f64 {
    let turn = Arc::new(AtomicU32::new(0));
    let ends = Arc::new(AtomicBool::new(false));
    let main = thread::current();
    let other = {
        let (turn, ends) = (Arc::clone(&turn), Arc::clone(&ends));
        thread::spawn(move || {
            while !ends.load(Ordering::Acquire) {
                if turn.compare_exchange(1, 0, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                    main.unpark();
                } else {
                    thread::park();
                }
            }
        })
    };
    let begin = Instant::now();
    let mut trips = 0_u32;
    while begin.elapsed() < time {
        turn.store(1, Ordering::Release);
        other.thread().unpark();
        while turn.load(Ordering::Acquire) != 0 {
            thread::park();
        }
        trips += 1;
    }
    let elapsed = begin.elapsed();
    ends.store(true, Ordering::Release);
    other.thread().unpark();
    let _ = other.join();
    elapsed.as_secs_f64() * 1e6 / f64::from(trips.max(1)) / 2.0
}
