//! What a FETCH asks of every message, worked out once.

use bytes::Bytes;
use mailstore::{CacheItem, CacheItems};
use message::{FieldSelection, FieldSet};

use crate::reply;
use crate::types::{Encoding, Fetch, FetchAttribute, Numbering, SectionText};

/// What to send of each message.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The items, in the client's order.
    pub(crate) items: Vec<Item>,
    /// Only messages that changed after this.
    pub(crate) changed_since: u64,
    /// The items that read the body of unseen messages mark them \Seen.
    pub(crate) marks_seen: bool,
    /// What is needed of the cache, if anything.
    pub(crate) cached: Option<CacheItems>,
    /// All that is needed of the cache is sent as it stands there.
    pub(crate) is_ready_made: bool,
    /// Some item is only in the message file, whatever the cache holds.
    pub(crate) uses_file: bool,
    /// MODSEQ is sent along where \Seen was set.
    pub(crate) condstore: bool,
}

/// An item of a FETCH.
#[derive(Debug)]
pub(crate) struct Item {
    /// As asked for.
    pub(crate) attribute: FetchAttribute,
    /// What stands before the value of `BODY[...]` and `BINARY[...]`; empty for all others.
    pub(crate) label: Bytes,
    /// The fields of `BODY[HEADER.FIELDS (...)]` and its like, made ready for searching.
    pub(crate) fields: Option<FieldSelection>,
}

impl Plan {
    /// The plan for `fetch`. `may_mark`: the session may set \Seen.
    pub(crate) fn new(fetch: &Fetch, condstore: bool, may_mark: bool, encoding: Encoding) -> Plan {
        let mut attributes = Vec::with_capacity(fetch.attributes.len() + 2);
        // UID FETCH tells UIDs, CHANGEDSINCE mod-sequences, asked for or not (RFC 9051, 6.4.9; RFC 7162, 3.1.4.1).
        if fetch.numbering == Numbering::Uid {
            attributes.push(FetchAttribute::Uid);
        }
        attributes.extend(fetch.attributes.iter().filter(|a| !attributes.contains(a)).cloned().collect::<Vec<_>>());
        if fetch.changed_since.is_some() && !attributes.contains(&FetchAttribute::ModSeq) {
            attributes.push(FetchAttribute::ModSeq);
        }
        Plan {
            changed_since: fetch.changed_since.unwrap_or(0),
            marks_seen: may_mark && attributes.iter().any(FetchAttribute::sets_seen),
            cached: CacheItems::with(cached_items(&attributes)),
            is_ready_made: cached_items(&attributes).max().is_some_and(|last| last <= CacheItem::Body),
            uses_file: attributes.iter().any(uses_file),
            condstore,
            items: attributes.into_iter().map(|attribute| Item::of(attribute, encoding)).collect(),
        }
    }

    /// Whether the client asked for `attribute`.
    pub(crate) fn has(&self, attribute: &FetchAttribute) -> bool {
        self.items.iter().any(|item| item.attribute == *attribute)
    }
}

impl Item {
    fn of(attribute: FetchAttribute, encoding: Encoding) -> Item {
        let set = |names: &[crate::types::AString]| FieldSet::new(names.iter().map(|name| name.as_bytes()));
        let (label, fields) = match &attribute {
            FetchAttribute::BodySection { section, partial, .. } => {
                let fields = match &section.text {
                    Some(SectionText::HeaderFields(names)) => Some(FieldSelection::Only(set(names))),
                    Some(SectionText::HeaderFieldsNot(names)) => Some(FieldSelection::Except(set(names))),
                    _ => None,
                };
                (reply::body_label(section, *partial, encoding), fields)
            }
            FetchAttribute::Binary { part, partial, .. } => (reply::binary_label(part, *partial), None),
            _ => (Bytes::new(), None),
        };
        Item { attribute, label, fields }
    }
}

fn cached_items(attributes: &[FetchAttribute]) -> impl Iterator<Item = CacheItem> {
    attributes.iter().flat_map(cached).copied()
}

