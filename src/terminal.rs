//! The terminal, or whatever stands in for it: the console of commands that run here, and passwords without echo.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use admin::control::Input;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tools::{Console, Exit, Progress};

use crate::failure::Failure;

/// Progress is drawn at most five times a second.
const DRAW_EVERY: Duration = Duration::from_millis(200);

/// Output that is not for a person is written in pieces of so many octets, or sooner.
const OUTPUT: usize = 64 * 1024;

/// Output waits no longer than this while there is more of it.
const FLUSH_EVERY: Duration = Duration::from_millis(100);

/// A console over this process's standard streams.
pub(crate) struct Terminal {
    stdin: Box<dyn BufRead>,
    stdout: BufWriter<Box<dyn Write>>,
    flushed: Instant,
    /// A person reads it.
    watched: bool,
    directory: PathBuf,
    /// When progress was last drawn, and whether it stands on the terminal's current line.
    drawn: Option<Instant>,
    standing: bool,
}

impl Terminal {
    /// Commands that run here read `input`.
    pub(crate) fn new(input: Input) -> Self {
        Self::over(input, Box::new(io::stdout()), io::stdout().is_terminal())
    }

    /// The same, but standard output is a file.
    pub(crate) fn into_file(input: Input, file: File) -> Self {
        Self::over(input, Box::new(file), false)
    }

    fn over(input: Input, stdout: Box<dyn Write>, watched: bool) -> Self {
        let stdin: Box<dyn BufRead> = match input {
            Input::None => Box::new(io::empty()),
            Input::Octets(octets) => Box::new(io::Cursor::new(octets)),
            Input::Stream(stream) => Box::new(io::BufReader::new(stream)),
        };
        let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let stdout = BufWriter::with_capacity(OUTPUT, stdout);
        Self { stdin, stdout, flushed: Instant::now(), watched, directory, drawn: None, standing: false }
    }

    /// Everything is on its way.
    ///
    /// # Errors
    /// Nobody reads it, or a full disk: then what the command said is not all there.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.stdout.flush()
    }

    /// A person sees each line at once, a program within a moment: a million lines are not a million writes.
    fn flush_if_due(&mut self) -> io::Result<()> {
        if self.watched || self.flushed.elapsed() >= FLUSH_EVERY {
            self.flushed = Instant::now();
            self.stdout.flush()?;
        }
        Ok(())
    }

    /// Takes a line of progress off the terminal, so that what follows stands alone.
    fn wipe(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.standing) {
            io::stderr().write_all(b"\r\x1b[K")?;
        }
        Ok(())
    }
}

impl Console for Terminal {
    fn out(&mut self, line: &str) -> io::Result<()> {
        self.wipe()?;
        self.stdout.write_all(line.as_bytes())?;
        self.stdout.write_all(b"\n")?;
        self.flush_if_due()
    }

    fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stdout.write_all(octets)?;
        self.flush_if_due()
    }

    fn err(&mut self, line: &str) -> io::Result<()> {
        self.wipe()?;
        // What was said before comes before.
        self.stdout.flush()?;
        err(line)
    }

    fn progress(&mut self, progress: &Progress) -> io::Result<()> {
        self.flush_if_due()?;
        let soon = self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAW_EVERY);
        if soon || !io::stderr().is_terminal() {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        self.wipe()?;
        self.standing = true;
        let Progress { what, done, total } = progress;
        let what: String = what.chars().filter(|c| !c.is_control()).take(60).collect();
        match total {
            Some(total) => write!(io::stderr(), "{done}/{total} {what}"),
            None => write!(io::stderr(), "{done} {what}"),
        }
    }

    fn stdin(&mut self) -> &mut dyn BufRead {
        &mut *self.stdin
    }

    fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.wipe();
    }
}

/// A line on standard output.
pub(crate) fn out(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// A line on standard error.
pub(crate) fn err(line: &str) -> io::Result<()> {
    let mut stderr = io::stderr().lock();
    stderr.write_all(line.as_bytes())?;
    stderr.write_all(b"\n")
}

/// Whether a person sits there who can be asked something.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a new password twice, without echo. `None` when standard input is not a terminal: the command then reads one
/// line of it.
///
/// # Errors
/// The two differ, it is empty, or the terminal went away.
pub(crate) fn ask_new_password(whose: &str) -> Result<Option<String>, Failure> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    let lost = |problem: io::Error| Failure::new(Exit::Io, format!("cannot read a password: {problem}"));
    let first = ask(&format!("Password for {whose}: ")).map_err(lost)?;
    if first.is_empty() {
        return Err(Failure::new(Exit::Usage, "the password is empty"));
    }
    let second = ask("The same again: ").map_err(lost)?;
    if first != second {
        return Err(Failure::new(Exit::Usage, "the passwords are not the same"));
    }
    Ok(Some(first))
}

/// Asks for the password of `whose`, without echo, at the terminal that the program was started from, even if standard
/// input is something else.
///
/// # Errors
/// There is no terminal, or it went away.
pub(crate) fn ask_password(whose: &str) -> io::Result<String> {
    let prompt = format!("Password for {whose}: ");
    if io::stdin().is_terminal() {
        return ask(&prompt);
    }
    let terminal = File::options().read(true).write(true).open("/dev/tty")?;
    (&terminal).write_all(prompt.as_bytes())?;
    let quiet = Quiet::new(&terminal)?;
    let mut line = String::new();
    let read = io::BufReader::new(&terminal).read_line(&mut line)?;
    drop(quiet);
    (&terminal).write_all(b"\n")?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn ask(prompt: &str) -> io::Result<String> {
    let stdin = io::stdin();
    io::stderr().write_all(prompt.as_bytes())?;
    let quiet = Quiet::new(&stdin)?;
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line)?;
    drop(quiet);
    io::stderr().write_all(b"\n")?;
    if read == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\n', '\r']).len());
    Ok(line)
}

/// A terminal that does not echo, until this is dropped.
struct Quiet<'t> {
    terminal: BorrowedFd<'t>,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn new(terminal: &'t impl AsFd) -> io::Result<Self> {
        let terminal = terminal.as_fd();
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Now, &self.before);
    }
}
