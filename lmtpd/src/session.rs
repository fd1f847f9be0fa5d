//! A session: its states, and the loop that reads commands and answers them.
//!
//! ```text
//! Connected --LHLO--> Greeted --MAIL--> Sender --RCPT--> Recipients --DATA--> (message) --+
//!                      ^  ^                                  |                            |
//!                      |  |                                  +--BDAT--> Chunks --LAST-----+
//!                      |  +-------------- RSET, LHLO from anywhere -------+               |
//!                      +------------------------------------------------------------------+
//! ```
//!
//! Each state owns what is valid in it: there is no sender to forget outside of [`Sender`], and no message outside of
//! [`Chunks`]. Handlers take the state and give the next one back.

mod auth;
mod envelope;
#[cfg(test)]
pub(crate) mod fake;
mod hello;
mod message;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use login::{Door, Failures};
use mailstore::{Access, StageWriter};
use tokio_util::sync::CancellationToken;
use tracing::{Level, debug, enabled, info, warn};
use wire::framing::FrameError;
use wire::meter::Verdict;
use wire::work::{self, DeliveryId};
use wire::{Connection, Peer, ReadError, Tls};

use crate::commands::{self, States, Verb};
use crate::delivery::{Addressee, InFlight};
use crate::deposit::Deposit;
use crate::incoming::Incoming;
use crate::limits;
use crate::meters::{self, Meters};
use crate::reply::Reply;
use crate::settings::Settings;
use crate::syntax::{self, Address, AuthArguments, BdatArguments};
use auth::Submitter;

/// What all sessions of the service share.
pub(crate) struct Shared<D: Deposit> {
    pub(crate) settings: Settings,
    pub(crate) deposit: D,
    /// For AUTH; without it the command is not offered.
    pub(crate) door: Option<Door>,
    pub(crate) tls: Option<Tls>,
    pub(crate) in_flight: InFlight,
    pub(crate) meters: Meters,
    /// Tells the transactions of this process apart, in the log and in `Received:`.
    deliveries: AtomicU64,
}

impl<D: Deposit> Shared<D> {
    pub(crate) fn new(settings: Settings, deposit: D, door: Option<Door>, tls: Option<Tls>) -> Self {
        let in_flight = InFlight::default();
        Self { settings, deposit, door, tls, in_flight, meters: Meters::new(), deliveries: AtomicU64::new(1) }
    }
}

/// LHLO was accepted.
#[derive(Debug, Clone)]
pub(crate) struct Greeted {
    /// What the client called itself.
    client: String,
}

/// MAIL was accepted.
#[derive(Debug)]
pub(crate) struct Sender {
    greeted: Greeted,
    /// The reverse path; `None` is the null sender.
    from: Option<Address>,
    submitter: Access,
    utf8: bool,
    /// The size that the client announced.
    size: u64,
    /// RCPT commands so far.
    attempts: u32,
}

/// At least one RCPT was accepted.
#[derive(Debug)]
pub(crate) struct Recipients {
    sender: Sender,
    /// Those accepted, in the order in which they will be answered.
    accepted: Vec<Recipient>,
}

/// An address that RCPT accepted.
#[derive(Debug)]
pub(crate) struct Recipient {
    address: Address,
    /// Who gets a copy: at least one, more if the address is an alias.
    addressees: Vec<Addressee>,
}

/// BDAT has begun the message.
pub(crate) struct Chunks<D: Deposit> {
    recipients: Recipients,
    incoming: Incoming<D>,
    /// The delivery's identifier.
    delivery: String,
}

/// Where a session is.
pub(crate) enum State<D: Deposit> {
    Connected,
    Greeted(Greeted),
    Sender(Sender),
    Recipients(Recipients),
    Chunks(Box<Chunks<D>>),
}

