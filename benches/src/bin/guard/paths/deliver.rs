//! An LMTP session that delivers a message to one recipient.

use std::error::Error;

use benches::messages;

use crate::callgrind::counted;
use benches::in_process::Server;

/// Bytes of a message.
const SIZE: usize = 10_000;

/// Messages that are delivered before: an index of a new mailbox grows in other steps.
const FIRST: u32 = 20;

const ENVELOPE: &[u8] = b"LHLO mta.example.org\r\nMAIL FROM:<p013@people.example.net> BODY=8BITMIME\r\n\
    RCPT TO:<joe@example.org>\r\nDATA\r\n";

pub(crate) async fn run(server: &Server, rounds: u32) -> Result<(), Box<dyn Error>> {
    let mut messages = messages(SIZE);
    deliver(server, messages.by_ref().take(FIRST as usize)).await?;
    counted(deliver(server, messages.take(rounds as usize))).await?;
    let mut client = server.login().await?;
    let answer = client.command("STATUS INBOX (MESSAGES)").await?;
    let expected = format!("(MESSAGES {})", FIRST + rounds);
    if memchr::memmem::find(answer, expected.as_bytes()).is_none() {
        return Err(format!("not {expected}: {}", String::from_utf8_lossy(answer)).into());
    }
    Ok(())
}

async fn deliver(server: &Server, messages: impl Iterator<Item = Vec<u8>>) -> Result<(), Box<dyn Error>> {
    let (mut input, mut replies) = (Vec::new(), Vec::new());
    for message in messages {
        input.clear();
        input.extend_from_slice(ENVELOPE);
        input.extend_from_slice(&message);
        input.extend_from_slice(b".\r\nQUIT\r\n");
        replies.clear();
        server.lmtp(&input, &mut replies).await?;
        if !replies.split_inclusive(|&byte| byte == b'\n').all(|line| matches!(line[0], b'2' | b'3')) {
            return Err(String::from_utf8_lossy(&replies).into());
        }
    }
    Ok(())
}
