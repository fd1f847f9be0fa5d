//! Whole sessions against the store in memory.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fake::FakeDeposit;
use super::*;
use crate::settings::BareLineEnds;

type Service = Arc<Shared<FakeDeposit>>;

fn service() -> Service {
    with(Settings::default())
}

fn with(settings: Settings) -> Service {
    Arc::new(Shared::new(settings, FakeDeposit::example(), None, None))
}

/// Sends all of `input` in pieces of `step` octets, and gives the replies until the server closes. The client closes its
/// sending side when it has sent all.
async fn talk_in_steps(service: &Service, input: &[u8], step: usize) -> String {
    let (conn, peer) = Connection::memory(64 * 1024);
    let session = tokio::spawn(serve(Arc::clone(service), conn, CancellationToken::new()));
    let (mut read, mut write) = tokio::io::split(peer);
    let input = input.to_vec();
    let writer = tokio::spawn(async move {
        for piece in input.chunks(step) {
            if write.write_all(piece).await.is_err() {
                return;
            }
        }
        let _ = write.shutdown().await;
    });
    let mut replies = String::new();
    read.read_to_string(&mut replies).await.unwrap();
    session.await.unwrap();
    writer.await.unwrap();
    replies
}

/// The replies without the greeting, each shortened to its code and status.
fn codes(replies: &str) -> Vec<String> {
    let code = |line: &str| {
        let mut words = line.split(' ');
        let (code, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is_status = status.split('.').count() == 3 && status.split('.').all(|part| part.parse::<u32>().is_ok());
        if is_status { format!("{code} {status}") } else { code.to_owned() }
    };
    let mut lines = replies.split_terminator("\r\n");
    assert!(lines.next().unwrap().starts_with("220 "), "{replies}");
    lines.filter(|line| line.as_bytes().get(3) != Some(&b'-')).map(code).collect()
}

/// Checks the replies behind the greeting and LHLO's.
async fn check(service: &Service, input: &str, expected: &[&str]) {
    let replies = talk_in_steps(service, format!("LHLO mx.example.org\r\n{input}").as_bytes(), 1 << 20).await;
    let codes = codes(&replies);
    assert_eq!(codes[0], "250", "{replies}");
    assert_eq!(codes[1..], *expected, "{input}\n{replies}");
    assert_eq!(service.deposit.staged.load(Ordering::SeqCst), stored(service), "stage files are left");
}

/// Files that mailboxes of the fake store hold.
fn stored(service: &Service) -> usize {
    let mailboxes = service.deposit.mailboxes.lock();
    let mut files: Vec<_> = mailboxes.values().flat_map(|mailbox| mailbox.messages.iter().map(Arc::as_ptr)).collect();
    files.sort_unstable();
    files.dedup();
    files.len()
}

const MESSAGE: &str = "Subject: x\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n";

fn data(to: &[&str], message: &str) -> String {
    let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
    format!("MAIL FROM:<bob@example.org>\r\n{rcpt}DATA\r\n{message}.\r\n")
}

#[tokio::test]
async fn one_message_for_many() {
    let service = service();
    let input = data(&["joe@example.com", "nobody@example.com", "sue@example.com", "joe+Lists@example.com"], MESSAGE);
    let expected =
        ["250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "250 2.1.5", "354", "250 2.1.5", "250 2.1.5", "250 2.1.5"];
    check(&service, &input, &expected).await;
    assert_eq!(service.deposit.finished.load(Ordering::SeqCst), 1, "one file for all");
    for mailbox in ["user/joe", "user/sue", "user/joe/Lists"] {
        let messages = service.deposit.messages(mailbox);
        assert_eq!(messages.len(), 1);
        assert!(messages[0].starts_with(
            "Return-Path: <bob@example.org>\r\nReceived: from mx.example.org\r\n\tby localhost (Angarium) with LMTP id "
        ));
        assert!(messages[0].ends_with(MESSAGE));
        assert!(!messages[0].contains("for <"), "recipients do not learn of one another");
    }
}

#[tokio::test]
async fn greeting_names_what_is_offered() {
    let service = service();
    let replies = talk_in_steps(&service, b"LHLO mx\r\nQUIT\r\n", 100).await;
    assert_eq!(
        replies,
        "220 localhost LMTP Angarium ready\r\n250-localhost\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n\
         250-CHUNKING\r\n250-SMTPUTF8\r\n250-SIZE 52428800\r\n250 IGNOREQUOTA\r\n221 2.0.0 Bye\r\n"
    );
}

#[tokio::test]
async fn states_and_syntax() {
    let rows: [(&str, &[&str]); 22] = [
        ("HELO x\r\nEHLO x\r\n", &["500 5.5.1", "500 5.5.1"]),
        ("RCPT TO:<joe>\r\nDATA\r\n", &["503 5.5.1", "503 5.5.1"]),
        ("MAIL FROM:<>\r\nMAIL FROM:<>\r\n", &["250 2.1.0", "503 5.5.1"]),
        ("MAIL FROM:<>\r\nDATA\r\nRSET\r\nMAIL FROM:<>\r\n", &["250 2.1.0", "503 5.5.1", "250 2.0.0", "250 2.1.0"]),
        ("MAIL FROM:<>\r\nRCPT TO:<nobody>\r\nDATA\r\n", &["250 2.1.0", "550 5.1.1", "503 5.5.1"]),
        ("MAIL FROM:<>\r\nRCPT TO:<joe>\r\nLHLO again\r\nDATA\r\n", &["250 2.1.0", "250 2.1.5", "250", "503 5.5.1"]),
        ("MAIL FROM:<>\r\nRCPT TO:<joe>\r\nDATA now\r\n", &["250 2.1.0", "250 2.1.5", "501 5.5.4"]),
        ("NOOP\r\nNOOP x\r\nVRFY joe\r\nHELP\r\n", &["250 2.0.0", "250 2.0.0", "252 2.5.0", "214 2.0.0"]),
        ("STARTTLS\r\nAUTH PLAIN =\r\n", &["502 5.5.1", "502 5.5.1"]),
        ("FOO\r\n\r\n", &["500 5.5.1", "500 5.5.1"]),
        ("NOOP\n\r\nNOOP\r\n", &["500 5.5.2", "500 5.5.1", "250 2.0.0"]),
        ("NO\0OP\r\nNOOP\r\n", &["500 5.5.2", "250 2.0.0"]),
        ("MAIL FROM:bob\r\n", &["501 5.1.7"]),
        ("MAIL TO:<bob>\r\n", &["501 5.5.4"]),
        ("MAIL FROM:<> SIZE=99999999999\r\n", &["552 5.3.4"]),
        ("MAIL FROM:<> RET=FULL\r\n", &["555 5.5.4"]),
        ("MAIL FROM:<> SIZE=x\r\n", &["501 5.5.4"]),
        ("MAIL FROM:<jürgen@example.org>\r\n", &["553 5.6.7"]),
        ("MAIL FROM:<jürgen@example.org> SMTPUTF8\r\nRCPT TO:<jürgen@bücher.example>\r\n", &["250 2.1.0", "250 2.1.5"]),
        ("MAIL FROM:<>\r\nRCPT TO:<jürgen@bücher.example>\r\n", &["250 2.1.0", "553 5.6.7"]),
        (
            "MAIL FROM:<>\r\nRCPT TO:<\"\"@x>\r\nRCPT TO:<@a,@b:joe@example.com>\r\n",
            &["250 2.1.0", "550 5.1.1", "250 2.1.5"],
        ),
        ("QUIT\r\nNOOP\r\n", &["221 2.0.0"]),
    ];
    for (input, expected) in rows {
        check(&service(), input, expected).await;
    }
    let latin1 = talk_in_steps(&service(), b"LHLO x\r\nMAIL FROM:<j\xfcrgen@example.org>\r\n", 100).await;
    assert_eq!(codes(&latin1), ["250", "500 5.5.2"]);
    let early = talk_in_steps(&service(), b"MAIL FROM:<>\r\nLHLO a b\r\n", 100).await;
    assert_eq!(codes(&early), ["503 5.5.1", "501 5.5.4"]);
}

#[tokio::test]
async fn recipients_are_checked_before_the_message() {
    let rows = [
        ("off@example.com", "550 5.2.1"),
        ("later@example.com", "451 4.4.3"),
        ("new@example.com", "451 4.2.1"),
        ("full@example.com", "552 5.2.2"),
        ("+readable@example.com", "550 5.7.1"),
        ("+hidden@example.com", "550 5.1.1"),
        ("+team/open@example.com", "250 2.1.5"),
    ];
    for (to, expected) in rows {
        check(&service(), &format!("MAIL FROM:<>\r\nRCPT TO:<{to}>\r\n"), &["250 2.1.0", expected]).await;
    }
    check(&service(), "MAIL FROM:<>\r\nRCPT TO:<full> IGNOREQUOTA\r\n", &["250 2.1.0", "250 2.1.5"]).await;
    let temporary = with(Settings { over_quota: crate::OverQuota::Temporary, ..Settings::default() });
    check(&temporary, "MAIL FROM:<>\r\nRCPT TO:<full>\r\n", &["250 2.1.0", "452 4.2.2"]).await;
}

#[tokio::test]
async fn submitter_opens_own_folders() {
    let service = service();
    let body = "RCPT TO:<joe+Private@example.com>\r\nDATA\r\n\r\nx\r\n.\r\n";
    let ok = ["250 2.1.0", "250 2.1.5", "354", "250 2.1.5"];
    check(&service, &format!("MAIL FROM:<> AUTH=joe+40example.com\r\n{body}"), &ok).await;
    assert_eq!(service.deposit.messages("user/joe/Private").len(), 1);
    check(&service, &format!("MAIL FROM:<> AUTH=<>\r\n{body}"), &ok).await;
    check(&service, &format!("MAIL FROM:<> AUTH=stranger\r\n{body}"), &ok).await;
    assert_eq!(service.deposit.messages("user/joe").len(), 2);
}

#[tokio::test]
async fn each_recipient_gets_its_own_reply() {
    let service = service();
    let input =
        data(&["filling@example.com", "joe@example.com", "broken@example.com", "joe+Fleeting@example.com"], MESSAGE);
    let expected = [
        "250 2.1.0",
        "250 2.1.5",
        "250 2.1.5",
        "250 2.1.5",
        "250 2.1.5",
        "354",
        "552 5.2.2",
        "250 2.1.5",
        "451 4.2.0",
        "250 2.1.5",
    ];
    check(&service, &input, &expected).await;
    assert_eq!(service.deposit.messages("user/joe").len(), 2, "the vanished folder's copy went to the INBOX");
}

#[tokio::test]
async fn aliases_get_one_reply() {
    let service = service();
    let input = data(&["staff@example.com", "mixed@example.com", "worse@example.com"], MESSAGE);
    let expected = ["250 2.1.0", "250 2.1.5", "250 2.1.5", "250 2.1.5", "354", "250 2.1.5", "250 2.1.5", "451 4.2.0"];
    check(&service, &input, &expected).await;
    assert_eq!(service.deposit.messages("user/joe").len(), 1);
    assert_eq!(service.deposit.messages("user/sue").len(), 1);
    check(&service, &input, &expected).await;
    assert_eq!(service.deposit.messages("user/joe").len(), 1, "who has it does not get it again");
}

#[tokio::test]
async fn one_mailbox_gets_one_copy() {
    let service = service();
    let both = data(&["joe@example.com", "joseph@example.com"], "\r\nno Message-ID\r\n");
    check(&service, &both, &["250 2.1.0", "250 2.1.5", "250 2.1.5", "354", "250 2.1.5", "250 2.1.5"]).await;
    assert_eq!(service.deposit.messages("user/joe").len(), 1);
}

#[tokio::test]
async fn duplicates_are_answered_and_not_stored() {
    let ok = ["250 2.1.0", "250 2.1.5", "354", "250 2.1.5"];
    let service = service();
    check(&service, &data(&["joe@example.com"], MESSAGE), &ok).await;
    check(&service, &data(&["joe@example.com"], MESSAGE), &ok).await;
    assert_eq!(service.deposit.messages("user/joe").len(), 1);
    check(&service, &data(&["sue@example.com"], MESSAGE), &ok).await;
    assert_eq!(service.deposit.messages("user/sue").len(), 1);
    let failed = ["250 2.1.0", "250 2.1.5", "354", "552 5.2.2"];
    check(&service, &data(&["filling@example.com"], MESSAGE), &failed).await;
    assert_eq!(service.deposit.seen.lock().len(), 2, "what failed is not remembered");
    let keeps = with(Settings { suppress_duplicates: false, ..Settings::default() });
    for _ in 0..2 {
        check(&keeps, &data(&["joe@example.com"], MESSAGE), &ok).await;
    }
    assert_eq!(keeps.deposit.messages("user/joe").len(), 2);
}

/// A client that gives up and comes back while the first copy is still on its way.
#[tokio::test(flavor = "multi_thread")]
async fn simultaneous_duplicates_are_stored_once() {
    let service = service();
    let input = format!("LHLO x\r\n{}", data(&["joe@example.com", "sue@example.com"], MESSAGE));
    let sessions: Vec<_> = (0..8)
        .map(|_| {
            let (service, input) = (Arc::clone(&service), input.clone());
            tokio::spawn(async move { talk_in_steps(&service, input.as_bytes(), 1000).await })
        })
        .collect();
    for session in sessions {
        assert!(session.await.unwrap().ends_with("\r\n"));
    }
    assert_eq!(service.deposit.messages("user/joe").len(), 1);
    assert_eq!(service.deposit.messages("user/sue").len(), 1);
}

#[tokio::test]
async fn dots_are_unstuffed() {
    let service = service();
    let stuffed = "\r\n..\r\n..x\r\n.y\r\n";
    check(&service, &data(&["joe"], stuffed), &["250 2.1.0", "250 2.1.5", "354", "250 2.1.5"]).await;
    assert!(service.deposit.messages("user/joe")[0].ends_with("\r\n\r\n.\r\n.x\r\ny\r\n"));
}

#[tokio::test]
async fn smuggling_is_refused_and_never_executed() {
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n"] {
        let smuggled = format!("Subject: x\r\n\r\ny{end}MAIL FROM:<evil>\r\nRCPT TO:<sue>\r\nDATA\r\nevil\r\n");
        let refusing = service();
        check(&refusing, &data(&["joe"], &smuggled), &["250 2.1.0", "250 2.1.5", "354", "554 5.6.0"]).await;
        let repairing = with(Settings { bare_line_ends: BareLineEnds::Repair, ..Settings::default() });
        check(&repairing, &data(&["joe"], &smuggled), &["250 2.1.0", "250 2.1.5", "354", "250 2.1.5"]).await;
        let stored = repairing.deposit.messages("user/joe").remove(0);
        assert!(stored.contains("MAIL FROM:<evil>"), "{stored:?}");
        assert!(repairing.deposit.messages("user/sue").is_empty());
    }
}

#[tokio::test]
async fn refused_messages_are_read_to_their_end() {
    let service = with(Settings { message_size: 10_000, ..Settings::default() });
    let large = format!("\r\n{}", "x".repeat(70) + "\r\n").repeat(200);
    let both = format!("{}NOOP\r\n", data(&["joe", "sue"], &large));
    check(&service, &both, &["250 2.1.0", "250 2.1.5", "250 2.1.5", "354", "552 5.3.4", "552 5.3.4", "250 2.0.0"])
        .await;
    check(&service, &data(&["joe"], "A: \0\r\n\r\n"), &["250 2.1.0", "250 2.1.5", "354", "554 5.6.0"]).await;
    service.deposit.disk_full.store(true, Ordering::SeqCst);
    check(&service, &data(&["joe"], MESSAGE), &["250 2.1.0", "250 2.1.5", "354", "451 4.2.0"]).await;
}

#[tokio::test]
async fn chunks() {
    let service = service();
    let rows: [(&str, &[&str]); 8] = [
        ("BDAT 4\r\n\r\nx\r", &["250 2.0.0"]),
        ("BDAT 3\r\n\r\nxBDAT 2\r\nyzBDAT 0 LAST\r\n", &["250 2.0.0", "250 2.0.0", "250 2.1.5", "250 2.1.5"]),
        ("BDAT 6 LAST\r\n\r\n.\r\n.NOOP\r\n", &["250 2.1.5", "250 2.1.5", "250 2.0.0"]),
        ("BDAT 0 LAST\r\n", &["250 2.1.5", "250 2.1.5"]),
        ("BDAT 3\r\n\r\nxDATA\r\nRSET\r\nNOOP\r\n", &["250 2.0.0", "503 5.5.1", "250 2.0.0", "250 2.0.0"]),
        ("BDAT 2\r\n\r\nMAIL FROM:<>\r\nRCPT TO:<joe>\r\n", &["250 2.0.0", "503 5.5.1", "503 5.5.1"]),
        ("BDAT 3\r\nx\0yBDAT 1 LAST\r\nz", &["554 5.6.0", "554 5.6.0", "554 5.6.0"]),
        ("BDAT x LAST\r\nNOOP\r\n", &["501 5.5.4"]),
    ];
    for (input, expected) in rows {
        let head = "MAIL FROM:<>\r\nRCPT TO:<joe>\r\nRCPT TO:<sue>\r\n";
        let expected: Vec<_> = ["250 2.1.0", "250 2.1.5", "250 2.1.5"].iter().chain(expected).copied().collect();
        check(&service, &format!("{head}{input}"), &expected).await;
    }
    assert!(service.deposit.messages("user/joe")[0].ends_with("\r\n\r\nxyz"));
    assert!(service.deposit.messages("user/joe")[1].ends_with("\r\n\r\n.\r\n."));
    check(&service, "BDAT 4\r\nQUITNOOP\r\n", &["503 5.5.1", "250 2.0.0"]).await;
    check(
        &service,
        "MAIL FROM:<>\r\nRCPT TO:<nobody>\r\nBDAT 4 LAST\r\nQUITNOOP\r\n",
        &["250 2.1.0", "550 5.1.1", "503 5.5.1", "250 2.0.0"],
    )
    .await;
}

/// Refused for good, and said to each recipient where the chunk is the last: after 421 the message would come for days.
#[tokio::test]
async fn chunks_too_large_to_discard_are_refused_for_good() {
    let service = service();
    let head = "MAIL FROM:<>\r\nRCPT TO:<joe>\r\nRCPT TO:<sue>\r\n";
    let rows: [(&str, &[&str]); 4] = [
        ("BDAT 4294967296\r\nNOOP\r\n", &["552 5.3.4"]),
        ("BDAT 4294967296 LAST\r\nNOOP\r\n", &["552 5.3.4", "552 5.3.4"]),
        ("BDAT 3\r\n\r\nxBDAT 4294967296 LAST\r\nNOOP\r\n", &["250 2.0.0", "552 5.3.4", "552 5.3.4"]),
        ("BDAT 3\r\nx\0yBDAT 4294967296\r\nNOOP\r\n", &["554 5.6.0", "554 5.6.0"]),
    ];
    for (input, expected) in rows {
        let expected: Vec<_> = ["250 2.1.0", "250 2.1.5", "250 2.1.5"].iter().chain(expected).copied().collect();
        check(&service, &format!("{head}{input}"), &expected).await;
    }
    check(&service, "BDAT 4294967296 LAST\r\nNOOP\r\n", &["552 5.3.4"]).await;
    let service = with(Settings { message_size: u64::MAX, ..Settings::default() });
    check(&service, "BDAT 4294967296 LAST\r\nNOOP\r\n", &["503 5.5.1"]).await;
}

#[tokio::test]
async fn chunks_over_the_limit_are_discarded() {
    let service = with(Settings { message_size: 10, ..Settings::default() });
    let input =
        format!("MAIL FROM:<>\r\nRCPT TO:<joe>\r\nBDAT 20\r\n{0}BDAT 20 LAST\r\n{0}NOOP\r\n", "QUIT\r\n--------------");
    check(&service, &input, &["250 2.1.0", "250 2.1.5", "552 5.3.4", "552 5.3.4", "250 2.0.0"]).await;
}

#[tokio::test]
async fn limits_end_in_421_or_452() {
    let recipients = "RCPT TO:<joe>\r\n".repeat(limits::RECIPIENTS + 2);
    let mut expected = vec!["250 2.1.0"];
    expected.extend(std::iter::repeat_n("250 2.1.5", limits::RECIPIENTS));
    expected.extend(["452 4.5.3", "452 4.5.3"]);
    check(&service(), &format!("MAIL FROM:<>\r\n{recipients}"), &expected).await;

    let errors = limits::ERRORS as usize;
    let mut expected = vec!["500 5.5.1"; errors];
    expected.push("421 4.7.0");
    check(&service(), &"FOO\r\n".repeat(errors + 5), &expected).await;

    // LHLO counts as the first command.
    let commands = limits::COMMANDS_WITHOUT_MESSAGE as usize;
    let mut expected = vec!["250 2.0.0"; commands - 1];
    expected.push("421 4.7.0");
    check(&service(), &"NOOP\r\n".repeat(commands + 5), &expected).await;

    let long = format!("NOOP {}\r\nNOOP\r\n", "x".repeat(1 << 20));
    check(&service(), &long, &["500 5.5.2", "250 2.0.0"]).await;
}

#[tokio::test]
async fn many_refused_recipients_end_the_session() {
    let attempts = limits::RECIPIENT_ATTEMPTS as usize;
    let input = format!("LHLO x\r\nMAIL FROM:<>\r\n{}", "RCPT TO:<nobody>\r\n".repeat(attempts + 10));
    let replies = talk_in_steps(&service(), input.as_bytes(), 60_000).await;
    let codes = codes(&replies);
    assert_eq!(codes.len(), 2 + attempts + 1);
    assert_eq!(codes.last().unwrap(), "421 4.7.0");
}

/// A whole session, cut at every octet: nothing is left, and each cut behind the message's end has stored it.
#[tokio::test]
async fn disconnects_anywhere_leave_nothing() {
    let session = format!(
        "LHLO x\r\n{}MAIL FROM:<>\r\nRCPT TO:<sue>\r\nBDAT 3\r\n\r\nxBDAT 1 LAST\r\ny",
        data(&["joe"], MESSAGE)
    );
    let end_of_data = session.find("\r\n.\r\n").unwrap() + 5;
    for cut in 0..=session.len() {
        let service = service();
        talk_in_steps(&service, &session.as_bytes()[..cut], 1 << 20).await;
        let stored = stored(&service);
        assert_eq!(stored, usize::from(cut >= end_of_data) + usize::from(cut == session.len()), "cut at {cut}");
        assert_eq!(service.deposit.staged.load(Ordering::SeqCst), stored, "cut at {cut}");
    }
}

#[tokio::test]
async fn pieces_do_not_matter() {
    let session = format!("LHLO x\r\n{}NOOP\r\nQUIT\r\n", data(&["joe", "sue"], &format!("{MESSAGE}..\r\n")));
    let whole = codes(&talk_in_steps(&service(), session.as_bytes(), 1 << 20).await);
    for step in 1..20 {
        assert_eq!(codes(&talk_in_steps(&service(), session.as_bytes(), step).await), whole, "steps of {step}");
    }
}

/// Large messages pass through the blocking writer.
#[tokio::test]
async fn large_messages_arrive_whole() {
    let service = service();
    let body = format!("A: 1\r\n\r\n{}", "0123456789abcdef.\r\n".repeat(100_000));
    check(&service, &data(&["joe"], &body), &["250 2.1.0", "250 2.1.5", "354", "250 2.1.5"]).await;
    assert!(service.deposit.messages("user/joe")[0].ends_with(&body));
}

#[tokio::test(start_paused = true)]
async fn silence_is_timed_out() {
    for head in ["", "LHLO x\r\n", "LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<joe>\r\nDATA\r\nhalf a message"] {
        let service = service();
        let (conn, mut peer) = Connection::memory(4096);
        let session = tokio::spawn(serve(Arc::clone(&service), conn, CancellationToken::new()));
        peer.write_all(head.as_bytes()).await.unwrap();
        let mut replies = String::new();
        peer.read_to_string(&mut replies).await.unwrap();
        assert!(replies.ends_with("421 4.4.2 Timed out\r\n"), "{replies}");
        session.await.unwrap();
        assert_eq!(service.deposit.staged.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_stopping_server_says_so() {
    let (conn, mut peer) = Connection::memory(4096);
    let stop = CancellationToken::new();
    let session = tokio::spawn(serve(service(), conn, stop.clone()));
    let mut greeting = [0; 35];
    peer.read_exact(&mut greeting).await.unwrap();
    stop.cancel();
    let mut rest = String::new();
    peer.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "421 4.3.2 Server is stopping\r\n");
    session.await.unwrap();
}
