//! Clients that come back and want to know only what has changed (RFC 7162).

use crate::harness::{Answer, Server};

/// The number behind `code` in a response code.
fn number(answer: &Answer, code: &str) -> u64 {
    let line = answer.with(code)[0];
    let rest = &line[line.find(code).unwrap() + code.len() + 1..];
    rest[..rest.find(']').unwrap()].parse().unwrap()
}

#[tokio::test]
async fn only_the_difference_is_told() {
    let server = Server::new();
    let mut client = server.login("joe").await;
    client.append("INBOX", 10).await;
    client.ok("ENABLE QRESYNC").await;
    let before = client.ok("SELECT INBOX").await;
    let (validity, modseq) = (number(&before, "UIDVALIDITY"), number(&before, "HIGHESTMODSEQ"));
    client.ok("UNSELECT").await;

    let mut other = server.select("joe", "INBOX").await;
    other.ok("STORE 3,5,7 +FLAGS.SILENT \\Deleted").await;
    other.ok("EXPUNGE").await;
    other.ok("STORE 1 +FLAGS.SILENT \\Flagged").await;

    let after = client.ok(&format!("SELECT INBOX (QRESYNC ({validity} {modseq}))")).await;
    assert_eq!(after.with("VANISHED"), ["* VANISHED (EARLIER) 3,5,7"]);
    assert_eq!(after.with("FETCH").len(), 1, "{after:?}");
    assert!(after.with("FETCH")[0].starts_with("* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ ("), "{after:?}");

    let known = client.ok(&format!("SELECT INBOX (QRESYNC ({validity} {modseq} 4:10))")).await;
    assert_eq!(known.with("VANISHED"), ["* VANISHED (EARLIER) 5,7"]);
    assert!(known.with("FETCH").is_empty());

    let other_life = client.ok(&format!("SELECT INBOX (QRESYNC ({} {modseq}))", validity + 1)).await;
    assert!(other_life.with("VANISHED").is_empty() && other_life.with("FETCH").is_empty());
}

#[tokio::test]
async fn qresync_must_be_enabled() {
    let server = Server::new();
    let mut client = server.login("joe").await;
    client.bad("SELECT INBOX (QRESYNC (1 1))").await;
    client.ok("SELECT INBOX (CONDSTORE)").await;
    client.append("INBOX", 1).await;
    let told = client.ok("STORE 1 FLAGS (\\Seen)").await;
    assert!(told.with("FETCH")[0].contains("MODSEQ ("), "{told:?}");
}
