//! A server without sockets in a directory of its own, in this very process, and clients that do little themselves: what
//! they take is measured, too. For the guard and the micro-benchmarks; the load generator knows no server from inside.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use directory::{Address, Directory, DomainName, Embedded, HashCost, NewUser, Secret, Settings, UserId};
use imapd::{Imap, Options};
use lmtpd::Lmtp;
use mailstore::disk::RealDisk;
use mailstore::{Layout, Store, StoreOptions};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio_util::sync::CancellationToken;
use wire::Connection;

/// More than the longest answer, so that no path depends on how often a full pipe changes hands.
const PIPE: usize = 1 << 20;

/// Bytes of a message that a client appends.
pub const MESSAGE_SIZE: usize = 2_000;

/// An empty directory, in memory where there is such a file system: what a sync takes is not counted, so it needn't take
/// time.
///
/// # Errors
/// When no directory can be made.
pub fn directory() -> io::Result<TempDir> {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())
}

/// IMAP and LMTP for one user, joe.
pub struct Server {
    /// The mail store that both serve.
    pub store: Arc<Store>,
    imap: Arc<Imap>,
    lmtp: Arc<Lmtp>,
}

impl Server {
    /// A server with a new store in `directory`.
    ///
    /// # Errors
    /// When there is a store already, or the disk fails.
    pub fn new(directory: &Path) -> Result<Self, Box<dyn Error>> {
        let disk = Arc::new(RealDisk);
        let layout = Layout::new(directory.join("config"), directory.join("spool"));
        let options = StoreOptions { create: true, ..StoreOptions::new(layout) };
        let (store, _) = Store::open(options, disk.clone())?;
        let settings = Settings {
            primary_domain: DomainName::parse("example.org")?,
            hash_cost: HashCost { memory_kib: 64, passes: 1 },
            scram: directory::ScramCost::default(),
            admins: Vec::new(),
        };
        let (users, _) = Embedded::open(&directory.join("config"), disk, true, &settings)?;
        let uid = UserId::parse("joe")?;
        let mail = Address::parse("joe@example.org")?;
        let joe = NewUser { uid: uid.clone(), mail, given_name: "Joe".into(), surname: "Doe".into(), admin: false };
        users.create_user(&joe, &Secret::new("secret"))?;
        store.create_user("joe", None)?;
        users.activate_user(&uid)?;

        let users: Arc<dyn Directory> = Arc::new(users);
        let lmtp = Lmtp::new(lmtpd::Settings::default(), Arc::clone(&store), Arc::clone(&users), None);
        let imap = Imap::new(Arc::clone(&store), users, None, Options::default(), CancellationToken::new());
        Ok(Self { store, imap, lmtp: Arc::new(lmtp) })
    }

    /// A session of joe.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn login(&self) -> Result<Client, Box<dyn Error>> {
        let (ours, theirs) = Connection::memory(PIPE);
        tokio::spawn(imapd::serve(Arc::clone(&self.imap), ours));
        let mut client = Client { pipe: theirs, line: Vec::new(), answer: Vec::with_capacity(PIPE) };
        client.read_until(|answer| answer.ends_with(b"\r\n")).await?;
        client.command("LOGIN joe secret").await?;
        Ok(client)
    }

    /// A whole LMTP session: what is sent at once, and all that is answered.
    ///
    /// # Errors
    /// When the server hangs up.
    pub async fn lmtp(&self, input: &[u8], replies: &mut Vec<u8>) -> io::Result<()> {
        let (ours, mut theirs) = Connection::memory(PIPE);
        tokio::spawn(Arc::clone(&self.lmtp).serve(ours, CancellationToken::new()));
        theirs.write_all(input).await?;
        theirs.read_to_end(replies).await?;
        Ok(())
    }
}

/// An IMAP client.
pub struct Client {
    pipe: DuplexStream,
    line: Vec<u8>,
    answer: Vec<u8>,
}

impl Client {
    /// Sends octets as they are.
    ///
    /// # Errors
    /// When the server hangs up.
    pub async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.pipe.write_all(octets).await
    }

    /// Reads until what has come since the last answer is whole.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn read_until(&mut self, is_whole: impl Fn(&[u8]) -> bool) -> Result<&[u8], Box<dyn Error>> {
        self.answer.clear();
        loop {
            if self.pipe.read_buf(&mut self.answer).await? == 0 {
                return Err("the server hung up".into());
            }
            if is_whole(&self.answer) {
                return Ok(&self.answer);
            }
        }
    }

    /// Sends a command that must succeed; its whole answer.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn command(&mut self, command: &str) -> Result<&[u8], Box<dyn Error>> {
        self.line.clear();
        write!(self.line, "t {command}\r\n")?;
        self.pipe.write_all(&self.line).await?;
        let answer = self.read_until(|answer| last_line(answer).is_some_and(|line| line.starts_with(b"t "))).await?;
        if last_line(answer).is_some_and(|line| line.starts_with(b"t OK")) {
            return Ok(answer);
        }
        Err(format!("{command}: {}", String::from_utf8_lossy(answer)).into())
    }

    /// Appends messages to a mailbox, in one command.
    ///
    /// # Errors
    /// When the server refuses or hangs up.
    pub async fn append(
        &mut self,
        mailbox: &str,
        messages: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), Box<dyn Error>> {
        self.send(format!("t APPEND {mailbox}").as_bytes()).await?;
        for message in messages {
            self.send(format!(" {{{}+}}\r\n", message.len()).as_bytes()).await?;
            self.send(&message).await?;
        }
        self.send(b"\r\n").await?;
        let answer = self.read_until(|answer| answer.ends_with(b"\r\n")).await?;
        if answer.starts_with(b"t OK") { Ok(()) } else { Err(String::from_utf8_lossy(answer).into()) }
    }
}

/// The last line, if it is whole.
fn last_line(answer: &[u8]) -> Option<&[u8]> {
    let lines = answer.strip_suffix(b"\r\n")?;
    Some(memchr::memrchr(b'\n', lines).map_or(lines, |end| &lines[end + 1..]))
}
