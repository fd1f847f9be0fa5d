//! A real OpenLDAP server of a test's own: on a port that the kernel chose, with our schema, in a directory that goes with it.
#![allow(dead_code, reason = "not every test uses all of it")]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use directory::{DomainName, HashCost, Secret, UserId};
use ldap::{Identity, Settings, Url};
use tempfile::TempDir;

pub(crate) const BASE: &str = "dc=example,dc=com";
pub(crate) const MANAGER: &str = "cn=manager,dc=example,dc=com";
pub(crate) const PASSWORD: &str = "manager's secret";

/// Says that tests against slapd may be left out.
const ALLOWED: &str = "ANGARIUM_WITHOUT_SLAPD";

/// How it tells, line by line, that it was asked for a change.
const CHANGES: [&str; 4] = [" ADD dn=", " MOD dn=", " MODRDN dn=", " DEL dn="];

/// Ports that somebody else may snap up before slapd has them.
const TRIES: usize = 20;

pub(crate) struct Slapd {
    pub(crate) home: TempDir,
    child: Option<Child>,
    /// Changes that it was asked for.
    changes: Arc<AtomicUsize>,
    pub(crate) port: u16,
    /// Where it speaks TLS from the first octet, if it has a certificate.
    pub(crate) tls_port: Option<u16>,
}

/// Whether the test is to be left out, because there is no slapd and somebody has said that this is all right.
pub(crate) fn is_left_out() -> bool {
    let is_there = slapd().is_some();
    assert!(
        is_there || std::env::var_os(ALLOWED).is_some(),
        "there is no slapd on this machine: install it (Debian: slapd), or set {ALLOWED}=1 to leave its tests out"
    );
    if !is_there {
        println!("LEFT OUT: there is no slapd, and {ALLOWED} is set");
    }
    !is_there
}

fn slapd() -> Option<PathBuf> {
    ["/usr/sbin/slapd", "/usr/lib/openldap/slapd", "/usr/libexec/slapd"]
        .map(PathBuf::from)
        .into_iter()
        .find(|p| p.exists())
}

