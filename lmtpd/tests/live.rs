//! LMTP into a real store, for users of a real directory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use directory::{Address, Directory, DomainName, Embedded, HashCost, NewUser, Secret, UserId};
use lmtpd::{Lmtp, OverQuota, Settings};
use mailstore::disk::RealDisk;
use mailstore::{
    Access, AclMode, CreateOptions, Identifier, Layout, MailboxName, QuotaLimits, Rights, Store, StoreOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wire::Connection;

struct Server {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    directory: Arc<Embedded>,
    service: Arc<Lmtp>,
}

impl Server {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(how: Settings) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let layout = Layout::new(path("config"), path("spool")).with_partition("other", path("other"));
        let options = StoreOptions { create: true, ..StoreOptions::new(layout) };
        let disk = Arc::new(RealDisk);
        let (store, _) = Store::open(options, disk.clone()).unwrap();
        let settings = directory::Settings {
            primary_domain: DomainName::parse("example.com").unwrap(),
            hash_cost: HashCost { memory_kib: 64, passes: 1 },
            scram: directory::ScramCost::default(),
            admins: Vec::new(),
        };
        let directory = Arc::new(Embedded::open(&path("directory"), disk, true, &settings).unwrap().0);
        let service = Arc::new(Lmtp::new(how, store.clone(), directory.clone(), None));
        let server = Self { dir, store, directory, service };
        server.add_user("admin", "admin@example.com");
        server.add_user("joe", "joe.smith@example.com");
        server.add_user("sue", "sue@example.com");
        server
    }

    fn add_user(&self, uid: &str, mail: &str) {
        let uid = UserId::parse(uid).unwrap();
        let (given_name, surname) = ("Given".to_owned(), "Sur".to_owned());
        let user =
            NewUser { admin: uid.as_str() == "admin", mail: Address::parse(mail).unwrap(), uid, given_name, surname };
        let user = self.directory.create_user(&user, &Secret::new("secret")).unwrap();
        self.store.create_user(user.uid.as_str(), None).unwrap();
        self.directory.activate_user(&user.uid).unwrap();
    }

    /// Sends `input` behind LHLO, and gives the replies behind LHLO's, shortened.
    async fn talk(&self, input: &str) -> Vec<String> {
        let (conn, mut peer) = Connection::memory(1 << 20);
        let session = Arc::clone(&self.service);
        let session = tokio::spawn(async move { session.serve(conn, CancellationToken::new()).await });
        peer.write_all(format!("LHLO client.example\r\n{input}").as_bytes()).await.unwrap();
        peer.shutdown().await.unwrap();
        let mut replies = String::new();
        peer.read_to_string(&mut replies).await.unwrap();
        session.await.unwrap();
        assert_eq!(self.staged(), 0, "stage files are left");
        let (_, replies) = replies.split_once("250 IGNOREQUOTA\r\n").unwrap();
        replies.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
    }

    /// Delivers one message, and gives the replies to its recipients: RCPT's if it was refused there.
    async fn deliver(&self, to: &[&str], message: &str) -> Vec<String> {
        let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
        let replies = self.talk(&format!("MAIL FROM:<bob@example.org>\r\n{rcpt}DATA\r\n{message}\r\n.\r\n")).await;
        let at_rcpt = &replies[1..=to.len()];
        let mut at_end = replies[to.len() + 1..].iter().skip(1);
        at_rcpt
            .iter()
            .map(|reply| if reply.starts_with("250") { at_end.next().unwrap().clone() } else { reply.clone() })
            .collect()
    }

    fn texts(&self, mailbox: &str) -> Vec<String> {
        let mailbox = self.store.mailbox(&name(mailbox)).unwrap();
        let uids: Vec<_> = mailbox.read().records(1..=u32::MAX).map(|record| record.uid).collect();
        uids.into_iter()
            .map(|uid| String::from_utf8(mailbox.open_message(uid).unwrap().read_all(1 << 26).unwrap()).unwrap())
            .collect()
    }

    fn staged(&self) -> usize {
        ["spool", "other"].iter().map(|partition| files(self.dir.path().join(partition).join("stage."))).sum()
    }

    fn open_to_anyone(&self, mailbox: &str) {
        let access = Access::admin("admin");
        self.store.set_acl(&access, &name(mailbox), &Identifier::anyone(), AclMode::Add, Rights::POST).unwrap();
    }
}

