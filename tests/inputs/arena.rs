//! The server that the inputs are sent to, and the look at it after each.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{Authority, Connection, Home, Imap, Pop3, Server, await_until, corpus};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket, sockopt};
use rustix::process::{Pid, Signal, kill_process};

use crate::certificates;
use crate::row::Row;
use crate::tokens::{self, Issuer};
use crate::witness::Witness;

/// Where a load balancer would speak from. Connections from elsewhere on loopback are clients.
pub(crate) const BALANCER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

/// The password that `amy` alone has.
pub(crate) const AMYS: &str = "amys-very-own";

/// Time limits are short, so that running out of them can be waited for; the message size, so that it can be exceeded. The
/// log shows what clients call themselves.
const SETTINGS: &[&str] = &[
    "server.proxies = [\"127.0.0.77/32\"]",
    "limits.tls_handshake = \"2s\"",
    "limits.body_stalled = \"2s\"",
    "limits.output_stalled = \"4s\"",
    "limits.message_size = \"8 MiB\"",
    "log.level = \"info,imapd::commands::id=debug\"",
];

/// Descriptors that an input may leave open for a while: those of mailboxes that stay open for the next who asks.
const DESCRIPTORS: usize = 16;

/// What all inputs together may leave open so.
const ALL_DESCRIPTORS: usize = 200;

/// How long a row may take beyond its time until it is taken to hang.
const HUNG: Duration = Duration::from_secs(60);

/// A server with the users `joe`, whom attackers act as, `amy` and `bob`, whose mail is nobody's business, and `sue`, the
/// witness.
pub(crate) struct Arena {
    // In the order in which they can be dropped.
    witness: Witness,
    /// Its process.
    pub(crate) server: Server,
    /// Its directory.
    pub(crate) home: Home,
    /// Whose tokens it takes.
    pub(crate) issuer: Issuer,
    /// Who vouches for its clients.
    pub(crate) authority: Authority,
    /// Descriptors before the first input.
    descriptors: usize,
}

