//! The kinds of work, and which of them a name stands for.

mod append;
mod big;
mod deliver;
mod fetch;
mod idle;
mod list;
mod login;
mod mixed;
mod push;
mod retr;
mod search;
mod select;
mod store;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;

use crate::{Bounds, Failure, Report, Target};

/// Most connections of a run: each takes a descriptor and a port of this machine.
pub const MOST_CONNECTIONS: usize = 20_000;

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Workload {
    /// LMTP deliveries as an MTA makes them
    Deliver,
    /// APPEND with a non-synchronizing literal
    Append,
    /// What a mail client asks of every message of a mailbox to show its list
    FetchList,
    /// The header fields that Thunderbird asks for
    FetchHeaders,
    /// Whole messages
    FetchBody,
    /// Whole mailboxes over POP3, message after message
    Retr,
    /// One flag of one message, one round trip each
    Store,
    /// SELECT of two mailboxes in turn
    Select,
    /// SEARCH FROM
    SearchFrom,
    /// SEARCH by flags
    SearchFlag,
    /// SEARCH by internal date
    SearchDate,
    /// SEARCH BODY over 40 messages of 70 KB
    SearchBody,
    /// Connection, LOGIN, LOGOUT
    Login,
    /// LIST of a tree of mailboxes
    List,
    /// Clients that read, flag, search, store and receive mail
    Mixed,
    /// Memory of connections in IDLE
    Idle,
    /// From a delivery to those who idle in the mailbox
    Push,
    /// A mailbox of 50,000 messages: SELECT, FLAGS of all, EXPUNGE of a tenth
    Big,
}

/// What may be chosen about a workload; what is `None` is as the workload has it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Connections at the same time.
    pub connections: Option<usize>,
    /// Recipients of each delivered message.
    pub recipients: Option<usize>,
    /// Bytes of a message.
    pub size: Option<usize>,
    /// Messages or mailboxes that there are to work on.
    pub population: Option<usize>,
    /// End of the run after this time.
    pub time: Option<Duration>,
    /// End of the run after this many steps.
    pub steps: Option<u64>,
    /// Only make the mailboxes that the workload needs.
    pub prepare: bool,
}

/// Does the work; `None` if it was only to be prepared.
///
/// # Errors
/// [`Failure`]: then there are no figures.
pub async fn run(workload: Workload, target: &Target, options: &Options) -> Result<Option<Report>, Failure> {
    if options.connections.unwrap_or(1).max(options.recipients.unwrap_or(1)) > MOST_CONNECTIONS {
        return Err(Failure::Refused(format!("more than {MOST_CONNECTIONS} connections")));
    }
    if [options.connections, options.recipients, options.population].contains(&Some(0)) {
        return Err(Failure::Refused("none of something to work with".to_owned()));
    }
    match workload {
        Workload::Deliver => deliver::run(target, options).await,
        Workload::Append => append::run(target, options).await,
        Workload::FetchList => fetch::run(fetch::What::List, target, options).await,
        Workload::FetchHeaders => fetch::run(fetch::What::Headers, target, options).await,
        Workload::FetchBody => fetch::run(fetch::What::Body, target, options).await,
        Workload::Retr => retr::run(target, options).await,
        Workload::Store => store::run(target, options).await,
        Workload::Select => select::run(target, options).await,
        Workload::SearchFrom => search::run(search::Key::From, target, options).await,
        Workload::SearchFlag => search::run(search::Key::Flag, target, options).await,
        Workload::SearchDate => search::run(search::Key::Date, target, options).await,
        Workload::SearchBody => search::run(search::Key::Body, target, options).await,
        Workload::Login => login::run(target, options).await,
        Workload::List => list::run(target, options).await,
        Workload::Mixed => mixed::run(target, options).await,
        Workload::Idle => idle::run(target, options).await,
        Workload::Push => push::run(target, options).await,
        Workload::Big => big::run(target, options).await,
    }
}

impl Options {
    /// Bounds of a timed run: as chosen, else so many steps or so many seconds, whichever ends first.
    fn bounds(&self, seconds: u64, steps: u64) -> Bounds {
        Bounds { time: self.time.unwrap_or(Duration::from_secs(seconds)), steps: self.steps.unwrap_or(steps) }
    }
}

/// A word that no other run has, for Message-IDs.
pub(crate) fn run_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}.{:x}", now.as_nanos(), std::process::id())
}

/// The run to which the messages of mailboxes belong that are made once and kept.
pub(crate) const KEPT: &str = "kept";
