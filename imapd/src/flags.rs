//! A message's flags as words, for FETCH, FLAGS and PERMANENTFLAGS.

use mailstore::{Keyword, Permitted, Record, SystemFlags};

/// The system flags in the order in which they are printed.
const SYSTEM: [(SystemFlags, &str); 4] = [
    (SystemFlags::ANSWERED, "\\Answered"),
    (SystemFlags::FLAGGED, "\\Flagged"),
    (SystemFlags::DELETED, "\\Deleted"),
    (SystemFlags::DRAFT, "\\Draft"),
];
const SEEN: &str = "\\Seen";
const RECENT: &str = "\\Recent";

/// The flags of a message: of its record, with the names of the mailbox's keywords, and the two that belong to the reader.
pub(crate) fn of_message<'a>(
    record: &Record,
    keywords: &'a [Keyword],
    seen: bool,
    recent: bool,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let (flags, bits) = (record.flags, record.keywords);
    let system = SYSTEM.iter().filter(move |(flag, _)| flags.contains(*flag)).map(|(_, word)| *word);
    let keywords =
        keywords.iter().enumerate().filter(move |(bit, _)| bits >> bit & 1 == 1).map(|(_, word)| word.as_str());
    system.chain(seen.then_some(SEEN)).chain(recent.then_some(RECENT)).chain(keywords)
}

/// The flags that messages of a mailbox can have: for FLAGS (RFC 9051, 7.3.5).
pub(crate) fn of_mailbox(keywords: &[Keyword]) -> impl Iterator<Item = &str> {
    SYSTEM.iter().map(|(_, word)| *word).chain([SEEN]).chain(keywords.iter().map(Keyword::as_str))
}

/// The flags that a session may change: for PERMANENTFLAGS (RFC 9051, 7.1). `\*` says that it may make new keywords.
pub(crate) fn permanent(permitted: Permitted, keywords: &[Keyword], room: bool) -> Vec<String> {
    let mut words: Vec<&str> =
        SYSTEM.iter().filter(|(flag, _)| permitted.system.contains(*flag)).map(|(_, word)| *word).collect();
    words.extend(permitted.seen.then_some(SEEN));
    if permitted.keywords {
        words.extend(keywords.iter().map(Keyword::as_str));
        words.extend(room.then_some("\\*"));
    }
    words.into_iter().map(str::to_owned).collect()
}
