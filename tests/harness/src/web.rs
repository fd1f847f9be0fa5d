//! A small HTTP server on this machine, for whatever the program asks of others: a test says what it answers, and sees what
//! it was asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::PATIENCE;

/// A server. Its threads end with it.
#[derive(Debug)]
pub struct Web {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// The state is another one.
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    over: bool,
    answers: HashMap<String, (u16, String)>,
    asked: Vec<Asked>,
}

/// The status that stands for no answer.
const SILENCE: u16 = 0;

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
                if its.state().over {
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

    /// From now on `path` is answered so; with status 0 not at all, until another answer is given here: whoever waits gets
    /// that one.
    pub fn answer(&self, path: &str, status: u16, body: &str) {
        self.shared.change(|state| drop(state.answers.insert(path.to_owned(), (status, body.to_owned()))));
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state().asked.clone()
    }

    /// Waits until so many requests have come.
    #[track_caller]
    pub fn await_asked(&self, count: usize) {
        let few = |state: &mut State| state.asked.len() < count;
        let waited = self.shared.changed.wait_timeout_while(self.shared.state(), PATIENCE, few);
        let (state, timeout) = waited.expect("nobody panicked");
        assert!(!timeout.timed_out(), "{count} requests expected, there are {:?}", state.asked);
    }
}

impl Default for Web {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.shared.change(|state| state.over = true);
        // Wakes whoever waits for a connection.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panicked")
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// What is answered; nothing once all is over.
    fn answer_to(&self, path: &str) -> Option<(u16, String)> {
        let silent =
            |state: &mut State| !state.over && state.answers.get(path).is_some_and(|(status, _)| *status == SILENCE);
        let state = self.changed.wait_while(self.state(), silent).expect("nobody panicked");
        let answer = state.answers.get(path).cloned().unwrap_or((404, String::new()));
        (answer.0 != SILENCE).then_some(answer)
    }

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
        self.change(|state| state.asked.push(Asked { path: path.clone(), head, body }));
        let Some((status, body)) = self.answer_to(&path) else { return Ok(()) };
        let head = format!(
            "HTTP/1.1 {status} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\nLocation: /elsewhere\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        reader.get_mut().write_all(head.as_bytes())?;
        reader.get_mut().write_all(body.as_bytes())
    }
}
