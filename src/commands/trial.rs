//! Commands run in the test's process, as they run in a server: on a store and a directory of their own.

use std::io::{self, BufRead, Cursor};
use std::path::{Path, PathBuf};

use admin::control::Request;
use mailstore::Store;
use tempfile::TempDir;
use tools::{Console, Exit, Progress};

use super::run_in_server;
use crate::config::Config;
use crate::services::Services;

/// A store and a directory with the domain example.org and the user admin.
pub(super) struct Trial {
    services: Services,
    home: TempDir,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

impl Trial {
    pub(super) fn new() -> Self {
        let trial = Self::empty();
        trial.must("user add admin", "admin's\n");
        trial
    }

    /// The same without the user admin.
    pub(super) fn empty() -> Self {
        let home = TempDir::with_prefix("angarium-").unwrap();
        let file = home.path().join("angarium.toml");
        std::fs::write(&file, "server.hostname = \"mail.example.org\"\nserver.domain = \"example.org\"\n").unwrap();
        let config = Config::read(&file).unwrap();
        std::fs::create_dir_all(config.config_dir()).unwrap();
        std::fs::create_dir_all(config.spool()).unwrap();
        let services = Services::open(&config, None).unwrap();
        Self { services, home }
    }

    /// The same with users, whose password is `secret`.
    pub(super) fn with_users(users: &[&str]) -> Self {
        let trial = Self::new();
        for user in users {
            trial.must(&format!("user add {user}"), "secret\n");
        }
        trial
    }

    pub(super) fn store(&self) -> &Store {
        &self.services.store
    }

    pub(super) fn path(&self) -> &Path {
        self.home.path()
    }

    /// Runs a command line, with `'` around what has blanks, and `input` on its standard input.
    pub(super) fn run(&self, line: &str, input: &str) -> Said {
        let args = words(line);
        let request = Request::new(&args[0].clone(), args, PathBuf::from("/"));
        let mut console = Recorded { stdin: Cursor::new(input.as_bytes().to_vec()), out: Vec::new(), err: Vec::new() };
        let exit = run_in_server(&request, &self.services, &mut console);
        Said { exit, out: console.out.join("\n"), err: console.err.join("\n") }
    }

    /// Runs a command that works, and returns what it says.
    #[track_caller]
    pub(super) fn must(&self, line: &str, input: &str) -> String {
        let said = self.run(line, input);
        assert_eq!((said.exit, said.err.as_str()), (Exit::Ok, ""), "{line}");
        said.out
    }

    /// Runs commands one after the other: what each says must contain the text, that begins with `!` for an error with its
    /// exit code (`!64 quota`). An empty text stands for silence.
    #[track_caller]
    pub(super) fn table(&self, rows: &[(&str, &str)]) {
        for (line, expected) in rows {
            let said = self.run(line, "secret\n");
            match expected.strip_prefix('!').and_then(|error| error.split_once(' ')) {
                Some((code, text)) => {
                    assert_eq!(said.exit.code().to_string(), code, "{line}: {said:?}");
                    assert!(said.err.contains(text), "{line}: {said:?} lacks {text}");
                    assert_eq!(said.out, "", "{line}");
                }
                None => {
                    assert_eq!((said.exit, said.err.as_str()), (Exit::Ok, ""), "{line}: {said:?}");
                    assert_eq!(expected.is_empty(), said.out.is_empty(), "{line}: {said:?}");
                    assert!(said.out.contains(expected), "{line}: {:?} lacks {expected:?}", said.out);
                }
            }
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.services.close();
    }
}

/// A command line's words, with what is between `'` as one.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut is_begun) = (Vec::new(), String::new(), false, false);
    for c in line.chars() {
        match c {
            '\'' => (is_quoted, is_begun) = (!is_quoted, true),
            ' ' if !is_quoted => {
                if std::mem::take(&mut is_begun) {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => {
                word.push(c);
                is_begun = true;
            }
        }
    }
    if is_begun {
        words.push(word);
    }
    words
}

struct Recorded {
    stdin: Cursor<Vec<u8>>,
    out: Vec<String>,
    err: Vec<String>,
}

impl Console for Recorded {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.out.push(line.to_owned());
        Ok(())
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.out.push(String::from_utf8_lossy(octets).into_owned());
        Ok(())
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.err.push(line.to_owned());
        Ok(())
    }

    fn progress(&mut self, _: &Progress) -> io::Result<()> {
        Ok(())
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut self.stdin
    }

    fn directory(&self) -> &Path {
        Path::new("/")
    }
}
