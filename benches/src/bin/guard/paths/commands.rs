//! Paths that are IMAP commands of one session.

use std::error::Error;

use benches::messages;

use crate::callgrind::counted;
use benches::in_process::{MESSAGE_SIZE, Server};

/// Messages of one APPEND.
const BATCH: usize = 50;

/// Two commands, alternately, in a selected INBOX: nothing may be remembered from a command to the same one after it.
pub(crate) struct Commands {
    /// Messages in INBOX; as many are in another mailbox, `Other`.
    pub(crate) messages: usize,
    pub(crate) alternately: [&'static str; 2],
    /// Untagged replies to each.
    pub(crate) untagged: usize,
}

impl Commands {
    pub(crate) async fn run(&self, server: &Server, rounds: u32) -> Result<(), Box<dyn Error>> {
        let mut client = server.login().await?;
        client.command("CREATE Other").await?;
        let mut messages = messages(MESSAGE_SIZE);
        for _ in 0..self.messages / BATCH {
            client.append("INBOX", messages.by_ref().take(BATCH)).await?;
            client.append("Other", messages.by_ref().take(BATCH)).await?;
        }
        client.command("SELECT INBOX").await?;

        // The first time, \Recent is told and what a mailbox keeps in memory is made.
        for command in self.alternately {
            client.command(command).await?;
        }
        let mut expected = [0; 2];
        for (command, expected) in self.alternately.iter().zip(&mut expected) {
            let answer = client.command(command).await?;
            let untagged = memchr::memmem::find_iter(answer, "\r\n").count() - 1;
            if untagged != self.untagged {
                return Err(format!("{untagged} untagged replies: {}", String::from_utf8_lossy(answer)).into());
            }
            *expected = answer.len();
        }
        counted(async {
            for round in 0..rounds as usize {
                let answer = client.command(self.alternately[round % 2]).await?;
                if answer.len() != expected[round % 2] {
                    return Err(format!("round {round}: {}", String::from_utf8_lossy(answer)).into());
                }
            }
            Ok(())
        })
        .await
    }
}
