//! Keys in order, each with a text that searches look at.
//!
//! The texts lie one behind the other, a thousand to a chunk, so that a search reads memory in a row: fifty megabytes for a
//! million users, a few milliseconds. An index of trigrams would be asked faster, and would have to be kept; what matters is
//! that a page comes within the time in which people notice nothing, whatever is searched for: a word that is everywhere
//! fills its page at once, one that is nowhere costs one pass.

use std::ops::Range;

use memchr::memmem::Finder;

use crate::query::Words;

/// Most keys of a chunk. To insert one moves half of the chunk's text: some microseconds.
const FULL: usize = 1024;

/// A chunk with fewer is joined with the next.
const THIN: usize = FULL / 8;

/// See the file's text.
#[derive(Debug)]
pub(super) struct TextIndex<K> {
    chunks: Vec<Chunk<K>>,
    len: usize,
}

#[derive(Debug)]
struct Chunk<K> {
    keys: Vec<K>,
    /// For each key where its text ends: the part that is always searched, and all of it.
    ends: Vec<(u32, u32)>,
    text: String,
}

impl<K> Default for TextIndex<K> {
    fn default() -> TextIndex<K> {
        TextIndex { chunks: Vec::new(), len: 0 }
    }
}

/// What is looked for.
#[derive(Clone, Copy)]
pub(super) struct Search<'a, K> {
    /// Keys behind this one only.
    pub(super) after: Option<&'a K>,
    /// Keys before this one only.
    pub(super) until: Option<&'a K>,
    /// Their texts have all of these in them.
    pub(super) words: &'a Words,
    /// Whether the part of the text counts that is not always searched.
    pub(super) with_more: bool,
    /// The first so many of them.
    pub(super) limit: usize,
}

/// What a key's text is: fields that were folded, each with an end that no word has in it.
pub(super) struct Texts<'a> {
    /// Always searched.
    pub(super) names: &'a str,
    /// Searched if somebody asks for it.
    pub(super) more: &'a str,
}

impl<K: Ord + Clone> TextIndex<K> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds a key, or replaces its text.
    pub(super) fn insert(&mut self, key: &K, texts: &Texts<'_>) {
        self.remove(key);
        // The chunk whose first key is not behind this one.
        let at = self.chunks.partition_point(|chunk| chunk.keys.first().is_some_and(|first| first <= key));
        let at = at.saturating_sub(1);
        if self.chunks.is_empty() {
            self.chunks.push(Chunk::new());
        }
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        chunk.insert(key, texts);
        self.len += 1;
        if chunk.keys.len() > FULL {
            // One that grows at its end stays full: keys that come in order fill chunks whole.
            let is_last = chunk.keys.last() == Some(key);
            let rest = chunk.split_off(if is_last { FULL } else { FULL / 2 });
            self.chunks.insert(at + 1, rest);
        }
    }

    /// Takes a key out, if it is in.
    pub(super) fn remove(&mut self, key: &K) {
        let at = self.chunks.partition_point(|chunk| chunk.keys.last().is_some_and(|last| last < key));
        let Some(chunk) = self.chunks.get_mut(at) else { return };
        let Ok(position) = chunk.keys.binary_search(key) else { return };
        chunk.remove(position);
        self.len -= 1;
        let (left, next) = (chunk.keys.len(), self.chunks.get(at + 1).map_or(FULL, |next| next.keys.len()));
        if left == 0 {
            self.chunks.remove(at);
        } else if left < THIN && left + next <= FULL / 2 {
            let next = self.chunks.remove(at + 1);
            if let Some(chunk) = self.chunks.get_mut(at) {
                chunk.append(next);
            }
        }
    }

    /// The keys that a search finds, in order.
    pub(super) fn page(&self, search: &Search<'_, K>) -> Vec<K> {
        let Search { after, until, .. } = *search;
        let finders: Vec<_> = search.words.iter().map(|word| Finder::new(word.as_bytes())).collect();
        let first = match after {
            Some(after) => self.chunks.partition_point(|chunk| chunk.keys.last().is_some_and(|last| last <= after)),
            None => 0,
        };
        let mut found = Vec::new();
        for chunk in self.chunks.iter().skip(first) {
            let from = after.map_or(0, |after| chunk.keys.partition_point(|key| key <= after));
            let to = until.map_or(chunk.keys.len(), |until| chunk.keys.partition_point(|key| key < until));
            chunk.search(from..to, &finders, search, &mut found);
            if found.len() >= search.limit || to < chunk.keys.len() {
                break;
            }
        }
        found
    }
}

impl<K: Ord + Clone> Chunk<K> {
    fn new() -> Chunk<K> {
        Chunk { keys: Vec::new(), ends: Vec::new(), text: String::new() }
    }

