//! Where an authorization server has something: an address on the network, or a file.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use hyper::Uri;
use thiserror::Error;

/// An address that is asked over HTTP: encrypted, or on this machine.
///
/// ```abnf
/// url = ("https://" / "http://" loopback) authority path-abempty ["?" query]
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    uri: Uri,
    host: String,
    port: u16,
    secure: bool,
}

/// A text that is no [`Url`].
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("{0:?} is no address to ask: want https://..., or http://127.0.0.1/... on this machine")]
pub struct BadUrl(String);

/// Where the keys of an authorization server are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// At an address.
    Url(Url),
}

impl Url {
    /// Whether it is asked over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }

    /// The name or address of the host, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The host and, unless it goes without saying, the port: the field Host (RFC 9110, 7.2).
    pub(crate) fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }
}

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Url, BadUrl> {
        let bad = || BadUrl(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(bad()),
        };
        // A password in it would end up in the log.
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if host.is_empty() || !(secure || local) {
            return Err(bad());
        }
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Url { host, port, secure, uri })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uri.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Option<(&str, u16, &str)>| {
            let url = text.parse::<Url>().ok();
            let found = url.as_ref().map(|url| (url.host(), url.port(), url.target()));
            assert_eq!(found, expected, "{text}");
        };
        check("https://login.example.com/keys", Some(("login.example.com", 443, "/keys")));
        check("https://login.example.com:8443/a?b=c", Some(("login.example.com", 8443, "/a?b=c")));
        check("https://[2001:db8::1]/", Some(("2001:db8::1", 443, "/")));
        check("https://login.example.com", Some(("login.example.com", 443, "/")));
        check("http://127.0.0.1:8080/keys", Some(("127.0.0.1", 8080, "/keys")));
        check("http://[::1]/keys", Some(("::1", 80, "/keys")));
        check("http://localhost/keys", Some(("localhost", 80, "/keys")));
        for bad in [
            "",
            "login.example.com",
            "/etc/keys.json",
            "http://login.example.com/keys",
            "http://127.0.0.1.example.com/keys",
            "http://192.0.2.1/",
            "https://user:password@login.example.com/",
            "ftp://login.example.com/",
            "https:///keys",
        ] {
            check(bad, None);
        }
    }
}
