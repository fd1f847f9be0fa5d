//! HTTP requests at a port that is none of HTTP's. A web page can make its reader's browser send one to a mail server; the
//! server calls the header nonsense, and then runs the body, line by line (cross-protocol scripting). So the first line of a
//! connection is looked at, and whoever speaks HTTP is sent away.

/// The methods in use. A page that wants another one has the browser ask for permission first, with `OPTIONS`.
const METHODS: [&[u8]; 9] = [b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PRI", b"PUT"];

/// Whether a line, of which the beginning is enough, is the first of an HTTP request.
///
/// ```abnf
/// request-line   = method SP request-target SP HTTP-version
/// request-target = "/" ... / "http://" ... / "https://" ... / "*"
/// ```
/// No command of a mail protocol begins so: none is called like a method, and in IMAP, where a method may be a tag, none has
/// a slash in its name, nor is one called `*`.
pub(super) fn is_request(line: &[u8]) -> bool {
    let Some(space) = memchr::memchr(b' ', line) else { return false };
    let (method, target) = (&line[..space], &line[space + 1..]);
    let targets: [&[u8]; 4] = [b"/", b"http://", b"https://", b"* HTTP/"];
    METHODS.contains(&method) && targets.iter().any(|start| target.starts_with(start))
}

/// Watches for the first line of a connection.
#[derive(Debug, Default)]
pub(super) struct FirstLine {
    seen: bool,
}

impl FirstLine {
    /// Whether `line` is the first that is asked about, and an HTTP request.
    pub(super) fn is_request(&mut self, line: &[u8]) -> bool {
        !std::mem::replace(&mut self.seen, true) && is_request(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        for line in ["GET / HTTP/1.1", "POST /a?b", "GET http://x/ HTTP/1.0", "OPTIONS * HTTP/1.1", "PRI * HTTP/2.0"] {
            assert!(is_request(line.as_bytes()), "{line}");
        }
        let others =
            ["a /", "GET NOOP", "USER /x", "GET", "", " /", "GET ", "POST * ", "get / HTTP/1.1", "LHLO [192.0.2.1]"];
        for line in others {
            assert!(!is_request(line.as_bytes()), "{line}");
        }
        let mut first = FirstLine::default();
        assert!(!first.is_request(b"a NOOP") && !first.is_request(b"GET / HTTP/1.1"));
    }
}
