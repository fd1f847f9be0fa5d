//! `angarium status`: whether the server runs, and how well, for people, monitors and cluster managers.
//!
//! How deep it looks follows the levels of OCF resource agents: 0, somebody owns the store and answers at the control
//! socket; 10, IMAP and LMTP greet and take a command; 20, the directory answers too, and a probe user can log in and open
//! the INBOX.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use admin::control::{Called, Client, Input, Request};
use clap::{Arg, ArgAction, ArgMatches};
use login::notices::Kind;
use mailstore::disk::RealDisk;
use serde_json::json;
use tools::scrub::State;
use tools::{Console, Exit, Progress};
use wire::notices::Notice;

use super::{Caller, Command, Run};
use crate::config::Config;
use crate::failure::Failure;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

/// How long any one answer may take. Cluster managers give a monitor some 20 seconds in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest line that is read of a server.
const LONGEST_LINE: u64 = 8192;

fn spec() -> clap::Command {
    clap::Command::new("status")
        .about("Say whether the server runs, and how well")
        .long_about(
            "Say whether the server of this configuration runs. Exits with 0 if it does, with 69 if none runs, and with \
             1 if there is one that does not do what it should. While users are kept out (`angarium lockout`) it runs \
             all the same, and the probe user does not log in.",
        )
        .arg(
            Arg::new("depth")
                .long("depth")
                .value_name("LEVEL")
                .value_parser(["0", "10", "20"])
                .default_value("10")
                .help("0: the control socket; 10: IMAP and LMTP too; 20: the directory and the probe user too"),
        )
        .arg(Arg::new("user").long("user").value_name("USER").requires("password-file").help(
            "At level 20, log in as this user and open the INBOX",
        ))
        .arg(
            Arg::new("password-file")
                .long("password-file")
                .value_name("FILE")
                .requires("user")
                .help("The first line of this file is the user's password"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("One JSON object"))
        .after_long_help(
            "EXAMPLES\n  angarium status\n  angarium status --depth 20 --user probe --password-file /etc/angarium/probe",
        )
}

fn run(matches: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    let config = caller.config()?;
    let depth: u8 = matches.get_one::<String>("depth").and_then(|depth| depth.parse().ok()).unwrap_or(10);
    let probe = match (matches.get_one::<String>("user"), matches.get_one::<String>("password-file")) {
        (Some(user), Some(file)) => Some(Probe { user: user.clone(), password: password(Path::new(file))? }),
        _ => None,
    };
    // Users who are kept out on purpose are no failure.
    let lockout = Kind::Lockout.read(&config.config_dir()).ok().flatten();
    let looked = look(&config, depth, probe.as_ref().filter(|_| lockout.is_none()));
    let pid = owner(&config);
    let scrubbed = State::read(&RealDisk, &config.config_dir());
    let figures = looked.as_ref().ok().and_then(|_| metrics(&config));
    let ldap = figures.as_ref().and_then(ldap);
    let (exit, text) = match &looked {
        Ok(places) => (Exit::Ok, running(pid, places, &scrubbed, lockout.as_ref(), ldap)),
        Err(Trouble::NotRunning) => {
            (Exit::Unavailable, format!("no server runs for {}", config.config_dir().display()))
        }
        Err(Trouble::Wrong(what)) => (Exit::Found, format!("the server does not work: {what}")),
    };
    let said = if matches.get_flag("json") {
        let places = looked.as_ref().ok();
        let problem = looked.as_ref().err().map(|_| &text);
        json!({
            "running": exit == Exit::Ok,
            "pid": pid,
            "listening": places,
            "depth": depth,
            "problem": problem,
            "metrics": figures,
            "ldap": ldap,
            "scrub": scrubbed,
            "lockout": lockout.as_ref().map(Notice::text),
        })
        .to_string()
    } else {
        text
    };
    terminal::out(&said).map_err(|problem| Failure::new(Exit::Io, problem))?;
    Ok(exit)
}

/// Where the server listens, by protocol.
type Places = BTreeMap<String, Vec<String>>;

/// Who logs in.
struct Probe {
    user: String,
    password: String,
}

/// Why a server is not found to be well.
enum Trouble {
    NotRunning,
    Wrong(String),
}

fn wrong(what: &str, problem: impl std::fmt::Display) -> Trouble {
    Trouble::Wrong(format!("{what}: {problem}"))
}

fn look(config: &Config, depth: u8, probe: Option<&Probe>) -> Result<Places, Trouble> {
    match Client::call(&config.control_socket()).map_err(|problem| wrong("control socket", problem))? {
        Called::Nobody => return Err(Trouble::NotRunning),
        // A connection that says nothing is closed by the server in silence.
        Called::Server(_) => {}
    }
    let file = config.config_dir().join("socket/listening.json");
    let text = fs::read(&file).map_err(|problem| wrong(&file.display().to_string(), problem))?;
    let places: Places =
        serde_json::from_slice(&text).map_err(|problem| wrong(&file.display().to_string(), problem))?;
    if depth >= 10 {
        for place in places.get("imap").into_iter().flatten() {
            imap(place, probe.filter(|_| depth >= 20))
                .map_err(|problem| wrong(&format!("IMAP at {place}"), problem))?;
        }
        for place in places.get("lmtp").into_iter().flatten() {
            lmtp(place).map_err(|problem| wrong(&format!("LMTP at {place}"), problem))?;
        }
    }
    if depth >= 20 {
        commands(config)?;
    }
    Ok(places)
}

/// Greeting, CAPABILITY, LOGOUT; with a probe user, LOGIN and EXAMINE between them.
fn imap(place: &str, probe: Option<&Probe>) -> Result<(), String> {
    let address: SocketAddr = place.parse().map_err(|_| "not an address".to_owned())?;
    let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(|problem| problem.to_string())?;
    let patience = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
    patience.map_err(|problem| problem.to_string())?;
    let mut talk = Talk::over(stream);
    talk.expect("", "* OK")?;
    talk.expect("s1 CAPABILITY\r\n", "s1 OK")?;
    if let Some(Probe { user, password }) = probe {
        // Non-synchronizing literals (RFC 7888) take any octets.
        let login = format!("s2 LOGIN {{{}+}}\r\n{user} {{{}+}}\r\n{password}\r\n", user.len(), password.len());
        talk.expect(&login, "s2 OK")?;
        talk.expect("s3 EXAMINE INBOX\r\n", "s3 OK")?;
    }
    talk.expect("s4 LOGOUT\r\n", "s4 OK")
}

/// Greeting, LHLO, QUIT.
fn lmtp(place: &str) -> Result<(), String> {
    let greet = |talk: &mut dyn Lines| {
        talk.expect("", "220 ")?;
        talk.expect("LHLO status.invalid\r\n", "250 ")?;
        talk.expect("QUIT\r\n", "221 ")
    };
    let told = |problem: std::io::Error| problem.to_string();
    if let Ok(address) = place.parse::<SocketAddr>() {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(told)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
        return greet(&mut Talk::over(stream));
    }
    let stream = UnixStream::connect(place).map_err(told)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(told)?;
    greet(&mut Talk::over(stream))
}

/// A conversation in lines.
struct Talk<S: Read + Write>(BufReader<S>);

trait Lines {
    /// Sends a command and reads lines until one begins with `answer`.
    fn expect(&mut self, command: &str, answer: &str) -> Result<(), String>;
}

impl<S: Read + Write> Talk<S> {
    fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }
}

