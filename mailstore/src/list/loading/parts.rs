//! Safety copies read, understood and taken in by different threads: with a million mailboxes that is what the start takes
//! its time for. What is read goes from hand to hand in parts, and is taken in in its order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Builder;

use parking_lot::Mutex;

use super::entry::Entry;
use crate::error::{Error, Result};
use crate::list::backing::Backing;
use crate::list::row::Neighbour;

/// Keys and values that are handed over at a time, in octets.
const PART: usize = 256 << 10;

/// Parts that may wait: the faster thread does not run away.
const PARTS: usize = 8;

/// Threads that understand what is read, at most: one alone reads about four times as fast.
const THREADS: usize = 4;

/// What is told of a key.
pub(super) enum Told {
    Is(Entry),
    /// It makes no sense: why.
    Bad(String),
    Removed,
}

/// Gives `each` what the copies tell of every key, in the order in which they do. `false` if there are none that prove to be
/// what the database holds; then what was given is to be forgotten.
pub(super) fn read_copies(backing: &dyn Backing, mut each: impl FnMut(&str, Told)) -> Result<bool> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
    let (send_read, read) = sync_channel::<(usize, Part)>(PARTS);
    let (send_understood, understood) = sync_channel::<(usize, Understood)>(PARTS);
    // Gone with the last one who takes from it: then the reader need not read on.
    let read = Arc::new(Mutex::new(read));
    std::thread::scope(|scope| {
        let thread = |name: &str| Builder::new().name(name.to_owned());
        let none = |error| Error::Unavailable(format!("no thread: {error}"));
        let reader = thread("list-read").spawn_scoped(scope, move || read_parts(backing, &send_read)).map_err(none)?;
        for number in 0..threads {
            let (read, send) = (Arc::clone(&read), send_understood.clone());
            let parser = thread("list-parse").spawn_scoped(scope, move || understand_parts(&read, &send));
            // One is enough.
            if number == 0 {
                parser.map_err(none)?;
            }
        }
        drop((read, send_understood));
        take_in_order(&understood, &mut each);
        // Nobody waits for a place in it, whatever ended the taking.
        drop(understood);
        reader.join().unwrap_or_else(|_| Err(Error::Unavailable("the thread that read the mailbox list died".into())))
    })
}

/// Reads all there is, in parts. Nobody takes them any more when all others have died.
fn read_parts(backing: &dyn Backing, send: &SyncSender<(usize, Part)>) -> Result<bool> {
    let (mut number, mut part) = (0, Part::default());
    let read = backing.load_copies(&mut |key, value| {
        // Made anew from the rows.
        if key.starts_with("I/") {
            return;
        }
        part.push(key, value);
        if part.text.len() >= PART {
            let _ = send.send((number, std::mem::replace(&mut part, Part::with_room())));
            number += 1;
        }
    });
    let _ = send.send((number, part));
    read
}

fn understand_parts(read: &Mutex<Receiver<(usize, Part)>>, send: &SyncSender<(usize, Understood)>) {
    loop {
        let next = read.lock().recv();
        let Ok((number, part)) = next else { return };
        if send.send((number, part.understand())).is_err() {
            return;
        }
    }
}

fn take_in_order(parts: &Receiver<(usize, Understood)>, each: &mut impl FnMut(&str, Told)) {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for (number, part) in parts {
        waiting.insert(number, part);
        while let Some(part) = waiting.remove(&next) {
            part.each(&mut *each);
            next += 1;
        }
    }
}

/// Keys and values one behind the other.
#[derive(Default)]
struct Part {
    text: String,
    /// Where each key ends, and each value, if there is one.
    ends: Vec<(usize, Option<usize>)>,
}

/// The keys of a part, and what is told of them.
struct Understood {
    part: Part,
    told: Vec<Told>,
}

impl Part {
    fn with_room() -> Part {
        Part { text: String::with_capacity(PART + PART / 8), ends: Vec::with_capacity(PART / 128) }
    }

    fn push(&mut self, key: &str, value: Option<&str>) {
        self.text.push_str(key);
        let key_end = self.text.len();
        self.text.push_str(value.unwrap_or_default());
        self.ends.push((key_end, value.map(|_| self.text.len())));
    }

    fn understand(self) -> Understood {
        let mut before = Neighbour::default();
        let mut told = Vec::with_capacity(self.ends.len());
        let mut start = 0;
        for &(key_end, value_end) in &self.ends {
            let key = &self.text[start..key_end];
            start = value_end.unwrap_or(key_end);
            told.push(match value_end {
                Some(end) => Entry::read(key, &self.text[key_end..end], &mut before).map_or_else(Told::Bad, Told::Is),
                None => Told::Removed,
            });
        }
        Understood { part: self, told }
    }
}

impl Understood {
    fn each(self, mut visit: impl FnMut(&str, Told)) {
        let mut start = 0;
        for (&(key_end, value_end), told) in self.part.ends.iter().zip(self.told) {
            visit(&self.part.text[start..key_end], told);
            start = value_end.unwrap_or(key_end);
        }
    }
}
