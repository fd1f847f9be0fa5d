//! Connections over memory, sockets and TLS.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;
use crate::framing::{DotFramer, DotPiece, FrameError};
use crate::limits;
use crate::tls::{ClientAuthorities, MinVersion, Pair, Setup};

async fn read_text(peer: &mut (impl tokio::io::AsyncRead + Unpin), octets: usize) -> String {
    let mut text = vec![0; octets];
    peer.read_exact(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn waiting_holds_no_buffer_and_loses_nothing() {
    let (mut conn, mut peer) = Connection::memory(100);
    for octet in b"a NOOP\r" {
        peer.write_all(&[*octet]).await.unwrap();
        let pending = tokio::time::timeout(Duration::from_millis(1), conn.read_fragment()).await;
        assert!(pending.is_err());
    }
    peer.write_all(b"\n").await.unwrap();
    assert_eq!(conn.read_fragment().await.unwrap().text, "a NOOP");
    let pending = tokio::time::timeout(Duration::from_millis(1), conn.read_fragment()).await;
    assert!(pending.is_err());
    assert_eq!(conn.input.capacity(), 0);
    assert_eq!(conn.octets(), (8, 0));
}

#[tokio::test]
async fn literal_is_asked_for_once() {
    let (mut conn, mut peer) = Connection::memory(1000);
    peer.write_all(b"a LOGIN {3}\r\n").await.unwrap();
    let fragment = conn.read_fragment().await.unwrap();
    assert_eq!(fragment.literal.unwrap().len, 3);
    assert!(tokio::time::timeout(Duration::from_millis(1), conn.read_literal()).await.is_err());
    peer.write_all(b"joe {4+}\r\nabcd\r\n").await.unwrap();
    assert_eq!(conn.read_literal().await.unwrap(), "joe");
    assert_eq!(conn.read_fragment().await.unwrap().text, " ");
    assert_eq!(conn.read_literal().await.unwrap(), "abcd");
    let last = conn.read_fragment().await.unwrap();
    assert!(last.text.is_empty() && last.literal.is_none());
    conn.close().await;
    let mut sent = String::new();
    peer.read_to_string(&mut sent).await.unwrap();
    assert_eq!(sent, "+ Ready for literal data\r\n");
}

#[tokio::test]
async fn literal_in_pieces_holds_nothing() {
    let (mut conn, mut peer) = Connection::memory(4096);
    conn.logged_in(CommandLimits::POST_AUTH);
    let message = vec![b'x'; 3_000_000];
    let sent = message.clone();
    let writer = tokio::spawn(async move {
        peer.write_all(b"a APPEND x {3000000+}\r\n").await.unwrap();
        peer.write_all(&sent).await.unwrap();
        peer.write_all(b"\r\n").await.unwrap();
        peer
    });
    assert_eq!(conn.read_fragment().await.unwrap().text, "a APPEND x ");
    let mut read = 0;
    while let Some(piece) = conn.read_literal_piece().await.unwrap() {
        assert!(conn.input.capacity() <= 2 * 64 * 1024);
        read += piece.len();
    }
    assert_eq!(read, message.len());
    assert!(conn.read_fragment().await.unwrap().literal.is_none());
    drop(writer.await.unwrap());
    assert!(matches!(conn.read_fragment().await, Err(ReadError::Closed)));
}

#[tokio::test]
async fn too_large_argument_is_not_asked_for() {
    let (mut conn, mut peer) = Connection::memory(1000);
    conn.logged_in(CommandLimits::POST_AUTH);
    peer.write_all(b"a LOGIN {4294967295}\r\nb NOOP\r\n").await.unwrap();
    assert!(conn.read_fragment().await.unwrap().literal.is_some());
    let Err(ReadError::Command(bad)) = conn.read_literal().await else { panic!("accepted") };
    assert!(bad.error.is_too_big() && !bad.fatal && bad.head.starts_with(b"a LOGIN"));
    assert_eq!(conn.read_fragment().await.unwrap().text, "b NOOP");
    assert!(conn.output.is_empty());
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_for_the_whole_line() {
    let (mut conn, mut peer) = Connection::memory(1000);
    let began = Instant::now();
    let slow = tokio::spawn(async move {
        loop {
            if peer.write_all(b"x").await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    });
    assert!(matches!(conn.read_fragment().await, Err(ReadError::Timeout)));
    assert_eq!(began.elapsed(), limits::PRE_AUTH);

    conn.logged_in(CommandLimits::POST_AUTH);
    conn.set_idle(Duration::from_secs(100));
    let began = Instant::now();
    // Reads dropped for other events do not extend it.
    let result = loop {
        if let Ok(result) = tokio::time::timeout(Duration::from_secs(7), conn.read_fragment()).await {
            break result;
        }
    };
    assert!(matches!(result, Err(ReadError::Timeout)));
    assert!(began.elapsed() <= Duration::from_secs(101));
    drop(conn);
    slow.await.unwrap();
}

#[tokio::test]
async fn waiting_reads_send_first() {
    let (mut conn, mut peer) = Connection::memory(1000);
    // The second command is unfinished: the answer to the first must not wait for it.
    peer.write_all(b"a NOOP\r\nb NO").await.unwrap();
    conn.read_fragment().await.unwrap();
    conn.output().put("a OK\r\n");
    let session = tokio::spawn(async move { conn.read_fragment().await.map(|fragment| fragment.text) });
    assert_eq!(read_text(&mut peer, 6).await, "a OK\r\n");
    peer.write_all(b"OP\r\n").await.unwrap();
    assert_eq!(session.await.unwrap().unwrap(), "b NOOP");
}

#[tokio::test(start_paused = true)]
async fn unread_answers_stop_the_session() {
    let (mut conn, mut peer) = Connection::memory(1000);
    let _flood = tokio::spawn(async move { while peer.write_all(b"a NOOP\r\n").await.is_ok() {} });
    let ended = loop {
        match conn.read_fragment().await {
            Ok(_) => conn.output().put([b'y'; 100]),
            Err(error) => break error,
        }
        assert!(conn.output.len() <= limits::OUTPUT_HIGH_WATER + 100);
    };
    assert!(matches!(ended, ReadError::Write(WriteError::Stalled)));
}

#[tokio::test]
async fn lines_and_bodies() {
    let (mut conn, mut peer) = Connection::memory(1000);
    peer.write_all(b"DATA\r\n..x\r\n.\r\nBDAT 5\r\nabcdeQ\nQUIT\r\n").await.unwrap();
    assert_eq!(conn.read_line(100).await.unwrap(), "DATA");
    let mut framer = DotFramer::default();
    let mut body = Vec::new();
    while let DotPiece::Data(data) = conn.read_dot_piece(&mut framer).await.unwrap() {
        body.extend_from_slice(&data);
    }
    assert_eq!(body, b".x\r\n");
    assert_eq!(conn.read_line(100).await.unwrap(), "BDAT 5");
    assert_eq!(conn.read_some(5).await.unwrap(), "abcde");
    assert!(matches!(conn.read_line(100).await, Err(ReadError::Line(FrameError::BareLf))));
    assert_eq!(conn.read_line(100).await.unwrap(), "QUIT");
    assert!(!conn.has_input());
}

/// A certificate for `localhost`, and a client that trusts it.
fn certificate(dir: &std::path::Path) -> (Tls, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (Tls::load(setup(Pair { certificate, key })).unwrap(), TlsConnector::from(Arc::new(client)))
}

fn setup(first: Pair) -> Setup {
    Setup { first, others: Vec::new(), oldest: MinVersion::default(), clients: None }
}

fn localhost() -> rustls::pki_types::ServerName<'static> {
    "localhost".try_into().unwrap()
}

#[tokio::test]
async fn start_tls() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, client) = certificate(dir.path());
    let (mut conn, mut peer) = Connection::memory(1000);
    let client = tokio::spawn(async move {
        assert_eq!(read_text(&mut peer, 6).await, "a OK\r\n");
        let mut peer = client.connect(localhost(), peer).await.unwrap();
        peer.write_all(b"b NOOP\r\n").await.unwrap();
        let mut all = String::new();
        peer.read_to_string(&mut all).await.unwrap();
        all
    });
    conn.output().put("a OK\r\n");
    conn.start_tls(&tls).await.unwrap();
    assert_eq!(conn.info().tls.unwrap().version, "TLSv1.3");
    assert_eq!(conn.read_fragment().await.unwrap().text, "b NOOP");
    conn.output().put("b OK\r\n");
    conn.close().await;
    // Ended with close_notify, or the client would have failed.
    assert_eq!(client.await.unwrap(), "b OK\r\n");
}

/// A session over TLS, and the far end's bytes and keys.
async fn encrypted() -> (Connection, DuplexStream, rustls::ClientConnection) {
    let dir = tempfile::tempdir().unwrap();
    let (tls, client) = certificate(dir.path());
    let (mut conn, peer) = Connection::memory(1000);
    let (server, theirs) = tokio::join!(conn.start_tls(&tls), client.connect(localhost(), peer));
    server.unwrap();
    let (peer, session) = theirs.unwrap().into_inner();
    (conn, peer, session)
}

#[tokio::test]
async fn last_words_go_out_with_the_goodbye() {
    let (mut conn, mut peer, mut session) = encrypted().await;
    // The tickets, which the handshake left behind.
    while session.tls13_tickets_received() < 2 {
        let mut octets = [0; 1000];
        let read = peer.read(&mut octets).await.unwrap();
        session.read_tls(&mut &octets[..read]).unwrap();
        session.process_new_packets().unwrap();
    }
    conn.output().put("* BYE\r\n");
    conn.output.encrypt(&mut conn.stream);
    assert!(conn.output.is_empty());
    tokio::select! {
        biased;
        read = peer.read_u8() => panic!("sent too soon: {read:?}"),
        () = std::future::ready(()) => {}
    }
    conn.close().await;
    let mut octets = Vec::new();
    peer.read_to_end(&mut octets).await.unwrap();
    session.read_tls(&mut &octets[..]).unwrap();
    assert!(session.process_new_packets().unwrap().peer_has_closed());
    let mut said = String::new();
    std::io::Read::read_to_string(&mut session.reader(), &mut said).unwrap();
    assert_eq!(said, "* BYE\r\n");
}

#[tokio::test]
async fn last_words_may_be_many() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, client) = certificate(dir.path());
    let (mut conn, peer) = Connection::memory(1000);
    let (_, data) = file(300_000);
    let client = tokio::spawn(async move {
        let mut all = Vec::new();
        client.connect(localhost(), peer).await.unwrap().read_to_end(&mut all).await.unwrap();
        all
    });
    conn.start_tls(&tls).await.unwrap();
    conn.output().put_bytes(data.clone().into());
    conn.output().put("end");
    conn.close().await;
    assert!(client.await.unwrap() == [&data[..], b"end"].concat(), "all of them arrive");
}