impl Slapd {
    /// Starts a server. What `more` says goes into its configuration.
    pub(crate) fn start(more: &str) -> Slapd {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("db")).unwrap();
        let mut config = String::new();
        for schema in ["core", "cosine", "inetorgperson"] {
            writeln!(config, "include /etc/ldap/schema/{schema}.schema").unwrap();
        }
        let ours = home.path().join("angarium.schema");
        fs::write(&ours, include_str!("../../../docs/ldap/angarium.schema")).unwrap();
        let (global, database): (Vec<_>, Vec<_>) =
            more.lines().partition(|line| ["TLS", "sockbuf"].iter().any(|global| line.starts_with(global)));
        let database = database.join("\n");
        writeln!(
            config,
            "include {ours}\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload argon2\npidfile {home}/pid\n{global}\n\
             authz-regexp \"gidNumber=[0-9]+\\\\+uidNumber=[0-9]+,cn=peercred,cn=external,cn=auth\" \"{MANAGER}\"\n\
             database mdb\nsuffix {BASE}\nrootdn {MANAGER}\nrootpw \"{PASSWORD}\"\ndirectory {home}/db\n\
             maxsize 67108864\ndbnosync\n{indexes}\n{database}",
            ours = ours.display(),
            home = home.path().display(),
            global = global.join("\n"),
            indexes = indexes(),
        )
        .unwrap();
        fs::write(home.path().join("slapd.conf"), config).unwrap();
        let has_tls = global.iter().any(|line| line.starts_with("TLS"));
        Slapd::begin(home, has_tls)
    }

    /// Starts a server that `configure` has made a directory `slapd.d` for, and one for its database, `db`.
    pub(crate) fn configured(configure: impl FnOnce(&Path)) -> Slapd {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("db")).unwrap();
        configure(home.path());
        Slapd::begin(home, false)
    }

    fn begin(home: TempDir, has_tls: bool) -> Slapd {
        let mut slapd = Slapd { home, child: None, changes: Arc::default(), port: 0, tls_port: None };
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        for _ in 0..TRIES {
            (slapd.port, slapd.tls_port) = (free(), has_tls.then(free));
            if slapd.run() {
                return slapd;
            }
        }
        panic!("slapd does not start");
    }

    /// Starts it again, where it was.
    pub(crate) fn restart(&mut self) {
        for _ in 0..TRIES {
            if self.run() {
                return;
            }
        }
        panic!("slapd does not start again");
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Makes it a server that is there and does not answer.
    pub(crate) fn hang(&self) {
        self.signal("-STOP");
        let tasks = format!("/proc/{}/task", self.child.as_ref().unwrap().id());
        let stopped = |task: fs::DirEntry| {
            let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('T'))
        };
        // Its threads stop one by one.
        while !fs::read_dir(&tasks).unwrap().all(|task| stopped(task.unwrap())) {
            std::thread::yield_now();
        }
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    fn run(&mut self) -> bool {
        let tls = self.tls_port.map(|port| format!(" ldaps://127.0.0.1:{port}")).unwrap_or_default();
        let urls = format!("ldap://127.0.0.1:{} {}{tls}", self.port, self.socket_url());
        let mut child = Command::new(slapd().unwrap())
            .args(["-h", &urls, "-d", "stats"])
            .args(self.configuration())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).split(b'\n');
        let is_up = lines.by_ref().map_while(Result::ok).any(|line| {
            let line = String::from_utf8_lossy(&line);
            line.contains("slapd starting")
        });
        // It says so a moment before it listens.
        let ports = [Some(self.port), self.tls_port];
        if is_up && ports.into_iter().flatten().all(|port| listens(port, &mut child)) {
            let changes = Arc::clone(&self.changes);
            // It must not wait for somebody to read what it says.
            std::thread::spawn(move || {
                for line in lines.map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line);
                    if CHANGES.iter().any(|change| line.contains(change)) {
                        changes.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            self.child = Some(child);
            return true;
        }
        child.wait().unwrap();
        false
    }

    /// A file, or a directory.
    fn configuration(&self) -> [OsString; 2] {
        let file = self.home.path().join("slapd.conf");
        match file.exists() {
            true => ["-f".into(), file.into()],
            false => ["-F".into(), self.home.path().join("slapd.d").into()],
        }
    }

    /// Where it is, by TLS if it has a certificate.
    pub(crate) fn url(&self) -> String {
        match self.tls_port {
            Some(port) => format!("ldaps://127.0.0.1:{port}"),
            None => format!("ldap://127.0.0.1:{}", self.port),
        }
    }

    /// Its Unix socket, over which whoever runs the test is the manager.
    pub(crate) fn socket_url(&self) -> String {
        let path = self.home.path().join("ldapi");
        format!("ldapi://{}", path.to_str().unwrap().replace('/', "%2F"))
    }

    pub(crate) fn settings(&self) -> Settings {
        let url = Url::parse(&self.url()).unwrap();
        let identity = Identity { dn: MANAGER.into(), password: Secret::new(PASSWORD) };
        Settings {
            identity: Some(identity),
            admins: vec![UserId::parse("boss").unwrap()],
            hash_cost: HashCost { memory_kib: 64, passes: 1 },
            ..Settings::new(url, BASE, DomainName::parse("example.com").unwrap())
        }
    }

    /// How many changes it was asked for since the first start.
    pub(crate) fn changes(&self) -> usize {
        self.changes.load(Ordering::Relaxed)
    }

    /// Runs one of OpenLDAP's own programs as the manager.
    pub(crate) fn tool(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let file = self.home.path().join("input.ldif");
        fs::write(&file, input).unwrap();
        let output = Command::new(program)
            .args(["-x", "-D", MANAGER, "-w", PASSWORD, "-H"])
            .arg(format!("ldap://127.0.0.1:{}", self.port))
            .args(arguments)
            .stdin(fs::File::open(file).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
    }
}

/// Waits until somebody can connect, unless the server ends.
fn listens(port: u16, child: &mut Child) -> bool {
    while child.try_wait().unwrap().is_none() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::yield_now();
    }
    false
}

/// Those that docs/ldap.md recommends.
fn indexes() -> String {
    let text = include_str!("../../../docs/ldap.md");
    let lines = text.lines().filter_map(|line| line.strip_prefix("olcDbIndex: "));
    let lines: Vec<_> = lines.map(|line| format!("index {line}")).collect();
    assert!(!lines.is_empty(), "docs/ldap.md has lost its indexes");
    lines.join("\n")
}
