//! A session's states (RFC 1939, 3) as types, and the loop that reads commands and answers them.
//!
//! ```text
//! Authorization --PASS, AUTH--> Transaction --QUIT--> (update) --> closed
//!       ^  |                         |
//!       +--+ STLS                    +-- anything else that ends it: nothing is deleted
//! ```
//!
//! Commands run strictly one after another; the next one is read when the last one's response is queued, and responses to
//! pipelined commands leave together (RFC 2449, 6.6).

use std::sync::Arc;
use std::time::{Duration, Instant};

use login::Failures;
use tracing::{Level, debug, enabled, error, info};
use wire::framing::{CommandLimits, FrameError};
use wire::meter::Verdict;
use wire::{Connection, ReadError, StartTlsError};

use crate::ahead::{self, Ahead};
use crate::commands::{self, Verb};
use crate::context::{Context, Pop3};
use crate::maildrop::Maildrop;
use crate::options::IDLE;
use crate::outcome::{Done, Outcome, Refused};
use crate::reply::{self, Code};
use crate::syntax::Line;

/// Longest line in octets, without CRLF. RFC 2449, 4 asks for 255; passwords may be long, and clients send initial
/// responses of AUTH beyond that (tokens above all), so it is what a SASL line may have.
const LINE: usize = wire::limits::SASL_LINE;

/// Commands in a row that make no sense, after which a connection is closed: no client errs so often, but a port scanner or
/// another protocol does.
const MAX_BAD: u32 = 20;

/// Where a session is.
#[derive(Debug)]
pub(crate) enum State {
    /// Nobody has logged in.
    Authorization(Authorization),
    /// A maildrop is open.
    Transaction(Box<Transaction>),
}

impl State {
    /// Whose session it is, once somebody has logged in.
    fn user(&self) -> Option<&str> {
        match self {
            State::Authorization(_) => None,
            State::Transaction(transaction) => Some(&transaction.user),
        }
    }
}

/// Before login.
#[derive(Debug, Default)]
pub(crate) struct Authorization {
    /// Whom USER named.
    pub(crate) user: Option<String>,
    /// Failed logins: each makes the next answer slower.
    pub(crate) failures: Failures,
}

/// With a maildrop.
#[derive(Debug)]
pub(crate) struct Transaction {
    /// Whose session it is.
    pub(crate) user: String,
    /// The messages.
    pub(crate) maildrop: Maildrop,
    /// Those that will be asked for next.
    pub(crate) ahead: Ahead,
}

