//! LOGIN and AUTHENTICATE (RFC 9051, 6.2.2 and 6.2.3; RFC 4959).

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, BytesMut};
use nom::{Parser, bytes::complete::take_while1};

use super::{
    Fault, Input, Parsed, expect,
    text::{astring, atom, print_astring, sp},
};
use crate::types::{AString, Arguments, Atom, Encoding, Secret};

/// ```abnf
/// login    = "LOGIN" SP userid SP password
/// userid   = astring
/// password = astring
/// ```
pub(super) fn login(input: Input<'_>) -> Parsed<'_, Arguments> {
    let (rest, (user, (), password)) =
        (expect("a user name", astring), sp, expect("a password", astring)).parse(input)?;
    Ok((rest, Arguments::Login { user, password: Secret::new(password.into_bytes()) }))
}

/// ```abnf
/// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]
/// auth-type    = atom
/// initial-resp = (base64 / "=")
/// ```
pub(super) fn authenticate(input: Input<'_>) -> Parsed<'_, Arguments> {
    let (rest, mechanism) = expect("a SASL mechanism", atom).parse(input)?;
    let (rest, initial) = match rest.strip_prefix(b" ").filter(|after| !after.is_empty()) {
        Some(after) => initial_response(after).map(|(rest, initial)| (rest, Some(initial)))?,
        None => (rest, None),
    };
    Ok((rest, Arguments::Authenticate { mechanism, initial }))
}

fn initial_response(input: Input<'_>) -> Parsed<'_, Secret> {
    if let Some(rest) = input.strip_prefix(b"=") {
        return Ok((rest, Secret::new(Vec::new())));
    }
    let base64 = take_while1(|octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'='));
    let (rest, text) = expect("base64", base64).parse(input)?;
    match STANDARD.decode(text) {
        Ok(octets) => Ok((rest, Secret::new(octets))),
        Err(_) => Err(Fault::expected(input, "base64")),
    }
}

pub(super) fn print_login(out: &mut BytesMut, user: &AString, password: &Secret, encoding: Encoding) {
    print_astring(out, user.as_bytes(), encoding);
    out.put_u8(b' ');
    print_astring(out, password.expose(), encoding);
}

pub(super) fn print_authenticate(out: &mut BytesMut, mechanism: &Atom, initial: Option<&Secret>) {
    out.put_slice(mechanism.as_str().as_bytes());
    match initial.map(Secret::expose) {
        None => {}
        Some([]) => out.put_slice(b" ="),
        Some(octets) => {
            out.put_u8(b' ');
            out.put_slice(STANDARD.encode(octets).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initial_responses() {
        let check = |input: &str, expected: Option<Option<&[u8]>>| {
            let parsed = authenticate(input.as_bytes()).ok().filter(|(rest, _)| rest.is_empty()).map(|parsed| parsed.1);
            let initial = parsed.map(|arguments| match arguments {
                Arguments::Authenticate { initial, .. } => initial.map(|secret| secret.expose().to_vec()),
                _ => panic!("not AUTHENTICATE"),
            });
            assert_eq!(initial.as_ref().map(Option::as_deref), expected, "{input}");
        };
        check("PLAIN", Some(None));
        check("PLAIN =", Some(Some(b"")));
        check("PLAIN AGEAYg==", Some(Some(b"\0a\0b")));
        for bad in
            ["", "PLAIN AGEAYg", "PLAIN AGEAYg===", "PLAIN ====", "PLAIN A GE", "PLAIN !", "PLAIN *", "PLAIN AGEAYh==x"]
        {
            check(bad, None);
        }
    }
}
