//! Telling where the server listens: the terminal, and `socket/listening.json` for programs (tests, monitors) that would
//! otherwise have to read a log, which matters when the kernel chose the ports.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use directory::ADMIN;
use tools::Exit;

use super::Listeners;
use crate::config::Config;
use crate::failure::Failure;
use crate::terminal;

/// Writes `listening.json` and says on the terminal where everything is.
pub(super) fn listening(config: &Config, listeners: &Listeners) -> Result<(), Failure> {
    let mut places: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut lines = vec![match &config.file {
        Some(file) => format!("angarium {} with {}", env!("CARGO_PKG_VERSION"), file.display()),
        None => format!("angarium {} without a configuration file", env!("CARGO_PKG_VERSION")),
    }];
    lines.push(format!("  mail     {}", config.spool().display()));
    lines.push(format!("  the rest {}", config.config_dir().display()));
    for (name, listeners) in listeners.by_name() {
        for listener in listeners {
            lines.push(format!("  {name:8} {}", listener.local()));
            places.entry(name).or_default().push(listener.local().to_string());
        }
    }
    let file = path(config);
    let text = serde_json::to_string_pretty(&places).map_err(|problem| Failure::new(Exit::Software, problem))?;
    write(&file, &text).map_err(|problem| Failure::new(Exit::CantCreate, format!("{}: {problem}", file.display())))?;
    terminal::out(&lines.join("\n")).map_err(|problem| Failure::new(Exit::Io, problem))
}

/// Says that we are ready, and the administrator's password if it was just made up: it is written down nowhere.
pub(super) fn ready(domain: &str, password: Option<&str>) -> io::Result<()> {
    if let Some(password) = password {
        first_start(domain, password)?;
    }
    terminal::out("ready")
}

/// Says who the administrator is, with the password that was just made up.
pub(super) fn first_start(domain: &str, password: &str) -> io::Result<()> {
    terminal::out(&format!(
        "\nFirst start: domain {domain}, user {ADMIN} with password {password}\n\
         This password is not shown again; `angarium user passwd {ADMIN}` changes it.\n",
    ))
}

/// Takes `listening.json` away.
pub(super) fn gone(config: &Config) {
    // Should it stay, the next start replaces it.
    let _ = fs::remove_file(path(config));
}

fn path(config: &Config) -> PathBuf {
    config.config_dir().join("socket/listening.json")
}

/// Replaced as a whole, so that nobody reads half of it.
fn write(file: &PathBuf, text: &str) -> io::Result<()> {
    let temporary = file.with_extension("json.new");
    fs::write(&temporary, text)?;
    fs::rename(temporary, file)
}