#[tokio::test]
async fn plain_text_behind_starttls_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, _) = certificate(dir.path());
    let (mut conn, mut peer) = Connection::memory(1000);
    peer.write_all(b"a STARTTLS\r\nb LOGIN eve x\r\n").await.unwrap();
    conn.read_fragment().await.unwrap();
    assert!(conn.has_input());
    conn.output().put("a OK\r\n");
    assert!(matches!(conn.start_tls(&tls).await, Err(StartTlsError::PlainTextPipelined)));
    drop(conn);
    let mut sent = String::new();
    peer.read_to_string(&mut sent).await.unwrap();
    assert_eq!(sent, "");
}

#[tokio::test(start_paused = true)]
async fn half_open_and_garbage_handshakes_end() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, _) = certificate(dir.path());
    let (mut conn, _peer) = Connection::memory(1000);
    let error = conn.start_tls(&tls).await.unwrap_err();
    assert!(matches!(error, StartTlsError::Handshake(HandshakeError::Timeout)));
    assert!(matches!(conn.read_fragment().await, Err(ReadError::Io(_))));

    let (mut conn, mut peer) = Connection::memory(1000);
    let garbage = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        peer.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    };
    let (result, ()) = tokio::join!(conn.start_tls(&tls), garbage);
    assert!(matches!(result, Err(StartTlsError::Handshake(HandshakeError::Io(_)))));
}

