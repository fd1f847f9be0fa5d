//! What the server has said lately: good for a moment without asking again, and for some minutes when it does not answer.
//!
//! Only what is there is remembered, never that something is not: nobody's mail bounces because of what was so a while ago.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use directory::{Address, Alias, Credentials, Domain, DomainName, Owner, Privileges, User, UserId};
use parking_lot::Mutex;

use crate::view::names::{MOST_NAMES, Names};

/// A question.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Key {
    User(UserId),
    Owner(String),
    Alias(Address),
    Domains,
    Group(String),
    Privileges,
}

/// An answer. It is not printed: password hashes are among them.
#[derive(Clone)]
pub(crate) enum Value {
    User(Arc<User>, Option<Credentials>),
    Owner(Owner),
    Alias(Arc<Alias>),
    Domains(Vec<Arc<Domain>>),
    Group(Vec<UserId>),
    Privileges(Privileges),
}

/// The answers that are remembered.
pub(crate) struct Cache {
    kept: Mutex<Kept>,
    size: usize,
    fresh: Duration,
    stale: Duration,
}

#[derive(Default)]
struct Kept {
    /// How often everything was forgotten: what was asked before is not to be remembered after.
    generation: u64,
    answers: HashMap<Key, (Value, Instant)>,
    /// The oldest first; of a question that was asked again the last one counts.
    order: VecDeque<(Key, Instant)>,
    /// By domain, or of the whole server.
    names: HashMap<Option<DomainName>, (Arc<Names>, Instant)>,
}

impl Cache {
    pub(crate) fn new(size: usize, fresh: Duration, stale: Duration) -> Cache {
        Cache { kept: Mutex::default(), size, fresh, stale: stale.max(fresh) }
    }

    /// An answer that needs no asking.
    pub(crate) fn fresh(&self, key: &Key) -> Option<Value> {
        self.at_most(key, self.fresh, Instant::now())
    }

    /// An answer for when the server gives none.
    pub(crate) fn stale(&self, key: &Key) -> Option<Value> {
        self.at_most(key, self.stale, Instant::now())
    }

    /// Whether somebody is known, however long ago that was.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.kept.lock().answers.contains_key(key)
    }

    fn at_most(&self, key: &Key, age: Duration, now: Instant) -> Option<Value> {
        let kept = self.kept.lock();
        let (value, since) = kept.answers.get(key)?;
        (now.saturating_duration_since(*since) <= age).then(|| value.clone())
    }

    /// To be asked for before the server is.
    pub(crate) fn generation(&self) -> u64 {
        self.kept.lock().generation
    }

    /// Remembers what the server has said.
    pub(crate) fn put(&self, generation: u64, key: Key, value: Value) {
        self.put_at(generation, key, value, Instant::now());
    }

    fn put_at(&self, generation: u64, key: Key, value: Value, now: Instant) {
        let mut kept = self.kept.lock();
        if kept.generation != generation || self.size == 0 {
            return;
        }
        kept.answers.insert(key.clone(), (value, now));
        kept.order.push_back((key, now));
        // Questions that are asked again and again leave more in the queue than there are answers.
        while kept.order.len() > self.size {
            let Some((key, since)) = kept.order.pop_front() else { return };
            if kept.answers.get(&key).is_some_and(|(_, kept)| *kept == since) {
                kept.answers.remove(&key);
            }
        }
    }

    /// Whether names of users are kept at all.
    pub(crate) fn keeps_names(&self) -> bool {
        self.size > 0 && !self.fresh.is_zero()
    }

    /// The names of a domain's users that need no asking.
    pub(crate) fn names(&self, domain: Option<&DomainName>) -> Option<Arc<Names>> {
        let kept = self.kept.lock();
        let (names, since) = kept.names.get(&domain.cloned())?;
        (since.elapsed() <= self.fresh).then(|| Arc::clone(names))
    }

    /// Remembers names, unless they are too many. Those of other domains make room for them.
    pub(crate) fn put_names(&self, generation: u64, domain: Option<&DomainName>, names: &Arc<Names>) {
        let mut kept = self.kept.lock();
        if kept.generation != generation || names.len() > MOST_NAMES {
            return;
        }
        kept.names.retain(|known, (_, since)| known.as_ref() != domain && since.elapsed() <= self.fresh);
        if kept.names.values().map(|(names, _)| names.len()).sum::<usize>() + names.len() > MOST_NAMES {
            kept.names.clear();
        }
        kept.names.insert(domain.cloned(), (Arc::clone(names), Instant::now()));
    }

    /// Forgets everything: something has changed.
    pub(crate) fn clear(&self) {
        let mut kept = self.kept.lock();
        *kept = Kept { generation: kept.generation + 1, ..Kept::default() };
    }

    /// How many answers there are, and how old the oldest is.
    pub(crate) fn extent(&self) -> (usize, Option<Duration>) {
        let kept = self.kept.lock();
        let oldest = kept.answers.values().map(|(_, since)| since).min();
        (kept.answers.len(), oldest.map(Instant::elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_grow_old_and_go() {
        let seconds = Duration::from_secs;
        let cache = Cache::new(3, seconds(10), seconds(60));
        let start = Instant::now();
        let key = |name: &str| Key::Group(name.into());
        let put = |name: &str, at: u64| {
            cache.put_at(cache.generation(), key(name), Value::Group(Vec::new()), start + seconds(at));
        };
        let has =
            |name: &str, age: u64, at: u64| cache.at_most(&key(name), seconds(age), start + seconds(at)).is_some();
        put("a", 0);
        assert!(has("a", 10, 10) && !has("a", 10, 11) && has("a", 60, 60) && !has("a", 60, 61));
        put("b", 1);
        put("a", 2);
        put("c", 3);
        assert!(has("a", 60, 3) && has("b", 60, 3) && has("c", 60, 3), "the first of a is not the last");
        put("d", 4);
        assert!(!has("b", 60, 4) && has("a", 60, 4), "the oldest goes");
        let before = cache.generation();
        cache.clear();
        assert!(!has("a", 60, 4));
        cache.put_at(before, key("a"), Value::Group(Vec::new()), start);
        assert!(!has("a", 60, 4), "an answer from before the change");
        assert_eq!(cache.extent(), (0, None));
    }

    #[test]
    fn names_are_kept_for_each_domain_until_something_changes() {
        let (cache, none) = (Cache::new(3, Duration::MAX, Duration::MAX), Arc::<Names>::default());
        let domain = DomainName::parse("example.org").unwrap();
        let (whole, other) = (None, Some(&domain));
        cache.put_names(cache.generation(), whole, &none);
        assert!(cache.names(whole).is_some() && cache.names(other).is_none());
        cache.put_names(cache.generation(), other, &none);
        assert!(cache.names(whole).is_some() && cache.names(other).is_some());
        let before = cache.generation();
        cache.clear();
        assert!(cache.names(whole).is_none() && cache.names(other).is_none());
        cache.put_names(before, whole, &none);
        assert!(cache.names(whole).is_none(), "names from before the change");
        for (size, fresh, keeps) in [(3, 1, true), (0, 1, false), (3, 0, false)] {
            assert_eq!(Cache::new(size, Duration::from_secs(fresh), Duration::MAX).keeps_names(), keeps);
        }
    }
}