impl<S: Read + Write> Lines for Talk<S> {
    fn expect(&mut self, command: &str, answer: &str) -> Result<(), String> {
        // The password is in a later line of its command.
        let name = command.lines().next().filter(|name| !name.is_empty()).unwrap_or("greeting");
        let problem = |problem: std::io::Error| format!("{name}: {problem}");
        self.0.get_mut().write_all(command.as_bytes()).map_err(problem)?;
        let mut line = String::new();
        loop {
            let before = std::mem::take(&mut line);
            let octets = Read::by_ref(&mut self.0).take(LONGEST_LINE).read_line(&mut line).map_err(problem)?;
            if octets == 0 {
                return Err(format!("{name}: closed after {:?}", before.trim_end()));
            }
            // Untagged in IMAP, not the last of its reply in LMTP.
            let is_more = line.starts_with("* ") || line.as_bytes().get(3) == Some(&b'-');
            match line.starts_with(answer) {
                true => return Ok(()),
                false if is_more => {}
                false => return Err(format!("{name}: {}", line.trim_end())),
            }
        }
    }
}

/// Whether commands are carried out: one that reads the directory.
fn commands(config: &Config) -> Result<(), Trouble> {
    ask(config, "directory", &["domain", "list"]).map(drop)
}

/// What the server counts. A server of another version may not say it, which is no trouble.
fn metrics(config: &Config) -> Option<serde_json::Value> {
    serde_json::from_str(&ask(config, "metrics", &["metrics", "--json"]).ok()?).ok()
}

