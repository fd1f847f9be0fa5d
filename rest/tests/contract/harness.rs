//! A directory and a store with some users, and a client of the interface to them.

use std::sync::Arc;

use directory::{Actor, Address, Directory, DomainName, Embedded, HashCost, Secret, Service, Settings, User, UserId};
use mailstore::disk::{Disk, RealDisk};
use mailstore::{Layout, Store, StoreOptions};
use rest::{NewToken, Rest, Tokens};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};
use tokio_util::sync::CancellationToken;
use wire::Connection;

/// Every user's password.
pub(crate) const PASSWORD: &str = "correct-horse";

/// What is served.
pub(crate) struct Site {
    _home: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) tokens: Arc<Tokens>,
    rest: Arc<Rest>,
    pub(crate) shutdown: CancellationToken,
}

impl Site {
    /// The domain example.org with the users admin, joe and sue.
    pub(crate) fn new() -> Site {
        Site::with(&["admin", "joe", "sue"])
    }

    /// The same with these.
    pub(crate) fn with(users: &[&str]) -> Site {
        let home = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let config = home.path().join("config");
        let layout = Layout::new(&config, home.path().join("spool"));
        let options = StoreOptions { create: true, ..StoreOptions::new(layout) };
        let (store, _) = Store::open(options, Arc::clone(&disk)).unwrap();
        let settings = Settings {
            primary_domain: DomainName::parse("example.org").unwrap(),
            hash_cost: HashCost { memory_kib: 64, passes: 1 },
            scram: directory::ScramCost::default(),
            admins: Vec::new(),
        };
        let (embedded, _) = Embedded::open(&config, Arc::clone(&disk), true, &settings).unwrap();
        let directory: Arc<dyn Directory> =
            Arc::new(embedded.with_logins(directory::Logins::new(&config, Arc::clone(&disk), 100)));
        let tokens = Arc::new(Tokens::open(disk, &config));
        let shutdown = CancellationToken::new();
        let (shared, own) = (Arc::clone(&directory), Arc::clone(&tokens));
        let rest = Rest::new(Arc::clone(&store), shared, own, Arc::default(), shutdown.clone());
        let site = Site { _home: home, store, directory, tokens, rest, shutdown };
        users.iter().for_each(|name| site.add_user(name));
        site
    }

    /// The directory as the server itself uses it.
    pub(crate) fn service(&self) -> Service<'_> {
        Service::new(&*self.directory, Actor::server())
    }

    pub(crate) fn add_user(&self, name: &str) {
        let uid = UserId::parse(name).unwrap();
        let mail = Address::parse(&format!("{name}@example.org")).unwrap();
        let mut user = User::new(uid, mail, name, "Example");
        user.admin = name == "admin";
        tools::accounts::create_user(&self.store, &self.service(), &user, &Secret::new(PASSWORD)).unwrap();
    }

    /// A connection of somebody without a name.
    pub(crate) fn stranger(&self) -> Client {
        let (ours, theirs) = Connection::memory(64 * 1024);
        tokio::spawn(rest::serve(Arc::clone(&self.rest), ours));
        Client { stream: BufReader::new(theirs), headers: Vec::new() }
    }

    /// A connection that sends a token of this user.
    pub(crate) fn client(&self, user: &str) -> Client {
        let (_, secret) = self.token(user, None);
        self.stranger().with("Authorization", &format!("Bearer {secret}"))
    }

    /// A token of this user, and its secret.
    pub(crate) fn token(&self, user: &str, expires: Option<u64>) -> (rest::Token, String) {
        let name = format!("test {}", self.tokens.list().unwrap().len());
        let new = NewToken { name, user: UserId::parse(user).unwrap(), expires };
        let (token, secret) = self.tokens.create(&new, &self.service(), &self.store, 1).unwrap();
        (token, secret.to_string())
    }
}

/// A client of one connection.
pub(crate) struct Client {
    stream: BufReader<DuplexStream>,
    /// What it sends with each request.
    headers: Vec<(String, String)>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Its lines, without the first.
    pub(crate) head: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no ETag: {self:?}")).to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it has this status, and what it says.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// That it is a problem of this kind, about this field.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str, field: Option<&str>) -> Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let body = self.is(status);
        assert_eq!((body["status"].as_u64(), body["code"].as_str()), (Some(u64::from(status)), Some(code)), "{body}");
        assert_eq!(body["field"].as_str(), field, "{body}");
        assert_eq!(body["type"], "about:blank");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{body}");
        body
    }
}

impl Client {
    /// The same, sending this too.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Client {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&mut self, path: &str, body: Value) -> Reply {
        self.send("POST", path, &[], Some(body)).await
    }

    pub(crate) async fn put(&mut self, path: &str, body: Value) -> Reply {
        self.send("PUT", path, &[], Some(body)).await
    }

    /// A change of the state that `etag` names.
    pub(crate) async fn change(&mut self, method: &str, path: &str, etag: &str, body: Option<Value>) -> Reply {
        self.send(method, path, &[("If-Match", etag)], body).await
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Reply {
        let body = body.map(|body| body.to_string());
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: mail.example.org\r\n");
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        own.chain(headers.iter().copied()).for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        if let Some(body) = &body {
            text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body.as_deref().unwrap_or_default());
        self.write(text.as_bytes()).await;
        self.reply().await
    }

    /// Sends octets as they are.
    pub(crate) async fn write(&mut self, octets: &[u8]) {
        // A server that has answered already may not take the rest.
        let _ = self.stream.get_mut().write_all(octets).await;
    }

    /// The next answer.
    pub(crate) async fn reply(&mut self) -> Reply {
        let (mut lines, mut line) = (Vec::new(), String::new());
        while self.stream.read_line(&mut line).await.unwrap() > 2 {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
        }
        let status = lines.first().and_then(|line| line.split(' ').nth(1)).expect("an answer").parse().unwrap();
        let head: Vec<(String, String)> = lines[1..]
            .iter()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut reply = Reply { status, head, text: String::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut octets = vec![0; length];
        self.stream.read_exact(&mut octets).await.unwrap();
        if reply.header("transfer-encoding") == Some("chunked") {
            octets = self.chunks().await;
        }
        reply.text = String::from_utf8(octets).unwrap();
        reply
    }

    /// A body in chunks (RFC 9112, 7.1).
    async fn chunks(&mut self) -> Vec<u8> {
        let (mut octets, mut line) = (Vec::new(), String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).await.unwrap();
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a chunk's size");
            let mut chunk = vec![0; size + 2];
            self.stream.read_exact(&mut chunk).await.unwrap();
            if size == 0 {
                return octets;
            }
            octets.extend_from_slice(&chunk[..size]);
        }
    }

    /// A body that is no JSON.
    pub(crate) async fn post_text(&mut self, path: &str, kind: &str, body: &str) -> Reply {
        let mut text = format!("POST {path} HTTP/1.1\r\nHost: mail.example.org\r\nContent-Type: {kind}\r\n");
        self.headers.iter().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        self.write(text.as_bytes()).await;
        self.reply().await
    }

    /// What the server still says until it closes the connection.
    pub(crate) async fn rest(mut self) -> String {
        let mut text = String::new();
        self.stream.read_to_string(&mut text).await.unwrap();
        text
    }
}
