//! The section table: where every part of a message lies, and how its content is encoded.
//!
//! It is kept in the cache, so that `BODY[2.1.MIME]` is a range of the message file and SEARCH can decode bodies without
//! parsing the message again.

mod codec;
mod lookup;
mod names;

use std::borrow::Cow;
use std::ops::Range;

pub use codec::SectionsError;
pub use lookup::SectionText;

use crate::structure::{PartKind, Structure};
use crate::text::TransferEncoding;

/// The parts of a message, parents before children, in the order of the bytes. The first is the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sections {
    parts: Vec<Section>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What is inside.
    pub kind: PartKind,
    /// The header block, the empty line that ends it included.
    pub header: Range<usize>,
    /// The body, still encoded.
    pub body: Range<usize>,
    /// Line ends in the body.
    pub lines: usize,
    /// How the body is encoded.
    pub encoding: TransferEncoding,
    /// Media type and subtype in lower case, such as `text/html`.
    pub media_type: Cow<'static, str>,
    /// The charset parameter in lower case; `None` if there is none.
    pub charset: Option<Cow<'static, str>>,
    /// How many parts inside this one follow it, at any depth.
    descendants: usize,
}

impl Sections {
    /// Takes the places of the parts from `structure`.
    #[must_use]
    pub fn of(structure: &Structure) -> Self {
        let mut parts: Vec<Section> = structure
            .parts()
            .iter()
            .map(|part| {
                let charset = part.content.as_ref().and_then(|content| content.decoded_parameter("charset"));
                Section {
                    kind: part.kind,
                    header: part.header.clone(),
                    body: part.body.clone(),
                    lines: part.body_lines,
                    encoding: part.encoding,
                    media_type: names::media_type(part.kind, part.content.as_ref()),
                    charset: charset.as_deref().map(names::charset),
                    descendants: 0,
                }
            })
            .collect();
        // Children come after their parents, so going backwards every part is complete when it is added to its parent.
        for (at, part) in structure.parts().iter().enumerate().rev() {
            if let Some(parent) = part.parent {
                parts[parent].descendants += 1 + parts[at].descendants;
            }
        }
        Self { parts }
    }

    /// All parts.
    #[must_use]
    pub fn parts(&self) -> &[Section] {
        &self.parts
    }

    /// The message's size in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.parts.first().map_or(0, |root| root.body.end)
    }

    /// The parts that have content of their own.
    pub fn leaves(&self) -> impl Iterator<Item = &Section> {
        self.parts.iter().filter(|part| !matches!(part.kind, PartKind::Multipart | PartKind::Message))
    }

    /// The header blocks of the messages inside message/rfc822 parts, which are body text of the outer message.
    pub fn inner_headers(&self) -> impl Iterator<Item = Range<usize>> {
        self.parts.windows(2).filter(|pair| pair[0].kind == PartKind::Message).map(|pair| pair[1].header.clone())
    }
}
