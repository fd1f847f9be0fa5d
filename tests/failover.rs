//! What a cluster manager and systemd see: `angarium status`, the OCF resource agent, and the watchdog.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test reports trouble by panicking, and what it leaves out on standard error"
)]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use harness::{Home, PASSWORD};
use rustix::process::{Pid, Signal};

const PROGRAM: &str = env!("CARGO_BIN_EXE_angarium");
const AGENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/ocf/angarium");
const FUNCTIONS: &str = "/usr/lib/ocf/lib/heartbeat/ocf-shellfuncs";

const OCF_TESTER: &str = "/usr/sbin/ocf-tester";

// Exit codes of resource agents.
const SUCCESS: i32 = 0;
const GENERIC: i32 = 1;
const UNIMPLEMENTED: i32 = 3;
const CONFIGURED: i32 = 6;
const NOT_RUNNING: i32 = 7;

fn home() -> Home {
    let home = Home::new(PROGRAM, &[]);
    home.add_user("probe");
    fs::write(home.path().join("password"), format!("{PASSWORD}\n")).expect("written");
    home
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

#[test]
fn status_tells_how_the_server_is() {
    let home = home();
    let password = home.path().join("password").display().to_string();
    let probe = |password: &str| {
        let output = home.run(&["status", "--depth", "20", "--user", "probe", "--password-file", password], b"");
        (code(&output), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(code(&home.run(&["status"], b"")), 69, "no server");
    let server = home.start();
    let (exit, said) = probe(&password);
    assert_eq!(exit, 0, "{said}");
    assert!(said.starts_with(&format!("running, process {}\n", server.pid())), "{said}");
    assert!(said.contains("imap ") && said.contains("lmtp "), "{said}");

    let json = home.must_run(&["status", "--json"], b"");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["running"], &json["pid"]), (&true.into(), &server.pid().into()));

    fs::write(home.path().join("wrong"), "not this\n").expect("written");
    let (exit, said) = probe(&home.path().join("wrong").display().to_string());
    assert_eq!(exit, 1);
    assert!(said.contains("AUTHENTICATIONFAILED") && !said.contains("not this"), "{said}");
    assert_eq!(probe("/nonexistent").0, 66);

    // A process that is there and does nothing.
    signal(i32::try_from(server.pid()).expect("a pid"), Signal::STOP);
    assert_eq!(code(&home.run(&["status", "--depth", "10"], b"")), 1);
    assert_eq!(code(&home.run(&["status", "--depth", "0"], b"")), 0, "level 0 looks no further than the socket");
    drop(server);
    assert_eq!(code(&home.run(&["status"], b"")), 69, "killed");
}

fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, signal).expect("the process is there");
}

/// Whether this machine has what resource agents are written with, and what `more` needs; says what is left out if not.
fn has(more: &[&str], what: &str) -> bool {
    let needed = [&[FUNCTIONS], more].concat();
    let missing: Vec<_> = needed.into_iter().filter(|file| !Path::new(file).exists()).collect();
    if !missing.is_empty() {
        let (missing, packages) = (missing.join(", "), "resource-agents, libxml2-utils");
        eprintln!("left out: {what}: {missing} is missing (packages {packages})");
    }
    missing.is_empty()
}

struct Agent<'a>(&'a Home);

