//! The program under test: its directory ([`Home`]), which outlives it, and a running process of it ([`Server`]).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::transcript::{Protocol, Site, User};
use crate::wait::comes_true;
use crate::{Imap, Lmtp, Pop3, unannounced};

/// The password of every user that [`Home::add_user`] makes.
pub const PASSWORD: &str = "correct-horse";

/// The domain of every address.
pub const DOMAIN: &str = "example.org";

/// The user whose login may manage all mailboxes.
pub const ADMIN: &str = "admin";

/// How long a start may take: a debug build on a busy machine, with a store to recover.
const START: Duration = Duration::from_secs(60);

/// How long the session before may take to let go of a maildrop.
const MAILDROP_FREE: Duration = Duration::from_secs(30);

/// A server's directory: configuration, mail store, log.
pub struct Home {
    program: PathBuf,
    path: PathBuf,
    /// Removes the directory in the end, unless it belongs to somebody else.
    _own: Option<TempDir>,
}

/// A running server. Dropping it without [`Server::stop`] kills it.
pub struct Server {
    child: Child,
    listeners: BTreeMap<Protocol, SocketAddr>,
    config_dir: PathBuf,
    log: PathBuf,
    /// Where this process's part of the log begins.
    log_start: usize,
}

impl Home {
    /// A private directory for `program`, configured with `settings` (`section.option = value`, as in the configuration
    /// file) on top of what every test needs.
    pub fn new(program: &str, settings: &[&str]) -> Self {
        let own = TempDir::with_prefix("angarium-").expect("a temporary directory");
        let mut home = Self::at(program, own.path(), settings);
        home._own = Some(own);
        home
    }

    /// The same in a directory that exists already, with whatever it holds.
    pub fn at(program: &str, path: &Path, settings: &[&str]) -> Self {
        let mut configuration = format!(
            "server.hostname = \"mail.{DOMAIN}\"\n\
             server.domain = \"{DOMAIN}\"\n\
             server.admins = [\"{ADMIN}\"]\n\
             imap.listen = [\"127.0.0.1:0\"]\n\
             imap.listen_tls = [\"127.0.0.1:0\"]\n\
             pop3.listen = [\"127.0.0.1:0\"]\n\
             pop3.listen_tls = [\"127.0.0.1:0\"]\n\
             lmtp.listen = [\"127.0.0.1:0\"]\n"
        );
        for setting in settings {
            configuration.push_str(setting);
            configuration.push('\n');
        }
        // Whoever runs the tests as root means it.
        if rustix::process::geteuid().is_root() && !settings.iter().any(|setting| setting.starts_with("server.user")) {
            configuration.push_str("server.user = \"root\"\n");
        }
        let file = path.join("angarium.toml");
        write_durably(&file, configuration.as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Self { program: program.into(), path: path.to_owned(), _own: None }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where everything but messages lies.
    pub fn config_dir(&self) -> PathBuf {
        self.path.join("var/imap")
    }

    /// Where the messages lie.
    pub fn spool(&self) -> PathBuf {
        self.path.join("var/spool/imap")
    }

    /// Runs the program with `arguments` and `input` on its standard input, to its end.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("stdin is a pipe");
        let input = input.to_owned();
        // A program that does not read its input closes the pipe; that is no failure of the test.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("writing does not panic");
        output
    }

    /// Begins to run the program with `arguments` and nothing on its standard input. What it says must fit into a pipe.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// [`Home::run`], where anything but exit code 0 fails the test.
    pub fn must_run(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.run(arguments, input);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{} {}: {}\n{}{}",
            self.program.display(),
            arguments.join(" "),
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Makes a user with [`PASSWORD`]; [`ADMIN`] may manage all mailboxes.
    pub fn add_user(&self, name: &str) {
        let mut arguments = vec!["user", "add", name, "--password-stdin"];
        if name == ADMIN {
            arguments.push("--admin");
        }
        self.must_run(&arguments, format!("{PASSWORD}\n").as_bytes());
    }

    /// Starts the server and waits until it serves.
    pub fn start(&self) -> Server {
        let log = self.path.join("server.log");
        let log_start = fs::metadata(&log).map_or(0, |metadata| metadata.len() as usize);
        let output = File::options().create(true).append(true).open(&log).expect("the log opens");
        let notify = self.path.join("notify");
        let _ = fs::remove_file(&notify);
        let socket = UnixDatagram::bind(&notify).expect("the notification socket binds");
        socket.set_read_timeout(Some(START)).expect("a socket has a timeout");
        // The server may have become another user by the time it is ready.
        fs::set_permissions(&notify, fs::Permissions::from_mode(0o666)).expect("the socket's mode is set");
        let child = self
            .command(&["serve"])
            .env("NOTIFY_SOCKET", &notify)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file can be cloned"))
            .stderr(output)
            .spawn()
            .expect("the program starts");
        let mut server = Server { child, listeners: BTreeMap::new(), config_dir: self.config_dir(), log, log_start };
        server.await_ready(&socket);
        server.read_listeners();
        server
    }

    /// The consistency of the whole store, by the program's own means; the server must not run.
    pub fn check_store(&self) {
        self.must_run(&["check"], b"");
    }

    /// A [`Site`] for transcripts with these users.
    pub fn site(&self, server: &Server, users: &[String]) -> Site {
        let user = |name: &str| User { name: name.to_owned(), password: PASSWORD.to_owned() };
        let mut site = Site {
            listeners: server.listeners.clone(),
            users: users.iter().map(|name| (name.clone(), user(name))).collect(),
            domain: DOMAIN.to_owned(),
            others: Some("Other Users/".to_owned()),
            may_lack: false,
        };
        site.users.insert(ADMIN.to_owned(), user(ADMIN));
        site
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(&self.path).env("ANGARIUM_CONFIG", self.path.join("angarium.toml"));
        command
    }
}

impl Server {
    /// Where `protocol` is served.
    pub fn address(&self, protocol: Protocol) -> SocketAddr {
        *self.listeners.get(&protocol).unwrap_or_else(|| panic!("nothing listens for {protocol:?}"))
    }

    /// A session of `user`, logged in.
    pub fn imap(&self, user: &str) -> Imap {
        Imap::login(self.address(Protocol::Imap), user, PASSWORD)
            .unwrap_or_else(|error| panic!("{user} cannot log in: {error}\n{}", self.log()))
    }

    /// A session for deliveries.
    pub fn lmtp(&self) -> Lmtp {
        Lmtp::open(self.address(Protocol::Lmtp)).expect("LMTP answers")
    }

    /// A POP3 session of `user`, logged in; the maildrop may still be that of a session that is ending.
    pub fn pop3(&self, user: &str) -> Pop3 {
        let begin = Instant::now();
        loop {
            let login = Pop3::open(self.address(Protocol::Pop3)).and_then(|pop3| pop3.login(user, PASSWORD));
            match login {
                Ok(pop3) => return pop3,
                Err(error) if error.to_string().contains("[IN-USE]") && begin.elapsed() < MAILDROP_FREE => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("{user} cannot log in: {error}\n{}", self.log()),
            }
        }
    }

    /// What the server has written since it started.
    pub fn log(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[self.log_start.min(text.len())..]).into_owned()
    }

    /// Waits until the server has written `text` since it started; returns all that it has written.
    #[track_caller]
    pub fn await_log(&self, text: &str) -> String {
        let mut log = String::new();
        let written = comes_true(|| {
            log = self.log();
            log.contains(text)
        });
        assert!(written, "{text:?} is not in the log:\n{log}");
        log
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory it has in use, in KiB.
    pub fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most memory it has had in use so far, in KiB.
    pub fn peak_resident(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// How much the log has grown, for [`Server::log_from`].
    pub fn log_size(&self) -> usize {
        fs::metadata(&self.log).map_or(0, |metadata| metadata.len() as usize)
    }

    /// What the server has written since the log had that size.
    pub fn log_from(&self, size: usize) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&text[size.min(text.len())..]).into_owned()
    }

    /// A mark for [`Server::grown_since`], in KiB. The kernel begins to look for the peak anew where it lets us say so; where
    /// it does not, only growth beyond the highest peak so far is seen.
    pub fn memory_mark(&self) -> u64 {
        let anew = fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").is_ok();
        if anew { self.resident() } else { self.peak_resident() }
    }

    /// By how much the memory in use exceeded a mark at its worst moment since then, in KiB.
    pub fn grown_since(&self, mark: u64) -> u64 {
        self.peak_resident().saturating_sub(mark)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to it.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id() as i32).expect("a process has an id");
        kill_process(pid, signal).expect("the server's process takes signals");
    }

