//! Binding TCP and Unix sockets.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::Accepted;
use crate::connection::Peer;
use crate::stream::Plain;

/// Connections the kernel holds for us until we accept them: 1024, a second's burst after a network outage.
const BACKLOG: i32 = 1024;
/// Silent peers are probed after 5 minutes (IDLE is silent for longer, and its client may be gone), then each minute,
/// and given up after five probes.
const KEEPALIVE: Duration = Duration::from_secs(5 * 60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_PROBES: u32 = 5;
/// Longest path of a Unix socket: 107 octets (unix(7), `sun_path`).
const SOCKET_PATH: usize = 107;

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// TCP.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Why a listener could not be set up; the text names where.
#[derive(Debug, Error)]
pub enum BindError {
    /// Another process listens there.
    #[error("{0} is in use by another process")]
    InUse(Local),
    /// A privileged port, or a directory we may not write.
    #[error("{0}: no permission to listen there")]
    Permission(Local),
    /// The path exists and is no socket; it is not removed.
    #[error("{} exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The path does not fit into a socket address.
    #[error("{}: path of a socket may have {SOCKET_PATH} octets at most", .0.display())]
    PathTooLong(PathBuf),
    /// Anything else.
    #[error("{local}: {problem}")]
    Io {
        /// Where.
        local: Local,
        /// What the system said.
        problem: io::Error,
    },
}

impl BindError {
    fn new(local: Local, problem: io::Error) -> Self {
        match problem.kind() {
            io::ErrorKind::AddrInUse => Self::InUse(local),
            io::ErrorKind::PermissionDenied => Self::Permission(local),
            _ => Self::Io { local, problem },
        }
    }
}

/// A bound socket that accepts connections.
#[derive(Debug)]
pub struct Listener {
    socket: ListeningSocket,
    local: Local,
}

#[derive(Debug)]
enum ListeningSocket {
    Tcp(TcpListener),
    Unix {
        socket: UnixListener,
        /// Device and inode of the path, so that a successor's socket is not removed with ours.
        file: (u64, u64),
    },
}

/// A TCP address that is ours, though nobody can connect yet: low ports take privileges that are given up before anybody
/// is served.
#[derive(Debug)]
pub struct Bound {
    socket: Socket,
    address: SocketAddr,
}

impl Bound {
    /// Binds a TCP address; port 0 lets the kernel choose. `[::]` is IPv6 alone, so that `0.0.0.0` can be listed beside it.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        let bind = || -> io::Result<Socket> {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            // Connections of a predecessor in TIME_WAIT must not keep us from starting.
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            Ok(socket)
        };
        match bind() {
            Ok(socket) => Ok(Self { socket, address }),
            Err(problem) => Err(BindError::new(Local::Tcp(address), problem)),
        }
    }

    /// Listens. In a runtime only.
    ///
    /// # Errors
    /// [`BindError`]: another process may listen where two have bound.
    pub fn listen(self) -> Result<Listener, BindError> {
        let Self { socket, address } = self;
        let listen = || -> io::Result<Listener> {
            socket.listen(BACKLOG)?;
            let socket = TcpListener::from_std(socket.into())?;
            let local = Local::Tcp(socket.local_addr()?);
            Ok(Listener { socket: ListeningSocket::Tcp(socket), local })
        };
        listen().map_err(|problem| BindError::new(Local::Tcp(address), problem))
    }
}

impl Listener {
    /// Listens on a TCP address; port 0 lets the kernel choose ([`Listener::local`] tells).
    ///
    /// # Errors
    /// [`BindError`].
    pub fn tcp(address: SocketAddr) -> Result<Self, BindError> {
        Bound::tcp(address)?.listen()
    }

    /// Listens on a Unix socket whose file gets `mode`. What a predecessor left behind is replaced, a socket somebody
    /// listens on is not; the file is removed again when the listener is dropped.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn unix(path: &Path, mode: u32) -> Result<Self, BindError> {
        let local = Local::Unix(path.to_owned());
        if path.as_os_str().len() > SOCKET_PATH {
            return Err(BindError::PathTooLong(path.to_owned()));
        }
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(BindError::NotASocket(path.to_owned()));
            }
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(BindError::InUse(local));
            }
            fs::remove_file(path).map_err(|problem| BindError::new(local.clone(), problem))?;
        }
        let bind = || -> io::Result<ListeningSocket> {
            let socket = UnixListener::bind(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
            let file = fs::symlink_metadata(path)?;
            Ok(ListeningSocket::Unix { socket, file: (file.dev(), file.ino()) })
        };
        match bind() {
            Ok(socket) => Ok(Self { socket, local }),
            Err(problem) => Err(BindError::new(local, problem)),
        }
    }

    /// Where it listens, with the port the kernel chose.
    pub fn local(&self) -> &Local {
        &self.local
    }

    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            ListeningSocket::Tcp(socket) => {
                let (stream, from) = socket.accept().await?;
                set_options(&stream)?;
                let local = stream.local_addr()?;
                Ok(Accepted { stream: Plain::Tcp(stream), peer: Peer::Ip(from), local: Some(local) })
            }
            ListeningSocket::Unix { socket, .. } => {
                let (stream, _) = socket.accept().await?;
                let peer = credentials(&stream)?;
                Ok(Accepted { stream: Plain::Unix(stream), peer, local: None })
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let (Local::Unix(path), ListeningSocket::Unix { file, .. }) = (&self.local, &self.socket) else { return };
        if fs::symlink_metadata(path).is_ok_and(|found| (found.dev(), found.ino()) == *file) {
            // Left behind, it would be replaced by the next start.
            let _ = fs::remove_file(path);
        }
    }
}

fn set_options(stream: &TcpStream) -> io::Result<()> {
    // Replies leave in whole writes already; waiting for more only delays them.
    stream.set_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE_INTERVAL).with_retries(KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

fn credentials(stream: &UnixStream) -> io::Result<Peer> {
    let peer = stream.peer_cred()?;
    Ok(Peer::Unix { uid: peer.uid(), pid: peer.pid() })
}
