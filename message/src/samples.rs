//! Messages that the tests of several modules share.

/// A message of most kinds of parts.
pub(crate) const NESTED: &[u8] = b"From: Joe <joe@example.com>\r\nSubject: outer\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=a\r\n\r\npreamble\r\n\
--a\r\nContent-Type: text/plain\r\n\r\none\r\n\
--a\r\nContent-Type: TEXT/X-unusual; charset=x-unusual\r\nContent-Transfer-Encoding: base64\r\n\r\ntwo\r\n\
--a\r\nContent-Type: message/rfc822\r\n\r\n\
Subject: inner\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n--b\r\n\r\n3.1\r\n\
--b\r\nContent-Type: application/octet-stream\r\n\r\n3.2\r\n--b--\r\n\r\n\
--a\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\n4.1\r\n\
--c\r\nContent-Type: message/rfc822\r\n\r\nSubject: deepest\r\n\r\n4.2.1\r\n--c--\r\n\
--a--\r\nepilogue\r\n";

/// Every sample with its name.
pub(crate) fn all() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    let rows: [(&str, &[u8]); 12] = [
        ("nested", NESTED),
        ("empty", b""),
        ("only a line end", b"\r\n"),
        ("no header", b"\r\nbody"),
        ("no body", b"Subject: x\r\n"),
        ("no empty line", b"Subject: x\r\nbody"),
        ("zero bytes", b"\0\0\n\0"),
        ("multipart without boundary", b"Content-Type: multipart/mixed\n\nx\n"),
        ("multipart without parts", b"Content-Type: multipart/mixed; boundary=x\n\nx\n"),
        ("multipart cut off", b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822"),
        ("message cut off", b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n--x--"),
        ("digest", b"Content-Type: multipart/digest; boundary=x\n\n--x\n\nSubject: 1\n\none\n--x\n\nSubject: 2\n\ntwo\n--x--\n"),
    ];
    rows.into_iter()
}
