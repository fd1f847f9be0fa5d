//! A small HTTP server on this machine, for whatever the program asks of others: a test says what it answers, and sees what
//! it was asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server. Its threads end with it.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    answers: Mutex<HashMap<String, (u16, String)>>,
    asked: Mutex<Vec<Asked>>,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its path.
    pub path: String,
    /// Its first line and its fields, each with its CRLF.
    pub head: String,
    /// What came behind them.
    pub body: String,
}

impl Web {
    /// A server that answers 404 to everything.
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let its = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if its.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&its);
                // A client that goes away is no matter.
                std::thread::spawn(move || stream.and_then(|stream| shared.serve(stream)));
            }
        });
        Self { address, shared }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on `path` is answered so; with status 0 not at all.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        self.shared.answers.lock().expect("nobody panicked").insert(path.to_owned(), (status, body.to_owned()));
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().expect("nobody panicked").clone()
    }
}

impl Default for Web {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        // Wakes whoever waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 || line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let body = String::from_utf8_lossy(&body).into_owned();
        self.asked.lock().expect("nobody panicked").push(Asked { path: path.clone(), head, body });
        let answer = self.answers.lock().expect("nobody panicked").get(&path).cloned();
        let (status, body) = answer.unwrap_or((404, String::new()));
        while status == 0 && !self.over.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let head = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nLocation: /elsewhere\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        reader.get_mut().write_all(head.as_bytes())?;
        reader.get_mut().write_all(body.as_bytes())
    }
}
