//! IDLE: news comes by itself.

use crate::harness::Server;

#[tokio::test]
async fn changes_are_told_as_they_happen() {
    let server = Server::new();
    let mut idle = server.select("joe", "INBOX").await;
    idle.send("a IDLE\r\n").await;
    assert_eq!(idle.line().await.as_deref(), Some("+ idling"));

    let mut other = server.select("joe", "INBOX").await;
    other.append("INBOX", 2).await;
    assert_eq!(idle.line().await.as_deref(), Some("* 2 EXISTS"));
    assert!(idle.line().await.unwrap().ends_with(" RECENT"));

    other.ok("NOOP").await;
    other.ok("STORE 1 +FLAGS.SILENT (\\Flagged \\Deleted)").await;
    assert_eq!(idle.line().await.as_deref(), Some("* 1 FETCH (FLAGS (\\Flagged \\Deleted \\Recent))"));
    other.ok("EXPUNGE").await;
    assert_eq!(idle.line().await.as_deref(), Some("* 1 EXPUNGE"));

    idle.send("done\r\n").await;
    assert!(idle.answer("a").await.tagged.starts_with("OK"));
}

#[tokio::test]
async fn done_may_come_in_pieces() {
    let server = Server::new();
    let mut client = server.select("joe", "INBOX").await;
    client.send("a IDLE\r\n").await;
    assert_eq!(client.line().await.as_deref(), Some("+ idling"));
    for piece in ["DO", "N", "E\r", "\n"] {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert!(client.answer("a").await.tagged.starts_with("OK"));
}

#[tokio::test]
async fn anything_but_done_is_an_error() {
    let server = Server::new();
    let mut client = server.login("joe").await;
    client.send("a IDLE\r\nb NOOP\r\n").await;
    assert_eq!(client.line().await.as_deref(), Some("+ idling"));
    assert!(client.answer("a").await.tagged.starts_with("BAD"));
    client.ok("NOOP").await;
}

#[tokio::test]
async fn a_deleted_mailbox_ends_the_session() {
    let server = Server::new();
    let mut owner = server.login("joe").await;
    owner.ok("CREATE Work").await;
    let mut idle = server.select("joe", "Work").await;
    idle.send("a IDLE\r\n").await;
    assert_eq!(idle.line().await.as_deref(), Some("+ idling"));
    owner.ok("DELETE Work").await;
    assert!(idle.line().await.unwrap().starts_with("* BYE "));
    assert_eq!(idle.line().await, None);
}

/// RFC 9051, 5.4: thirty minutes, also inside IDLE.
#[tokio::test(start_paused = true)]
async fn silence_is_logged_out() {
    let server = Server::new();
    let mut idle = server.select("joe", "INBOX").await;
    idle.send("a IDLE\r\n").await;
    assert_eq!(idle.line().await.as_deref(), Some("+ idling"));
    tokio::time::sleep(std::time::Duration::from_secs(29 * 60 + 50)).await;
    assert!(idle.line().await.unwrap().starts_with("* BYE "));
}

/// Ten thousand clients idle at once: what a session keeps between commands is its connection and little else.
#[tokio::test]
async fn a_waiting_session_is_small() {
    let server = Server::new();
    let (connection, _peer) = wire::Connection::memory(64);
    let session = imapd::serve(std::sync::Arc::clone(&server.imap), connection);
    let size = size_of_val(&session);
    assert!(size < 3072, "{size} octets");
}