impl<D: Deposit> State<D> {
    fn kind(&self) -> States {
        match self {
            Self::Connected => States::CONNECTED,
            Self::Greeted(_) => States::GREETED,
            Self::Sender(_) => States::SENDER,
            Self::Recipients(_) => States::RECIPIENTS,
            Self::Chunks(_) => States::CHUNKS,
        }
    }

    /// The state without its transaction.
    fn reset(self) -> Self {
        match self {
            Self::Connected => Self::Connected,
            Self::Greeted(greeted) => Self::Greeted(greeted),
            Self::Sender(sender) => Self::Greeted(sender.greeted),
            Self::Recipients(recipients) => Self::Greeted(recipients.sender.greeted),
            Self::Chunks(chunks) => Self::Greeted(chunks.recipients.sender.greeted),
        }
    }
}

/// What a command's handler asks the loop to do.
enum Next {
    /// Answer and read on.
    Reply(Reply),
    /// Read the message that DATA announces.
    Body,
    /// Read the octets behind BDAT.
    Chunk(BdatArguments),
    /// Begin TLS.
    StartTls(Tls),
    /// Find out who the client is.
    Authenticate(AuthArguments),
    /// Answer and close.
    Close(Reply),
}

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The last reply is queued.
    #[error("closed")]
    Closed,
    /// Reading or writing failed.
    #[error(transparent)]
    Broken(#[from] ReadError),
}

/// One connection's session.
struct Session<D: Deposit> {
    shared: Arc<Shared<D>>,
    conn: Connection,
    /// Cancelled when the server stops.
    shutdown: CancellationToken,
    /// Who has logged in.
    user: Option<Submitter>,
    failures: Failures,
    errors: u32,
    /// Commands since the last message.
    commands: u32,
    /// Messages received.
    messages: u64,
    /// The worst that the command under way was answered with.
    verdict: Verdict,
}

/// Serves one connection until it ends.
pub(crate) async fn serve<D: Deposit>(shared: Arc<Shared<D>>, conn: Connection, shutdown: CancellationToken) {
    let mut session = Session {
        shared,
        conn,
        shutdown,
        user: None,
        failures: Failures::default(),
        errors: 0,
        commands: 0,
        messages: 0,
        verdict: Verdict::Ok,
    };
    let id = session.conn.info().id;
    let end = session.run().await;
    if let Err(End::Broken(ReadError::Timeout)) = &end {
        session.put(&Reply::closing("4.4.2", "Timed out"));
    }
    if let Err(End::Broken(ReadError::Ended(reason))) = &end {
        session.put(&Reply::closing("4.3.2", reason.to_string()));
    }
    let (octets_in, octets_out) = session.conn.octets();
    let messages = session.messages;
    match end {
        Err(End::Broken(error)) if !matches!(error, ReadError::Closed) => {
            info!(event = "lmtp.session.broken", conn = id, messages, octets_in, octets_out, %error);
        }
        _ => debug!(event = "lmtp.session.closed", conn = id, messages, octets_in, octets_out),
    }
    session.conn.close().await;
}

impl<D: Deposit> Session<D> {
    async fn run(&mut self) -> Result<(), End> {
        let peer = self.conn.info().peer;
        if self.shared.settings.trusts(&peer) {
            self.conn.no_login_needed();
        } else if !self.shared.settings.hears_strangers() {
            warn!(event = "lmtp.session.refused", conn = self.conn.info().id, %peer);
            self.put(&Reply::new(554, "5.7.1", "No access from your network"));
            return Ok(());
        }
        // A lockout from now on ends it; during one it gets as far as MAIL.
        let _ = self.conn.admit(false);
        self.conn.set_idle(self.shared.settings.timeout);
        let greeting = format!("{} LMTP Angarium ready", self.shared.settings.host_name);
        self.put(&Reply::new(220, "", greeting));
        let mut state = State::Connected;
        loop {
            state = match self.turn(state).await {
                Ok(state) => state,
                Err(End::Closed) => return Ok(()),
                Err(end) => return Err(end),
            };
        }
    }