/// Whether the LDAP server answers, if one keeps the directory.
fn ldap(metrics: &serde_json::Value) -> Option<bool> {
    metrics["angarium_ldap_up"][0]["value"].as_f64().map(|up| up > 0.0)
}

/// Has the server run a command, and returns what it says.
fn ask(config: &Config, what: &str, args: &[&str]) -> Result<String, Trouble> {
    let called = Client::call(&config.control_socket()).map_err(|problem| wrong("control socket", problem))?;
    let Called::Server(client) = called else { return Err(Trouble::NotRunning) };
    let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let request = Request::new(args.first().map_or("", String::as_str), args.clone(), "/".into());
    let (tell, told) = mpsc::channel();
    // Blocks for as long as the server does; this process ends without it.
    thread::spawn(move || {
        let mut heard = Heard { nothing: std::io::empty(), said: String::new() };
        let code = client.run(&request, Input::None, &mut heard);
        drop(tell.send(code.map(|code| (code, heard.said))));
    });
    match told.recv_timeout(PATIENCE) {
        Ok(Ok((0, said))) => Ok(said),
        Ok(Ok((code, _))) => Err(Trouble::Wrong(format!("{what}: exit code {code}"))),
        Ok(Err(problem)) => Err(wrong(what, problem)),
        Err(_) => Err(Trouble::Wrong(format!("{what}: no answer in {} s", PATIENCE.as_secs()))),
    }
}

/// For commands that read nothing.
struct Heard {
    nothing: std::io::Empty,
    /// What they print.
    said: String,
}

impl Console for Heard {
    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.nothing
    }

    fn directory(&self) -> &Path {
        Path::new("/")
    }

    fn out(&mut self, line: &str) -> std::io::Result<()> {
        self.said.push_str(line);
        self.said.push('\n');
        Ok(())
    }

    fn octets(&mut self, _: &[u8]) -> std::io::Result<()> {
        Ok(())
    }

    fn err(&mut self, _: &str) -> std::io::Result<()> {
        Ok(())
    }

    fn progress(&mut self, _: &Progress) -> std::io::Result<()> {
        Ok(())
    }
}

/// The process that owns the store, as it wrote itself into `store.lock`.
fn owner(config: &Config) -> Option<u32> {
    let note = fs::read_to_string(config.config_dir().join("store.lock")).ok()?;
    note.lines().find_map(|line| line.strip_prefix("pid ")?.parse().ok())
}

fn running(pid: Option<u32>, places: &Places, scrub: &State, lockout: Option<&Notice>, ldap: Option<bool>) -> String {
    let places = places.iter().flat_map(|(name, places)| places.iter().map(move |place| format!("  {name:8} {place}")));
    let pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string());
    let scrub = format!("  scrub    {}", told(scrub));
    let lockout = lockout.map(|notice| format!("  lockout  only administrators can log in: {}", notice.text()));
    let ldap = ldap.map(|up| match up {
        true => "  ldap     the LDAP server answers".to_owned(),
        false => "  ldap     the LDAP server does not answer: logins and mail wait (directory.ldap.lost in the log)"
            .to_owned(),
    });
    let lines = [format!("running, process {pid}")].into_iter().chain(places).chain([scrub]).chain(ldap).chain(lockout);
    lines.collect::<Vec<_>>().join("\n")
}

/// How far the scrubber is, in a line.
fn told(scrub: &State) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let last = match &scrub.last {
        Some(last) => {
            let (hours, left) = (now.saturating_sub(last.ended) / 3600, last.tally.left);
            format!("last pass {} d {} h ago, {left} errors", hours / 24, hours % 24)
        }
        None => "no pass has ended yet".to_owned(),
    };
    let pass = scrub.pass.as_ref().map(|pass| {
        let at = pass.mailbox.as_ref().map_or_else(|| "its beginning".to_owned(), ToString::to_string);
        format!("; under way: {} mailboxes, {} errors, at {at}", pass.tally.mailboxes, pass.tally.left)
    });
    last + &pass.unwrap_or_default()
}

fn password(file: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|problem| Failure::new(Exit::NoInput, format!("{}: {problem}", file.display())))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