    fn start(&self, position: usize) -> usize {
        position.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |ends| ends.1 as usize)
    }

    fn insert(&mut self, key: &K, texts: &Texts<'_>) {
        let position = self.keys.partition_point(|known| known < key);
        let start = self.start(position);
        let (names, more) = (texts.names.len() as u32, texts.more.len() as u32);
        self.keys.insert(position, key.clone());
        self.text.insert_str(start, texts.more);
        self.text.insert_str(start, texts.names);
        let start = start as u32;
        self.ends.insert(position, (start + names, start + names + more));
        for ends in self.ends.iter_mut().skip(position + 1) {
            *ends = (ends.0 + names + more, ends.1 + names + more);
        }
    }

    fn remove(&mut self, position: usize) {
        let (start, end) = (self.start(position), self.ends[position].1 as usize);
        self.text.replace_range(start..end, "");
        self.keys.remove(position);
        self.ends.remove(position);
        let gone = (end - start) as u32;
        for ends in self.ends.iter_mut().skip(position) {
            *ends = (ends.0 - gone, ends.1 - gone);
        }
    }

    fn split_off(&mut self, position: usize) -> Chunk<K> {
        let start = self.start(position);
        let shift = start as u32;
        let ends = self.ends.split_off(position).into_iter().map(|(a, b)| (a - shift, b - shift)).collect();
        Chunk { keys: self.keys.split_off(position), ends, text: self.text.split_off(start) }
    }

    fn append(&mut self, other: Chunk<K>) {
        let shift = self.text.len() as u32;
        self.keys.extend(other.keys);
        self.ends.extend(other.ends.into_iter().map(|(a, b)| (a + shift, b + shift)));
        self.text.push_str(&other.text);
    }

    fn search(&self, keys: Range<usize>, finders: &[Finder<'_>], search: &Search<'_, K>, found: &mut Vec<K>) {
        let Search { with_more, limit, .. } = *search;
        let Some((first, others)) = finders.split_first() else {
            let keys = self.keys.get(keys).unwrap_or_default();
            found.extend(keys.iter().take(limit.saturating_sub(found.len())).cloned());
            return;
        };
        let text = &self.text.as_bytes()[..self.start(keys.end)];
        let mut at = self.start(keys.start);
        while found.len() < limit
            && let Some(hit) = text.get(at..).and_then(|rest| first.find(rest))
        {
            let hit = (at + hit) as u32;
            let position = self.ends.partition_point(|ends| ends.1 <= hit);
            let (Some(&(names, all)), Some(key)) = (self.ends.get(position), self.keys.get(position)) else { return };
            let end = if with_more { all } else { names };
            let own = text.get(self.start(position)..end as usize).unwrap_or_default();
            if hit < end && others.iter().all(|finder| finder.find(own).is_some()) {
                found.push(key.clone());
            }
            at = all as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn all(words: &Words) -> Search<'_, usize> {
        Search { after: None, until: None, words, with_more: false, limit: usize::MAX }
    }

    #[test]
    fn pages_of_many() {
        let mut index = TextIndex::default();
        let count = 5 * FULL + 7;
        // Neither up nor down: chunks are split in the middle.
        for n in 0..count {
            let n = n * 7919 % count;
            index.insert(&n, &Texts { names: &format!("user{n:05}\nsmith\n"), more: &format!("box{n}@example\n") });
        }
        assert_eq!(index.len(), count);
        let check = |after: Option<usize>, typed: &str, with_more: bool, limit: usize, expected: &[usize]| {
            let words = Words::parse(typed);
            let found = index.page(&Search { after: after.as_ref(), with_more, limit, ..all(&words) });
            assert_eq!(found, expected, "{after:?} {typed:?} {with_more}");
        };
        check(None, "", false, 3, &[0, 1, 2]);
        check(Some(1023), "smith", false, 2, &[1024, 1025]);
        check(None, "r05126 smi", false, 9, &[5126]);
        check(None, "r05126 smx", false, 9, &[]);
        check(None, "box5126", false, 9, &[]);
        check(None, "box5126", true, 9, &[5126]);
        check(Some(count - 1), "", false, 9, &[]);
        check(None, "smithuser", false, 9, &[]);
        for n in (0..count).filter(|n| n % 10 > 0) {
            index.remove(&n);
        }
        let (none, smith) = (Words::default(), Words::parse("smith"));
        assert_eq!(index.page(&Search { after: Some(&15), limit: 3, ..all(&none) }), [20, 30, 40]);
        for words in [&none, &smith] {
            assert_eq!(index.page(&Search { after: Some(&2015), until: Some(&2040), ..all(words) }), [2020, 2030]);
            assert!(index.page(&Search { until: Some(&0), ..all(words) }).is_empty());
        }
        assert_eq!((index.len(), index.page(&all(&smith)).len()), (513, 513));
    }

    proptest! {
        /// The same answers as a map that is asked one by one.
        #[test]
        fn like_a_map(steps in proptest::collection::vec((0u16..300, "[ab]{0,3}", "[bc]{0,2}", any::<bool>()), 1..400),
            typed in "[abc]{0,2} ?[abc]{0,2}", after in 0u16..300, until in 0u16..400, limit in 1usize..20,
            more in any::<bool>()) {
            let (mut index, mut map) = (TextIndex::default(), BTreeMap::new());
            for (key, names, rest, keep) in steps {
                let (names, rest) = (format!("{names}\n"), format!("{rest}\n"));
                if keep {
                    index.insert(&key, &Texts { names: &names, more: &rest });
                    map.insert(key, (names, rest));
                } else {
                    index.remove(&key);
                    map.remove(&key);
                }
            }
            let words = Words::parse(&typed);
            let fits = |(names, rest): &(String, String)| {
                words.match_folded(&if more { format!("{names}{rest}") } else { names.clone() })
            };
            let expected: Vec<u16> =
                map.range(after + 1..until.max(after + 1)).filter(|(_, texts)| fits(texts)).map(|(key, _)| *key).take(limit).collect();
            let search = Search { after: Some(&after), until: Some(&until), words: &words, with_more: more, limit };
            prop_assert_eq!(index.page(&search), expected);
            prop_assert_eq!(index.len(), map.len());
        }
    }
}