#[tokio::test]
async fn certificate_is_reloaded_or_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, _) = certificate(dir.path());
    let shown = || tls.certificates.for_name(None).unwrap().end_entity_cert().unwrap().to_vec();
    let before = shown();
    let (_, new_client) = certificate(dir.path());
    tls.reload().unwrap();
    assert_ne!(shown(), before);
    std::fs::write(dir.path().join("cert.pem"), "nonsense").unwrap();
    let error = tls.reload().unwrap_err().to_string();
    assert!(error.contains("cert.pem"), "{error}");

    let (ours, theirs) = tokio::io::duplex(1000);
    let for_imap = tls.for_protocol("imap");
    let (server, client) =
        tokio::join!(for_imap.accept(ours, Duration::from_secs(20)), new_client.connect(localhost(), theirs));
    assert!(server.is_ok() && client.is_ok());
}

/// What changes is for whoever comes next, of every protocol; a session that stands stays.
#[tokio::test]
async fn a_running_server_gets_other_files_and_demands() {
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (tls, old_client) = certificate(old.path());
    let for_imap = tls.for_protocol("imap");
    let (_, new_client) = certificate(new.path());
    let shakes_hands = async |client: &TlsConnector| {
        let (ours, theirs) = tokio::io::duplex(1000);
        let (server, client) =
            tokio::join!(for_imap.accept(ours, Duration::from_secs(20)), client.connect(localhost(), theirs));
        server.is_ok() && client.is_ok()
    };
    let (ours, theirs) = tokio::io::duplex(1000);
    let standing =
        tokio::join!(for_imap.accept(ours, Duration::from_secs(20)), old_client.connect(localhost(), theirs));
    let (mut standing, mut peer) = (standing.0.unwrap(), standing.1.unwrap());

    let pair = |dir: &std::path::Path| Pair { certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
    let clients = |file: &str| ClientAuthorities { authorities: new.path().join(file), revoked: None, required: true };
    let elsewhere = setup(pair(new.path()));
    // One file that is wrong keeps all of them.
    let wrong = Setup { clients: Some(clients("none.pem")), ..elsewhere.clone() };
    assert!(tls.replace(wrong).unwrap_err().to_string().contains("none.pem"));
    assert!(shakes_hands(&old_client).await);
    tls.replace(elsewhere.clone()).unwrap();
    assert!(shakes_hands(&new_client).await && !shakes_hands(&old_client).await);
    // Read again, it is the new files that are.
    std::fs::remove_dir_all(old.path()).unwrap();
    tls.reload().unwrap();
    tls.replace(Setup { clients: Some(clients("cert.pem")), ..elsewhere.clone() }).unwrap();
    assert!(!shakes_hands(&new_client).await, "it has no certificate to show");
    tls.replace(elsewhere).unwrap();
    assert!(shakes_hands(&new_client).await);

    peer.write_all(b"still here").await.unwrap();
    peer.flush().await.unwrap();
    let mut heard = [0; 10];
    standing.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"still here");
}

