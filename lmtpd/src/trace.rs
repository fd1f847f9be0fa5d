//! The trace header of a delivery (RFC 5321, 4.4): `Return-Path:` and one `Received:`. The same for all recipients of a
//! transaction, so that they share one file.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use jiff::Zoned;
use wire::{ConnectionInfo, Peer};

use crate::syntax::Address;

/// What a trace header tells.
pub(crate) struct Trace<'a> {
    /// The reverse path; `None` is the null sender.
    pub(crate) sender: Option<&'a Address>,
    /// What the client called itself in LHLO.
    pub(crate) client: &'a str,
    /// The connection.
    pub(crate) info: &'a ConnectionInfo,
    /// Whether the transaction uses SMTPUTF8.
    pub(crate) utf8: bool,
    /// Whether the client has logged in.
    pub(crate) authenticated: bool,
    /// Our own name.
    pub(crate) host: &'a str,
    /// The delivery's identifier, as in the log.
    pub(crate) delivery: &'a str,
    /// The recipient, when there is only one: a blind copy must not learn of the others (RFC 5321, 7.2).
    pub(crate) recipient: Option<&'a Address>,
    /// When.
    pub(crate) time: &'a Zoned,
}

impl Trace<'_> {
    /// The header fields, each line short enough to stand in a header.
    ///
    /// ```abnf
    /// Return-path-line = "Return-Path:" FWS Reverse-path CRLF
    /// Time-stamp-line  = "Received:" FWS "from" FWS Extended-Domain CFWS "by" FWS Extended-Domain
    ///                    CFWS "with" FWS Protocol CFWS "id" FWS Atom [CFWS "for" FWS Path] ";" FWS date-time CRLF
    /// ```
    pub(crate) fn to_header(&self) -> Bytes {
        let sender = self.sender.map(Address::to_string).unwrap_or_default();
        let client = match self.info.peer {
            Peer::Ip(address) => format!("{} ({})", self.client, literal(address)),
            Peer::Unix { .. } | Peer::Memory => self.client.to_owned(),
        };
        let recipient = self.recipient.map(|recipient| format!("\r\n\tfor <{recipient}>")).unwrap_or_default();
        let header = format!(
            "Return-Path: <{sender}>\r\n\
             Received: from {client}\r\n\tby {} (Angarium) with {} id {}{recipient};\r\n\t{}\r\n",
            self.host,
            self.protocol(),
            self.delivery,
            self.time.strftime("%a, %d %b %Y %H:%M:%S %z"),
        );
        Bytes::from(header)
    }

    /// RFC 3848 and RFC 6531, 4.3.
    fn protocol(&self) -> &'static str {
        match (self.utf8, self.info.tls.is_some(), self.authenticated) {
            (false, false, false) => "LMTP",
            (false, false, true) => "LMTPA",
            (false, true, false) => "LMTPS",
            (false, true, true) => "LMTPSA",
            (true, false, false) => "UTF8LMTP",
            (true, false, true) => "UTF8LMTPA",
            (true, true, false) => "UTF8LMTPS",
            (true, true, true) => "UTF8LMTPSA",
        }
    }
}

fn literal(address: SocketAddr) -> String {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::forward_path;

    fn header(peer: Peer, sender: Option<&str>, recipient: Option<&str>, utf8: bool) -> String {
        let address = |text: &str| forward_path(&format!("TO:<{text}>")).unwrap().0;
        let (sender, recipient) = (sender.map(address), recipient.map(address));
        let time = jiff::Timestamp::from_second(1_795_379_646).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
        let info = ConnectionInfo::new("lmtp", peer, None);
        let trace = Trace {
            sender: sender.as_ref(),
            client: "mx.example.com",
            info: &info,
            utf8,
            authenticated: utf8,
            host: "mail.example.com",
            delivery: "1-2-3",
            recipient: recipient.as_ref(),
            time: &time,
        };
        String::from_utf8(trace.to_header().to_vec()).unwrap()
    }

    #[test]
    fn headers() {
        let tcp = Peer::Ip("127.0.0.1:2525".parse().unwrap());
        assert_eq!(
            header(tcp, Some("bob@example.org"), Some("joe@example.com"), false),
            "Return-Path: <bob@example.org>\r\n\
             Received: from mx.example.com ([127.0.0.1])\r\n\
             \tby mail.example.com (Angarium) with LMTP id 1-2-3\r\n\
             \tfor <joe@example.com>;\r\n\
             \tSun, 22 Nov 2026 20:34:06 +0000\r\n"
        );
        assert_eq!(
            header(Peer::Unix { uid: 0, pid: None }, None, None, true),
            "Return-Path: <>\r\n\
             Received: from mx.example.com\r\n\
             \tby mail.example.com (Angarium) with UTF8LMTPA id 1-2-3;\r\n\
             \tSun, 22 Nov 2026 20:34:06 +0000\r\n"
        );
        let six = Peer::Ip("[2001:db8::1]:1".parse().unwrap());
        assert!(
            header(six, Some("\"\"@x"), None, false)
                .contains("<\"\"@x>\r\nReceived: from mx.example.com ([IPv6:2001:db8::1])\r\n")
        );
    }
}
