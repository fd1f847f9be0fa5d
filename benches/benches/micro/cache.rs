//! cyrus.cache: the record of a message copied out and checked.

use divan::Bencher;
use divan::counter::ItemsCount;
use mailstore::{CacheBuf, Mailbox, Reading, Record};

use crate::mailbox::Sample;

/// Records read in a round, in the order of their UIDs.
const COUNT: usize = 1_000;

/// Whole records.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    each(bencher, |reading, record, into| reading.cache_if_whole(record, into));
}

/// Their fronts: ENVELOPE, BODYSTRUCTURE, BODY.
#[divan::bench]
fn read_front(bencher: Bencher<'_, '_>) {
    each(bencher, |reading, record, into| reading.front_if_whole(record, into));
}

fn each(bencher: Bencher<'_, '_>, read: impl Fn(&Reading<'_>, &Record, &mut CacheBuf) -> bool) {
    let sample = Sample::new(COUNT);
    let mailbox = sample.mailbox();
    let records: Vec<Record> = Mailbox::read_many(&mailbox).records(1..=u32::MAX).collect();
    let mut into = CacheBuf::default();
    bencher.counter(ItemsCount::new(COUNT)).bench_local(|| {
        let reading = mailbox.read_many();
        for record in &records {
            assert!(read(&reading, record, &mut into));
        }
    });
}
