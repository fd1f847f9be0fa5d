//! Messages to test with: small ones by number.

/// The small message number `n`, with CRLF line ends.
pub fn small(n: usize) -> Vec<u8> {
    format!(
        "Return-Path: <sender{n}@example.org>\r\n\
         Date: Thu, 01 Jan 2026 00:{minute:02}:{second:02} +0000\r\n\
         From: Sender {n} <sender{n}@example.org>\r\n\
         To: joe@example.org\r\n\
         Subject: message {n}\r\n\
         Message-ID: <small-{n}@example.org>\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\
         \r\n\
         This is message {n}.\r\n",
        minute = n / 60 % 60,
        second = n % 60,
    )
    .into_bytes()
}