fn files(dir: PathBuf) -> usize {
    std::fs::read_dir(dir).map_or(0, Iterator::count)
}

fn name(text: &str) -> MailboxName {
    MailboxName::parse(text).unwrap()
}

#[tokio::test]
async fn a_message_is_stored_once_for_all() {
    let server = Server::new();
    let replies =
        server.deliver(&["joe.smith@example.com", "nobody@example.com", "sue"], "Subject: x\r\n\r\nHello").await;
    assert_eq!(replies, ["250 2.1.5", "550 5.1.1", "250 2.1.5"]);
    for mailbox in ["user/joe", "user/sue"] {
        let texts = server.texts(mailbox);
        assert_eq!(texts.len(), 1);
        assert!(
            texts[0].starts_with("Return-Path: <bob@example.org>\r\nReceived: from client.example"),
            "{}",
            texts[0]
        );
        assert!(texts[0].ends_with("Subject: x\r\n\r\nHello\r\n"));
    }
    let file = server.dir.path().join("spool/user/joe/1.");
    assert_eq!(std::fs::metadata(file).unwrap().nlink(), 2, "one file, two names");
}

#[tokio::test]
async fn folders_aliases_and_shared_mailboxes() {
    let server = Server::new();
    for folder in ["user/joe/Lists", "user/joe/Lists/rust", "user/joe/Private"] {
        server.store.create(&Access::user("joe"), &name(folder), &CreateOptions::default()).unwrap();
    }
    server.store.create(&Access::admin("admin"), &name("team"), &CreateOptions::default()).unwrap();
    server.open_to_anyone("user/joe/Lists/rust");
    let replies = server
        .deliver(
            &["joe.smith+Lists.rust@example.com", "joe+Private", "postmaster@example.com", "+team@example.com"],
            "A: 1\r\n\r\n",
        )
        .await;
    assert_eq!(replies, ["250 2.1.5", "250 2.1.5", "250 2.1.5", "550 5.7.1"]);
    let counts = ["user/joe/Lists/rust", "user/joe/Private", "user/joe", "user/admin"].map(|m| server.texts(m).len());
    assert_eq!(counts, [1, 0, 1, 1]);
    server.open_to_anyone("team");
    assert_eq!(server.deliver(&["+team@example.com"], "A: 1\r\n\r\n").await, ["250 2.1.5"]);
    assert_eq!(server.texts("team").len(), 1);
}

/// [QUO-1] [QUO-5] [QUO-6]
#[tokio::test]
async fn quotas() {
    let server = Server::new();
    let limit = |kib| {
        let limits = QuotaLimits { storage_kib: Some(kib), ..QuotaLimits::default() };
        server.store.set_quota(&name("user/joe"), Some(limits)).unwrap();
    };
    let large = format!("A: 1\r\n\r\n{}", "x\r\n".repeat(1000));
    limit(1);
    assert_eq!(server.deliver(&["joe"], &large).await, ["250 2.1.5"], "usage may overshoot once");
    assert_eq!(server.deliver(&["joe", "sue"], "A: 1\r\n\r\n").await, ["552 5.2.2", "250 2.1.5"]);
    let ignoring = "MAIL FROM:<>\r\nRCPT TO:<joe> IGNOREQUOTA\r\nDATA\r\nA: 2\r\n\r\n.\r\n";
    assert_eq!(server.talk(ignoring).await, ["250 2.1.0", "250 2.1.5", "354 End", "250 2.1.5"]);
    limit(0);
    assert_eq!(server.deliver(&["joe"], "A: 1\r\n\r\n").await, ["552 5.2.2"]);
    limit(1000);
    assert_eq!(server.deliver(&["joe"], "A: 1\r\n\r\n").await, ["250 2.1.5"]);
}

