//! Listeners: bind, accept within limits, hand each connection to its session, drain at the end.
//!
//! Every session is a task of the caller's [`TaskTracker`]; when the caller's token is cancelled no more connections are
//! accepted, sessions say goodbye on their own clones of it, and `tracker.wait()` tells when the last has gone.

mod bind;
mod gate;
mod throttle;
mod traffic;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, error, info, warn};

use crate::connection::{Connection, ConnectionInfo, Peer};
use crate::limits::Limits;
use crate::sessions::Sessions;
use crate::stream::{Plain, Stream};
use crate::tls::Tls;

pub use bind::{BindError, Bound, Listener, Local};
pub(crate) use gate::Slot;
pub use gate::{Gate, Refusal};
use throttle::Throttle;
pub use traffic::Traffic;

/// How long an accept loop waits when the system has no descriptor or memory for another connection, unless one of ours
/// closes before: 1 second, which is no load, and soon enough for a client that retries.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// What is served at a listener.
#[derive(Debug, Clone)]
pub struct Service {
    /// Its name in the log and in [`ConnectionInfo::service`].
    pub name: &'static str,
    /// For a port that begins with TLS (imaps).
    pub tls: Option<Tls>,
    /// What a refused connection is told before it is closed (`* BYE Too many connections\r\n`); not sent under TLS.
    pub refusal: &'static str,
    /// How many connections there may be at a time, where that is less than for all services together.
    pub most: Option<u32>,
}

/// What all accept loops share.
#[derive(Debug, Clone)]
pub struct Reception {
    /// Counts connections.
    pub gate: Arc<Gate>,
    /// Every connection, for administrators.
    pub sessions: Arc<Sessions>,
    /// Limits for new connections; replaced when the configuration is read again.
    pub limits: Arc<ArcSwap<Limits>>,
    /// Every session's task.
    pub tasks: TaskTracker,
    /// Cancelled to stop accepting.
    pub shutdown: CancellationToken,
}

/// Accepts connections until the shutdown token is cancelled, and runs `session` on each in a task of its own. A session
/// that panics ends alone.
pub async fn serve<H, F>(listener: Listener, service: Service, reception: Reception, session: H)
where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let session = Arc::new(session);
    let logs = Arc::new(Logs::default());
    let traffic = reception.gate.traffic_of(service.name);
    loop {
        let accepted = tokio::select! {
            biased;
            () = reception.shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(accepted) => match admit(accepted, &service, &reception, &traffic) {
                Ok(conn) => spawn(conn, &service, &reception, traffic.begin(), &logs, &session),
                Err((refusal, peer)) => {
                    traffic.refuse(refusal);
                    if let Some(count) = logs.refused.pass() {
                        let service = service.name;
                        warn!(event = "connection.refused", service, peer = %peer, reason = %refusal, count);
                    }
                }
            },
            Err(error) if is_peers_fault(&error) => {}
            Err(error) => {
                if let Some(count) = logs.failed.pass() {
                    error!(event = "listener.accept.failed", service = service.name, error = %error, count);
                }
                // The connection stays where it is, so to ask again at once would be to ask all the time.
                tokio::select! {
                    () = reception.gate.freed() => {}
                    () = reception.shutdown.cancelled() => return,
                    () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                }
            }
        }
    }
}

/// What is not said each time.
#[derive(Debug, Default)]
struct Logs {
    refused: Throttle,
    failed: Throttle,
    proxy: Throttle,
}

