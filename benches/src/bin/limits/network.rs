//! Loopback and TLS.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// Bytes of one write.
const CHUNK: usize = 256 << 10;

/// Microseconds of a round trip of 64 bytes.
pub(crate) fn round_trip(time: Duration) -> Result<f64, Box<dyn Error>> {
    let (mut near, mut far) = pair()?;
    let echo = thread::spawn(move || {
        let mut bytes = [0; 64];
        while far.read_exact(&mut bytes).is_ok() && far.write_all(&bytes).is_ok() {}
    });
    let mut bytes = [b'x'; 64];
    let rate = super::rate_of(time, || {
        near.write_all(&bytes)?;
        Ok(near.read_exact(&mut bytes)?)
    })?;
    drop(near);
    let _ = echo.join();
    Ok(1e6 / rate)
}

/// Megabytes in a second from one thread to another.
pub(crate) fn throughput(time: Duration) -> Result<f64, Box<dyn Error>> {
    let (mut near, mut far) = pair()?;
    let sink = thread::spawn(move || {
        let mut bytes = vec![0; CHUNK];
        while far.read(&mut bytes).is_ok_and(|size| size > 0) {}
    });
    let bytes = vec![b'x'; CHUNK];
    let rate = super::rate_of(time, || Ok(near.write_all(&bytes)?))?;
    drop(near);
    let _ = sink.join();
    Ok(rate * CHUNK as f64 / 1e6)
}

/// Megabytes in a second that one thread makes TLS records of.
pub(crate) fn encryption_rate(time: Duration) -> Result<f64, Box<dyn Error>> {
    let mut server = handshake()?;
    let text = vec![b'x'; 64 << 10];
    let mut sealed = Vec::with_capacity(CHUNK);
    let begin = Instant::now();
    let mut sent = 0_u64;
    while begin.elapsed() < time {
        server.writer().write_all(&text)?;
        sealed.clear();
        while server.wants_write() {
            server.write_tls(&mut sealed)?;
        }
        sent += text.len() as u64;
    }
    Ok(sent as f64 / 1e6 / begin.elapsed().as_secs_f64())
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let far = listener.accept()?.0;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// A server's end of a connection whose other end is in memory, after the handshake.
fn handshake() -> Result<ServerConnection, Box<dyn Error>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der())?;
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone())?;
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256];
    let provider: Arc<CryptoProvider> = Arc::new(provider);
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)?;
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut server = ServerConnection::new(Arc::new(server))?;
    server.set_buffer_limit(None);
    let mut client = ClientConnection::new(Arc::new(client), ServerName::try_from("localhost")?)?;
    let mut wire = Vec::new();
    while client.is_handshaking() || server.is_handshaking() {
        while client.wants_write() {
            client.write_tls(&mut wire)?;
        }
        feed(&wire, |bytes| server.read_tls(bytes))?;
        server.process_new_packets()?;
        wire.clear();
        while server.wants_write() {
            server.write_tls(&mut wire)?;
        }
        feed(&wire, |bytes| client.read_tls(bytes))?;
        client.process_new_packets()?;
        wire.clear();
    }
    Ok(server)
}

fn feed(mut wire: &[u8], mut read: impl FnMut(&mut dyn Read) -> io::Result<usize>) -> io::Result<()> {
    while !wire.is_empty() {
        read(&mut wire)?;
    }
    Ok(())
}