/// What an attribute needs of the cache. A header that is not among the cached fields is found by the section table, as
/// all that is in the message file.
fn cached(attribute: &FetchAttribute) -> &'static [CacheItem] {
    use FetchAttribute::{Flags, InternalDate, ModSeq, Rfc822Size, Uid};
    match attribute {
        Flags | InternalDate | ModSeq | Rfc822Size | Uid => &[],
        FetchAttribute::Envelope => &[CacheItem::Envelope],
        FetchAttribute::BodyStructure => &[CacheItem::BodyStructure],
        FetchAttribute::Body => &[CacheItem::Body],
        FetchAttribute::BodySection { section, .. } if section.part.is_empty() && section.text.is_some() => {
            &[CacheItem::Sections, CacheItem::Headers]
        }
        _ => &[CacheItem::Sections],
    }
}

fn uses_file(attribute: &FetchAttribute) -> bool {
    match attribute {
        FetchAttribute::Rfc822 | FetchAttribute::Rfc822Header | FetchAttribute::Rfc822Text => true,
        FetchAttribute::Binary { .. } => true,
        // The cache holds the fields that clients ask for.
        FetchAttribute::BodySection { section, .. } => {
            !(section.part.is_empty() && matches!(section.text, Some(SectionText::HeaderFields(_))))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::SequenceSet;

    fn plan(command: &str) -> Plan {
        let request = crate::syntax::parse(command.as_bytes(), Encoding::Utf8).unwrap();
        let crate::types::Arguments::Fetch(fetch) = request.arguments else { panic!("{command}") };
        assert_eq!(fetch.set, SequenceSet::Saved);
        Plan::new(&fetch, false, true, Encoding::Utf8)
    }

    #[test]
    fn where_items_come_from() {
        let check = |command: &str, cache, file, seen| {
            let plan = plan(command);
            assert_eq!((plan.cached.is_some(), plan.uses_file, plan.marks_seen), (cache, file, seen), "{command}");
        };
        check("a FETCH $ (UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE)", false, false, false);
        check("a FETCH $ ENVELOPE", true, false, false);
        check("a FETCH $ BODY.PEEK[HEADER.FIELDS (To)]", true, false, false);
        check("a FETCH $ BODY.PEEK[1.HEADER.FIELDS (To)]", true, true, false);
        check("a FETCH $ BODY.PEEK[HEADER.FIELDS.NOT (To)]", true, true, false);
        check("a FETCH $ BODY[TEXT]", true, true, true);
        check("a FETCH $ RFC822.HEADER", true, true, false);
        check("a FETCH $ RFC822", true, true, true);
        check("a FETCH $ BINARY.SIZE[1]", true, false, false);
        check("a FETCH $ BINARY[1]", true, true, true);
        assert!(plan("a FETCH $ (FLAGS ENVELOPE BODYSTRUCTURE)").is_ready_made);
        assert!(plan("a FETCH $ BODY").is_ready_made);
        assert!(!plan("a FETCH $ (ENVELOPE BODY.PEEK[HEADER.FIELDS (To)])").is_ready_made);
        assert!(!plan("a FETCH $ BODY.PEEK[]").is_ready_made);
    }

    #[test]
    fn items_that_come_along() {
        let check = |command: &str, attribute: FetchAttribute, count| {
            let plan = plan(command);
            assert!(plan.has(&attribute), "{command}");
            assert_eq!(plan.items.len(), count, "{command}");
        };
        check("a UID FETCH $ FLAGS", FetchAttribute::Uid, 2);
        check("a UID FETCH $ (UID FLAGS)", FetchAttribute::Uid, 2);
        check("a FETCH $ FLAGS (CHANGEDSINCE 1)", FetchAttribute::ModSeq, 2);
        check("a FETCH $ (FLAGS MODSEQ) (CHANGEDSINCE 1)", FetchAttribute::ModSeq, 2);
    }
}
