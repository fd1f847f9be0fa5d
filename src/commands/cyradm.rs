//! `angarium cyradm`: the administrator's shell, for any IMAP server.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, value_parser};
use cyradm::{Kind, Mechanism, Security, Server, Shell, Trouble, interact};
use rustix::process::geteuid;
use tools::Exit;

use super::{Caller, Command, Run};
use crate::failure::Failure;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

/// Lines remembered from one day to the next, in the administrator's home.
const HISTORY: &str = ".cyradm_history";

fn spec() -> clap::Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("cyradm")
        .about("Manage mailboxes, rights and quotas of an IMAP server")
        .long_about(
            "Manage mailboxes, rights and quotas of an IMAP server: a shell with the commands of Cyrus, over IMAP. Without a \
             script it asks for commands; `help` explains them. Commands come from arguments (-e), a file (-f) or standard \
             input if that is not a terminal; what goes wrong is told, the commands behind it run all the same, and the \
             exit code is that of the first failure. Connections to other machines are encrypted, or refused.",
        )
        .after_long_help(cyradm::summary())
        .arg(Arg::new("SERVER").help("The server [default: localhost]"))
        .arg(value("user", "USER", "Who logs in [default: the user of the system, cyrus for root]").short('u'))
        .arg(value("authz", "USER", "Whose rights are wanted, if not the same user's"))
        .arg(value("auth", "MECHANISM", "plain or login [default: what the server offers]"))
        .arg(value("password-file", "FILE", "A file whose first line is the password").value_parser(value_parser!(PathBuf)))
        .arg(value("port", "PORT", "Its port [default: 143, or 993 with --tls]").value_parser(value_parser!(u16)))
        .arg(flag("tls", "TLS from the first octet (IMAPS)"))
        .arg(flag("notls", "No encryption: the password can be read on the way").conflicts_with("tls"))
        .arg(
            value("cafile", "FILE", "Certificates to trust instead of the system's").value_parser(value_parser!(PathBuf)),
        )
        .arg(flag("insecure", "Take any certificate"))
        .arg(
            Arg::new("execute")
                .short('e')
                .long("execute")
                .value_name("COMMANDS")
                .action(ArgAction::Append)
                .help("Run these commands and leave"),
        )
        .arg(
            value("file", "FILE", "Run the commands of a file and leave")
                .short('f')
                .value_parser(value_parser!(PathBuf))
                .conflicts_with("execute"),
        )
}

fn run(matches: &ArgMatches, _: &Caller) -> Result<Exit, Failure> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let security = match (matches.get_flag("tls"), matches.get_flag("notls")) {
        (true, _) => Security::Implicit,
        (_, true) => Security::None,
        _ => Security::StartTls,
    };
    let server = Server {
        host: text("SERVER").unwrap_or_else(|| "localhost".to_owned()),
        port: matches.get_one("port").copied(),
        security,
        ca_file: matches.get_one::<PathBuf>("cafile").cloned(),
        insecure: matches.get_flag("insecure"),
    };
    let mechanism = text("auth").map(|name| name.parse::<Mechanism>()).transpose().map_err(failure)?;
    let user = text("user").or_else(system_user);
    let script = script(matches)?;
    let known = matches.get_one::<PathBuf>("password-file").map(|file| password_in(file)).transpose()?;
    // The file has the password of one user; whoever else logs in is asked.
    let whose = user.clone();
    let ask = move |user: &str| {
        known.clone().filter(|_| whose.as_deref() == Some(user)).or_else(|| terminal::ask_password(user).ok())
    };
    let mut shell = Shell::new(server, user, Box::new(ask), Box::new(io::stdout()), Box::new(io::stderr()));
    shell.begin(text("authz"), mechanism).map_err(failure)?;
    let ended = match script {
        Some(script) => play(&mut shell, script),
        None => interact(&mut shell, history().as_deref()),
    };
    match ended {
        // Whoever read our output has seen enough.
        Err(problem) if problem.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Ok),
        Err(problem) => Err(Failure::new(Exit::Io, problem)),
        Ok(()) => Ok(shell.first_trouble().map_or(Exit::Ok, exit)),
    }
}

/// Where commands come from, unless somebody sits there to be asked for them.
fn script(matches: &ArgMatches) -> Result<Option<Box<dyn BufRead>>, Failure> {
    if let Some(commands) = matches.get_many::<String>("execute") {
        let lines: Vec<&str> = commands.map(String::as_str).collect();
        return Ok(Some(Box::new(io::Cursor::new(lines.join("\n").into_bytes()))));
    }
    if let Some(file) = matches.get_one::<PathBuf>("file") {
        return Ok(Some(Box::new(BufReader::new(opened(file)?))));
    }
    let stdin = io::stdin();
    Ok((!stdin.is_terminal()).then(|| Box::new(BufReader::new(stdin)) as Box<dyn BufRead>))
}

fn play(shell: &mut Shell<'_>, script: Box<dyn BufRead>) -> io::Result<()> {
    for line in script.lines() {
        shell.run_line(&line?)?;
        if shell.has_left() {
            break;
        }
    }
    io::stdout().flush()
}

fn password_in(file: &Path) -> Result<String, Failure> {
    let mut line = String::new();
    BufReader::new(opened(file)?)
        .read_line(&mut line)
        .map_err(|problem| Failure::new(Exit::NoInput, format!("{}: {problem}", file.display())))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn opened(file: &Path) -> Result<File, Failure> {
    File::open(file).map_err(|problem| Failure::new(Exit::NoInput, format!("{}: {problem}", file.display())))
}

/// Root is no user of a mail store; cyrus has been its administrator for ever.
fn system_user() -> Option<String> {
    if geteuid().is_root() { Some("cyrus".to_owned()) } else { std::env::var("USER").ok() }
}

fn history() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(HISTORY))
}

fn failure(trouble: Trouble) -> Failure {
    Failure::new(exit(trouble.kind), trouble)
}

fn exit(kind: Kind) -> Exit {
    match kind {
        Kind::Usage => Exit::Usage,
        Kind::Unavailable | Kind::Protocol => Exit::Unavailable,
        Kind::Refused => Exit::Found,
        Kind::NoPermission => Exit::NoPermission,
        Kind::NotFound => Exit::NoInput,
        Kind::CantCreate => Exit::CantCreate,
        Kind::TryLater => Exit::TempFail,
        Kind::File => Exit::Io,
    }
}