    /// Reads one command, does it, and counts it.
    async fn turn(&mut self, state: State<D>) -> Result<State<D>, End> {
        let longest = match state {
            State::Greeted(_) if self.shared.door.is_some() => limits::AUTH_LINE,
            _ => wire::limits::LMTP_LINE,
        };
        let line = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => return Err(self.stopping()),
            line = self.conn.read_line(longest) => line,
        };
        let started = Instant::now();
        let name = line.as_ref().map_or("", |line| commands::name_of(line));
        let heard = matches!(line, Ok(_) | Err(ReadError::Line(_)));
        self.verdict = Verdict::Ok;
        let done = self.done(state, line).await;
        if let Ok(State::Connected | State::Greeted(_)) = &done {
            self.conn.release();
            work::set_delivery(None);
        }
        if heard {
            let verdict = if matches!(done, Err(End::Broken(_))) { Verdict::Gone } else { self.verdict };
            let took = started.elapsed();
            self.shared.meters.commands.note(name, verdict, took);
            self.log_finished(name, verdict, took);
        }
        done
    }

    /// One event for each command. Costs two additions if nobody wants to see it.
    fn log_finished(&mut self, command: &str, verdict: Verdict, took: Duration) {
        let (octets_in, octets_out) = self.conn.octets_since();
        if !enabled!(Level::DEBUG) {
            return;
        }
        let (conn, result, ms) = (self.conn.info().id, verdict.name(), took.as_micros() as f64 / 1e3);
        debug!(event = "lmtp.command.finished", conn, command, result, ms, octets_in, octets_out);
    }

    /// Does the command of a line.
    async fn done(&mut self, state: State<D>, line: Result<bytes::Bytes, ReadError>) -> Result<State<D>, End> {
        let (state, next) = match line {
            Ok(line) => match std::str::from_utf8(&line) {
                Ok(line) => self.command(state, line).await,
                Err(_) => (state, Next::Reply(Reply::new(500, "5.5.2", "Command is not UTF-8"))),
            },
            Err(ReadError::Line(error @ FrameError::HttpRequest)) => {
                (state, Next::Close(Reply::closing("5.5.1", error.to_string())))
            }
            Err(ReadError::Line(error)) => (state, Next::Reply(Reply::new(500, "5.5.2", error.to_string()))),
            Err(error) => return Err(error.into()),
        };
        match next {
            Next::Reply(reply) => self.answer(reply, state),
            Next::Close(reply) => Err(self.close(&reply)),
            Next::Body => self.body(state).await,
            Next::Chunk(chunk) => self.chunk(state, chunk).await,
            Next::StartTls(tls) => self.start_tls(&tls).await,
            Next::Authenticate(request) => Box::pin(self.authenticate(state, request)).await,
        }
    }

    /// Queues a reply, unless the client has made too many errors.
    fn answer(&mut self, reply: Reply, state: State<D>) -> Result<State<D>, End> {
        self.errors += u32::from(reply.is_client_error());
        self.put(&reply);
        if self.errors >= limits::ERRORS {
            return Err(self.close(&Reply::closing("4.7.0", "Too many errors")));
        }
        Ok(state)
    }

    async fn command(&mut self, state: State<D>, line: &str) -> (State<D>, Next) {
        let (verb, arguments) = match commands::find(line, state.kind()) {
            Ok(found) => found,
            Err(reply) => return (state, Next::Reply(reply)),
        };
        self.commands += u32::from(verb != Verb::Rcpt);
        if self.commands > limits::COMMANDS_WITHOUT_MESSAGE {
            return (state, Next::Close(Reply::closing("4.7.0", "Too many commands without a message")));
        }
        match (verb, state) {
            (Verb::Lhlo, state) => self.lhlo(state, arguments),
            (Verb::Mail, State::Greeted(greeted)) if !self.may_deliver() => {
                (State::Greeted(greeted), Next::Reply(self.turned_away()))
            }
            (Verb::Mail, State::Greeted(greeted)) => match self.conn.admit(false) {
                Ok(()) => match self.conn.set_aside(StageWriter::IN_MEMORY) {
                    Ok(()) => self.mail(greeted, arguments).await,
                    Err(why) => (State::Greeted(greeted), Next::Reply(Reply::new(452, "4.3.1", why.to_string()))),
                },
                // Here, not in the greeting: a monitor goes no further than LHLO, and must not take this for a failure.
                Err(notice) => {
                    info!(event = "lmtp.mail.locked_out", conn = self.conn.info().id);
                    let reply = Reply::closing("4.3.2", notice.text().to_owned());
                    (State::Greeted(greeted), Next::Close(reply))
                }
            },
            (Verb::Rcpt, State::Sender(sender)) => {
                self.rcpt(Recipients { sender, accepted: Vec::new() }, arguments).await
            }
            (Verb::Rcpt, State::Recipients(recipients)) => self.rcpt(recipients, arguments).await,
            (Verb::Data, state) if arguments.is_empty() => (state, Next::Body),
            (Verb::Bdat, state) => match syntax::bdat_arguments(arguments) {
                Ok(chunk) => (state, Next::Chunk(chunk)),
                // What follows cannot be told from commands any more.
                Err(error) => {
                    self.conn.leave_unread();
                    (state, Next::Close(error.reply()))
                }
            },
            (Verb::Rset, state) => (state.reset(), ok("Ok")),
            (Verb::Noop, state) => (state, ok("Ok")),
            // RFC 5321, 3.5.3: what RCPT would say is not said here.
            (Verb::Vrfy, state) => (state, Next::Reply(Reply::new(252, "2.5.0", "Cannot verify, but will take mail"))),
            (Verb::Help, state) => (state, Next::Reply(commands::help())),
            (Verb::Quit, state) => (state, Next::Close(Reply::new(221, "2.0.0", "Bye"))),
            (Verb::StartTls, state) => {
                let next = self.can_start_tls(arguments);
                (state, next)
            }
            (Verb::Auth, state) => {
                let next = self.can_authenticate(arguments);
                (state, next)
            }
            (Verb::SmtpHello, state) => (state, Next::Reply(Reply::new(500, "5.5.1", "This is LMTP: use LHLO"))),
            (Verb::Mail | Verb::Rcpt, state) => (state, Next::Reply(Reply::sequence("Not now"))),
            (Verb::Data, state) => (state, Next::Reply(Reply::arguments("DATA takes no arguments"))),
        }
    }

    /// Queues a reply. It is sent by the next read that has to wait.
    fn put(&mut self, reply: &Reply) {
        self.verdict = self.verdict.max(meters::verdict(reply));
        let mut wire_form = bytes::BytesMut::new();
        reply.write(&mut wire_form);
        self.conn.output().put(wire_form);
    }

    fn close(&mut self, reply: &Reply) -> End {
        self.put(reply);
        End::Closed
    }

    fn stopping(&mut self) -> End {
        self.close(&Reply::closing("4.3.2", "Server is stopping"))
    }

    /// An identifier for the log, from now on, and `Received:`; unique over the life of the host.
    fn new_delivery(&self) -> String {
        let id = DeliveryId::now(self.shared.deliveries.fetch_add(1, Ordering::Relaxed));
        work::set_delivery(Some(id));
        id.to_string()
    }

    /// Whether the client's word on who submitted a message counts: it came past a Unix socket's permissions, or is an
    /// administrator.
    fn trusts_submitter(&self) -> bool {
        let is_admin = self.user.as_ref().is_some_and(|user| user.admin);
        is_admin || matches!(self.conn.info().peer, Peer::Unix { .. } | Peer::Memory)
    }
}

fn ok(text: &'static str) -> Next {
    Next::Reply(Reply::new(250, "2.0.0", text))
}
