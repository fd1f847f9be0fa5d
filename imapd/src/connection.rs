//! One connection from greeting to goodbye: bytes become fragments, fragments commands, commands replies.
//!
//! [`wire`] cuts the input; here a command is read to its end, parsed, looked up in the [table](crate::commands), checked
//! against the session's state and run. Commands run strictly one after another, so pipelining clients get the results of
//! the one-by-one run (RFC 9051, 5.5), and the next command is read only when the last one's replies have been queued:
//! a client that does not take its replies is not read from, and holds nothing but its connection.
//!
//! Between commands nothing is held but this loop's small future: a command's future is boxed, the input has no buffer.

mod finished;

use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use mailstore::MailboxName;
use tracing::info;
use wire::framing::{CommandLimits, Fragment};
use wire::{Connection, ReadError, StartTlsError};

use self::finished::{log_failure, log_finished, verdict};
use crate::commands::{self, Command, Effect, Run, States, capability};
use crate::context::{Context, Enabled, Imap};
use crate::outcome::{CommandError, Done, Outcome, Then, server_reply};
use crate::reply::{self, Code, Status};
use crate::session::{NotAuthenticated, Session};
use crate::syntax::{self, LiteralRole};
use crate::types::{Request, Tag};
use crate::view::Expunges;

/// BADs in a row after which a connection is closed: no client errs so often, but a port scanner or another protocol does
/// (Cyrus and Dovecot have similar limits).
const MAX_BAD: u32 = 20;

/// Runs a session until the client or the server ends it.
pub fn serve(server: Arc<Imap>, connection: Connection) -> impl Future<Output = ()> + Send {
    // Not within the future, which would hold the connection a second time: as its argument.
    let mut context = Context { server, connection, enabled: Enabled::default(), tag: None };
    async move {
        let mut session = Session::NotAuthenticated(NotAuthenticated::default());
        greet(&mut context);
        let end = run(&mut context, &mut session).await;
        let (octets_in, octets_out) = context.connection.octets();
        let (conn, user) = (context.connection.info().id, session.account().map(|account| account.reader()));
        info!(event = "imap.session.ended", conn, user, reason = end.name(), octets_in, octets_out);
        if let Some(text) = end.goodbye() {
            context.tell(Status::Bye, None, text);
        }
        // The mailbox is given up before the goodbye: a client that does not read holds no more than its connection.
        drop(session);
        Box::pin(context.connection.close()).await;
    }
}

/// Why a session ended.
enum End {
    Logout,
    Shutdown,
    Bye(String),
    /// The client has been told in a tagged reply.
    Fatal(&'static str),
    Gone(ReadError),
    Tls(StartTlsError),
}

impl End {
    fn name(&self) -> String {
        match self {
            End::Logout => "logout".into(),
            End::Shutdown => "shutdown".into(),
            End::Bye(text) => text.clone(),
            End::Fatal(text) => (*text).into(),
            End::Gone(error) => error.to_string(),
            End::Tls(error) => error.to_string(),
        }
    }

