//! The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a load balancer says at the beginning of a
//! connection whom it speaks for.
//!
//! It is believed only from networks that the administrator named, and there it is required: a header that may be there
//! or not would let a client write its own.

use std::io;
use std::net::SocketAddr;

use ppp::v1::Addresses as V1;
use ppp::v2::{Addresses as V2, Command, Type};
use ppp::{HeaderResult, v1, v2};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Both versions have at least as many octets as the signature of version 2.
const SIGNATURE: usize = v2::PROTOCOL_PREFIX.len();
/// Signature, version, command, family and length of version 2.
const V2_FIXED: usize = 16;
/// Longest header of version 1 (its section 2.1), CRLF included.
const V1_LONGEST: usize = 107;
/// Longest header of version 2 that is taken: addresses and all the extensions that balancers send (client certificate
/// names among them) fit into 4 KiB; the format would allow 64.
const V2_LONGEST: usize = 4096;
/// The bit of `PP2_TYPE_SSL` that says that the client speaks TLS to the proxy (section 2.2.6).
const CLIENT_SSL: u8 = 0x01;

/// What a header said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proxied {
    /// The client that the proxy speaks for; none for a connection of the proxy's own (a health check).
    pub client: Option<SocketAddr>,
    /// The address that the client connected to.
    pub server: Option<SocketAddr>,
    /// The client speaks TLS to the proxy.
    pub encrypted: bool,
}

/// Why there is no header to believe.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// It is none, or one that makes no sense.
    #[error("no PROXY header where one is required: {0}")]
    Malformed(String),
    /// The peer hung up, or the connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Reads a header and not one octet more: what follows may be a TLS handshake.
///
/// # Errors
/// [`ProxyError`]; close the connection without an answer.
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Proxied, ProxyError> {
    let mut header = vec![0; SIGNATURE];
    stream.read_exact(&mut header).await?;
    if header == v2::PROTOCOL_PREFIX {
        header.resize(V2_FIXED, 0);
        stream.read_exact(&mut header[SIGNATURE..]).await?;
        let length = usize::from(header[14]) << 8 | usize::from(header[15]);
        if V2_FIXED + length > V2_LONGEST {
            return Err(malformed(&"it is too long"));
        }
        header.resize(V2_FIXED + length, 0);
        stream.read_exact(&mut header[V2_FIXED..]).await?;
    } else if header.starts_with(v1::PROTOCOL_PREFIX.as_bytes()) {
        while !header.ends_with(b"\r\n") {
            if header.len() >= V1_LONGEST {
                return Err(malformed(&"it is too long"));
            }
            header.push(stream.read_u8().await?);
        }
    } else {
        return Err(malformed(&"it begins otherwise"));
    }
    match HeaderResult::parse(&header) {
        HeaderResult::V1(found) => found.map(|found| of_v1(&found.addresses)).map_err(|why| malformed(&why)),
        HeaderResult::V2(found) => found.map_err(|why| malformed(&why)).and_then(|found| of_v2(&found)),
    }
}

fn malformed(why: &dyn std::fmt::Display) -> ProxyError {
    ProxyError::Malformed(why.to_string())
}

fn of_v1(addresses: &V1) -> Proxied {
    let (client, server) = match addresses {
        V1::Tcp4(found) => (
            Some((found.source_address, found.source_port).into()),
            Some((found.destination_address, found.destination_port).into()),
        ),
        V1::Tcp6(found) => (
            Some((found.source_address, found.source_port).into()),
            Some((found.destination_address, found.destination_port).into()),
        ),
        V1::Unknown => (None, None),
    };
    Proxied { client, server, encrypted: false }
}

fn of_v2(header: &v2::Header<'_>) -> Result<Proxied, ProxyError> {
    if header.command == Command::Local {
        return Ok(Proxied { client: None, server: None, encrypted: false });
    }
    let (client, server) = match header.addresses {
        V2::IPv4(found) => (
            Some((found.source_address, found.source_port).into()),
            Some((found.destination_address, found.destination_port).into()),
        ),
        V2::IPv6(found) => (
            Some((found.source_address, found.source_port).into()),
            Some((found.destination_address, found.destination_port).into()),
        ),
        V2::Unspecified | V2::Unix(_) => (None, None),
    };
    let mut encrypted = false;
    for extension in header.tlvs() {
        let extension = extension.map_err(|why| malformed(&why))?;
        if extension.kind == u8::from(Type::SSL) {
            encrypted = extension.value.first().is_some_and(|flags| flags & CLIENT_SSL != 0);
        }
    }
    Ok(Proxied { client, server, encrypted })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(octets: &[u8]) -> (Result<Proxied, ProxyError>, usize) {
        let mut left = octets;
        let result = read(&mut left).await;
        (result, left.len())
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([command, family]);
        header.extend([(rest.len() >> 8) as u8, rest.len() as u8]);
        header.extend(rest);
        header
    }

    #[tokio::test]
    async fn headers() {
        let four = [192, 0, 2, 7, 198, 51, 100, 1, 0x30, 0x39, 0, 143];
        let with_tls = [&four[..], &[0x20, 0, 5, 1, 0, 0, 0, 0]].concat();
        let client = |text: &str| Some(text.parse::<SocketAddr>().unwrap());
        let rows: Vec<(Vec<u8>, Option<SocketAddr>, bool)> = vec![
            (b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 143\r\n".to_vec(), client("192.0.2.7:12345"), false),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 12345 143\r\n".to_vec(), client("[2001:db8::1]:12345"), false),
            (b"PROXY UNKNOWN\r\n".to_vec(), None, false),
            (b"PROXY UNKNOWN ffff:f...f:ffff 1 2 3\r\n".to_vec(), None, false),
            (v2(0x21, 0x11, &four), client("192.0.2.7:12345"), false),
            (v2(0x21, 0x11, &with_tls), client("192.0.2.7:12345"), true),
            (v2(0x20, 0x00, &[]), None, false),
            (v2(0x20, 0x11, &four), None, false),
        ];
        for (mut octets, client, encrypted) in rows {
            octets.extend_from_slice(b"a NOOP\r\n");
            let (found, left) = parse(&octets).await;
            let found = found.unwrap();
            assert_eq!((found.client, found.encrypted), (client, encrypted), "{}", octets.escape_ascii());
            assert_eq!(left, 8, "not one octet more is read");
        }
    }

    #[tokio::test]
    async fn what_is_no_header() {
        let long = [&b"PROXY UNKNOWN "[..], &[b'x'; 200], b"\r\n"].concat();
        let rows: Vec<Vec<u8>> = vec![
            b"a LOGIN joe secret\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00".to_vec(),
            b"PROXY TCP4 192.0.2.7\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.999 198.51.100.1 12345 143\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 12345 99999\r\n".to_vec(),
            long,
            v2(0x31, 0x11, &[0; 12]),
            v2(0x21, 0x11, &[0; 3]),
            v2(0x21, 0x11, &[0; 5000]),
            v2(0x21, 0x11, &[&[0; 12][..], &[0x20, 0xff, 0xff]].concat()),
            b"PROXY".to_vec(),
            Vec::new(),
        ];
        for octets in rows {
            let (found, _) = parse(&octets).await;
            assert!(found.is_err(), "{}: {found:?}", octets.escape_ascii());
        }
    }
}
