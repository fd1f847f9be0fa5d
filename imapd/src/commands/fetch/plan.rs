//! What a FETCH asks of every message, worked out once.

use bytes::Bytes;
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
    /// Some item comes from the cache.
    pub(crate) uses_cache: bool,
    /// What comes from the cache is in the front of its records.
    pub(crate) uses_front: bool,
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
            uses_cache: attributes.iter().any(uses_cache),
            uses_front: attributes.iter().filter(|attribute| uses_cache(attribute)).all(in_front),
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

/// Everything but what the index record itself holds: bodies need the section table.
fn uses_cache(attribute: &FetchAttribute) -> bool {
    use FetchAttribute::{Flags, InternalDate, ModSeq, Rfc822Size, Uid};
    !matches!(attribute, Flags | InternalDate | ModSeq | Rfc822Size | Uid)
}

fn in_front(attribute: &FetchAttribute) -> bool {
    matches!(attribute, FetchAttribute::Envelope | FetchAttribute::BodyStructure | FetchAttribute::Body)
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
            assert_eq!((plan.uses_cache, plan.uses_file, plan.marks_seen), (cache, file, seen), "{command}");
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
        assert!(plan("a FETCH $ (FLAGS ENVELOPE BODYSTRUCTURE)").uses_front);
        assert!(plan("a FETCH $ BODY").uses_front);
        assert!(!plan("a FETCH $ (ENVELOPE BODY.PEEK[HEADER.FIELDS (To)])").uses_front);
        assert!(!plan("a FETCH $ BODY.PEEK[]").uses_front);
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
