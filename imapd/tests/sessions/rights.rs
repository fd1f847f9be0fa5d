//! Rights and quotas as clients see them: what may not be done, and what may not even be known.

use directory::{Directory, UserId};

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

/// [QUO-1] [QUO-8] A user's quota is one, whoever sets it: the directory has it in megabytes, rounded up.
#[tokio::test]
async fn a_quota_that_is_set_is_the_users() {
    let server = Server::new();
    let mut admin = server.login("admin").await;
    let of_joe = || server.directory.user(&UserId::parse("joe").unwrap()).unwrap().unwrap().quota_limit_mib;
    for (limits, told, expected) in [
        ("STORAGE 20480", "STORAGE 0 20480", Some(20)),
        ("STORAGE 10000 MESSAGE 100", "STORAGE 0 10000 MESSAGE 0 100", Some(10)),
        ("STORAGE 1", "STORAGE 0 1", Some(1)),
        ("MESSAGE 5", "MESSAGE 0 5", None),
        ("STORAGE 0", "STORAGE 0 0", Some(0)),
    ] {
        let set = admin.ok(&format!("SETQUOTA user/joe ({limits})")).await;
        assert_eq!(set.untagged, [format!("* QUOTA user/joe ({told})")]);
        assert_eq!(of_joe(), expected, "{limits}");
    }
    // More than the directory takes for a quota changes neither.
    let refused = admin.no("SETQUOTA user/joe (STORAGE 9223372036854775807)").await;
    assert!(refused.starts_with("NO [CANNOT]"), "{refused}");
    assert_eq!(admin.ok("GETQUOTA user/joe").await.untagged, ["* QUOTA user/joe (STORAGE 0 0)"]);
    assert_eq!(of_joe(), Some(0));
    admin.ok("SETQUOTA user/joe ()").await;
    assert_eq!(of_joe(), None);
    admin.no("GETQUOTA user/joe").await;
    // Roots of folders, of mailboxes that are shared and of those without a user are the store's alone.
    admin.ok("CREATE user/joe/Work").await;
    admin.ok("CREATE team").await;
    server.imap.store.create_user("left", None).unwrap();
    for root in ["user/joe/Work", "team", "user/left"] {
        let set = admin.ok(&format!("SETQUOTA {root} (STORAGE 7)")).await;
        assert_eq!(set.untagged, [format!("* QUOTA {root} (STORAGE 0 7)")]);
    }
    assert_eq!(of_joe(), None);
    admin.no("SETQUOTA user/nobody (STORAGE 7)").await;
    admin.no("SETQUOTA user/nobody ()").await;
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