#[tokio::test]
async fn channel_binding_is_what_the_client_sees() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, client) = certificate(dir.path());
    let (mut conn, peer) = Connection::memory(1000);
    assert!(!conn.channel_binding().is_possible());
    let (server, theirs) = tokio::join!(conn.start_tls(&tls), client.connect(localhost(), peer));
    server.unwrap();
    let theirs = theirs.unwrap();
    let seen = theirs.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
    let certificate = theirs.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    let binding = conn.channel_binding();
    assert_eq!(binding.exporter, Some(seen));
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate);
    assert_eq!(binding.end_point.as_deref(), Some(hash.as_ref()));
}

async fn tcp() -> (Connection, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let (socket, from) = accepted.unwrap();
    let info = ConnectionInfo::new("test", Peer::Ip(from), Some(address));
    (Connection::new(Stream::Plain(Plain::Tcp(socket)), info, &Limits::default()), peer.unwrap())
}

/// A file that differs at every place that matters.
fn file(len: usize) -> (File, Vec<u8>) {
    let data: Vec<u8> = (0..len).map(|at| (at / 251 + at % 251) as u8).collect();
    let file = tempfile::tempfile().unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &data, 0).unwrap();
    (file, data)
}

async fn sends_files(mut conn: Connection, mut peer: impl tokio::io::AsyncRead + Unpin + Send + 'static) {
    let (file, data) = file(1_500_000);
    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        peer.read_to_end(&mut all).await.unwrap();
        all
    });
    let mut expected = Vec::new();
    for (offset, len) in
        [(0, 1_500_000), (3, 0), (7, 1), (1000, 32 * 1024), (1000, 32 * 1024 + 1), (1_499_999, 1), (5, 300_000)]
    {
        conn.output().put("<");
        conn.write_file(&file, offset, len).await.unwrap();
        conn.output().put_bytes(Bytes::from_static(b">"));
        expected.extend_from_slice(b"<");
        expected.extend_from_slice(&data[offset as usize..(offset + len) as usize]);
        expected.extend_from_slice(b">");
    }
    conn.flush().await.unwrap();
    assert_eq!(conn.octets().1, expected.len() as u64);
    conn.close().await;
    assert!(reader.await.unwrap() == expected, "files arrive as they are");
}

