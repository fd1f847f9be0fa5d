//! Commands on messages: order, slow readers, large messages, connections that break, input that is an attack.

use crate::harness::Server;

/// RFC 9051, 5.5: commands that come together have the effect of commands that come one by one.
#[tokio::test]
async fn store_and_expunge_keep_their_order() {
    let server = Server::new();
    let mut joe = server.select("joe", "INBOX").await;
    joe.append("INBOX", 3).await;
    joe.ok("NOOP").await;
    joe.send(
        "a STORE 1 +FLAGS.SILENT (\\Deleted)\r\nb EXPUNGE\r\nc STORE 1 +FLAGS.SILENT (\\Deleted)\r\nd EXPUNGE\r\ne UID SEARCH ALL\r\n",
    )
    .await;
    assert_eq!(joe.answer("a").await.untagged, [""; 0]);
    assert_eq!(joe.answer("b").await.untagged, ["* 1 EXPUNGE"]);
    assert_eq!(joe.answer("c").await.untagged, [""; 0]);
    assert_eq!(joe.answer("d").await.untagged, ["* 1 EXPUNGE"]);
    assert_eq!(joe.answer("e").await.untagged, ["* SEARCH 3"]);
}

/// A client that does not take its replies holds nobody up: no lock is held while one waits for it.
#[tokio::test]
async fn a_slow_reader_is_alone_with_it() {
    let server = Server::new();
    let mut slow = server.select("joe", "INBOX").await;
    for _ in 0..20 {
        slow.append("INBOX", 50).await;
    }
    slow.ok("NOOP").await;
    // Some hundred kilobytes, which the pipe does not hold; nothing of it is read yet.
    slow.send("a FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\n").await;
    let mut quick = server.select("joe", "INBOX").await;
    quick.ok("STORE 1:1000 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(quick.ok("EXPUNGE").await.untagged.len(), 1000);
    let answer = slow.answer("a").await;
    assert!(answer.with("EXPUNGE").is_empty());
    // What was not made yet when the messages went is left out, and the client is told why.
    let told = answer.with(" FETCH (").len();
    assert!(told >= 32, "{told}");
    assert_eq!(answer.tagged.starts_with("NO [EXPUNGEISSUED]"), told < 1000, "{}", answer.tagged);
    assert_eq!(slow.ok("NOOP").await.with("EXPUNGE").len(), 1000);
}

#[tokio::test]
async fn large_messages_go_through_the_disk() {
    let server = Server::new();
    let mut joe = server.select("joe", "INBOX").await;
    // Larger than what the stage keeps in memory, and than the pipe.
    let body = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ab\r\n".repeat(20_000);
    let message = format!("Subject: large\r\n\r\n{body}");
    joe.ok(&format!("APPEND INBOX {{{}+}}\r\n{message}", message.len())).await;
    assert_eq!(
        joe.ok("FETCH 1 RFC822.SIZE").await.with("FETCH"),
        [format!("* 1 FETCH (RFC822.SIZE {})", message.len())]
    );
    let answer = joe.ok("FETCH 1 BODY.PEEK[TEXT]").await;
    let lines = answer.untagged.iter().filter(|line| line.starts_with("0123456789abcdef")).count();
    assert_eq!(lines, 20_000);
    let tail = joe.ok(&format!("FETCH 1 BODY.PEEK[]<{}.100>", message.len() - 4)).await;
    assert_eq!(tail.with("BODY[]"), [format!("* 1 FETCH (BODY[]<{}> {{4}}", message.len() - 4)]);
}

/// A connection that breaks inside a message leaves nothing of it.
#[tokio::test]
async fn half_an_append_is_none() {
    let server = Server::new();
    let mut joe = server.select("joe", "INBOX").await;
    for sent in [0, 1, 1000, 400_000] {
        let mut other = server.login("joe").await;
        other.send(format!("a APPEND INBOX {{1000000+}}\r\n{}", "x".repeat(sent))).await;
    }
    joe.append("INBOX", 1).await;
    assert_eq!(joe.ok("SEARCH ALL").await.untagged, ["* SEARCH 1"]);
}

/// Each of these must be refused, and the session must go on as if nothing had been said.
#[tokio::test]
async fn hostile_commands_are_refused() {
    let server = Server::new();
    let mut joe = server.select("joe", "INBOX").await;
    joe.append("INBOX", 2).await;
    let many = |head: &str, text: &str, times: usize| format!("{head}{}", text.repeat(times));
    let refused = [
        many("FETCH 1 ", "(", 60_000),
        many("SEARCH ", "(", 60_000),
        many("SEARCH ", "NOT ", 15_000),
        many("SEARCH ", "OR ", 20_000),
        many("FETCH 1 BODY.PEEK[1", ".1", 30_000),
        many("STORE 1 +FLAGS (k", " k", 30_000),
        "FETCH 1:1:1 UID".into(),
        "FETCH 4294967296 UID".into(),
        "FETCH *:0 UID".into(),
        "FETCH 1 BODY[4294967296]".into(),
        "FETCH 1 BODY[]<0.18446744073709551616>".into(),
        "SEARCH BEFORE 31-Feb-2026".into(),
        "STORE 1 +FLAGS ({1+}\r\nk)".into(),
        "UID FETCH 1 (FLAGS".into(),
    ];
    for command in &refused {
        let reply = joe.bad(command).await;
        assert!(reply.len() < 200, "{reply}");
        joe.ok("NOOP").await;
    }
    // Large, but nothing is wrong with them.
    joe.ok(&format!("{} UID", many("FETCH 1", ",1:*", 15_000))).await;
    joe.ok(&format!("{})", many("FETCH 1 (FLAGS", " BODY.PEEK[]", 900))).await;
    joe.ok("FETCH 1 BODY.PEEK[]<4294967295.4294967295>").await;
    joe.ok(&format!("SEARCH {}ALL", "NOT ".repeat(10_000))).await;
}

/// Keywords: as many as the format holds, then LIMIT; those that exist go on working.
#[tokio::test]
async fn keywords_have_a_limit() {
    let server = Server::new();
    let mut joe = server.select("joe", "INBOX").await;
    joe.append("INBOX", 1).await;
    for batch in 0..8 {
        let names: Vec<String> = (0..16).map(|n| format!("k{}", batch * 16 + n)).collect();
        joe.ok(&format!("STORE 1 +FLAGS.SILENT ({})", names.join(" "))).await;
    }
    assert!(joe.no("STORE 1 +FLAGS (one-too-many)").await.starts_with("NO [LIMIT]"));
    joe.ok("STORE 1 -FLAGS (K0)").await;
    let answer = joe.ok("FETCH 1 FLAGS").await;
    let flags = answer.with("FETCH")[0];
    assert!(flags.contains(" k127") && !flags.contains("k0 ") && !flags.contains("one-too-many"), "{flags}");
}

/// What is refused is refused before its octets are asked for.
#[tokio::test]
async fn literals_that_nobody_wants_are_not_read() {
    let server = Server::new();
    let mut joe = server.select("joe", "INBOX").await;
    let refused = [
        ("APPEND INBOX (\\Nonsense) {100000000}", "BAD "),
        ("APPEND INBOX {100000000}", "NO [TOOBIG] "),
        ("APPEND nosuch {1000}", "NO [TRYCREATE] "),
        ("APPEND &AC8- {1000}", "NO [CANNOT] "),
        ("SELECT {100000000}", "BAD [TOOBIG] "),
    ];
    for (command, expected) in refused {
        let answer = joe.command(command).await;
        assert!(answer.tagged.starts_with(expected), "{command}: {answer:?}");
        assert_eq!(answer.untagged, [""; 0], "{command}");
    }
    // A literal8 is no argument.
    let answer = joe.command("STATUS ~{5+}\r\nINBOX (MESSAGES)").await;
    assert!(answer.tagged.starts_with("BAD "), "{answer:?}");
    joe.ok("STATUS {5+}\r\nINBOX (MESSAGES)").await;
}