impl Arena {
    /// Starts it.
    pub(crate) fn begin() -> Self {
        let settings = [SETTINGS, &tokens::SETTINGS, &certificates::SETTINGS].concat();
        let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &settings);
        let (issuer, authority) = (Issuer::new(), Authority::new("Our clients"));
        issuer.publish(home.path());
        fs::write(home.path().join("clients.pem"), authority.pem()).unwrap();
        for user in ["joe", "sue", "amy", "bob"] {
            home.add_user(user);
        }
        home.must_run(&["user", "passwd", "amy", "--password-stdin"], format!("{AMYS}\n").as_bytes());
        let server = home.start();
        for user in ["joe", "sue"] {
            let mut imap = server.imap(user);
            for number in 1..=3 {
                assert!(imap.append("INBOX", "", &corpus::small(number)).unwrap().ok());
            }
        }
        let witness = Witness::begin(&server);
        let arena = Self { home, server, witness, issuer, authority, descriptors: 0 };
        arena.mail_is_untouched();
        Self { descriptors: arena.open_descriptors(), ..arena }
    }

    /// Sends an input and looks at the server afterwards.
    pub(crate) fn send(&mut self, row: &Row) {
        let (open, log) = (self.open_descriptors(), self.server.log_size());
        let memory = self.server.memory_mark();
        self.witness.reset();
        let begin = Instant::now();
        let watch = self.watch(row.time + HUNG);
        row.run(self);
        let taken = begin.elapsed();
        self.witness.was_served();
        drop(watch);
        let grown = self.server.grown_since(memory);
        assert!(self.server.is_alive(), "the server is gone:\n{}", self.server.log_from(log));
        assert!(taken < row.time, "it took {taken:?}, {:?} are allowed", row.time);
        assert!(grown <= row.memory, "the server took {} KiB more, {} are allowed", grown, row.memory);
        if std::env::var_os("ANGARIUM_COSTS").is_some() {
            println!("{} ms, {grown} KiB", taken.as_millis());
        }
        let text = self.server.log_from(log);
        let trouble = |line: &&str| line.contains("panicked at") || line.split(' ').nth(1) == Some("ERROR");
        let trouble: Vec<&str> = text.lines().filter(trouble).collect();
        assert!(trouble.is_empty(), "the log has errors: {trouble:#?}");
        await_until("descriptors are closed", || self.open_descriptors() <= open + DESCRIPTORS);
        await_until("what was being received is removed", || self.staged() == 0);
        self.mail_is_untouched();
    }

    /// Kills the server if the row is not over after that time, so that whoever waits for it fails.
    fn watch(&self, time: Duration) -> Sender<()> {
        let (over, told) = mpsc::channel::<()>();
        let server = Pid::from_raw(self.server.pid() as i32).unwrap();
        std::thread::spawn(move || {
            if told.recv_timeout(time) == Err(mpsc::RecvTimeoutError::Timeout) {
                eprintln!("not over after {time:?}: the server is killed");
                let _ = kill_process(server, Signal::KILL);
            }
        });
        over
    }

    /// Stops it. What it refused it may have warned of.
    pub(crate) fn end(self) {
        let Self { home, server, witness, descriptors, .. } = self;
        drop(witness);
        await_until("descriptors are closed", || open_descriptors(&server) <= descriptors + ALL_DESCRIPTORS);
        server.stop(&["WARN".to_owned()]);
        home.check_store();
    }

    /// A POP3 connection, its greeting read.
    pub(crate) fn pop3(&self) -> Pop3 {
        Pop3::open(self.server.address(Protocol::Pop3)).unwrap()
    }

    /// An IMAP connection, its greeting read.
    pub(crate) fn stranger(&self) -> Imap {
        Imap::open(self.server.address(Protocol::Imap)).unwrap()
    }

    /// A session of joe's, with his INBOX selected.
    pub(crate) fn joe(&self) -> Imap {
        let mut imap = self.server.imap("joe");
        imap.must("SELECT INBOX").unwrap();
        imap
    }

    /// A session of joe's with a new mailbox selected; [`Arena::remove`] removes it.
    pub(crate) fn joe_in(&self, mailbox: &str) -> Imap {
        let mut imap = self.server.imap("joe");
        imap.must(&format!("CREATE {mailbox}")).unwrap();
        imap.must(&format!("SELECT {mailbox}")).unwrap();
        imap
    }

    /// Removes a mailbox of joe's.
    pub(crate) fn remove(&self, mailbox: &str) {
        self.server.imap("joe").must(&format!("DELETE {mailbox}")).unwrap();
    }

    /// A connection on which nothing has been read.
    pub(crate) fn raw(&self, protocol: Protocol) -> Connection {
        Connection::open(self.server.address(protocol), protocol.is_imap()).unwrap()
    }

    /// A socket that speaks from `source`, and takes few octets that nobody reads.
    pub(crate) fn socket(&self, protocol: Protocol, source: Ipv4Addr) -> TcpStream {
        let open = || -> io::Result<TcpStream> {
            let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
            // Before connecting, or the window is promised already.
            sockopt::set_socket_recv_buffer_size(&socket, 4096)?;
            bind(&socket, &SocketAddr::from((source, 0)))?;
            connect(&socket, &self.server.address(protocol))?;
            let stream = TcpStream::from(socket);
            stream.set_read_timeout(Some(harness::PATIENCE))?;
            stream.set_write_timeout(Some(harness::PATIENCE))?;
            Ok(stream)
        };
        open().unwrap()
    }

    /// How many files and sockets the server has open.
    pub(crate) fn open_descriptors(&self) -> usize {
        open_descriptors(&self.server)
    }

    /// How many messages `user` has.
    pub(crate) fn messages(&self, user: &str, password: &str) -> u32 {
        let mut imap = Imap::login(self.server.address(Protocol::Imap), user, password).unwrap();
        imap.must("EXAMINE INBOX").unwrap().number("EXISTS").unwrap()
    }

    /// How many messages lie in `stage./`, where they are written before they are anybody's.
    fn staged(&self) -> usize {
        fs::read_dir(self.home.spool().join("stage.")).map_or(0, Iterator::count)
    }

    /// Joe's mail is what it was: nothing came, nothing went.
    fn mail_is_untouched(&self) {
        let mut joe = self.server.imap("joe");
        assert_eq!(joe.must("EXAMINE INBOX").unwrap().number("EXISTS"), Some(3), "messages in joe's INBOX");
        assert_eq!(joe.must("SEARCH ALL").unwrap().untagged[0].to_string(), "* SEARCH 1 2 3");
    }
}

fn open_descriptors(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("the server runs").count()
}

/// Work that grows with the input and no faster: four times the input may take ten times as long (a quadratic one takes
/// sixteen), and what is too short to be measured counts for nothing. The best of three runs of each is taken.
pub(crate) fn grows_linearly(what: &str, size: usize, mut run: impl FnMut(usize)) {
    let mut best = |size: usize| {
        let times = (0..3).map(|_| {
            let begin = Instant::now();
            run(size);
            begin.elapsed()
        });
        times.min().unwrap_or_default()
    };
    let (small, large) = (best(size), best(4 * size));
    let allowed = 10 * small + Duration::from_millis(50);
    assert!(large < allowed, "{what}: {small:?} for {size}, {large:?} for {}", 4 * size);
}