#[tokio::test]
async fn files_over_tcp() {
    let (conn, peer) = tcp().await;
    sends_files(conn, peer).await;
}

#[tokio::test]
async fn files_over_unix_and_memory() {
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let stream = Stream::Plain(Plain::Unix(ours));
    sends_files(Connection::new(stream, ConnectionInfo::memory(), &Limits::default()), theirs).await;
    let (conn, peer) = Connection::memory(10_000);
    sends_files(conn, peer).await;
}

#[tokio::test]
async fn files_over_tls() {
    let dir = tempfile::tempdir().unwrap();
    let (tls, client) = certificate(dir.path());
    let (mut conn, peer) = tcp().await;
    let (ours, theirs) = tokio::join!(conn.start_tls(&tls), client.connect(localhost(), peer));
    ours.unwrap();
    sends_files(conn, theirs.unwrap()).await;
}

#[tokio::test]
async fn file_that_ends_early_is_an_error() {
    for len in [100, 100_000] {
        let (mut conn, peer) = tcp().await;
        let (file, _) = file(len);
        let reader = tokio::spawn(async move {
            let mut peer = peer;
            let mut all = Vec::new();
            let _ = peer.read_to_end(&mut all).await;
        });
        let result = conn.write_file(&file, 0, len as u64 + 1).await;
        assert!(matches!(result, Err(WriteError::File { .. })), "{result:?}");
        drop(conn);
        reader.await.unwrap();
    }
}

/// Who sends without a pause is not logged in either.
#[tokio::test(start_paused = true)]
async fn the_time_for_login_ends_for_the_talkative_too() {
    let (mut conn, mut peer) = Connection::memory(4096);
    peer.write_all(&b"USER joe\r\n".repeat(400)).await.unwrap();
    for _ in 0..100 {
        assert_eq!(conn.read_line(100).await.unwrap(), "USER joe");
    }
    tokio::time::advance(limits::PRE_AUTH).await;
    assert!(matches!(conn.read_line(100).await, Err(ReadError::Timeout)));
    assert!(matches!(conn.read_fragment().await, Err(ReadError::Timeout)));
    conn.logged_in(CommandLimits::POST_AUTH);
    assert_eq!(conn.read_line(100).await.unwrap(), "USER joe");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_not_waited_for_again() {
    let (mut conn, _peer) = Connection::memory(16);
    conn.output().put(vec![b'x'; 1000]);
    assert!(matches!(conn.flush().await, Err(WriteError::Stalled)));
    let begin = Instant::now();
    conn.output().put("* BYE\r\n");
    conn.close().await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

/// What is not read would be answered with a reset, and the reset would overtake our last words.
#[tokio::test]
async fn last_words_reach_a_peer_that_is_still_sending() {
    for (lines, refused_on_the_way) in [(1, false), (2_000_000, false), (2_000_000, true)] {
        let (mut conn, mut peer) = tcp().await;
        let sending = tokio::spawn(async move {
            peer.write_all(&b"NOOP\r\n".repeat(lines)).await.unwrap();
            let mut said = String::new();
            peer.read_to_string(&mut said).await.unwrap();
            said
        });
        assert_eq!(conn.read_line(100).await.unwrap(), "NOOP");
        if refused_on_the_way {
            conn.leave_unread();
        }
        conn.output().put("421 Enough\r\n");
        conn.close().await;
        assert_eq!(sending.await.unwrap(), "421 Enough\r\n");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_heard_out_for_ever() {
    let seconds = async |unread: bool, sends: &'static [u8], every: u64| {
        let (mut conn, mut peer) = Connection::memory(100);
        let (begin, pause) = (Instant::now(), Duration::from_secs(every));
        let talking = tokio::spawn(async move {
            while !sends.is_empty() && peer.write_all(sends).await.is_ok() {
                tokio::time::sleep(pause).await;
            }
            std::future::pending::<()>().await;
        });
        tokio::task::yield_now().await;
        if unread {
            conn.leave_unread();
        }
        conn.close().await;
        talking.abort();
        begin.elapsed().as_secs()
    };
    assert_eq!(seconds(false, b"", 1).await, 0, "nothing is on its way");
    assert_eq!(seconds(true, b"", 1).await, 2, "silence");
    assert_eq!(seconds(false, b"x", 1).await, 10, "a trickle");
    assert_eq!(seconds(true, b"x", 3).await, 2, "a trickle that is too thin");
}
