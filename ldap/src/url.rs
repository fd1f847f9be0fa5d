//! Which server: an LDAP URL (RFC 4516, 2) with nothing in it but scheme and place.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

/// Octets of a host's name (RFC 1035, 2.3.4).
const LONGEST_HOST: usize = 253;

/// Octets of a socket's path, `sun_path` of Linux without the NUL at its end.
const LONGEST_PATH: usize = 107;

/// How one talks to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// `ldap`: TCP.
    Ldap,
    /// `ldaps`: TLS from the first octet.
    Ldaps,
    /// `ldapi`: a Unix socket.
    Ldapi,
}

/// Where an LDAP server is.
///
/// ```abnf
/// url  = ("ldap" / "ldaps") "://" host [":" port] ["/"]
///      / "ldapi://" path ["/"]       ; of a Unix socket, "/" written as "%2F"
/// host = 1*(ALPHA / DIGIT / "-" / ".") / IPv4address / "[" IPv6address "]"
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    scheme: Scheme,
    /// As it is written, without the last `/`.
    text: String,
    is_loopback: bool,
}

/// What is wrong with a URL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UrlError {
    /// Another scheme, or none.
    #[error("it must begin with ldap://, ldaps:// or ldapi://")]
    Scheme,
    /// No host, or one that is none.
    #[error("behind :// comes the name or the address of a host")]
    Host,
    /// An address where a certificate has no place for it.
    #[error("with TLS the host is a name or an IPv4 address, as its certificate has it")]
    Ipv6Tls,
    /// The port is none.
    #[error("a port is a number from 1 to 65535")]
    Port,
    /// No path of a socket.
    #[error("behind ldapi:// comes the path of a socket, with %2F for each /")]
    Path,
    /// A base, a filter or the like.
    #[error("nothing comes behind the host; what lies below which entry is another option")]
    More,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn parse(text: &str) -> Result<Url, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "ldap" => Scheme::Ldap,
            "ldaps" => Scheme::Ldaps,
            "ldapi" => Scheme::Ldapi,
            _ => return Err(UrlError::Scheme),
        };
        let place = rest.strip_suffix('/').unwrap_or(rest);
        let is_loopback = match scheme {
            Scheme::Ldapi => path(place).map(|()| true)?,
            Scheme::Ldap | Scheme::Ldaps => host(scheme, place)?,
        };
        let name = match scheme {
            Scheme::Ldap => "ldap",
            Scheme::Ldaps => "ldaps",
            Scheme::Ldapi => "ldapi",
        };
        Ok(Url { scheme, text: format!("{name}://{place}"), is_loopback })
    }

    /// How one talks to the server.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Whether what is said stays on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Checks host and port. Whether it is this machine.
fn host(scheme: Scheme, place: &str) -> Result<bool, UrlError> {
    if place.contains(['/', '?', '#']) {
        return Err(UrlError::More);
    }
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(UrlError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
            if scheme == Scheme::Ldaps {
                return Err(UrlError::Ipv6Tls);
            }
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(UrlError::Host)?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if let Some(port) = port {
        let is_number = !port.is_empty() && port.bytes().all(|octet| octet.is_ascii_digit());
        if !is_number || port.parse::<u16>().is_ok_and(|port| port == 0) || port.parse::<u16>().is_err() {
            return Err(UrlError::Port);
        }
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(address.is_loopback());
    }
    let is_label = |label: &str| {
        let is_inner = |octet: u8| octet.is_ascii_alphanumeric() || octet == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(is_inner) && !label.starts_with('-')
    };
    // What looks like an address and is none must not become a name that somebody else may own.
    let is_number = host.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.');
    if host.len() > LONGEST_HOST || is_number || !host.split('.').all(is_label) {
        return Err(UrlError::Host);
    }
    Ok(host.eq_ignore_ascii_case("localhost"))
}

/// Checks the path of a socket.
fn path(place: &str) -> Result<(), UrlError> {
    let mut octets = 0;
    let mut rest = place.as_bytes();
    let mut first = None;
    while let Some((&octet, more)) = rest.split_first() {
        let (decoded, more) = match octet {
            b'%' => {
                let digits = more.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
                let decoded = digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(UrlError::Path)?;
                (decoded, &more[2..])
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (octet, more),
            _ => return Err(UrlError::Path),
        };
        if decoded == 0 {
            return Err(UrlError::Path);
        }
        first.get_or_insert(decoded);
        (octets, rest) = (octets + 1, more);
    }
    if first == Some(b'/') && octets <= LONGEST_PATH { Ok(()) } else { Err(UrlError::Path) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_server_is() {
        let check = |text: &str, expected: Result<(Scheme, bool), UrlError>| {
            let found = Url::parse(text);
            assert_eq!(found.clone().map(|url| (url.scheme(), url.is_loopback())), expected, "{text}");
            if let Ok(url) = found {
                assert_eq!(Url::parse(url.as_str()), Ok(url.clone()), "{text}");
                assert!(!url.to_string().ends_with('/'));
            }
        };
        check("ldap://ldap.example.com", Ok((Scheme::Ldap, false)));
        check("LDAPS://ldap.example.com:636/", Ok((Scheme::Ldaps, false)));
        check("ldap://localhost:1389", Ok((Scheme::Ldap, true)));
        check("ldap://127.8.0.1", Ok((Scheme::Ldap, true)));
        check("ldap://192.0.2.1:389", Ok((Scheme::Ldap, false)));
        check("ldap://[::1]:389", Ok((Scheme::Ldap, true)));
        check("ldap://[2001:db8::1]", Ok((Scheme::Ldap, false)));
        check("ldaps://[::1]", Err(UrlError::Ipv6Tls));
        check("ldapi://%2Frun%2Fslapd%2Fldapi", Ok((Scheme::Ldapi, true)));
        check("ldapi://%2frun%2fldapi/", Ok((Scheme::Ldapi, true)));
        for text in
            ["ldapi://", "ldapi://ldapi", "ldapi:///run/ldapi", "ldapi://%2", "ldapi://%2F%00", "ldapi://%2Fa:1"]
        {
            check(text, Err(UrlError::Path));
        }
        check(&format!("ldapi://%2F{}", "x".repeat(LONGEST_PATH)), Err(UrlError::Path));
        for text in ["", "ldap.example.com", "http://x", "ldap:/x", "ldapx://x"] {
            check(text, Err(UrlError::Scheme));
        }
        for text in [
            "ldap://",
            "ldap://a b",
            "ldap://a@b",
            "ldap://-a",
            "ldap://a..b",
            "ldap://[::1",
            "ldap://[x]",
            "ldap://127.1",
            "ldap://ö.example",
            "ldap://[::1]x",
        ] {
            check(text, Err(UrlError::Host));
        }
        for text in ["ldap://a:", "ldap://a:0", "ldap://a:65536", "ldap://a:x", "ldap://a:+1", "ldap://a:1:2"] {
            check(text, Err(UrlError::Port));
        }
        for text in ["ldap://a/dc=example", "ldap://a?x", "ldap://a/#"] {
            check(text, Err(UrlError::More));
        }
    }
}