    /// The BYE to be sent; LOGOUT has sent its own.
    fn goodbye(&self) -> Option<&str> {
        match self {
            End::Logout | End::Fatal(_) | End::Gone(_) => None,
            End::Shutdown => Some("Server is shutting down"),
            End::Bye(text) => Some(text),
            End::Tls(StartTlsError::PlainTextPipelined) => Some("Plain text behind STARTTLS"),
            End::Tls(_) => None,
        }
    }
}

/// RFC 9051, 7.1.1: the greeting carries the capabilities, which saves clients a round trip.
fn greet(context: &mut Context) {
    let code = Code::Capability(capability::list(context, false));
    let text = format!("{} Angarium ready", context.server.options.host_name);
    context.tell_code(&code, &text);
}

/// Command after command.
async fn run(context: &mut Context, session: &mut Session) -> End {
    let mut bad = 0;
    loop {
        let shutdown = context.server.shutdown.clone();
        let read = tokio::select! {
            biased;
            () = shutdown.cancelled() => return End::Shutdown,
            read = context.connection.read_fragment() => read,
        };
        let fragment = match read {
            Ok(fragment) => fragment,
            Err(ReadError::Command(refused)) => {
                let tag = syntax::salvage_tag(&refused.head);
                match finish(context, tag.as_ref(), Err(ReadError::Command(refused).into())) {
                    Ok(_) => bad += 1,
                    Err(end) => return end,
                }
                continue;
            }
            Err(error) => return gone(error),
        };
        let before_login = matches!(session, Session::NotAuthenticated(_));
        let running = Box::pin(command(context, session, fragment));
        let outcome = match before_login {
            false => running.await,
            true => tokio::select! {
                biased;
                outcome = running => outcome,
                // Nobody waits for an exchange that goes slowly, nor for the delay behind a wrong password.
                () = shutdown.cancelled() => return End::Shutdown,
            },
        };
        match outcome {
            Ok(Ran { bad: true, .. }) => bad += 1,
            Ok(Ran { then: Then::Close, .. }) => return End::Logout,
            Ok(Ran { then: Then::StartTls, .. }) => {
                if let Err(end) = start_tls(context).await {
                    return end;
                }
            }
            Ok(_) => bad = 0,
            Err(end) => return end,
        }
        if bad >= MAX_BAD {
            return End::Bye("Too many errors".into());
        }
        if let Session::Selected(selected) = session
            && let Some(why) = selected.lost()
        {
            return End::Bye(why.into());
        }
    }
}

/// The session ends with a read error.
fn gone(error: ReadError) -> End {
    match error {
        ReadError::Timeout => End::Bye("Autologout, idle for too long".into()),
        ReadError::Ended(reason) => End::Bye(reason.to_string()),
        error => End::Gone(error),
    }
}

/// RFC 9051, 6.2.1: the client starts over, with nothing it has said before taken for granted.
async fn start_tls(context: &mut Context) -> Result<(), End> {
    let Some(tls) = context.server.tls.clone() else {
        return Err(End::Bye("TLS is not available".into()));
    };
    context.enabled = Enabled::default();
    let shutdown = context.server.shutdown.clone();
    tokio::select! {
        started = Box::pin(context.connection.start_tls(&tls)) => started.map_err(End::Tls),
        () = shutdown.cancelled() => Err(End::Shutdown),
    }
}

/// What a command leaves the loop to do.
struct Ran {
    then: Then,
    /// The client wrote nonsense.
    bad: bool,
}

/// Reads the rest of a command, runs it and answers it.
async fn command(context: &mut Context, session: &mut Session, fragment: Fragment) -> Result<Ran, End> {
    let started = Instant::now();
    let (tag, found) = match gather(context, fragment).await {
        Ok(Gathered::Streamed(tag, fragment)) => (Some(tag), Ok(("APPEND", Input::Streamed(fragment)))),
        Ok(Gathered::Whole(text)) => parse(context, &text),
        Err((tag, error)) => (tag, Err(error)),
    };
    let name = found.as_ref().map_or("-", |(name, _)| *name);
    context.tag.clone_from(&tag);
    let outcome = match found {
        Ok((name, input)) => dispatch(context, session, name, input).await,
        Err(error) => Err(error),
    };
    // A command that stopped before its end leaves the rest to be skipped.
    if outcome.is_err()
        && let Err(refused) = context.connection.abandon_command()
    {
        return Err(End::Bye(refused.error.to_string()));
    }
    log_failure(context, session, name, &outcome);
    let (verdict, took) = (verdict(&outcome), started.elapsed());
    context.server.commands.note(name, verdict, took);
    let entered = match outcome {
        Ok(mut done) => {
            let entered = done.enter.take();
            (entered, Ok(done))
        }
        Err(error) => (None, Err(error)),
    };
    let ran = finish(context, tag.as_ref(), entered.1);
    if let (Ok(_), Some(state)) = (&ran, entered.0) {
        enter(context, session, state);
    }
    log_finished(context, session, name, verdict, took);
    ran
}

/// What is run: parsed arguments, or the beginning of an APPEND.
enum Input {
    Request(Request),
    Streamed(Fragment),
}

/// A command as read.
enum Gathered {
    /// All of it, literals included as they stand on the wire.
    Whole(Bytes),
    /// Up to the first message, which is to be read as it arrives.
    Streamed(Tag, Fragment),
}

/// Reads a command to its end, or to the first message of an APPEND.
async fn gather(context: &mut Context, mut fragment: Fragment) -> Result<Gathered, (Option<Tag>, CommandError)> {
    let Some(mut literal) = fragment.literal else { return Ok(Gathered::Whole(fragment.text)) };
    let tag = syntax::salvage_tag(&fragment.text);
    let mut text = BytesMut::new();
    loop {
        text.extend_from_slice(&fragment.text);
        match syntax::literal_role(&text, context.encoding()) {
            LiteralRole::Argument => {}
            LiteralRole::Unwanted(error) => return Err((error.tag.clone(), error.into())),
            LiteralRole::Message => {
                let Some(tag) = tag else { return Err((None, CommandError::bad("No tag"))) };
                return Ok(Gathered::Streamed(tag, Fragment { text: text.freeze(), literal: Some(literal) }));
            }
        }
        let octets = context.connection.read_literal().await.map_err(|error| (tag.clone(), error.into()))?;
        // No argument may be a literal8, so the grammar must see that it is one.
        let tilde = if literal.binary { "~" } else { "" };
        text.put_slice(format!("{tilde}{{{}}}\r\n", octets.len()).as_bytes());
        text.extend_from_slice(&octets);
        fragment = context.connection.read_fragment().await.map_err(|error| (tag.clone(), error.into()))?;
        match fragment.literal {
            Some(next) => literal = next,
            None => {
                text.extend_from_slice(&fragment.text);
                return Ok(Gathered::Whole(text.freeze()));
            }
        }
    }
}

fn parse(context: &Context, text: &[u8]) -> (Option<Tag>, Result<(&'static str, Input), CommandError>) {
    match syntax::parse(text, context.encoding()) {
        Ok(request) => (Some(request.tag.clone()), Ok((request.arguments.name(), Input::Request(request)))),
        Err(error) => (error.tag.clone(), Err(error.into())),
    }
}

/// Checks the command against the table and runs it; afterwards the client is told what has happened in its mailbox.
async fn dispatch(context: &mut Context, session: &mut Session, name: &str, input: Input) -> Outcome {
    let Some(command) = commands::find(name) else {
        return Err(CommandError::bad(format!("{name} is not supported")));
    };
    check_state(command, session)?;
    match session {
        Session::Selected(_) if command.effect == Effect::Leaves => leave(context, session),
        Session::Selected(selected) => selected.renew_rights(context),
        _ => {}
    }
    let outcome = call(context, session, command, input).await;
    let expunges = match command.effect {
        Effect::MayRenumber => Expunges::Tell,
        Effect::UsesNumbers => Expunges::Hold,
        Effect::Leaves | Effect::Silent => return outcome,
    };
    if let Session::Selected(selected) = session {
        Box::pin(selected.tell(context, expunges)).await?;
    }
    outcome
}

fn check_state(command: &Command, session: &Session) -> Result<(), CommandError> {
    let legal = match command.states {
        States::Any => true,
        States::NotAuthenticated => matches!(session, Session::NotAuthenticated(_)),
        States::Authenticated => !matches!(session, Session::NotAuthenticated(_)),
        States::Selected => matches!(session, Session::Selected(_)),
    };
    if legal {
        return Ok(());
    }
    let text = match (command.states, session) {
        (States::NotAuthenticated, _) => "You are logged in already",
        (_, Session::NotAuthenticated(_)) => "Log in first",
        _ => "Select a mailbox first",
    };
    Err(CommandError::bad(text))
}

/// Runs a command whose state was checked.
async fn call(context: &mut Context, session: &mut Session, command: &Command, input: Input) -> Outcome {
    let wrong = || Err(CommandError::bad("Not in this state"));
    match (&command.run, input, session) {
        (Run::Any(run), Input::Request(request), session) => run(context, session, request.arguments).await,
        (Run::NotAuthenticated(run), Input::Request(request), Session::NotAuthenticated(state)) => {
            run(context, state, request.arguments).await
        }
        (Run::Authenticated(run), Input::Request(request), session) => match session.authenticated() {
            Some(user) => run(context, user, request.arguments).await,
            None => wrong(),
        },
        (Run::Selected(run), Input::Request(request), Session::Selected(selected)) => {
            run(context, selected, request.arguments).await
        }
        (Run::Streamed(run), Input::Streamed(fragment), session) => match session.authenticated() {
            Some(user) => run(context, user, fragment).await,
            None => wrong(),
        },
        _ => wrong(),
    }
}

/// Gives the selected mailbox up. What follows is about another one (RFC 9051, 7.1: CLOSED).
fn leave(context: &mut Context, session: &mut Session) {
    if let Session::Selected(selected) = session {
        let user = selected.user.clone();
        *session = Session::Authenticated(user);
        context.connection.show_mailbox(None);
        context.tell_code(&Code::Closed, "Previous mailbox closed");
    }
}

/// Enters a new state; login changes what the peer may send.
fn enter(context: &mut Context, session: &mut Session, state: Session) {
    if matches!(session, Session::NotAuthenticated(_)) && !matches!(state, Session::NotAuthenticated(_)) {
        context.connection.logged_in(CommandLimits::POST_AUTH);
        state.account().iter().for_each(|account| context.connection.show_user(account.reader()));
    }
    let mailbox = state.selected().map(|selected| selected.mailbox.name());
    context.connection.show_mailbox(mailbox.as_ref().map(MailboxName::as_str));
    *session = state;
}

/// Queues the tagged reply.
fn finish(context: &mut Context, tag: Option<&Tag>, outcome: Outcome) -> Result<Ran, End> {
    let ran = |then, bad| Ok(Ran { then, bad });
    let mut answer = |status, code: Option<&Code>, text: &str| {
        context.send(|out| match tag {
            Some(tag) => reply::tagged(out, tag, status, code, text),
            None => reply::untagged(out, status, code, text),
        });
    };
    match outcome {
        Ok(Done { code, text, then, .. }) => {
            answer(Status::Ok, code.as_ref(), &text);
            ran(then, false)
        }
        Err(CommandError::Bad(text)) => {
            answer(Status::Bad, None, &text);
            ran(Then::Continue, true)
        }
        Err(CommandError::TooBig(text)) => {
            answer(Status::Bad, Some(&Code::TooBig), &text);
            ran(Then::Continue, true)
        }
        Err(CommandError::Refused(code, text)) => {
            answer(Status::No, code.as_ref(), &text);
            ran(Then::Continue, false)
        }
        Err(CommandError::Server(error)) => {
            let (code, text) = server_reply(error.kind());
            answer(Status::No, Some(&code), text);
            ran(Then::Continue, false)
        }
        Err(CommandError::Directory(_)) => {
            answer(Status::No, Some(&Code::Unavailable), "The directory is not available, try again later");
            ran(Then::Continue, false)
        }
        Err(CommandError::Task(_)) => {
            answer(Status::No, Some(&Code::ServerBug), "Internal error, the administrator has been told");
            ran(Then::Continue, false)
        }
        Err(CommandError::Fatal(text)) => {
            answer(Status::Bad, None, text);
            Err(End::Fatal(text))
        }
        Err(CommandError::LockedOut(text)) => {
            // RFC 5530: a client that is told UNAVAILABLE does not ask for another password.
            answer(Status::No, Some(&Code::Unavailable), &text);
            Err(End::Bye(text.into_owned()))
        }
        Err(CommandError::Bye(text)) => Err(End::Bye(text.into_owned())),
        Err(CommandError::Gone(error)) => Err(gone(error)),
    }
}
