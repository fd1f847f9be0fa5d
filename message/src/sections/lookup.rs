//! From a section specifier to a range of the message (RFC 9051, 6.4.5).

use std::ops::Range;

use super::{Section, Sections};
use crate::structure::PartKind;

/// What of a part is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SectionText {
    /// `BODY[]` and `BODY[1.2]`: the whole message, or the content of a part.
    Content,
    /// `HEADER`: the header of the message, or of the one inside a message/rfc822 part.
    Header,
    /// `TEXT`: the same message's body.
    Text,
    /// `MIME`: the part's own header; there must be part numbers.
    Mime,
}

/// A part as reached by numbers.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// The message, or the one inside a message/rfc822, as a whole.
    Message(usize),
    /// A part of a multipart, or the only part of a message that has none.
    Part(usize),
}

impl Sections {
    /// The range that a section specifier names, or `None` if the message has no such section.
    ///
    /// ```abnf
    /// section-spec = section-msgtext / (section-part ["." section-text])
    /// section-part = nz-number *("." nz-number)
    /// section-text = section-msgtext / "MIME"
    /// ```
    ///
    /// A message that is no multipart has one part, number 1, which is its body; its MIME header is the message's.
    /// The numbers within a message/rfc822 part are those of the message inside.
    #[must_use]
    pub fn find(&self, path: &[u32], text: SectionText) -> Option<Range<usize>> {
        let place = self.place(path)?;
        match (text, place) {
            (SectionText::Content, Place::Message(root)) => {
                let root = self.parts.get(root)?;
                Some(root.header.start..root.body.end)
            }
            (SectionText::Content, Place::Part(part)) => Some(self.parts.get(part)?.body.clone()),
            (SectionText::Mime, Place::Part(part)) => Some(self.parts.get(part)?.header.clone()),
            (SectionText::Mime, Place::Message(_)) => None,
            (SectionText::Header, place) => Some(self.message(place)?.header.clone()),
            (SectionText::Text, place) => Some(self.message(place)?.body.clone()),
        }
    }

    /// The part that these numbers name; the message itself if there are none. Its body may be encoded, which BINARY
    /// (RFC 3516) undoes: see [`decode_transfer`](crate::text::decode_transfer).
    #[must_use]
    pub fn part(&self, path: &[u32]) -> Option<&Section> {
        match self.place(path)? {
            Place::Message(part) | Place::Part(part) => self.parts.get(part),
        }
    }

    /// Walks down. Takes as long as there are numbers and parts, whatever the numbers.
    fn place(&self, path: &[u32]) -> Option<Place> {
        let mut place = Place::Message(0);
        for &number in path {
            // Numbers within a message/rfc822 count the parts of the message inside.
            let message = match place {
                Place::Message(root) => root,
                Place::Part(part) => match self.parts.get(part)?.kind {
                    PartKind::Message => part + 1,
                    PartKind::Multipart => {
                        place = Place::Part(self.child(part, number)?);
                        continue;
                    }
                    _ => return None,
                },
            };
            place = match self.parts.get(message)?.kind {
                PartKind::Multipart => Place::Part(self.child(message, number)?),
                _ if number == 1 => Place::Part(message),
                _ => return None,
            };
        }
        Some(place)
    }

    /// The `number`th child of a multipart, counted from 1.
    fn child(&self, parent: usize, number: u32) -> Option<usize> {
        let behind = parent + 1 + self.parts.get(parent)?.descendants;
        let mut child = parent + 1;
        for _ in 1..number {
            if child >= behind {
                return None;
            }
            child += 1 + self.parts.get(child)?.descendants;
        }
        (number > 0 && child < behind).then_some(child)
    }

    /// The message at or inside a place.
    fn message(&self, place: Place) -> Option<&Section> {
        match place {
            Place::Message(root) => self.parts.get(root),
            Place::Part(part) if self.parts.get(part)?.kind == PartKind::Message => self.parts.get(part + 1),
            Place::Part(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::structure::Structure;
    use crate::{Limits, samples};

    fn check(raw: &[u8], rows: &[(&[u32], SectionText, Option<&str>)]) {
        let sections = Sections::of(&Structure::scan(raw, &Limits::default()));
        for (path, text, expected) in rows {
            let found = sections.find(path, *text).map(|range| String::from_utf8_lossy(&raw[range]).into_owned());
            assert_eq!(found.as_deref(), *expected, "{path:?} {text:?}");
        }
    }

    use SectionText::{Content, Header, Mime, Text};

    #[test]
    fn single_part() {
        let raw = b"Subject: x\r\n\r\nbody\r\n";
        check(
            raw,
            &[
                (&[], Content, Some("Subject: x\r\n\r\nbody\r\n")),
                (&[], Header, Some("Subject: x\r\n\r\n")),
                (&[], Text, Some("body\r\n")),
                (&[], Mime, None),
                (&[1], Content, Some("body\r\n")),
                (&[1], Mime, Some("Subject: x\r\n\r\n")),
                (&[1], Header, None),
                (&[1], Text, None),
                (&[0], Content, None),
                (&[2], Content, None),
                (&[1, 1], Content, None),
                (&[u32::MAX], Content, None),
            ],
        );
    }

    /// The shape of the example in RFC 9051, 6.4.5.1.
    #[test]
    fn nested() {
        let raw = samples::NESTED;
        check(
            raw,
            &[
                (&[1], Content, Some("one")),
                (&[1], Mime, Some("Content-Type: text/plain\r\n\r\n")),
                (&[2], Content, Some("two")),
                (&[3], Mime, Some("Content-Type: message/rfc822\r\n\r\n")),
                (&[3], Header, Some("Subject: inner\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n")),
                (
                    &[3],
                    Text,
                    Some("--b\r\n\r\n3.1\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--\r\n"),
                ),
                (&[3, 1], Content, Some("3.1")),
                (&[3, 1], Mime, Some("\r\n")),
                (&[3, 2], Content, Some("3.2")),
                (&[3, 3], Content, None),
                (&[3, 1, 1], Content, None),
                (&[4], Mime, Some("Content-Type: multipart/alternative; boundary=c\r\n\r\n")),
                (&[4, 1], Content, Some("4.1")),
                (&[4, 2], Content, Some("Subject: deepest\r\n\r\n4.2.1")),
                (&[4, 2], Header, Some("Subject: deepest\r\n\r\n")),
                (&[4, 2], Text, Some("4.2.1")),
                (&[4, 2, 1], Content, Some("4.2.1")),
                (&[4, 2, 1], Mime, Some("Subject: deepest\r\n\r\n")),
                (&[4, 2, 1, 1], Content, None),
                (&[4, 2, 2], Content, None),
                (&[5], Content, None),
            ],
        );
    }

    #[test]
    fn message_in_message() {
        check(
            b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\ntext",
            &[
                (&[1], Content, Some("Subject: in\r\n\r\ntext")),
                (&[1], Header, Some("Subject: in\r\n\r\n")),
                (&[1], Text, Some("text")),
                (&[1, 1], Content, Some("text")),
                (&[1, 1, 1], Content, None),
            ],
        );
    }

    #[test]
    fn deep_paths_are_cheap() {
        check(samples::NESTED, &[(&[1; 100_000], Content, None)]);
    }
}