/// Why a session ends.
enum End {
    Quit,
    Shutdown,
    TooManyErrors,
    /// The client has been told.
    Fatal(&'static str),
    Gone(ReadError),
    Tls(StartTlsError),
}

impl End {
    fn name(&self) -> String {
        match self {
            End::Quit => "quit".into(),
            End::Shutdown => "shutdown".into(),
            End::TooManyErrors => "too many errors".into(),
            End::Fatal(text) => (*text).into(),
            End::Gone(error) => error.to_string(),
            End::Tls(error) => error.to_string(),
        }
    }
}

/// Runs a session until the client or the server ends it.
pub async fn serve(server: Arc<Pop3>, mut connection: Connection) {
    connection.set_idle(server.options.idle.max(IDLE));
    let mut context = Context { server, connection, utf8: false };
    let mut state = State::Authorization(Authorization::default());
    let greeting = format!("{} Angarium ready", context.server.options.host_name);
    reply::ok(context.connection.output(), &greeting);
    let end = run(&mut context, &mut state).await;
    let (octets_in, octets_out) = context.connection.octets();
    let (conn, user) = (context.connection.info().id, state.user());
    info!(event = "pop3.session.ended", conn, user, reason = end.name(), octets_in, octets_out);
    // RFC 1939, 3: a session that timed out ends without a word.
    match &end {
        End::Shutdown => reply::err(context.connection.output(), Some(Code::SysTemp), "Server is shutting down"),
        End::Gone(ReadError::Ended(reason)) => reply::err(context.connection.output(), Some(Code::SysTemp), reason),
        End::TooManyErrors => reply::err(context.connection.output(), None, "Too many errors"),
        _ => {}
    }
    if let State::Transaction(transaction) = &mut state {
        leave(&context, &mut transaction.maildrop).await;
    }
    // The maildrop is free before the goodbye: a client that does not read holds no more than its connection.
    drop(state);
    Box::pin(context.connection.close()).await;
}

/// Sets \Seen on what was retrieved, if the site wants that.
async fn leave(context: &Context, maildrop: &mut Maildrop) {
    let Some(leaving) = maildrop.leave() else { return };
    let done = context.blocking(move |_| leaving.carry_out().map_err(Refused::Server)).await;
    if let Err(Refused::Server(error)) = done {
        error!(event = "pop3.seen.failed", conn = context.connection.info().id, %error);
    }
}

/// Command after command.
async fn run(context: &mut Context, state: &mut State) -> End {
    let mut bad = 0;
    loop {
        let line = match next_line(context, state).await {
            Ok(line) => line,
            Err(end) => return end,
        };
        let before_login = matches!(state, State::Authorization(_));
        let shutdown = context.server.shutdown.clone();
        let running = Box::pin(command(context, state, line));
        let ended = match before_login {
            false => running.await,
            true => tokio::select! {
                biased;
                ended = running => ended,
                // Nobody waits for an exchange that goes slowly, nor for the delay behind a wrong password.
                () = shutdown.cancelled() => return End::Shutdown,
            },
        };
        match ended {
            Ok(nonsense) => bad = if nonsense { bad + 1 } else { 0 },
            Err(end) => return end,
        }
        if bad >= MAX_BAD {
            return End::TooManyErrors;
        }
    }
}

/// The next line; the inner error is for the client, who may go on.
async fn next_line(context: &mut Context, state: &mut State) -> Result<Result<bytes::Bytes, &'static str>, End> {
    let shutdown = context.server.shutdown.clone();
    loop {
        let holds = matches!(&*state, State::Transaction(transaction) if !transaction.ahead.is_empty());
        let read = tokio::select! {
            biased;
            () = shutdown.cancelled() => return Err(End::Shutdown),
            read = context.connection.read_line(LINE) => read,
            () = tokio::time::sleep(ahead::KEPT), if holds => {
                if let State::Transaction(transaction) = state {
                    transaction.ahead.clear();
                }
                context.connection.release();
                continue;
            }
        };
        return match read {
            Ok(line) => Ok(Ok(line)),
            Err(ReadError::Line(error @ FrameError::HttpRequest)) => {
                reply::err(context.connection.output(), None, &error.to_string());
                Err(End::Fatal("HTTP request"))
            }
            Err(ReadError::Line(_)) => Ok(Err("Malformed line")),
            Err(error) => Err(End::Gone(error)),
        };
    }
}

/// Runs a command that was read, answers it, and counts it. Whether it made no sense.
async fn command(
    context: &mut Context,
    state: &mut State,
    line: Result<bytes::Bytes, &'static str>,
) -> Result<bool, End> {
    let started = Instant::now();
    let (name, outcome) = match &line {
        Ok(line) => run_line(context, state, line).await,
        Err(malformed) => ("", Err(Refused::bad(*malformed))),
    };
    let (verdict, took) = (verdict(&outcome), started.elapsed());
    context.server.commands.note(name, verdict, took);
    log_failure(context, state, name, &outcome);
    let nonsense = matches!(outcome, Err(Refused::Bad(_)));
    let ended = finish(context, state, outcome).await;
    log_finished(context, state, name, verdict, took);
    ended.map(|()| nonsense)
}

/// Runs a line; what the command is called, if it is one.
async fn run_line(context: &mut Context, state: &mut State, line: &[u8]) -> (&'static str, Outcome) {
    let line = Line::parse(line);
    let command = line.and_then(|line| commands::find(line.keyword));
    let outcome = match (line, command) {
        (Some(line), Some(command)) => dispatch(context, state, command.verb, &line).await,
        (Some(_), None) => Err(Refused::bad("Unknown command")),
        (None, _) => Err(Refused::bad("Command is not UTF-8")),
    };
    (command.map_or("", |command| command.name), outcome)
}

/// How a command that ended so is counted.
fn verdict(outcome: &Outcome) -> Verdict {
    match outcome {
        Ok(_) => Verdict::Ok,
        Err(Refused::Bad(_) | Refused::Fatal(_)) => Verdict::Bad,
        Err(Refused::Gone(_)) => Verdict::Gone,
        Err(_) => Verdict::No,
    }
}

