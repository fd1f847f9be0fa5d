//! Plays every transcript below `tests/transcripts/`, each against a server of its own, and each as a test of its own:
//! `cargo test --test transcripts -- expunge` plays those whose names contain `expunge`.

#![allow(clippy::panic, reason = "a test reports trouble by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use harness::Home;
use harness::transcript::{Script, run};
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = scripts()
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Trial::test(name, move || play(&path))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn scripts() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut scripts: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    scripts.retain(|path| {
        path.extension().is_some_and(|extension| ["imap", "lmtp", "pop3"].iter().any(|known| extension == *known))
    });
    scripts.sort();
    scripts
}

fn play(path: &Path) -> Result<(), Failed> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = path.strip_prefix(root).unwrap_or(path).display().to_string();
    let script = Script::parse(&name, &fs::read_to_string(path)?)?;
    let settings: Vec<&str> = script.settings.iter().map(String::as_str).collect();
    let home = Home::new(env!("CARGO_BIN_EXE_angarium"), &settings);
    for user in script.users.iter().map(String::as_str).chain([harness::ADMIN]) {
        home.add_user(user);
    }
    let server = home.start();
    let site = home.site(&server, &script.users);
    match run(&script, &site) {
        Ok(None) => {}
        Ok(Some(reason)) => return Err(format!("{name}: {reason}").into()),
        Err(failure) => return Err(format!("{failure}\nserver log:\n{}", server.log()).into()),
    }
    server.stop(&script.log);
    home.check_store();
    Ok(())
}
