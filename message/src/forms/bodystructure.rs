//! BODYSTRUCTURE and BODY.
//!
//! ```abnf
//! body            = "(" (body-type-1part / body-type-mpart) ")"
//! body-type-1part = (body-type-basic / body-type-msg / body-type-text) [SP body-ext-1part]
//! body-type-basic = media-basic SP body-fields
//! body-type-msg   = media-message SP body-fields SP envelope SP body SP body-fld-lines
//! body-type-text  = media-text SP body-fields SP body-fld-lines
//! body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]
//! body-fields     = body-fld-param SP body-fld-id SP body-fld-desc SP body-fld-enc SP body-fld-octets
//! body-ext-1part  = body-fld-md5 [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]
//! body-ext-mpart  = body-fld-param [SP body-fld-dsp [SP body-fld-lang [SP body-fld-loc]]]
//! ```
//!
//! BODY is BODYSTRUCTURE without the extension data, so both are written side by side.

use super::envelope::envelope;
use super::string::{put_nstring, put_number, put_string};
use crate::content::{ContentType, Parameter, disposition, sole_token, token_list};
use crate::header::{Known, unfold};
use crate::structure::{Part, PartKind, Structure};

/// What stands for the parts of a multipart whose boundary is never found, and for the body of a message that cannot be
/// looked into, since the grammar wants one. Dovecot and Cyrus do the same.
const EMPTY_PART: &[u8] = b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0";

/// The extension data of [`EMPTY_PART`].
const EMPTY_EXTENSION: &[u8] = b" NIL NIL NIL NIL";

/// The envelope of a message that cannot be looked into.
const EMPTY_ENVELOPE: &[u8] = b" (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ";

/// Both forms of one message.
#[derive(Debug, Default)]
pub(crate) struct BodyForms {
    pub(crate) bodystructure: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl BodyForms {
    /// Writes both forms.
    pub(crate) fn of(raw: &[u8], structure: &Structure, parameter_limit: usize) -> Self {
        let mut writer = Writer { raw, structure, parameter_limit, forms: Self::default(), scratch: Vec::new() };
        // Parts stand before their children, so a part is open until one comes that lies elsewhere.
        let mut open = Vec::new();
        for (at, part) in structure.parts().iter().enumerate() {
            while open.last().is_some_and(|&last| Some(last) != part.parent) {
                writer.end(open.pop());
            }
            writer.begin(at, part);
            open.push(at);
        }
        while let Some(last) = open.pop() {
            writer.end(Some(last));
        }
        writer.forms
    }
}

struct Writer<'a> {
    raw: &'a [u8],
    structure: &'a Structure,
    parameter_limit: usize,
    forms: BodyForms,
    scratch: Vec<u8>,
}