fn admit(
    accepted: Accepted,
    service: &Service,
    reception: &Reception,
    traffic: &Traffic,
) -> Result<Connection, (Refusal, Peer)> {
    let limits = reception.limits.load();
    let Accepted { stream, peer, local } = accepted;
    let full = service.most.is_some_and(|most| traffic.open() >= u64::from(most));
    let admitted = if full { Err(Refusal::Total) } else { reception.gate.admit(&peer, &limits) };
    let slot = match admitted {
        Ok(slot) => slot,
        Err(refusal) => {
            if service.tls.is_none() {
                // A fresh socket takes a line at once or not at all; we do not wait for strangers.
                let _ = match &stream {
                    Plain::Tcp(stream) => stream.try_write(service.refusal.as_bytes()),
                    Plain::Unix(stream) => stream.try_write(service.refusal.as_bytes()),
                    Plain::Memory(_) => Ok(0),
                };
            }
            return Err((refusal, peer));
        }
    };
    let info = ConnectionInfo::new(service.name, peer, local);
    let entry = reception.sessions.enter(&info);
    Ok(Connection::new(Stream::Plain(stream), info, &limits).admitted(slot, entry))
}

fn spawn<H, F>(
    mut conn: Connection,
    service: &Service,
    reception: &Reception,
    open: traffic::Open,
    logs: &Arc<Logs>,
    session: &Arc<H>,
) where
    H: Fn(Connection) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let info = conn.info();
    debug!(event = "connection.opened", conn = info.id, service = info.service, peer = %info.peer);
    let guard = PanicLog { conn: info.id, service: info.service };
    let (tls, session, logs) = (service.tls.clone(), Arc::clone(session), Arc::clone(logs));
    let shutdown = reception.shutdown.clone();
    let limits = reception.limits.load();
    let proxy = limits.is_proxy(&info.peer).then(|| Arc::clone(&limits));
    let id = info.id;
    // A place of its own, given back before the session begins: those that idle are many.
    let ready = Box::pin(async move {
        let ready = match (proxy, tls) {
            (None, None) => true,
            (proxy, tls) => tokio::select! {
                ready = prepare(&mut conn, proxy, tls, &logs) => ready,
                // Nothing was said yet that would have to be ended.
                () = shutdown.cancelled() => false,
            },
        };
        ready.then_some(conn)
    });
    reception.tasks.spawn(crate::work::of_connection(id, async move {
        let _open = open;
        let _guard = guard;
        if let Some(conn) = ready.await {
            session(conn).await;
        }
    }));
}

/// What comes before the session: the PROXY header, the handshake. Whether there can be a session.
async fn prepare(conn: &mut Connection, proxy: Option<Arc<Limits>>, tls: Option<Tls>, logs: &Logs) -> bool {
    if let Some(limits) = proxy
        && let Err(problem) = conn.meet_proxy(&limits).await
    {
        let info = conn.info();
        if let Some(count) = logs.proxy.pass() {
            warn!(event = "proxy.refused", conn = info.id, service = info.service, peer = %info.peer, error = %problem, count);
        }
        return false;
    }
    if let Some(tls) = tls
        && let Err(problem) = conn.upgrade(&tls).await
    {
        let info = conn.info();
        info!(event = "tls.handshake.failed", conn = info.id, service = info.service, peer = %info.peer, error = %problem);
        return false;
    }
    true
}

/// A socket just accepted.
struct Accepted {
    stream: Plain,
    peer: Peer,
    local: Option<SocketAddr>,
}

/// Whether accept failed because of the connection that was to be accepted, not of us (accept(2), "Error handling").
fn is_peers_fault(error: &io::Error) -> bool {
    let Some(errno) = Errno::from_io_error(error) else { return false };
    [
        Errno::CONNABORTED,
        Errno::INTR,
        Errno::NETDOWN,
        Errno::PROTO,
        Errno::NOPROTOOPT,
        Errno::HOSTDOWN,
        Errno::NONET,
        Errno::HOSTUNREACH,
        Errno::OPNOTSUPP,
        Errno::NETUNREACH,
        Errno::PERM,
    ]
    .contains(&errno)
}

/// Says when a session's task ends by a panic, which would otherwise only be seen as a lost connection.
struct PanicLog {
    conn: u64,
    service: &'static str,
}

impl Drop for PanicLog {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!(event = "connection.panicked", conn = self.conn, service = self.service);
        }
    }
}

#[cfg(test)]
mod tests;
