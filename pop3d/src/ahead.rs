//! Reading ahead: a client that fetches a mailbox asks for one message after the other, and to hand each to a thread that
//! may block would cost more than to send it. So one trip to the disk brings the messages that will be asked for next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mailstore::Mailbox;
use mailstore::disk::DiskFile;

use crate::maildrop::Message;

/// Up to this a message is read whole: 64 KiB, nearly all messages.
const SMALL: u64 = 64 * 1024;
/// Octets that are read ahead: 256 KiB, some fifty messages, and no more than a kernel buffers for one connection.
const OCTETS: u64 = 256 * 1024;
/// Messages that are looked at ahead: 64; what a trip costs is shared by so many.
const MESSAGES: usize = 64;
/// Files that are held open ahead: 4. Large messages leave in many writes anyway.
const FILES: usize = 4;
/// What was read ahead is given up when the client asks for nothing for 5 seconds: an idle session holds nothing.
pub(crate) const KEPT: Duration = Duration::from_secs(5);

/// A message to be sent.
#[derive(Debug)]
pub(crate) enum Body {
    /// All of it.
    Whole(Bytes),
    /// A file, and how many octets it has.
    File(DiskFile, u64),
}

/// Messages that wait to be asked for, by number.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    ready: VecDeque<(u32, Result<Body, mailstore::Error>)>,
    /// The number that was asked for last.
    last: u32,
}

impl Ahead {
    /// The message `number`, if it was read ahead. Those before it are not asked for any more.
    pub(crate) fn take(&mut self, number: u32) -> Option<Result<Body, mailstore::Error>> {
        while let Some((front, _)) = self.ready.front() {
            if *front > number {
                return None;
            }
            if let Some((front, body)) = self.ready.pop_front()
                && front == number
            {
                self.last = number;
                return Some(body);
            }
        }
        None
    }

    /// How many messages are worth reading when `number` is asked for: many if the client goes through them in order.
    pub(crate) fn reach(&mut self, number: u32) -> usize {
        // Deleted messages in between may be passed over.
        let in_order = number > self.last && number - self.last <= MESSAGES as u32;
        self.last = number;
        if in_order { MESSAGES } else { 1 }
    }

    /// Takes what was read.
    pub(crate) fn fill(&mut self, bodies: Vec<(u32, Result<Body, mailstore::Error>)>) {
        self.ready = bodies.into();
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Octets that are held.
    pub(crate) fn octets(&self) -> u64 {
        let length = |body: &Result<Body, mailstore::Error>| match body {
            Ok(Body::Whole(text)) => text.len() as u64,
            Ok(Body::File(..)) | Err(_) => 0,
        };
        self.ready.iter().map(|(_, body)| length(body)).sum()
    }

    /// Gives everything up.
    pub(crate) fn clear(&mut self) {
        self.ready = VecDeque::new();
    }
}

/// Opens the first of `messages` and as many of the others as it makes sense to hold. Blocks.
pub(crate) fn read(mailbox: &Arc<Mailbox>, messages: &[(u32, Message)]) -> Vec<(u32, Result<Body, mailstore::Error>)> {
    let mut bodies = Vec::new();
    let (mut octets, mut files) = (0, 0);
    for (number, message) in messages {
        let body = open(mailbox, message);
        match &body {
            Ok(Body::Whole(text)) => octets += text.len() as u64,
            Ok(Body::File(..)) => files += 1,
            Err(_) => {}
        }
        bodies.push((*number, body));
        if octets >= OCTETS || files >= FILES {
            break;
        }
    }
    bodies
}

/// Opens a message, and reads it if it is small.
fn open(mailbox: &Mailbox, message: &Message) -> Result<Body, mailstore::Error> {
    let file = mailbox.open_message(message.uid)?;
    let size = file.metadata()?.size;
    // A client deletes what it believes to have: half a message is an error, not a message.
    if size != u64::from(message.size) {
        let what = format!("it has {size} octets instead of {}", message.size);
        return Err(mailstore::Error::Corrupt { path: file.path().into(), what });
    }
    if size > SMALL {
        return Ok(Body::File(file, size));
    }
    let mut text = vec![0; size as usize];
    let read = file.read_at(&mut text, 0)?;
    text.truncate(read);
    Ok(Body::Whole(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(numbers: &[u32]) -> Ahead {
        let mut ahead = Ahead::default();
        let body = |number: &u32| (*number, Ok(Body::Whole(number.to_string().into())));
        ahead.fill(numbers.iter().map(body).collect());
        ahead
    }

    #[test]
    fn messages_are_found_by_number() {
        let mut ahead = filled(&[3, 4, 6]);
        assert!(ahead.take(2).is_none() && !ahead.is_empty());
        assert_eq!(ahead.octets(), 3);
        assert!(matches!(ahead.take(4), Some(Ok(Body::Whole(text))) if text == "4"));
        assert_eq!(ahead.octets(), 1);
        assert!(ahead.take(3).is_none(), "what was passed over is gone");
        assert!(ahead.take(5).is_none());
        assert!(ahead.take(6).is_some() && ahead.is_empty());
    }

    #[test]
    fn only_those_in_order_are_read_ahead() {
        let mut ahead = Ahead::default();
        for (number, expected) in
            [(1, MESSAGES), (2, MESSAGES), (5, MESSAGES), (5, 1), (4, 1), (500, 1), (501, MESSAGES)]
        {
            assert_eq!(ahead.reach(number), expected, "{number}");
        }
    }
}
