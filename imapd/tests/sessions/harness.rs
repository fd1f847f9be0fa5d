//! A server without sockets, and a client that reads what it says line by line.

use std::sync::Arc;
use std::time::Duration;

use directory::{Address, Directory, DomainName, Embedded, HashCost, NewUser, Secret, Settings, UserId};
use imapd::{Imap, Options};
use mailstore::disk::RealDisk;
use mailstore::{Layout, Store, StoreOptions};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;

/// Every user's password.
pub(crate) const PASSWORD: &str = "secret";

/// Nothing in these tests takes so long; a test that waits for what never comes fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Server {
    pub(crate) imap: Arc<Imap>,
    pub(crate) directory: Arc<Embedded>,
    pub(crate) shutdown: CancellationToken,
    _home: TempDir,
}

impl Server {
    /// A server with the users `admin`, `joe` and `sue`.
    pub(crate) fn new() -> Server {
        Server::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Server {
        let home = tempfile::tempdir().unwrap();
        let layout = Layout::new(home.path().join("config"), home.path().join("spool"));
        let disk = Arc::new(RealDisk);
        let options_of_store = StoreOptions { create: true, ..StoreOptions::new(layout) };
        let (store, _) = Store::open(options_of_store, disk.clone()).unwrap();
        let settings = Settings {
            primary_domain: DomainName::parse("example.org").unwrap(),
            hash_cost: HashCost { memory_kib: 64, passes: 1 },
            scram: directory::ScramCost::default(),
            admins: Vec::new(),
        };
        let (directory, _) = Embedded::open(&home.path().join("config"), disk, true, &settings).unwrap();
        for name in ["admin", "joe", "sue"] {
            add_user(&directory, &store, name);
        }
        let shutdown = CancellationToken::new();
        let directory = Arc::new(directory);
        let imap = Imap::new(store, directory.clone(), None, options, shutdown.clone());
        Server { imap, directory, shutdown, _home: home }
    }

    /// A connection that has read its greeting.
    pub(crate) async fn connect(&self) -> Client {
        let (ours, theirs) = wire::Connection::memory(64 * 1024);
        tokio::spawn(imapd::serve(Arc::clone(&self.imap), ours));
        let (read, write) = tokio::io::split(theirs);
        let mut client = Client { read: BufReader::new(read), write, commands: 0 };
        let greeting = client.line().await.unwrap();
        assert!(greeting.starts_with("* OK [CAPABILITY IMAP4rev2 "), "{greeting}");
        client
    }

    /// A session of `user`.
    pub(crate) async fn login(&self, user: &str) -> Client {
        let mut client = self.connect().await;
        client.ok(&format!("LOGIN {user} {PASSWORD}")).await;
        client
    }

    /// A session of `user` with a mailbox selected.
    pub(crate) async fn select(&self, user: &str, mailbox: &str) -> Client {
        let mut client = self.login(user).await;
        client.ok(&format!("SELECT \"{mailbox}\"")).await;
        client
    }
}

fn add_user(directory: &Embedded, store: &Store, name: &str) {
    let uid = UserId::parse(name).unwrap();
    let mail = Address::parse(&format!("{name}@example.org")).unwrap();
    let admin = name == "admin";
    let user = NewUser { uid: uid.clone(), mail, given_name: name.into(), surname: "Doe".into(), admin };
    directory.create_user(&user, &Secret::new(PASSWORD)).unwrap();
    store.create_user(name, None).unwrap();
    directory.activate_user(&uid).unwrap();
}

/// What came back for a command.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Lines before the tagged one, without CRLF.
    pub(crate) untagged: Vec<String>,
    /// The tagged line without its tag.
    pub(crate) tagged: String,
}

impl Answer {
    /// The untagged lines that hold `word`.
    pub(crate) fn with(&self, word: &str) -> Vec<&str> {
        self.untagged.iter().map(String::as_str).filter(|line| line.contains(word)).collect()
    }
}

pub(crate) struct Client {
    read: BufReader<ReadHalf<DuplexStream>>,
    write: WriteHalf<DuplexStream>,
    commands: u32,
}

impl Client {
    /// Sends octets as they are.
    pub(crate) async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.write.write_all(octets.as_ref()).await.unwrap();
    }

    /// The next line without its CRLF; `None` when the server has hung up.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        let read = tokio::time::timeout(PATIENCE, self.read.read_until(b'\n', &mut line));
        match read.await.expect("the server says something").unwrap() {
            0 => None,
            _ => Some(String::from_utf8(line).unwrap().trim_end_matches("\r\n").to_owned()),
        }
    }

    /// Sends a command and reads up to its tagged reply.
    pub(crate) async fn command(&mut self, command: &str) -> Answer {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        self.send(format!("{tag} {command}\r\n")).await;
        self.answer(&tag).await
    }

    /// Reads up to the reply tagged `tag`.
    pub(crate) async fn answer(&mut self, tag: &str) -> Answer {
        let mut untagged = Vec::new();
        loop {
            let line = self.line().await.unwrap_or_else(|| panic!("no answer to {tag}, only {untagged:?}"));
            match line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                Some(tagged) => return Answer { untagged, tagged: tagged.to_owned() },
                None => untagged.push(line),
            }
        }
    }

    /// A command that must succeed.
    pub(crate) async fn ok(&mut self, command: &str) -> Answer {
        let answer = self.command(command).await;
        assert!(answer.tagged.starts_with("OK"), "{command}: {answer:?}");
        answer
    }

    /// A command that must be refused; its reply.
    pub(crate) async fn no(&mut self, command: &str) -> String {
        let answer = self.command(command).await;
        assert!(answer.tagged.starts_with("NO"), "{command}: {answer:?}");
        answer.tagged
    }

    /// A command that is none; its reply.
    pub(crate) async fn bad(&mut self, command: &str) -> String {
        let answer = self.command(command).await;
        assert!(answer.tagged.starts_with("BAD"), "{command}: {answer:?}");
        answer.tagged
    }

    /// Appends `count` small messages in one command.
    pub(crate) async fn append(&mut self, mailbox: &str, count: usize) {
        let message = "Subject: x\r\n\r\nx\r\n";
        let mut command = format!("APPEND \"{mailbox}\"");
        for _ in 0..count {
            command.push_str(&format!(" {{{}+}}\r\n{message}", message.len()));
        }
        self.ok(&command).await;
    }
}