/// Checks a command against the state and runs it.
async fn dispatch(context: &mut Context, state: &mut State, verb: Verb, line: &Line<'_>) -> Outcome {
    match state {
        State::Authorization(state) => match verb {
            Verb::User => commands::user::run(context, state, line),
            Verb::Pass => commands::pass::run(context, state, line).await,
            Verb::Apop => commands::apop::run(line),
            Verb::Auth => commands::auth::run(context, state, line).await,
            Verb::Stls => commands::stls::run(context, line),
            Verb::Utf8 => commands::utf8::run(context, line),
            Verb::Capa => commands::capa::run(context, true, line).await,
            Verb::Lang => commands::lang::run(context, line),
            Verb::Quit => commands::quit::leave(line),
            _ => Err(Refused::bad("Log in first")),
        },
        State::Transaction(state) => match verb {
            Verb::Stat => commands::stat::run(state, line),
            Verb::List => commands::list::run(context, state, line).await,
            Verb::Uidl => commands::uidl::run(context, state, line).await,
            Verb::Retr => commands::retr::run(context, state, line).await,
            Verb::Top => commands::top::run(context, state, line).await,
            Verb::Dele => commands::dele::run(state, line),
            Verb::Rset => commands::rset::run(state, line),
            Verb::Noop => commands::noop::run(line),
            Verb::Capa => commands::capa::run(context, false, line).await,
            Verb::Lang => commands::lang::run(context, line),
            Verb::Quit => commands::quit::update(context, state, line).await,
            _ => Err(Refused::bad("You are logged in already")),
        },
    }
}

/// Queues the response and does what follows from it.
async fn finish(context: &mut Context, state: &mut State, outcome: Outcome) -> Result<(), End> {
    let refused = match outcome {
        Ok(Done::Ok(text)) => {
            reply::ok(context.connection.output(), &text);
            return Ok(());
        }
        Ok(Done::Said) => return Ok(()),
        Ok(Done::Enter(transaction, text)) => {
            context.connection.logged_in(CommandLimits::PRE_AUTH);
            context.connection.show_user(&transaction.user);
            reply::ok(context.connection.output(), &text);
            *state = State::Transaction(transaction);
            return Ok(());
        }
        Ok(Done::StartTls) => return start_tls(context, state).await,
        Ok(Done::Quit(text)) => {
            reply::ok(context.connection.output(), &text);
            return Err(End::Quit);
        }
        Err(refused) => refused,
    };
    if let Some((code, text)) = refused.reply() {
        reply::err(context.connection.output(), code, text);
    }
    match refused {
        Refused::Fatal(text) => Err(End::Fatal(text)),
        Refused::Ended => Err(End::Quit),
        Refused::Gone(error) => Err(End::Gone(error)),
        _ => Ok(()),
    }
}

/// RFC 2595, 4: what was said before is forgotten.
async fn start_tls(context: &mut Context, state: &mut State) -> Result<(), End> {
    let Some(tls) = context.server.tls.clone() else { return Err(End::Fatal("TLS is not available")) };
    reply::ok(context.connection.output(), "Begin TLS negotiation now");
    context.utf8 = false;
    if let State::Authorization(state) = state {
        state.user = None;
    }
    let shutdown = context.server.shutdown.clone();
    tokio::select! {
        started = Box::pin(context.connection.start_tls(&tls)) => started.map_err(End::Tls),
        () = shutdown.cancelled() => Err(End::Shutdown),
    }
}

/// A failure of ours, at a level that an administrator sees.
fn log_failure(context: &Context, state: &State, command: &str, outcome: &Outcome) {
    let failure: &dyn std::fmt::Display = match outcome {
        Err(Refused::Server(error)) => error,
        Err(Refused::Directory(error)) => error,
        Err(Refused::Task(error)) => error,
        _ => return,
    };
    let (conn, user) = (context.connection.info().id, state.user());
    error!(event = "pop3.command.failed", conn, user, command, error = %failure);
}

/// One event for each command. Costs two additions if nobody wants to see it.
fn log_finished(context: &mut Context, state: &State, command: &str, verdict: Verdict, took: Duration) {
    let (octets_in, octets_out) = context.connection.octets_since();
    if !enabled!(Level::DEBUG) {
        return;
    }
    let (conn, user, result) = (context.connection.info().id, state.user(), verdict.name());
    let ms = took.as_micros() as f64 / 1e3;
    debug!(event = "pop3.command.finished", conn, user, command, result, ms, octets_in, octets_out);
}
