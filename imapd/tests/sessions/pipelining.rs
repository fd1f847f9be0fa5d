//! Clients that do not wait for answers, and clients that do not read them.

use std::fmt::Write;

use crate::harness::Server;

/// RFC 9051, 5.5: the result is that of the commands one by one.
#[tokio::test]
async fn pipelined_commands_run_in_order() {
    let server = Server::new();
    let mut client = server.select("joe", "INBOX").await;
    client.append("INBOX", 3).await;
    client.ok("NOOP").await;
    client
        .send(
            "a STORE 2 +FLAGS.SILENT \\Deleted\r\nb EXPUNGE\r\nc FETCH 2 UID\r\nd STORE 2 +FLAGS.SILENT \\Deleted\r\n\
             e EXPUNGE\r\nf STATUS INBOX (MESSAGES)\r\n",
        )
        .await;
    assert!(client.answer("a").await.tagged.starts_with("OK"));
    assert_eq!(client.answer("b").await.untagged, ["* 2 EXPUNGE"]);
    assert_eq!(client.answer("c").await.untagged, ["* 2 FETCH (UID 3)"]);
    client.answer("d").await;
    assert_eq!(client.answer("e").await.untagged, ["* 2 EXPUNGE"]);
    assert_eq!(client.answer("f").await.untagged, ["* STATUS INBOX (MESSAGES 1)"]);
}

/// What a client has sent is answered before all of it is there.
#[tokio::test]
async fn an_answer_does_not_wait_for_the_next_command() {
    let server = Server::new();
    let mut client = server.login("joe").await;
    client.send("a NOOP\r\nb NO").await;
    assert!(client.answer("a").await.tagged.starts_with("OK"));
    client.send("OP\r\n").await;
    assert!(client.answer("b").await.tagged.starts_with("OK"));
}

/// A client that sends and never reads stops being read; others do not notice.
#[tokio::test]
async fn a_client_that_does_not_read_holds_nobody_up() {
    let server = Server::new();
    let mut deaf = server.select("joe", "INBOX").await;
    deaf.append("INBOX", 50).await;
    let mut commands = String::new();
    for n in 0..5000 {
        let _ = write!(commands, "x{n} UID FETCH 1:* (FLAGS UID)\r\n");
    }
    let writer = tokio::spawn(async move {
        deaf.send(commands).await;
        deaf
    });
    let mut other = server.select("joe", "INBOX").await;
    for _ in 0..20 {
        other.ok("STORE 1:* FLAGS.SILENT (\\Flagged)").await;
        other.ok("STORE 1:* FLAGS.SILENT ()").await;
    }
    assert!(!writer.is_finished(), "the pipe is full, and nobody reads the commands");
    writer.abort();
}
