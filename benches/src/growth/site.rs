//! The server that is measured: the program in a directory of its own, and users in it.

use std::time::{Duration, Instant};

use harness::transcript::Protocol;
use harness::{ADMIN, DOMAIN, Home, PASSWORD, Server};

use super::Settings;
use crate::imap::Imap;
use crate::{Failure, Target, Tree};

/// Users are `u0001` and so on.
const PREFIX: &str = "u";

/// A directory with a server's configuration and mail, and the server while it runs.
pub(super) struct Site {
    home: Home,
    server: Option<Server>,
    /// Takes the mail away in the end.
    _directory: tempfile::TempDir,
}

impl Site {
    /// A new server with users `1..=users` and an administrator, running.
    pub(super) fn new(settings: &Settings, users: usize, options: &[&str]) -> Result<Self, Failure> {
        let directory = tempfile::tempdir_in(&settings.directory)?;
        let program = settings.program.to_string_lossy();
        let home = Home::at(&program, directory.path(), options);
        // Before the first start, which would make one with a password of its own.
        home.add_user(ADMIN);
        let server = home.start();
        for user in 1..=users {
            home.add_user(&format!("{PREFIX}{user:04}"));
        }
        Ok(Self { home, server: Some(server), _directory: directory })
    }

    /// Where it listens. A server that was started anew listens elsewhere.
    pub(super) fn target(&self) -> Result<Target, Failure> {
        let server = self.server()?;
        Ok(Target {
            imap: server.address(Protocol::Imap),
            tls: None,
            pop3: server.address(Protocol::Pop3),
            lmtp: server.address(Protocol::Lmtp),
            prefix: PREFIX.to_owned(),
            password: PASSWORD.to_owned(),
            domain: DOMAIN.to_owned(),
            processes: Some(Tree::new(server.pid())),
        })
    }

    /// A session of the administrator.
    pub(super) async fn admin(&self) -> Result<Imap, Failure> {
        let mut imap = Imap::open(&self.target()?).await?;
        imap.run(&format!("LOGIN {ADMIN} {PASSWORD}"), |_| Ok(())).await?;
        Ok(imap)
    }

    /// Ends the server in good order and starts it; how long it takes until it serves.
    pub(super) fn restart(&mut self) -> Duration {
        if let Some(server) = self.server.take() {
            server.stop(&[]);
        }
        self.start()
    }

    /// Kills the server and starts it; how long it takes until it serves.
    pub(super) fn kill(&mut self) -> Duration {
        if let Some(server) = self.server.take() {
            server.kill();
        }
        self.start()
    }

    /// The processes of the server that runs.
    pub(super) fn processes(&self) -> Result<Tree, Failure> {
        Ok(Tree::new(self.server()?.pid()))
    }

    fn start(&mut self) -> Duration {
        let begin = Instant::now();
        self.server = Some(self.home.start());
        begin.elapsed()
    }

    fn server(&self) -> Result<&Server, Failure> {
        self.server.as_ref().ok_or_else(|| Failure::Refused("the server does not run".to_owned()))
    }
}