/// [QUO-5] [QUO-6] What is said to each recipient, with and without counting the message itself, for good or for now.
#[tokio::test]
async fn what_a_full_mailbox_answers() {
    let (large, small) = (format!("A: 1\r\n\r\n{}", "x\r\n".repeat(1000)), "A: 1\r\n\r\n".to_owned());
    for (strict, over_quota, full) in [
        (false, OverQuota::Permanent, "552 5.2.2"),
        (false, OverQuota::Temporary, "452 4.2.2"),
        (true, OverQuota::Permanent, "552 5.2.2"),
        (true, OverQuota::Temporary, "452 4.2.2"),
    ] {
        let server = Server::with(Settings { strict_quota: strict, over_quota, ..Settings::default() });
        let limits = QuotaLimits { storage_kib: Some(1), ..QuotaLimits::default() };
        server.store.set_quota(&name("user/joe"), Some(limits)).unwrap();
        let both = ["joe", "sue"];
        let first = if strict { full } else { "250 2.1.5" };
        let context = format!("strict: {strict}, {over_quota:?}");
        assert_eq!(server.deliver(&both, &large).await, [first, "250 2.1.5"], "begun with room: {context}");
        let second = if strict { "250 2.1.5" } else { full };
        assert_eq!(server.deliver(&both, &small).await, [second, "250 2.1.5"], "a small one then: {context}");
        // A sender who says how large the message is learns of it at RCPT only where it counts.
        let announced = "MAIL FROM:<> SIZE=5000\r\nRCPT TO:<joe>\r\n";
        assert_eq!(server.talk(announced).await, ["250 2.1.0", full], "announced: {context}");
        assert_eq!(server.texts("user/sue").len(), 2);
        assert_eq!(server.texts("user/joe").len(), 1);
    }
}

#[tokio::test]
async fn duplicates() {
    let server = Server::new();
    let message = "Message-ID: <1@example.org>\r\n\r\nx";
    for _ in 0..3 {
        assert_eq!(server.deliver(&["joe", "joe.smith@example.com"], message).await, ["250 2.1.5", "250 2.1.5"]);
    }
    assert_eq!(server.texts("user/joe").len(), 1);
    assert_eq!(server.deliver(&["joe", "sue"], message).await, ["250 2.1.5", "250 2.1.5"]);
    assert_eq!((server.texts("user/joe").len(), server.texts("user/sue").len()), (1, 1));
}

#[tokio::test]
async fn partitions_share_a_delivery() {
    let server = Server::new();
    let there = CreateOptions { partition: Some("other".to_owned()), ..CreateOptions::default() };
    server.store.create(&Access::admin("admin"), &name("archive"), &there).unwrap();
    server.open_to_anyone("archive");
    let message = format!("A: 1\r\n\r\n{}", "0123456789\r\n".repeat(50_000));
    assert_eq!(server.deliver(&["joe", "+archive@example.com", "sue"], &message).await, ["250 2.1.5"; 3]);
    assert_eq!(server.texts("user/joe"), server.texts("archive"));
    assert!(server.texts("user/sue")[0].ends_with("0123456789\r\n\r\n"));
}

#[tokio::test]
async fn large_and_broken_off_messages() {
    let server = Server::new();
    let body = "x".repeat(998) + "\r\n";
    let huge = format!("A: 1\r\n\r\n{}", body.repeat(55_000));
    assert_eq!(server.deliver(&["joe", "sue"], &huge).await, ["552 5.3.4", "552 5.3.4"]);
    let half = format!("MAIL FROM:<>\r\nRCPT TO:<joe>\r\nDATA\r\nA: 1\r\n\r\n{}", body.repeat(2_000));
    assert_eq!(server.talk(&half).await, ["250 2.1.0", "250 2.1.5", "354 End"]);
    let chunks = format!("MAIL FROM:<>\r\nRCPT TO:<joe>\r\nBDAT 1000000\r\n{}RSET\r\n", body.repeat(1_000));
    assert_eq!(server.talk(&chunks).await, ["250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0"]);
    assert!(server.texts("user/joe").is_empty());
}