impl Agent<'_> {
    fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| self.0.path().join(name).display().to_string();
        vec![
            ("binary", PROGRAM.to_owned()),
            ("config", path("angarium.toml")),
            ("log", path("agent.log")),
            ("probe_user", "probe".to_owned()),
            ("probe_password_file", path("password")),
        ]
    }

    fn command(&self, action: &str) -> Command {
        let mut command = Command::new(AGENT);
        command.arg(action).env("OCF_ROOT", "/usr/lib/ocf").env("OCF_RESOURCE_INSTANCE", "mail-store");
        command.env("HA_RSCTMP", self.0.path()).env("__OCF_ACTION", action);
        command.envs(self.variables().into_iter().map(|(name, value)| (format!("OCF_RESKEY_{name}"), value)));
        command
    }

    #[track_caller]
    fn expect(&self, action: &str, expected: i32) {
        let output = self.command(action).stdin(Stdio::null()).output().expect("the agent runs");
        assert_eq!(code(&output), expected, "{action}: {}", String::from_utf8_lossy(&output.stderr));
    }

    #[track_caller]
    fn expect_at(&self, level: &str, expected: i32) {
        let output = self.command("monitor").env("OCF_CHECK_LEVEL", level).output().expect("the agent runs");
        assert_eq!(code(&output), expected, "level {level}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn pid(&self) -> i32 {
        let json = self.0.must_run(&["status", "--json", "--depth", "0"], b"");
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        json["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).expect("a pid")
    }
}

#[test]
fn the_resource_agent_does_what_a_cluster_manager_asks() {
    if !has(&[], "the resource agent") {
        return;
    }
    let home = home();
    let agent = Agent(&home);
    agent.expect("meta-data", SUCCESS);
    agent.expect("dance", UNIMPLEMENTED);
    agent.expect("validate-all", SUCCESS);
    agent.expect("monitor", NOT_RUNNING);
    agent.expect("stop", SUCCESS);
    agent.expect("start", SUCCESS);
    agent.expect("start", SUCCESS);
    for level in ["0", "10", "20"] {
        agent.expect_at(level, SUCCESS);
    }
    agent.expect("reload", SUCCESS);
    let server = agent.pid();
    signal(server, Signal::KILL);
    // Not a child of ours, so that we are not told of its end.
    let gone = Command::new("tail").args(["--pid", &server.to_string(), "-f", "/dev/null"]).status();
    assert!(gone.expect("tail runs").success());
    agent.expect("monitor", NOT_RUNNING);
    agent.expect("start", SUCCESS);
    fs::write(home.path().join("password"), "wrong\n").expect("written");
    agent.expect_at("10", SUCCESS);
    agent.expect_at("20", GENERIC);
    agent.expect("stop", SUCCESS);
    agent.expect("stop", SUCCESS);
    agent.expect("monitor", NOT_RUNNING);

    let file = home.path().join("angarium.toml");
    let good = fs::read_to_string(&file).expect("read");
    fs::write(&file, format!("{good}server.hostnam = \"typo\"\n")).expect("written");
    agent.expect("validate-all", CONFIGURED);
    agent.expect("start", CONFIGURED);
    fs::remove_file(&file).expect("removed");
    agent.expect("monitor", NOT_RUNNING);
}

/// The judgement of those who write resource agents.
#[test]
fn ocf_tester_passes() {
    // It checks the agent's description with xmllint.
    if !has(&[OCF_TESTER, "/usr/bin/xmllint"], "the judgement of ocf-tester") {
        return;
    }
    let home = home();
    let agent = Agent(&home);
    let mut command = Command::new(OCF_TESTER);
    command.args(["-n", "mail-store"]).env("HA_RSCTMP", home.path());
    for (name, value) in agent.variables() {
        command.args(["-o", &format!("{name}={value}")]);
    }
    let output = command.arg(AGENT).stdin(Stdio::null()).output().expect("ocf-tester runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    agent.expect("monitor", NOT_RUNNING);
}

#[test]
fn the_watchdog_is_fed() {
    let home = home();
    let path = home.path().join("manager");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a time-out");
    let mut server = Command::new(PROGRAM)
        .arg("--config")
        .arg(home.path().join("angarium.toml"))
        .arg("serve")
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut said = Vec::new();
    while said.iter().filter(|said| *said == "WATCHDOG=1").count() < 3 {
        let mut text = [0; 100];
        let octets = manager.recv(&mut text).expect("a sign of life");
        said.push(String::from_utf8_lossy(&text[..octets]).into_owned());
    }
    assert_eq!(said[0], "READY=1", "{said:?}");
    server.kill().and_then(|()| server.wait()).expect("killed");
}
