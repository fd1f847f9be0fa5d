//! Listeners from a client's side.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use super::*;

fn reception(limits: Limits) -> Reception {
    Reception {
        gate: Arc::new(Gate::default()),
        sessions: Arc::default(),
        limits: Arc::new(ArcSwap::from_pointee(limits)),
        tasks: TaskTracker::new(),
        shutdown: CancellationToken::new(),
    }
}

fn service() -> Service {
    Service { name: "test", tls: None, refusal: "* BYE Too many connections\r\n", most: None }
}

fn loopback() -> Listener {
    Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap()
}

fn address(listener: &Listener) -> SocketAddr {
    let Local::Tcp(address) = listener.local() else { panic!("not TCP") };
    *address
}

/// Answers each line with itself, and the end of service with BYE.
async fn echo(mut conn: Connection, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            line = conn.read_line(100) => match line {
                Ok(line) if line == "panic" => panic!("asked for"),
                Ok(line) => write!(conn.output(), "{}\r\n", line.escape_ascii()),
                Err(_) => return,
            },
            () = shutdown.cancelled() => break,
        }
    }
    conn.output().put("BYE\r\n");
    conn.close().await;
}

async fn ask(peer: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin), line: &str) -> String {
    peer.write_all(line.as_bytes()).await.unwrap();
    let mut answer = vec![0; line.len()];
    peer.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn rest(peer: &mut (impl AsyncReadExt + Unpin)) -> String {
    let mut rest = String::new();
    let _ = peer.read_to_string(&mut rest).await;
    rest
}

#[tokio::test]
async fn serves_and_drains() {
    let reception = reception(Limits::default());
    let listener = loopback();
    let to = address(&listener);
    let token = reception.shutdown.clone();
    let accepting = tokio::spawn(serve(listener, service(), reception.clone(), move |conn| echo(conn, token.clone())));
    let mut one = TcpStream::connect(to).await.unwrap();
    let mut two = TcpStream::connect(to).await.unwrap();
    assert_eq!(ask(&mut one, "hello\r\n").await, "hello\r\n");
    assert_eq!(ask(&mut two, "world\r\n").await, "world\r\n");
    assert_eq!(reception.gate.connections(), 2);
    // A panic ends one session; its slot is free again.
    two.write_all(b"panic\r\n").await.unwrap();
    assert_eq!(rest(&mut two).await, "");
    assert_eq!(ask(&mut one, "still\r\n").await, "still\r\n");

    reception.shutdown.cancel();
    accepting.await.unwrap();
    reception.tasks.close();
    assert_eq!(rest(&mut one).await, "BYE\r\n");
    reception.tasks.wait().await;
    assert_eq!(reception.gate.connections(), 0);
    assert!(TcpStream::connect(to).await.is_err());
}

#[tokio::test]
async fn refuses_above_the_limit_and_recovers() {
    let reception = reception(Limits { connections: Some(1), ..Limits::default() });
    let listener = loopback();
    let to = address(&listener);
    let token = reception.shutdown.clone();
    tokio::spawn(serve(listener, service(), reception.clone(), move |conn| echo(conn, token.clone())));
    let mut one = TcpStream::connect(to).await.unwrap();
    assert_eq!(ask(&mut one, "x\r\n").await, "x\r\n");
    let mut two = TcpStream::connect(to).await.unwrap();
    assert_eq!(rest(&mut two).await, "* BYE Too many connections\r\n");
    drop(one);
    reception.gate.freed().await;
    let mut three = TcpStream::connect(to).await.unwrap();
    assert_eq!(ask(&mut three, "y\r\n").await, "y\r\n");
}

/// What a peer does not take counts, and no more when it has, or is gone.
#[tokio::test]
async fn replies_that_are_not_taken_are_on_the_account() {
    const REPLY: usize = 20_000_000;
    let reception = reception(Limits::default());
    let listener = loopback();
    let to = address(&listener);
    tokio::spawn(serve(listener, service(), reception.clone(), |mut conn: Connection| async move {
        while let Ok(line) = conn.read_line(100).await {
            conn.output().put(vec![b'x'; REPLY]);
            let _ = conn.flush().await;
            assert_eq!(line, "go");
        }
    }));
    let memory = reception.gate.memory();
    let until = async |wanted: fn(u64) -> bool| {
        while !wanted(memory.used()) {
            tokio::task::yield_now().await;
        }
    };
    let mut peer = TcpStream::connect(to).await.unwrap();
    peer.write_all(b"go\r\n").await.unwrap();
    until(|used| used >= REPLY as u64).await;
    let mut reply = vec![0; REPLY];
    peer.read_exact(&mut reply).await.unwrap();
    until(|used| used == 0).await;
    peer.write_all(b"go\r\n").await.unwrap();
    until(|used| used >= REPLY as u64).await;
    // Whoever comes now is turned away; when the peer has gone, nobody is.
    memory.set_limits(1000, 1000);
    assert_eq!(rest(&mut TcpStream::connect(to).await.unwrap()).await, "* BYE Too many connections\r\n");
    drop(peer);
    until(|used| used == 0).await;
    let mut late = TcpStream::connect(to).await.unwrap();
    late.write_all(b"go\r\n").await.unwrap();
    late.read_exact(&mut reply).await.unwrap();
}

#[tokio::test]
async fn unix_socket_knows_its_peer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lmtp");
    let reception = reception(Limits::default());
    // What a crashed predecessor leaves behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = Listener::unix(&path, 0o600).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777, 0o600);
    assert!(matches!(Listener::unix(&path, 0o600), Err(BindError::InUse(_))));
    let uid = Arc::new(AtomicU32::new(u32::MAX));
    let seen = Arc::clone(&uid);
    let accepting = tokio::spawn(serve(listener, service(), reception.clone(), move |conn| {
        assert!(conn.is_secure());
        if let Peer::Unix { uid, .. } = conn.info().peer {
            seen.store(uid, Ordering::SeqCst);
        }
        echo(conn, CancellationToken::new())
    }));
    let mut peer = UnixStream::connect(&path).await.unwrap();
    assert_eq!(ask(&mut peer, "x\r\n").await, "x\r\n");
    assert_eq!(uid.load(Ordering::SeqCst), rustix::process::getuid().as_raw());
    reception.shutdown.cancel();
    accepting.await.unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn bind_errors_name_the_place() {
    let taken = loopback();
    let error = Listener::tcp(address(&taken)).unwrap_err();
    assert_eq!(error.to_string(), format!("{} is in use by another process", taken.local()));

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("precious");
    std::fs::write(&file, "mail").unwrap();
    assert!(matches!(Listener::unix(&file, 0o600), Err(BindError::NotASocket(_))));
    assert_eq!(std::fs::read(&file).unwrap(), b"mail");
    let long = dir.path().join("x".repeat(108));
    assert!(matches!(Listener::unix(&long, 0o600), Err(BindError::PathTooLong(_))));
    let error = Listener::unix(&dir.path().join("no/such"), 0o600).unwrap_err().to_string();
    assert!(error.contains("no/such"), "{error}");
}
