//! What a client is told when the disk fails at any step of a delivery, and what is left when the power does: `250` means
//! that the message is there, `4xx` that sending it again does no harm.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::sync::Arc;

use directory::{Address, Directory, DomainName, Embedded, HashCost, NewUser, Secret, UserId};
use durable::disk::{Disk, Fault, FaultyDisk, RealDisk};
use lmtpd::{Lmtp, Settings};
use mailstore::{Layout, MailboxName, Store, StoreOptions};
use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use wire::Connection;

const USERS: [&str; 2] = ["joe", "sue"];

fn open_store(dir: &Path, disk: Arc<dyn Disk>, boot: u8) -> Arc<Store> {
    let layout = Layout::new(dir.join("config"), dir.join("spool"));
    let options = StoreOptions { create: true, boot_id: Some([boot; 16]), ..StoreOptions::new(layout) };
    Store::open(options, disk).unwrap().0
}

fn directory_with_users(dir: &Path, store: &Store) -> Arc<dyn Directory> {
    let primary_domain = DomainName::parse("example.com").unwrap();
    let scram = directory::ScramCost::default();
    let settings = directory::Settings {
        primary_domain,
        hash_cost: HashCost { memory_kib: 64, passes: 1 },
        scram,
        admins: Vec::new(),
    };
    let directory = Embedded::open(&dir.join("directory"), Arc::new(RealDisk), true, &settings).unwrap().0;
    for uid in USERS {
        let mail = Address::parse(&format!("{uid}@example.com")).unwrap();
        let uid = UserId::parse(uid).unwrap();
        let user = NewUser { uid, mail, given_name: "Given".to_owned(), surname: "Sur".to_owned(), admin: false };
        let user = directory.create_user(&user, &Secret::new("secret")).unwrap();
        store.create_user(user.uid.as_str(), None).unwrap();
        directory.activate_user(&user.uid).unwrap();
    }
    Arc::new(directory)
}

fn message(subject: &str) -> String {
    // More than is kept in memory, so that the stage file is written in steps.
    format!("Subject: {subject}\r\n\r\n{}", "0123456789abcdef\r\n".repeat(30_000))
}

/// The final replies for both users: at RCPT if it was refused there.
async fn deliver(store: &Arc<Store>, directory: &Arc<dyn Directory>, subject: &str) -> Vec<u16> {
    let lmtp = Arc::new(Lmtp::new(Settings::default(), Arc::clone(store), Arc::clone(directory), None));
    let (conn, mut peer) = Connection::memory(1 << 20);
    let session = tokio::spawn(lmtp.serve(conn, CancellationToken::new()));
    let input =
        format!("LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe>\r\nRCPT TO:<sue>\r\nDATA\r\n{}.\r\n", message(subject));
    peer.write_all(input.as_bytes()).await.unwrap();
    peer.shutdown().await.unwrap();
    let mut replies = String::new();
    peer.read_to_string(&mut replies).await.unwrap();
    session.await.unwrap();
    let replies = replies.split_once("250 IGNOREQUOTA\r\n").unwrap().1;
    replies.lines().skip(4).map(|line| line[..3].parse().unwrap()).collect()
}

/// How many whole messages of that subject a user has; a message that is there and not whole is a failure.
fn copies(store: &Store, user: &str, subject: &str) -> usize {
    let mailbox = store.mailbox(&MailboxName::inbox(user).unwrap()).unwrap();
    let uids: Vec<_> = mailbox.read().records(1..=u32::MAX).map(|record| record.uid).collect();
    let texts = uids.into_iter().map(|uid| mailbox.open_message(uid).unwrap().read_all(1 << 24).unwrap());
    let texts: Vec<_> = texts.map(|text| String::from_utf8(text).unwrap()).collect();
    assert!(texts.iter().all(|text| text.ends_with("0123456789abcdef\r\n")), "half a message");
    texts.iter().filter(|text| text.ends_with(&message(subject))).count()
}

/// How many changes to the disk a delivery makes.
async fn steps() -> u64 {
    let dir = tempfile::tempdir().unwrap();
    let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
    let store = open_store(dir.path(), Arc::clone(&disk) as _, 1);
    let directory = directory_with_users(dir.path(), &store);
    let before = disk.changes();
    assert_eq!(deliver(&store, &directory, "first").await, [250, 250]);
    disk.changes() - before
}

#[tokio::test]
async fn errors_at_every_step() {
    let steps = steps().await;
    assert!(steps > 5, "{steps}");
    for (errno, lasting) in [(Errno::NOSPC, false), (Errno::NOSPC, true), (Errno::IO, false)] {
        for step in 1..=steps {
            let dir = tempfile::tempdir().unwrap();
            let disk = Arc::new(FaultyDisk::new(Arc::new(RealDisk)));
            let store = open_store(dir.path(), Arc::clone(&disk) as _, 1);
            let directory = directory_with_users(dir.path(), &store);
            disk.set_fault(Some(Fault::Fail { at: disk.changes() + step, errno, lasting }));
            let replies = deliver(&store, &directory, "first").await;
            disk.set_fault(None);
            for (user, reply) in USERS.iter().zip(&replies) {
                let found = copies(&store, user, "first");
                let expected = match reply {
                    250 => 1,
                    450..=459 => 0,
                    other => panic!("{other} at step {step}"),
                };
                assert_eq!(found, expected, "{errno:?} at step {step}: {user} was told {reply}");
            }
            assert_eq!(deliver(&store, &directory, "second").await, [250, 250], "{errno:?} at step {step}");
        }
    }
}

#[tokio::test]
async fn power_cuts_at_every_step() {
    let steps = steps().await;
    for step in 1..=steps + 1 {
        let dir = tempfile::tempdir().unwrap();
        let graveyard = dir.path().join("graveyard");
        std::fs::create_dir(&graveyard).unwrap();
        let disk = Arc::new(FaultyDisk::with_power_cuts(Arc::new(RealDisk), &graveyard).unwrap());
        let store = open_store(dir.path(), Arc::clone(&disk) as _, 1);
        let directory = directory_with_users(dir.path(), &store);
        assert_eq!(deliver(&store, &directory, "before").await, [250, 250]);
        disk.set_fault(Some(Fault::Crash { at: disk.changes() + step, torn: 100 }));
        let replies = deliver(&store, &directory, "first").await;
        disk.crash();
        drop(store);
        disk.lose_unsynced(step).unwrap();

        let store = open_store(dir.path(), Arc::new(RealDisk), 2);
        for (user, reply) in USERS.iter().zip(&replies) {
            assert_eq!(copies(&store, user, "before"), 1, "step {step}: {user} lost an old message");
            let found = copies(&store, user, "first");
            assert!(
                found == 1 || (found == 0 && *reply != 250),
                "step {step}: {user} was told {reply}, and has {found}"
            );
        }
        assert_eq!(deliver(&store, &directory, "after").await, [250, 250], "step {step}");
    }
}
