//! The mail to measure with: generated, the same in every run, and of the sizes and shapes that mail has - half of it
//! short text, a third text and HTML, the rest with an attachment that makes up most of the bytes; 70 KB on average.
//!
//! Everything about message `n` follows from `n`, so a client can tell what a server must answer.

use std::fmt::Write as _;
use std::sync::Arc;

/// Different bodies; headers differ in every message.
const BODIES: usize = 64;

/// Different senders: a prime, so that senders and bodies mix.
pub(crate) const SENDERS: usize = 97;

/// A word that only the bodies of messages with [`Corpus::has_needle`] have.
pub(crate) const NEEDLE: &str = "zanzibar";

/// 2024-01-01T00:00:00Z, when message 0 arrived; each came an hour after the one before it.
const EPOCH: u64 = 1_704_067_200;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WORDS: [&str; 32] = [
    "the", "and", "ship", "harbour", "invoice", "meeting", "tomorrow", "please", "attached", "minutes", "river",
    "station", "between", "letter", "answer", "question", "paper", "winter", "garden", "budget", "quarter", "review",
    "with", "from", "under", "over", "copper", "lantern", "bridge", "signal", "window", "market",
];

/// Generated messages.
#[derive(Clone)]
pub(crate) struct Corpus {
    bodies: Arc<Vec<Body>>,
    /// Part of every Message-ID, so that no server takes a message for one that it had in another run.
    run: String,
}

/// A message: what is its own, and what it shares with others.
pub(crate) struct Message<'a> {
    /// Header, with the empty line.
    pub(crate) head: String,
    /// Body.
    pub(crate) body: &'a [u8],
}

struct Body {
    content_type: &'static str,
    text: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Plain,
    Alternative,
    Attachment,
}

/// The sizes of messages that follow one another in the corpus, 70 KB on average; then they repeat.
#[must_use]
pub fn sizes() -> Vec<usize> {
    let corpus = Corpus::new(None, "");
    (0..BODIES).map(|n| corpus.message(n).len()).collect()
}

/// Messages of about `size` bytes each, without end.
pub fn messages(size: usize) -> impl Iterator<Item = Vec<u8>> {
    let corpus = Corpus::new(Some(size), "stream");
    (0..).map(move |n| {
        let message = corpus.message(n);
        [message.head.as_bytes(), message.body].concat()
    })
}

impl Corpus {
    /// Messages of 70 KB on average or, with `size`, of about that many bytes each; `run` tells Message-IDs apart.
    pub(crate) fn new(size: Option<usize>, run: &str) -> Self {
        let bodies = (0..BODIES).map(|index| Body::new(index, size)).collect();
        Self { bodies: Arc::new(bodies), run: run.to_owned() }
    }

    /// Message number `n`.
    pub(crate) fn message(&self, n: usize) -> Message<'_> {
        let body = &self.bodies[n % BODIES];
        let (day, month, year, time) = date(n);
        let sender = n % SENDERS;
        let head = format!(
            "Message-ID: <{n}.{run}@corpus.example.net>\r\n\
             Date: {day:02} {month} {year} {time} +0000\r\n\
             From: Correspondent {sender:03} <p{sender:03}@people.example.net>\r\n\
             To: Reader <reader@example.org>, \"Others, Many\" <others@example.org>\r\n\
             Cc: archive@example.org\r\n\
             Subject: {subject}\r\n\
             References: <{before}.{run}@corpus.example.net>\r\n\
             User-Agent: corpus/1.0 (generated; x86_64; rv:1)\r\n\
             MIME-Version: 1.0\r\n\
             {content_type}\r\n\r\n",
            run = self.run,
            subject = self.subject(n),
            before = n.saturating_sub(1),
            content_type = body.content_type,
        );
        Message { head, body: &body.text }
    }

    /// The subject of message `n`, which no other has.
    pub(crate) fn subject(&self, n: usize) -> String {
        format!("corpus {n:06} {} {} {}", WORDS[n % 32], WORDS[n / 32 % 32], WORDS[n / 7 % 32])
    }

    /// Whether the body of message `n` contains [`NEEDLE`].
    pub(crate) fn has_needle(n: usize) -> bool {
        n % BODIES % 8 == 3
    }

    /// The flags that message `n` is stored with.
    pub(crate) fn flags(n: usize) -> &'static str {
        match (Self::is_flagged(n), Self::is_seen(n)) {
            (true, true) => "\\Flagged \\Seen",
            (true, false) => "\\Flagged",
            (false, true) => "\\Seen",
            (false, false) => "",
        }
    }

    /// Whether message `n` is stored with \Flagged.
    pub(crate) fn is_flagged(n: usize) -> bool {
        n.is_multiple_of(10)
    }

    /// Whether message `n` is stored with \Seen.
    pub(crate) fn is_seen(n: usize) -> bool {
        !n.is_multiple_of(3)
    }

    /// The internal date of message `n`, as IMAP writes it.
    pub(crate) fn internal_date(n: usize) -> String {
        let (day, month, year, time) = date(n);
        format!("{day:2}-{month}-{year} {time} +0000")
    }

    /// The day on which message `n` arrived, counted from message 0's.
    pub(crate) fn day(n: usize) -> usize {
        n / 24
    }

    /// Day `day` as SEARCH takes it.
    pub(crate) fn search_date(day: usize) -> String {
        let (day, month, year, _) = date(day * 24);
        format!("{day}-{month}-{year}")
    }
}

