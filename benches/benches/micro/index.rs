//! cyrus.index: opened, scanned, looked up, changed.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use mailstore::{FlagOp, Permitted, StoreRequest, SystemFlags, Uid, UidSet};

use crate::mailbox::{SIZES, Sample};

/// A mailbox that nobody has open: three files, every record read and checked.
#[divan::bench(args = SIZES, sample_size = 1)]
fn open(bencher: Bencher<'_, '_>, count: usize) {
    let sample = Sample::new(count);
    bencher.counter(ItemsCount::new(count)).with_inputs(|| sample.close()).bench_local_values(|()| sample.mailbox());
}

/// Every record, whole and checked.
#[divan::bench(args = SIZES)]
fn scan(bencher: Bencher<'_, '_>, count: usize) {
    let sample = Sample::new(count);
    let mailbox = sample.mailbox();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let size: u64 = mailbox.read_many().records(1..=u32::MAX).map(|record| u64::from(record.size)).sum();
        black_box(size)
    });
}

/// What a search by flag or date looks at.
#[divan::bench(args = SIZES)]
fn glance(bencher: Bencher<'_, '_>, count: usize) {
    let sample = Sample::new(count);
    let mailbox = sample.mailbox();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let (reading, mut size) = (mailbox.read_many(), 0);
        reading.glance(reading.uids(), |glance| size += u64::from(glance.size));
        size
    });
}

/// The record of one message; the size of the mailbox must not matter.
#[divan::bench(args = SIZES)]
fn record(bencher: Bencher<'_, '_>, count: usize) {
    let sample = Sample::new(count);
    let mailbox = sample.mailbox();
    let uid = Uid::new(count as u32 / 2).unwrap();
    bencher.bench_local(|| mailbox.read().record(black_box(uid)).unwrap());
}

/// A flag of one message, committed; the size of the mailbox must not matter.
#[divan::bench(args = SIZES)]
fn flag(bencher: Bencher<'_, '_>, count: usize) {
    let sample = Sample::new(count);
    let mailbox = sample.mailbox();
    let uids: UidSet = [count as u32 / 2].into_iter().collect();
    let mut op = FlagOp::Remove;
    bencher.bench_local(|| {
        op = if op == FlagOp::Add { FlagOp::Remove } else { FlagOp::Add };
        let request = StoreRequest {
            reader: "joe",
            uids: &uids,
            op,
            system: SystemFlags::ANSWERED,
            seen: false,
            keywords: &[],
            permitted: Permitted::ALL,
            unchanged_since: None,
        };
        assert_eq!(mailbox.store(&request).unwrap().changed, uids);
    });
}
