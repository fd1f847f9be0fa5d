//! LANG (RFC 6856, 3): `LANG` lists the languages of the responses' texts, `LANG en` chooses one, `LANG *` the best one.
//!
//! ```abnf
//! lang-cmd = "LANG" [SP (language-range / "*")]
//! ```

use crate::context::Context;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply::{self, END};
use crate::syntax::Line;

/// The texts are English; `i-default` is the name of what a server without a choice speaks (RFC 2277, 4.5).
const LANGUAGES: &[(&str, &str)] = &[("en", "English"), ("i-default", "English")];

pub(crate) fn run(context: &mut Context, line: &Line<'_>) -> Outcome {
    match line.words()[..] {
        [] => {
            let output = context.connection.output();
            reply::ok(output, "Languages:");
            for (tag, name) in LANGUAGES {
                write!(output, "{tag} {name}\r\n");
            }
            output.put(END);
            Ok(Done::Said)
        }
        [range] => match choose(range) {
            Some(tag) => Done::ok(format!("{tag} Language chosen")),
            None => Err(Refused::No(None, "That language is not spoken here".into())),
        },
        _ => Err(Refused::bad("One language belongs here")),
    }
}

/// The language for a range: RFC 4647, 3.4, so `en-GB` finds `en`.
fn choose(range: &str) -> Option<&'static str> {
    if range == "*" {
        return Some(LANGUAGES[0].0);
    }
    let mut range = range;
    loop {
        if let Some((tag, _)) = LANGUAGES.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(range)) {
            return Some(tag);
        }
        range = range.rsplit_once('-')?.0;
    }
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn ranges() {
        let rows = [
            ("*", Some("en")),
            ("en", Some("en")),
            ("EN-gb-oed", Some("en")),
            ("i-default", Some("i-default")),
            ("de", None),
            ("e", None),
            ("-", None),
            ("", None),
        ];
        for (range, expected) in rows {
            assert_eq!(choose(range), expected, "{range}");
        }
    }
}
