//! Rights and quotas as clients see them: what may not be done, and what may not even be known.

use crate::harness::Server;

/// RFC 4314, 6: for a mailbox without the right to look it up, every command answers as for one that does not exist.
#[tokio::test]
async fn a_hidden_mailbox_looks_like_none() {
    let server = Server::new();
    server.login("joe").await.ok("CREATE Private").await;
    let mut sue = server.login("sue").await;
    for command in [
        "SELECT {}",
        "EXAMINE {}",
        "STATUS {} (MESSAGES)",
        "SUBSCRIBE {}",
        "DELETE {}",
        "RENAME {} Mine",
        "GETACL {}",
        "SETACL {} sue +r",
        "DELETEACL {} sue",
        "LISTRIGHTS {} sue",
        "MYRIGHTS {}",
        "GETQUOTAROOT {}",
        "APPEND {} {1+}\r\nx",
    ] {
        let about = |name: &str| command.replacen("{}", &format!("\"Other Users/joe/{name}\""), 1);
        let (hidden, missing) = (sue.no(&about("Private")).await, sue.no(&about("Missing")).await);
        assert_eq!(hidden, missing, "{command}");
    }
    assert!(sue.ok("LIST \"\" *").await.with("Private").is_empty());
}

#[tokio::test]
async fn rights_open_a_mailbox_step_by_step() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    joe.ok("CREATE Work").await;
    joe.append("Work", 1).await;
    let mut sue = server.login("sue").await;
    let work = "\"Other Users/joe/Work\"";

    joe.ok("SETACL Work sue l").await;
    assert_eq!(sue.ok("LIST \"\" \"Other Users/*\"").await.with("Work").len(), 1);
    assert!(sue.no(&format!("SELECT {work}")).await.starts_with("NO [NOPERM]"));

    joe.ok("SETACL Work sue +r").await;
    let selected = sue.ok(&format!("SELECT {work}")).await;
    assert!(selected.tagged.starts_with("OK [READ-ONLY]"), "{selected:?}");
    assert_eq!(selected.with("PERMANENTFLAGS").len(), 1);
    assert!(selected.with("PERMANENTFLAGS")[0].contains("[PERMANENTFLAGS ()]"), "{selected:?}");

    joe.ok("SETACL Work sue +sw").await;
    let selected = sue.ok(&format!("SELECT {work}")).await;
    assert!(selected.tagged.starts_with("OK [READ-WRITE]"), "{selected:?}");
    assert_eq!(sue.ok(&format!("MYRIGHTS {work}")).await.untagged, [format!("* MYRIGHTS {work} lrsw")]);

    // Rights that are taken away are gone in the session that has them.
    sue.ok("STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    joe.ok("SETACL Work sue -w").await;
    sue.no("STORE 1 -FLAGS.SILENT (\\Flagged)").await;
}

#[tokio::test]
async fn acls_are_told_and_changed() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    joe.ok("SETACL INBOX sue lrs").await;
    joe.ok("SETACL INBOX anyone p").await;
    let acl = joe.ok("GETACL INBOX").await;
    assert!(acl.untagged[0].contains(" sue lrs") && acl.untagged[0].contains(" anyone p"), "{acl:?}");
    joe.ok("DELETEACL INBOX anyone").await;
    assert!(!joe.ok("GETACL INBOX").await.untagged[0].contains("anyone"));
    joe.bad("SETACL INBOX sue lq").await;
    let rights = joe.ok("LISTRIGHTS INBOX joe").await;
    assert!(rights.untagged[0].starts_with("* LISTRIGHTS INBOX joe lkxcan"), "{rights:?}");
}

/// [QUO-2] [QUO-7] [QUO-8]
#[tokio::test]
async fn quotas_are_set_by_administrators_and_told_to_users() {
    let server = Server::new();
    let mut admin = server.login("admin").await;
    let set = admin.ok("SETQUOTA user/joe (STORAGE 10 MESSAGE 100)").await;
    assert_eq!(set.untagged, ["* QUOTA user/joe (STORAGE 0 10 MESSAGE 0 100)"]);
    let mut joe = server.login("joe").await;
    joe.ok("CREATE Work").await;
    let told = joe.ok("GETQUOTAROOT Work").await;
    assert_eq!(told.untagged, ["* QUOTAROOT Work INBOX", "* QUOTA INBOX (STORAGE 0 10 MESSAGE 0 100)"]);
    assert!(joe.no("SETQUOTA INBOX (STORAGE 999)").await.starts_with("NO [NOPERM]"));
    let mut sue = server.login("sue").await;
    sue.no("GETQUOTA \"Other Users/joe\"").await;
    admin.ok("SETQUOTA user/joe ()").await;
    assert_eq!(joe.ok("GETQUOTAROOT Work").await.untagged, ["* QUOTAROOT Work"]);
}

#[tokio::test]
async fn a_full_mailbox_is_announced_once() {
    let server = Server::new();
    let mut joe = server.login("joe").await;
    let message = format!("Subject: big\r\n\r\n{}\r\n", "x".repeat(9_500));
    joe.ok(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
    server.login("admin").await.ok("SETQUOTA user/joe (STORAGE 9)").await;
    let selected = joe.ok("SELECT INBOX").await;
    assert_eq!(selected.with("[ALERT]"), ["* NO [ALERT] Mailbox is over quota"]);
    assert!(joe.ok("SELECT INBOX").await.with("[ALERT]").is_empty());
}
