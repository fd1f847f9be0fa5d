//! Putting together parameters that RFC 2231, 3 splits (`name*0`, `name*1`, ...), as Dovecot and Cyrus answer them:
//! joined, but neither percent-decoded nor converted, under the name `name*` if any piece is marked as extended.

use super::Parameter;

/// Joins split parameters. A piece whose predecessors are missing stays as it was written.
pub(super) fn join(parameters: Vec<Parameter>) -> Vec<Parameter> {
    if !parameters.iter().any(|parameter| Piece::of(&parameter.name).is_some()) {
        return parameters;
    }
    // Indices of pieces, sorted so that those of one parameter stand together in their order.
    let mut order: Vec<usize> = (0..parameters.len()).filter(|&at| Piece::of(&parameters[at].name).is_some()).collect();
    order.sort_by_cached_key(|&at| {
        Piece::of(&parameters[at].name).map(|piece| (piece.base.to_ascii_lowercase(), piece.number))
    });
    let mut joined: Vec<Option<Parameter>> = vec![None; parameters.len()];
    let mut used = vec![false; parameters.len()];
    for run in runs(&parameters, &order) {
        let place = run.iter().copied().min().unwrap_or_default();
        joined[place] = Some(join_run(&parameters, run));
        run.iter().for_each(|&at| used[at] = true);
    }
    parameters
        .into_iter()
        .zip(joined)
        .zip(used)
        .filter_map(|((parameter, joined), used)| if used { joined } else { Some(parameter) })
        .collect()
}

/// The slices of `order` that are the pieces 0, 1, 2 ... of one parameter.
fn runs<'a>(parameters: &[Parameter], order: &'a [usize]) -> Vec<&'a [usize]> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut expected = 0;
    for (position, &at) in order.iter().enumerate() {
        let Some(piece) = Piece::of(&parameters[at].name) else { continue };
        let continues = position > start
            && Piece::of(&parameters[order[start]].name)
                .is_some_and(|first| first.base.eq_ignore_ascii_case(piece.base));
        if continues && expected > 0 && piece.number == expected {
            expected += 1;
            continue;
        }
        if expected > 0 {
            runs.push(&order[start..start + expected]);
        }
        if piece.number == 0 {
            (start, expected) = (position, 1);
        } else {
            expected = 0;
        }
    }
    if expected > 0 {
        runs.push(&order[start..start + expected]);
    }
    runs
}

fn join_run(parameters: &[Parameter], run: &[usize]) -> Parameter {
    let pieces = || run.iter().filter_map(|&at| Some((Piece::of(&parameters[at].name)?, &parameters[at].value)));
    let extended = pieces().any(|(piece, _)| piece.extended);
    let mut name = pieces().next().map(|(piece, _)| piece.base.to_vec()).unwrap_or_default();
    let mut value = Vec::with_capacity(pieces().map(|(_, value)| value.len()).sum());
    if extended {
        name.push(b'*');
        if pieces().next().is_some_and(|(first, _)| !first.extended) {
            // Without charset and language the first piece is plain text; the empty ones say so.
            value.extend_from_slice(b"''");
        }
    }
    for (piece, text) in pieces() {
        if extended && !piece.extended {
            text.iter().for_each(|&byte| push_encoded(&mut value, byte));
        } else {
            value.extend_from_slice(text);
        }
    }
    Parameter { name, value }
}

/// ```abnf
/// attribute-char := <any (US-ASCII) CHAR except SPACE, CTLs, "*", "'", "%", or tspecials>
/// ```
fn push_encoded(value: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if crate::lexer::is_token(byte) && byte.is_ascii() && !matches!(byte, b'*' | b'\'' | b'%') {
        value.push(byte);
    } else {
        value.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    }
}

/// A name that says it is a piece.
#[derive(Debug, Clone, Copy)]
struct Piece<'a> {
    base: &'a [u8],
    number: usize,
    extended: bool,
}

impl<'a> Piece<'a> {
    /// ```abnf
    /// regular-parameter-name  := attribute [section]
    /// extended-initial-name   := attribute [initial-section] "*"
    /// section                 := "*" ("0" / other-sections)
    /// ```
    fn of(name: &'a [u8]) -> Option<Self> {
        let (section, extended) = match name.strip_suffix(b"*") {
            Some(section) => (section, true),
            None => (name, false),
        };
        let star = section.iter().rposition(|&byte| byte == b'*')?;
        let (base, digits) = (&section[..star], &section[star + 1..]);
        // Four digits are more than the limit on parameters lets through.
        if base.is_empty() || !(1..=4).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = digits.iter().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        Some(Self { base, number, extended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parameters: &[(&str, &str)], expected: &[(&str, &str)]) {
        let parameters = parameters
            .iter()
            .map(|(name, value)| Parameter { name: name.as_bytes().to_vec(), value: value.as_bytes().to_vec() })
            .collect();
        let found: Vec<_> = join(parameters)
            .into_iter()
            .map(|parameter| (String::from_utf8(parameter.name).unwrap(), String::from_utf8(parameter.value).unwrap()))
            .collect();
        let expected: Vec<_> = expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found, expected, "{expected:?}");
    }

    #[test]
    fn joins() {
        check(&[("a", "1"), ("b", "2")], &[("a", "1"), ("b", "2")]);
        check(&[("url*0", "ftp://"), ("URL*1", "cs.utk.edu/x")], &[("url", "ftp://cs.utk.edu/x")]);
        check(&[("x", "y"), ("n*1", "b"), ("z", "w"), ("n*0", "a")], &[("x", "y"), ("n", "ab"), ("z", "w")]);
        check(
            &[("title*0*", "us-ascii'en'This%20is%20"), ("title*1*", "%2A%2A%2Afun"), ("title*2", "isn't it!")],
            &[("title*", "us-ascii'en'This%20is%20%2A%2A%2Afunisn%27t%20it!")],
        );
        check(&[("n*0", "a"), ("n*1*", "%20b")], &[("n*", "''a%20b")]);
        check(&[("title*", "us-ascii'en'x")], &[("title*", "us-ascii'en'x")]);
    }

    #[test]
    fn leaves_broken_pieces() {
        check(&[("n*1", "b"), ("n*2", "c")], &[("n*1", "b"), ("n*2", "c")]);
        check(&[("n*0", "a"), ("n*2", "c")], &[("n", "a"), ("n*2", "c")]);
        check(&[("n*0", "a"), ("n*0", "b"), ("n*1", "c")], &[("n", "a"), ("n", "bc")]);
        check(
            &[("n*", "a"), ("*0", "b"), ("n*x", "c"), ("n*99999", "d")],
            &[("n*", "a"), ("*0", "b"), ("n*x", "c"), ("n*99999", "d")],
        );
    }
}
