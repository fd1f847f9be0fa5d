//! Getting in, and what changes with it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{PASSWORD, Server};

#[tokio::test]
async fn capabilities_change_with_login() {
    let server = Server::new();
    let mut client = server.connect().await;
    let before = client.ok("CAPABILITY").await;
    assert!(before.untagged[0].contains("AUTH=PLAIN") && !before.untagged[0].contains("IDLE"), "{before:?}");
    let login = client.ok(&format!("LOGIN joe {PASSWORD}")).await;
    assert!(login.tagged.starts_with("OK [CAPABILITY IMAP4rev2 "), "{login:?}");
    let after = client.ok("CAPABILITY").await;
    assert!(!after.untagged[0].contains("AUTH=") && after.untagged[0].contains(" QRESYNC "), "{after:?}");
}

/// Paused time: the delay passes at once, and can be measured.
#[tokio::test(start_paused = true)]
async fn failed_logins_get_slower() {
    let server = Server::new();
    let mut client = server.connect().await;
    for seconds in [3, 6, 9] {
        let began = tokio::time::Instant::now();
        let refused = client.no("LOGIN joe wrong").await;
        assert!(refused.starts_with("NO [AUTHENTICATIONFAILED]"), "{refused}");
        assert_eq!(began.elapsed().as_secs(), seconds);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_user_is_refused_in_the_same_words() {
    let server = Server::new();
    let (mut one, mut two) = (server.connect().await, server.connect().await);
    assert_eq!(one.no("LOGIN joe wrong").await, two.no("LOGIN nobody-at-all wrong").await);
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_log_in_is_disconnected() {
    let server = Server::new();
    let mut client = server.connect().await;
    let began = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(50)).await;
    let bye = client.line().await.unwrap();
    assert!(bye.starts_with("* BYE "), "{bye}");
    assert_eq!(client.line().await, None);
    assert!(began.elapsed() <= Duration::from_secs(61));
}

#[tokio::test]
async fn an_administrator_acts_as_somebody_else() {
    let server = Server::new();
    let plain = |act_as: &str, user: &str| STANDARD.encode(format!("{act_as}\0{user}\0{PASSWORD}"));
    let mut admin = server.connect().await;
    admin.ok(&format!("AUTHENTICATE PLAIN {}", plain("joe", "admin"))).await;
    let namespace = admin.ok("NAMESPACE").await;
    assert_eq!(
        namespace.untagged,
        ["* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared Folders/\" \"/\"))"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_user_does_not_act_as_somebody_else() {
    let server = Server::new();
    let mut joe = server.connect().await;
    let response = STANDARD.encode(format!("sue\0joe\0{PASSWORD}"));
    let refused = joe.no(&format!("AUTHENTICATE PLAIN {response}")).await;
    assert!(refused.starts_with("NO [AUTHENTICATIONFAILED]"), "{refused}");
}

#[tokio::test]
async fn a_sasl_exchange_can_be_given_up() {
    let server = Server::new();
    let mut client = server.connect().await;
    client.send("a AUTHENTICATE PLAIN\r\n").await;
    assert_eq!(client.line().await.as_deref(), Some("+ "));
    client.send("*\r\n").await;
    assert!(client.answer("a").await.tagged.starts_with("BAD "));
    client.ok(&format!("LOGIN joe {PASSWORD}")).await;
}

#[tokio::test]
async fn commands_are_refused_in_other_states() {
    let server = Server::new();
    let mut client = server.connect().await;
    for command in ["SELECT INBOX", "LIST \"\" *", "FETCH 1 FLAGS", "IDLE", "CLOSE"] {
        client.bad(command).await;
    }
    client.ok(&format!("LOGIN joe {PASSWORD}")).await;
    for command in ["FETCH 1 FLAGS", "CLOSE", "UNSELECT", "CHECK", &format!("LOGIN joe {PASSWORD}"), "STARTTLS"] {
        client.bad(command).await;
    }
}

#[tokio::test]
async fn a_port_scanner_is_disconnected() {
    let server = Server::new();
    let mut client = server.connect().await;
    client.send("GET / HTTP/1.1\r\n".repeat(50)).await;
    let mut lines = Vec::new();
    while let Some(line) = client.line().await {
        lines.push(line);
    }
    assert!(lines.last().is_some_and(|line| line.starts_with("* BYE ")), "{lines:?}");
    assert!(lines.len() < 30);
}

#[tokio::test]
async fn the_end_of_the_server_is_told() {
    let server = Server::new();
    let mut idle = server.select("joe", "INBOX").await;
    idle.send("a IDLE\r\n").await;
    assert_eq!(idle.line().await.as_deref(), Some("+ idling"));
    let mut waiting = server.connect().await;
    server.shutdown.cancel();
    for client in [&mut idle, &mut waiting] {
        assert!(client.line().await.unwrap().starts_with("* BYE "));
        assert_eq!(client.line().await, None);
    }
}