impl Message<'_> {
    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Whether `text` is this message, byte for byte.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        text.len() == self.len() && text.starts_with(self.head.as_bytes()) && text.ends_with(self.body)
    }
}

impl Body {
    fn new(index: usize, size: Option<usize>) -> Self {
        let mut random = Random(index as u64 + 1);
        let shape = match index % 16 {
            0..8 => Shape::Plain,
            8..13 => Shape::Alternative,
            _ => Shape::Attachment,
        };
        let natural = match shape {
            Shape::Plain => 2_000 + random.below(6_000),
            Shape::Alternative => 10_000 + random.below(40_000),
            Shape::Attachment => 110_000 + 100_000 * (index / 16) + random.below(100_000),
        };
        // 700 bytes are header and the frames of parts.
        let size = size.map_or(natural, |size| size.saturating_sub(700));
        let mut text = String::with_capacity(size + 1024);
        let content_type = match shape {
            Shape::Plain => {
                random.words(&mut text, size);
                needle(&mut text, index);
                "Content-Type: text/plain; charset=utf-8"
            }
            Shape::Alternative => {
                text.push_str("--=_alt\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
                random.words(&mut text, size / 5);
                needle(&mut text, index);
                text.push_str("--=_alt\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>\r\n");
                random.words(&mut text, size * 4 / 5);
                text.push_str("</p></body></html>\r\n--=_alt--\r\n");
                "Content-Type: multipart/alternative; boundary=\"=_alt\""
            }
            Shape::Attachment => {
                text.push_str("--=_mix\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
                random.words(&mut text, (size / 50).min(2_000));
                needle(&mut text, index);
                text.push_str(
                    "--=_mix\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n\
                     Content-Disposition: attachment; filename=\"report.pdf\"\r\n\
                     Content-Transfer-Encoding: base64\r\n\r\n",
                );
                random.base64(&mut text, size);
                text.push_str("--=_mix--\r\n");
                "Content-Type: multipart/mixed; boundary=\"=_mix\""
            }
        };
        Self { content_type, text: text.into_bytes() }
    }
}

fn needle(text: &mut String, index: usize) {
    if Corpus::has_needle(index) {
        let _ = write!(text, "And on to {NEEDLE} it went.\r\n");
    }
}

/// Day, month, year and time of day at which message `n` arrived.
fn date(n: usize) -> (u64, &'static str, u64, String) {
    let seconds = EPOCH + n as u64 * 3600;
    let (mut year, mut day) = (1970, seconds / 86_400);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    (day + 1, MONTHS[month], year, format!("{:02}:00:00", seconds / 3600 % 24))
}

/// Numbers that look random and are the same everywhere (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }

    /// About `size` bytes of lines of words; none begins with a dot.
    fn words(&mut self, text: &mut String, size: usize) {
        let end = text.len() + size;
        let mut column = 0;
        while text.len() < end {
            let word = WORDS[self.below(WORDS.len())];
            text.push_str(word);
            column += word.len() + 1;
            if column > 68 {
                text.push_str("\r\n");
                column = 0;
            } else {
                text.push(' ');
            }
        }
        text.push_str("\r\n");
    }

    /// About `size` bytes of base64 lines.
    fn base64(&mut self, text: &mut String, size: usize) {
        const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        for _ in 0..size / 78 {
            for _ in 0..76 {
                text.push(char::from(DIGITS[self.below(64)]));
            }
            text.push_str("\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(size: Option<usize>) -> usize {
        let corpus = Corpus::new(size, "x");
        (0..BODIES).map(|n| corpus.message(n).len()).sum::<usize>() / BODIES
    }

    #[test]
    fn sizes_are_those_of_the_messages() {
        assert!((65_000..75_000).contains(&(sizes().iter().sum::<usize>() / sizes().len())));
    }

    #[test]
    fn sizes_are_those_promised() {
        assert!((65_000..75_000).contains(&mean(None)), "{}", mean(None));
        for size in [2_000, 10_000, 70_000] {
            assert!(mean(Some(size)).abs_diff(size) < size / 5 + 100, "{size}: {}", mean(Some(size)));
        }
    }

    #[test]
    fn messages_can_be_sent_as_they_are() {
        let corpus = Corpus::new(None, "x");
        for n in 0..BODIES {
            let message = corpus.message(n);
            let text = [message.head.as_bytes(), message.body].concat();
            assert!(text.ends_with(b"\r\n") && text.is_ascii() && !text.windows(3).any(|three| three == b"\r\n."));
            let bare = text.iter().enumerate().any(|(at, &byte)| byte == b'\n' && text[at - 1] != b'\r');
            assert!(!bare, "{n}");
            assert!(text.split(|&byte| byte == b'\n').all(|line| line.len() < 900));
            let found = text.windows(NEEDLE.len()).any(|word| word == NEEDLE.as_bytes());
            assert_eq!(found, Corpus::has_needle(n), "{n}");
            assert!(message.is(&text) && !corpus.message(n + 1).is(&text));
        }
    }

    #[test]
    fn dates_follow_from_numbers() {
        assert_eq!(Corpus::internal_date(0), " 1-Jan-2024 00:00:00 +0000");
        assert_eq!(Corpus::internal_date(59 * 24 + 5), "29-Feb-2024 05:00:00 +0000");
        assert_eq!(Corpus::internal_date(366 * 24), " 1-Jan-2025 00:00:00 +0000");
        assert_eq!(Corpus::search_date(31), "1-Feb-2024");
        assert_eq!(Corpus::day(47), 1);
    }
}
