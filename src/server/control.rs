//! Commands that come over the control socket.

use std::sync::Arc;

use admin::control;
use rustix::net::{RecvFlags, recv};
use rustix::process::geteuid;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use wire::stream::{Plain, Stream};
use wire::{Connection, Peer};

use crate::commands;
use crate::services::Services;

/// Answers one caller: a command runs on a thread of its own, as it would have a process otherwise.
pub(super) async fn answer(conn: Connection, services: Arc<Services>, shutdown: CancellationToken) {
    let Peer::Unix { uid, pid } = conn.info().peer else { return };
    if !control::permitted(uid, geteuid().as_raw()) {
        warn!(event = "control.refused", uid, pid);
        return;
    }
    let Stream::Plain(Plain::Unix(stream)) = conn.into_stream() else { return };
    tokio::select! {
        // Whoever says nothing keeps neither a thread nor the server.
        () = shutdown.cancelled() => return,
        begun = begun(&stream) => {
            if let Err(problem) = begun {
                info!(event = "control.lost", uid, pid, error = %problem);
                return;
            }
        }
    }
    let run = move || -> Result<(), control::ControlError> {
        let stream = stream.into_std()?;
        stream.set_nonblocking(false)?;
        control::answer(stream, |request, console| {
            info!(event = "control.command", uid, pid, command = %request.command, args = %request.args.join(" "));
            commands::run_in_server(request, &services.called_by(uid), console)
        })
        .map(drop)
    };
    match wire::work::blocking(run).await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => info!(event = "control.lost", uid, pid, error = %problem),
        Err(_) => warn!(event = "control.panicked", uid, pid),
    }
}

/// Completes when the caller has said something, or is gone. Readiness alone may be a false alarm.
async fn begun(stream: &UnixStream) -> std::io::Result<()> {
    let peek = || Ok(recv(stream, &mut [0_u8; 1], RecvFlags::PEEK).map(drop)?);
    stream.async_io(Interest::READABLE, peek).await
}
