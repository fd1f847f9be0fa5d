//! Two sessions with one mailbox: who is told of what, and when.

use crate::harness::Server;

/// RFC 9051, 7.5.1: no EXPUNGE during FETCH, STORE or SEARCH by number; any other command may tell.
#[tokio::test]
async fn expunges_wait_for_a_command_that_may_renumber() {
    let server = Server::new();
    let mut one = server.select("joe", "INBOX").await;
    one.append("INBOX", 4).await;
    let mut two = server.select("joe", "INBOX").await;
    two.ok("STORE 2:3 +FLAGS.SILENT \\Deleted").await;
    two.ok("EXPUNGE").await;
    for command in ["FETCH 4 UID", "SEARCH ALL", "STORE 4 +FLAGS.SILENT \\Seen", "COPY 4 INBOX"] {
        let answer = one.ok(command).await;
        assert!(answer.with("EXPUNGE").is_empty(), "{command}: {answer:?}");
    }
    assert_eq!(one.ok("UID SEARCH UID 1").await.with("EXPUNGE"), ["* 3 EXPUNGE", "* 2 EXPUNGE"]);
    assert_eq!(one.ok("FETCH 2 UID").await.with("FETCH"), ["* 2 FETCH (UID 4)"]);
}

#[tokio::test]
async fn qresync_clients_are_told_of_uids() {
    let server = Server::new();
    let mut one = server.login("joe").await;
    assert_eq!(one.ok("ENABLE QRESYNC").await.untagged, ["* ENABLED CONDSTORE QRESYNC"]);
    one.append("INBOX", 5).await;
    one.ok("SELECT INBOX").await;
    let mut two = server.select("joe", "INBOX").await;
    two.ok("STORE 2,4:5 +FLAGS.SILENT \\Deleted").await;
    two.ok("EXPUNGE").await;
    let told = one.ok("NOOP").await;
    assert_eq!(told.with("VANISHED"), ["* VANISHED 2,4:5"]);
    assert!(told.with("EXPUNGE").is_empty());
}

#[tokio::test]
async fn flags_of_others_come_with_mod_sequences_once_asked_for() {
    let server = Server::new();
    let mut one = server.select("joe", "INBOX").await;
    one.append("INBOX", 1).await;
    one.ok("NOOP").await;
    let mut two = server.select("joe", "INBOX").await;
    two.ok("STORE 1 FLAGS.SILENT (\\Flagged)").await;
    assert_eq!(one.ok("NOOP").await.with("FETCH"), ["* 1 FETCH (FLAGS (\\Flagged \\Recent))"]);
    let enabled = one.ok("STATUS INBOX (HIGHESTMODSEQ)").await;
    assert_eq!(enabled.with("[HIGHESTMODSEQ ").len(), 1, "{enabled:?}");
    two.ok("STORE 1 FLAGS.SILENT ()").await;
    let told = one.ok("NOOP").await;
    assert!(told.untagged[0].starts_with("* 1 FETCH (UID 1 FLAGS (\\Recent) MODSEQ ("), "{told:?}");
}

#[tokio::test]
async fn a_new_keyword_is_told_before_its_first_message() {
    let server = Server::new();
    let mut one = server.select("joe", "INBOX").await;
    one.append("INBOX", 1).await;
    one.ok("NOOP").await;
    let mut two = server.select("joe", "INBOX").await;
    two.ok("STORE 1 +FLAGS.SILENT ($Work)").await;
    let told = one.ok("NOOP").await;
    assert!(told.untagged[0].starts_with("* FLAGS (") && told.untagged[0].contains("$Work"), "{told:?}");
    assert!(told.untagged[1].contains("[PERMANENTFLAGS ("), "{told:?}");
    assert!(told.untagged[2].contains("FETCH (FLAGS (\\Recent $Work))"), "{told:?}");
}

#[tokio::test]
async fn recent_belongs_to_the_first_session_that_is_told() {
    let server = Server::new();
    let mut sender = server.login("sue").await;
    sender.ok("NOOP").await;
    let mut one = server.select("joe", "INBOX").await;
    let mut two = server.select("joe", "INBOX").await;
    let mut writer = server.login("joe").await;
    writer.append("INBOX", 1).await;
    assert_eq!(one.ok("NOOP").await.untagged, ["* 1 EXISTS", "* 1 RECENT"]);
    assert_eq!(two.ok("NOOP").await.untagged, ["* 1 EXISTS", "* 0 RECENT"]);
}

#[tokio::test]
async fn rev2_knows_no_recent() {
    let server = Server::new();
    let mut client = server.login("joe").await;
    client.append("INBOX", 1).await;
    client.ok("ENABLE IMAP4rev2").await;
    let selected = client.ok("SELECT inbox").await;
    assert!(selected.with("RECENT").is_empty() && selected.with("UNSEEN").is_empty(), "{selected:?}");
    assert_eq!(selected.with("* LIST").len(), 1, "{selected:?}");
}

#[tokio::test]
async fn another_mailbox_closes_the_first() {
    let server = Server::new();
    let mut client = server.select("joe", "INBOX").await;
    client.ok("CREATE Work").await;
    assert!(client.ok("SELECT Work").await.untagged[0].starts_with("* OK [CLOSED]"));
    let missing = client.command("SELECT Missing").await;
    assert!(missing.untagged[0].starts_with("* OK [CLOSED]"), "{missing:?}");
    assert!(missing.tagged.starts_with("NO [NONEXISTENT]"), "{missing:?}");
    client.bad("FETCH 1 FLAGS").await;
}

#[tokio::test]
async fn close_expunges_in_silence_and_unselect_does_not_expunge() {
    let server = Server::new();
    let mut client = server.select("joe", "INBOX").await;
    client.append("INBOX", 3).await;
    client.ok("STORE 1 +FLAGS.SILENT \\Deleted").await;
    client.ok("UNSELECT").await;
    let status = |n| [format!("* STATUS INBOX (MESSAGES {n})")];
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)").await.untagged, status(3));
    client.ok("EXAMINE INBOX").await;
    client.ok("CLOSE").await;
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)").await.untagged, status(3));
    client.ok("SELECT INBOX").await;
    assert!(client.ok("CLOSE").await.with("EXPUNGE").is_empty());
    assert_eq!(client.ok("STATUS INBOX (MESSAGES)").await.untagged, status(2));
}