#[tokio::test]
async fn hostile_messages_are_stored_as_they_are() {
    let server = Server::new();
    let nested: String =
        (0..3_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    let rows = [
        nested,
        "Content-Type: message/rfc822\r\n\r\n".repeat(20_000),
        format!("A: 1\r\n\r\n{}", "y".repeat(10 << 20)),
        format!("To: {}\r\n\r\n", "(".repeat(900_000)),
        "\r\n".to_owned(),
        "no header at all".to_owned(),
        "Subject: \u{e4}\u{f6}\r\n\r\n\u{fc}".to_owned(),
    ];
    for (n, message) in rows.iter().enumerate() {
        assert_eq!(server.deliver(&["joe"], message).await, ["250 2.1.5"], "row {n}");
        assert!(server.texts("user/joe")[n].ends_with(&format!("{message}\r\n")), "row {n}");
    }
}

/// Many clients at once, as an MTA delivers: everything arrives, each message once.
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_deliveries() {
    let server = Arc::new(Server::new());
    let clients: Vec<_> = (0..8)
        .map(|client| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let message = |n| {
                    format!(
                        "MAIL FROM:<>\r\nRCPT TO:<joe>\r\nRCPT TO:<sue>\r\nDATA\r\nSubject: {client}.{n}\r\n\r\n.\r\n"
                    )
                };
                let (conn, mut peer) = Connection::memory(1 << 20);
                let service = Arc::clone(&server.service);
                let session = tokio::spawn(async move { service.serve(conn, CancellationToken::new()).await });
                let input: String = (0..25).map(message).collect();
                peer.write_all(format!("LHLO x\r\n{input}").as_bytes()).await.unwrap();
                peer.shutdown().await.unwrap();
                let mut replies = String::new();
                peer.read_to_string(&mut replies).await.unwrap();
                session.await.unwrap();
                assert_eq!(replies.matches("delivered as").count(), 50, "{replies}");
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    for mailbox in ["user/joe", "user/sue"] {
        let subject = |text: &String| text.lines().find(|line| line.starts_with("Subject: ")).unwrap().to_owned();
        let mut subjects: Vec<_> = server.texts(mailbox).iter().map(subject).collect();
        subjects.sort();
        subjects.dedup();
        assert_eq!(subjects.len(), 200);
    }
    assert_eq!(server.staged(), 0);
}

/// A server that stops waits neither for a response nor for the delay behind a wrong password.
#[tokio::test(start_paused = true)]
async fn a_stopping_server_ends_logins() {
    let server = Server::new();
    // "joe" with a password that is not his.
    for (input, reply) in [("AUTH PLAIN\r\n", "334 \r\n"), ("AUTH PLAIN AGpvZQB3cm9uZw==\r\n", "")] {
        let (conn, mut peer) = Connection::memory(1 << 20);
        let (service, stop) = (Arc::clone(&server.service), CancellationToken::new());
        let session = tokio::spawn(service.serve(conn, stop.clone()));
        peer.write_all(format!("LHLO client.example\r\n{input}").as_bytes()).await.unwrap();
        // The clock stands still while the password is looked at. The delay is three of these.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let asked = Instant::now();
        stop.cancel();
        let mut replies = String::new();
        peer.read_to_string(&mut replies).await.unwrap();
        session.await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(1), "{input}: {:?}", asked.elapsed());
        let expected = format!("250 IGNOREQUOTA\r\n{reply}421 4.3.2 Server is stopping\r\n");
        assert!(replies.ends_with(&expected), "{input}: {replies}");
    }
}
