//! A session that idles is told of a message that another one appends.

use std::error::Error;

use benches::messages;
use memchr::memmem;

use crate::callgrind::counted;
use benches::in_process::{Client, MESSAGE_SIZE, Server};

/// Messages that are there before: an index of a new mailbox grows in other steps.
const FIRST: u32 = 20;

pub(crate) async fn run(server: &Server, rounds: u32) -> Result<(), Box<dyn Error>> {
    let mut idle = server.login().await?;
    idle.command("SELECT INBOX").await?;
    idle.send(b"t IDLE\r\n").await?;
    idle.read_until(|answer| answer == b"+ idling\r\n").await?;
    let mut other = server.login().await?;
    let mut messages = messages(MESSAGE_SIZE);
    for count in 1..=FIRST {
        round(&mut idle, &mut other, messages.next(), count).await?;
    }
    counted(async {
        for count in FIRST + 1..=FIRST + rounds {
            round(&mut idle, &mut other, messages.next(), count).await?;
        }
        Ok(())
    })
    .await
}

/// Appends a message; with it there are `count`.
async fn round(
    idle: &mut Client,
    other: &mut Client,
    message: Option<Vec<u8>>,
    count: u32,
) -> Result<(), Box<dyn Error>> {
    other.append("INBOX", message.into_iter()).await?;
    let news = format!("* {count} EXISTS\r\n");
    idle.read_until(|answer| memmem::find(answer, news.as_bytes()).is_some()).await?;
    Ok(())
}