impl Writer<'_> {
    /// Writes what stands before a part's children.
    fn begin(&mut self, at: usize, part: &Part) {
        self.both(b"(");
        if part.kind == PartKind::Multipart {
            return;
        }
        let (kind, subtype) = media(part);
        self.compose(|out, _| {
            put_string(out, kind);
            out.push(b' ');
            put_string(out, subtype);
            out.push(b' ');
            put_parameters(out, part);
        });
        self.compose(|out, writer| {
            for known in [Known::ContentId, Known::ContentDescription] {
                out.push(b' ');
                put_nstring(out, writer.text(at, known).as_deref());
            }
            out.push(b' ');
            let encoding = writer.structure.value(writer.raw, at, Known::ContentTransferEncoding).and_then(sole_token);
            put_string(out, encoding.unwrap_or(b"7BIT"));
            out.push(b' ');
            put_number(out, part.body.len());
        });
        match part.kind {
            PartKind::Message => self.compose(|out, writer| {
                out.push(b' ');
                envelope(out, writer.raw, writer.structure, at + 1);
                out.push(b' ');
            }),
            PartKind::EncodedMessage => {
                // The type says that there is an envelope and a body, so clients insist on them.
                self.both(EMPTY_ENVELOPE);
                self.empty_part();
            }
            _ => (),
        }
    }

    /// Writes what stands behind a part's children.
    fn end(&mut self, at: Option<usize>) {
        let Some((at, part)) = at.and_then(|at| Some((at, self.structure.parts().get(at)?))) else { return };
        if part.kind == PartKind::Multipart {
            if self.structure.parts().get(at + 1).is_none_or(|next| next.parent != Some(at)) {
                self.empty_part();
            }
            self.both(b" ");
            self.compose(|out, _| put_string(out, media(part).1));
            self.extension(|out, _| {
                out.push(b' ');
                put_parameters(out, part);
            });
        } else {
            if matches!(part.kind, PartKind::Message | PartKind::EncodedMessage) || part.is_text() {
                self.both(b" ");
                self.compose(|out, _| put_number(out, part.body_lines));
            }
            self.extension(|out, writer| {
                out.push(b' ');
                put_nstring(out, writer.text(at, Known::ContentMd5).as_deref());
            });
        }
        self.extension(|out, writer| writer.put_disposition(out, at));
        self.both(b")");
    }

    /// `SP body-fld-dsp SP body-fld-lang SP body-fld-loc`
    fn put_disposition(&self, out: &mut Vec<u8>, at: usize) {
        let value = |known| self.structure.value(self.raw, at, known);
        out.push(b' ');
        match value(Known::ContentDisposition).and_then(|value| disposition(value, self.parameter_limit)) {
            Some((kind, parameters)) => {
                out.push(b'(');
                put_string(out, &kind);
                out.push(b' ');
                put_pairs(out, &parameters);
                out.push(b')');
            }
            None => out.extend_from_slice(b"NIL"),
        }
        out.push(b' ');
        let languages =
            value(Known::ContentLanguage).map(|value| token_list(value, self.parameter_limit)).unwrap_or_default();
        if languages.is_empty() {
            out.extend_from_slice(b"NIL");
        } else {
            for (place, language) in languages.into_iter().enumerate() {
                out.push(if place == 0 { b'(' } else { b' ' });
                put_string(out, language);
            }
            out.push(b')');
        }
        out.push(b' ');
        put_nstring(out, self.text(at, Known::ContentLocation).as_deref());
    }

    /// A field's value on one line; `None` if the field is not there or empty.
    fn text(&self, at: usize, known: Known) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.structure.value(self.raw, at, known).map(unfold).filter(|text| !text.is_empty())
    }

    fn empty_part(&mut self) {
        self.both(EMPTY_PART);
        self.extension(|out, _| out.extend_from_slice(EMPTY_EXTENSION));
        self.both(b")");
    }

    /// Appends the same to both forms.
    fn both(&mut self, bytes: &[u8]) {
        self.forms.bodystructure.extend_from_slice(bytes);
        self.forms.body.extend_from_slice(bytes);
    }

    /// Appends what `write` writes to both forms.
    fn compose(&mut self, write: impl FnOnce(&mut Vec<u8>, &Self)) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        write(&mut scratch, self);
        self.both(&scratch);
        self.scratch = scratch;
    }

    /// Appends what `write` writes to BODYSTRUCTURE only.
    fn extension(&mut self, write: impl FnOnce(&mut Vec<u8>, &Self)) {
        let mut bodystructure = std::mem::take(&mut self.forms.bodystructure);
        write(&mut bodystructure, self);
        self.forms.bodystructure = bodystructure;
    }
}

/// Type and subtype as clients are told.
fn media(part: &Part) -> (&[u8], &[u8]) {
    match (part.kind, &part.content) {
        // Dovecot too shows what it does not look into as a file that can be saved.
        (PartKind::Opaque, _) => (b"application", b"octet-stream"),
        (PartKind::Message | PartKind::EncodedMessage, None) => (b"message", b"rfc822"),
        (_, None) => (b"text", b"plain"),
        (_, Some(ContentType { kind, subtype, .. })) => (kind, subtype),
    }
}

/// The parameters of the Content-Type; those of the default if there is none (RFC 2045, 5.2).
///
/// A charset that the field does not name is not added, though Dovecot does: `text/html` has another default (RFC 6657, 3),
/// and a client that is told "us-ascii" no longer looks.
fn put_parameters(out: &mut Vec<u8>, part: &Part) {
    match &part.content {
        None if part.is_text() => out.extend_from_slice(b"(\"charset\" \"us-ascii\")"),
        None => out.extend_from_slice(b"NIL"),
        Some(content) => put_pairs(out, &content.parameters),
    }
}

