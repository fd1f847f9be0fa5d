//! cyrus.cache: the record of a message copied out and checked.

use bytes::BytesMut;
use divan::Bencher;
use divan::counter::ItemsCount;
use mailstore::{CacheBuf, CacheItem, CacheItems, Mailbox, Reading, Record};

use crate::mailbox::Sample;

/// Records read in a round, in the order of their UIDs.
const COUNT: usize = 1_000;

/// Whole records.
#[divan::bench]
fn read(bencher: Bencher<'_, '_>) {
    each(bencher, |reading, record, into| reading.cache_if_whole(record, CacheItems::ALL, into));
}

/// The header fields alone.
#[divan::bench]
fn read_headers(bencher: Bencher<'_, '_>) {
    each(bencher, |reading, record, into| reading.cache_if_whole(record, CacheItem::Headers.into(), into));
}

/// ENVELOPE and BODYSTRUCTURE, copied to where the reply is made.
#[divan::bench]
fn append(bencher: Bencher<'_, '_>) {
    let mut reply = BytesMut::new();
    each(bencher, move |reading, record, _| {
        reply.clear();
        let place = reading.cache_place(record);
        place.is_some_and(|place| {
            place.append(CacheItem::Envelope, &mut reply) && place.append(CacheItem::BodyStructure, &mut reply)
        })
    });
}

fn each(bencher: Bencher<'_, '_>, mut read: impl FnMut(&Reading<'_>, &Record, &mut CacheBuf) -> bool) {
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