    /// Kills it as a power cut would kill it, but for the kernel's memory.
    pub fn kill(mut self) {
        self.child.kill().expect("the server's process takes signals");
        self.child.wait().expect("the server's process ends");
    }

    /// Stops it in good order; fails the test if it does not end well or if its log has warnings or errors that contain
    /// none of the `announced` texts.
    pub fn stop(mut self, announced: &[String]) {
        self.signal(Signal::TERM);
        let status = self.child.wait().expect("the server's process ends");
        let log = self.log();
        assert!(status.success(), "the server ended with {status}\n{log}");
        let trouble = unannounced(&log, announced);
        assert!(trouble.is_empty(), "the server's log has trouble that nothing announced:\n{}", trouble.join("\n"));
    }

    fn await_ready(&mut self, socket: &UnixDatagram) {
        let mut message = [0; 4096];
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket has a timeout");
        let begin = Instant::now();
        loop {
            if let Ok(size) = socket.recv(&mut message)
                && String::from_utf8_lossy(&message[..size]).lines().any(|line| line == "READY=1")
            {
                return;
            }
            assert!(self.is_alive(), "the server did not start:\n{}", self.log());
            assert!(begin.elapsed() < START, "the server is not ready after {START:?}:\n{}", self.log());
        }
    }

    fn read_listeners(&mut self) {
        let file = self.config_dir.join("socket/listening.json");
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let listening: BTreeMap<String, Vec<String>> = serde_json::from_str(&text).expect("listening.json is JSON");
        for (name, addresses) in listening {
            let address = addresses.iter().find_map(|address| address.parse().ok());
            if let (Some(protocol), Some(address)) = (Protocol::named(&name), address) {
                self.listeners.insert(protocol, address);
            }
        }
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the process is there");
        status
            .lines()
            .find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")?.trim().parse().ok())
            .expect("the kernel tells the memory of a process")
    }
}

/// An administrator's file is not what a power cut may take: the test would be of the text editor.
fn write_durably(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut out = File::create(file)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    File::open(file.parent().unwrap_or(Path::new("/")))?.sync_all()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
