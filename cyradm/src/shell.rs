//! Lines run one after the other, and what came of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};

use crate::commands::{Output, find};
use crate::connection::Server;
use crate::session::{Account, Mechanism, Session};
use crate::trouble::{Kind, Trouble};
use crate::words::{self, Redirection};

/// Asks for a user's password; nothing where nobody can be asked.
pub type Ask<'a> = dyn FnMut(&str) -> Option<String> + 'a;

/// The shell: a session, if there is one, and where its output goes.
pub struct Shell<'a> {
    /// How servers are reached that `server` names.
    server: Server,
    /// Who logs in when nobody else is named.
    user: Option<String>,
    session: Option<Session>,
    ask: Box<Ask<'a>>,
    out: Box<dyn Write + 'a>,
    err: Box<dyn Write + 'a>,
    has_left: bool,
    first_trouble: Option<Kind>,
}

impl<'a> Shell<'a> {
    /// A shell without a session. `server` says how servers are reached, `ask` asks for passwords, `out` and `err` are where
    /// output and complaints go.
    pub fn new(
        server: Server,
        user: Option<String>,
        ask: Box<Ask<'a>>,
        out: Box<dyn Write + 'a>,
        err: Box<dyn Write + 'a>,
    ) -> Self {
        Self { server, user, session: None, ask, out, err, has_left: false, first_trouble: None }
    }

    /// Connects and logs in.
    ///
    /// # Errors
    /// [`Trouble`]
    pub fn begin(&mut self, authorize_as: Option<String>, mechanism: Option<Mechanism>) -> Result<(), Trouble> {
        let host = self.server.host.clone();
        self.connect(&host)?;
        self.log_in(None, authorize_as, mechanism)
    }

    /// Runs a line. What goes wrong is told and remembered; the commands behind it run all the same.
    ///
    /// # Errors
    /// When nobody takes the output any more.
    pub fn run_line(&mut self, line: &str) -> io::Result<()> {
        let commands = match words::commands(line) {
            Ok(commands) => commands,
            Err(trouble) => return self.complain("", &trouble),
        };
        for command in commands {
            let Some((name, arguments)) = command.words.split_first() else { continue };
            let mut output = Output::default();
            let done = find(name).and_then(|found| {
                // A file that cannot be written is not found out after a mailbox was deleted.
                let file = command.output.as_ref().map(open).transpose()?;
                (found.run)(self, arguments, &mut output)?;
                Ok(file)
            });
            for alert in self.session.as_mut().map(Session::alerts).unwrap_or_default() {
                writeln!(self.err, "{alert}")?;
            }
            match done {
                Ok(None) => self.print(&output)?,
                Ok(Some(mut file)) => {
                    if let Err(error) = print(&mut file, &output) {
                        self.complain(name, &Trouble::new(Kind::File, error))?;
                    }
                }
                Err(trouble) => {
                    if trouble.kind == Kind::Unavailable {
                        self.session = None;
                    }
                    // What was found before it went wrong.
                    self.print(&output)?;
                    self.complain(name, &trouble)?;
                }
            }
            if self.has_left {
                break;
            }
        }
        Ok(())
    }

    /// The first thing that went wrong in any line.
    #[must_use]
    pub fn first_trouble(&self) -> Option<Kind> {
        self.first_trouble
    }

    /// Whether `exit` was said.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.has_left
    }

    /// What stands before the cursor.
    #[must_use]
    pub fn prompt(&self) -> String {
        let host = self.session.as_ref().map(Session::host).unwrap_or_default();
        if host.is_empty() { "cyradm> ".to_owned() } else { format!("{host}> ") }
    }

    /// Ends the session, if there is one.
    pub fn disconnect(&mut self) {
        if let Some(session) = self.session.take() {
            session.close();
        }
    }

    /// The session, to do something with.
    pub(crate) fn session(&mut self) -> Result<&mut Session, Trouble> {
        self.session.as_mut().ok_or_else(|| Trouble::new(Kind::Unavailable, "not connected; see server"))
    }

    /// Connects to a host, in place of the one there was.
    pub(crate) fn connect(&mut self, host: &str) -> Result<(), Trouble> {
        self.disconnect();
        let server = Server { host: host.to_owned(), ..self.server.clone() };
        self.session = Some(Session::open(&server)?);
        Ok(())
    }

    /// Logs in. A server takes one login for a connection, so a second one gets a connection of its own.
    pub(crate) fn log_in(
        &mut self,
        user: Option<String>,
        authorize_as: Option<String>,
        mechanism: Option<Mechanism>,
    ) -> Result<(), Trouble> {
        let user = user.or_else(|| self.user.clone()).ok_or_else(|| Trouble::usage("who logs in? name a user"))?;
        let again = self.session()?;
        if again.user().is_some() {
            let server = again.server().clone();
            self.disconnect();
            self.session = Some(Session::open(&server)?);
        }
        let password = (self.ask)(&user);
        let password = password.ok_or_else(|| Trouble::new(Kind::NoPermission, format!("no password for {user}")))?;
        self.session()?.log_in(&Account { user, authorize_as, password, mechanism })
    }

    /// Leaves after this command.
    pub(crate) fn leave(&mut self) {
        self.disconnect();
        self.has_left = true;
    }

    fn print(&mut self, output: &Output) -> io::Result<()> {
        print(&mut self.out, output)
    }

    fn complain(&mut self, command: &str, trouble: &Trouble) -> io::Result<()> {
        self.first_trouble.get_or_insert(trouble.kind);
        self.out.flush()?;
        let colon = if command.is_empty() { "" } else { ": " };
        writeln!(self.err, "{command}{colon}{trouble}")
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        self.disconnect();
    }
}

fn print(out: &mut dyn Write, output: &Output) -> io::Result<()> {
    for line in &output.lines {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

fn open(to: &Redirection) -> Result<File, Trouble> {
    let mut options = OpenOptions::new();
    options.create(true).write(true).append(to.append).truncate(!to.append);
    options.open(&to.file).map_err(|error| Trouble::new(Kind::File, format!("{}: {error}", to.file)))
}