/// ```abnf
/// body-fld-param = "(" string SP string *(SP string SP string) ")" / nil
/// ```
fn put_pairs(out: &mut Vec<u8>, parameters: &[Parameter]) {
    if parameters.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    for (place, parameter) in parameters.iter().enumerate() {
        out.push(if place == 0 { b'(' } else { b' ' });
        put_string(out, &parameter.name);
        out.push(b' ');
        put_string(out, &parameter.value);
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, samples};

    fn check(raw: &[u8], limits: &Limits, bodystructure: &str, body: &str) {
        let forms = BodyForms::of(raw, &Structure::scan(raw, limits), limits.parameters);
        assert_eq!(String::from_utf8_lossy(&forms.bodystructure), bodystructure);
        assert_eq!(String::from_utf8_lossy(&forms.body), body);
    }

    #[test]
    fn defaults() {
        let body = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 6 1";
        check(b"\r\nbody\r\n", &Limits::default(), &format!("{body} NIL NIL NIL NIL)"), &format!("{body})"));
    }

    /// The example of RFC 9051, 7.5.2.
    #[test]
    fn example_of_the_rfc() {
        let first = format!("{}{}", "x".repeat(1150), "\r\n");
        let raw = format!(
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n{first}\r\n\
             --b\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME=cc.diff\r\nContent-ID: <960723163407.20117h@cac.washington.edu>\r\n\
             Content-Description: Compiler diff\r\nContent-Transfer-Encoding: BASE64\r\n\r\nYWJj\r\n--b--\r\n"
        );
        check(
            raw.as_bytes(),
            &Limits::default(),
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 1 NIL NIL NIL NIL)\
             (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") \"<960723163407.20117h@cac.washington.edu>\" \
             \"Compiler diff\" \"BASE64\" 4 0 NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)",
            "((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\") NIL NIL \"7BIT\" 1152 1)\
             (\"TEXT\" \"PLAIN\" (\"CHARSET\" \"US-ASCII\" \"NAME\" \"cc.diff\") \"<960723163407.20117h@cac.washington.edu>\" \
             \"Compiler diff\" \"BASE64\" 4 0) \"mixed\")",
        );
    }

    #[test]
    fn extension_data() {
        check(
            b"Content-Type: image/png\r\nContent-MD5: Q2hlY2s=\r\nContent-Disposition: attachment; filename=\"a b\"\r\n\
              Content-Language: en, de\r\nContent-Location: http://x/\r\n\r\n",
            &Limits::default(),
            "(\"image\" \"png\" NIL NIL NIL \"7BIT\" 0 \"Q2hlY2s=\" (\"attachment\" (\"filename\" \"a b\")) (\"en\" \"de\") \"http://x/\")",
            "(\"image\" \"png\" NIL NIL NIL \"7BIT\" 0)",
        );
    }

    #[test]
    fn messages_inside() {
        let inner = "(NIL \"in\" NIL NIL NIL NIL NIL NIL NIL NIL)";
        check(
            b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\na\r\nb\r\n",
            &Limits::default(),
            &format!(
                "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 21 {inner} \
                 (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 6 2 NIL NIL NIL NIL) 4 NIL NIL NIL NIL)"
            ),
            &format!(
                "(\"message\" \"rfc822\" NIL NIL NIL \"7BIT\" 21 {inner} (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 6 2) 4)"
            ),
        );
        let empty = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0";
        check(
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJj\r\n",
            &Limits::default(),
            &format!("(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 6 {empty} NIL NIL NIL NIL) 1 NIL NIL NIL NIL)"),
            &format!("(\"message\" \"rfc822\" NIL NIL NIL \"base64\" 6 {empty}) 1)"),
        );
    }

    #[test]
    fn multiparts_without_parts_and_beyond_limits() {
        let empty = "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 0 0";
        check(
            b"Content-Type: multipart/mixed\r\n\r\n",
            &Limits::default(),
            &format!("{empty} NIL NIL NIL NIL)"),
            &format!("{empty})"),
        );
        check(
            b"Content-Type: multipart/mixed; boundary=x\r\n\r\n",
            &Limits::default(),
            &format!("({empty} NIL NIL NIL NIL) \"mixed\" (\"boundary\" \"x\") NIL NIL NIL)"),
            &format!("({empty}) \"mixed\")"),
        );
        check(
            samples::NESTED,
            &Limits { depth: 0, ..Limits::default() },
            &format!(
                "(\"application\" \"octet-stream\" NIL NIL NIL \"7BIT\" {} NIL NIL NIL NIL)",
                samples::NESTED.len() - 109
            ),
            &format!("(\"application\" \"octet-stream\" NIL NIL NIL \"7BIT\" {})", samples::NESTED.len() - 109),
        );
    }
}
