//! LHLO and STARTTLS: what a session is offered, before there is any mail.

use tracing::info;
use wire::Tls;

use super::{End, Greeted, Next, Session, State};
use crate::deposit::Deposit;
use crate::reply::Reply;
use crate::syntax::client_name;

impl<D: Deposit> Session<D> {
    /// RFC 2033, 4.1. Ends a transaction, as EHLO does (RFC 5321, 4.1.4).
    pub(super) fn lhlo(&mut self, state: State<D>, argument: &str) -> (State<D>, Next) {
        let Some(client) = client_name(argument) else {
            return (state, Next::Reply(Reply::arguments("Syntax: LHLO domain")));
        };
        let settings = &self.shared.settings;
        let mut lines = vec![
            settings.host_name.clone().into(),
            "8BITMIME".into(),
            "ENHANCEDSTATUSCODES".into(),
            "PIPELINING".into(),
            "CHUNKING".into(),
            "SMTPUTF8".into(),
            format!("SIZE {}", settings.message_size).into(),
        ];
        if self.shared.tls.is_some() && self.conn.info().tls.is_none() {
            lines.push("STARTTLS".into());
        }
        lines.extend(self.mechanisms().map(|names| format!("AUTH {names}").into()));
        lines.push("IGNOREQUOTA".into());
        (State::Greeted(Greeted { client }), Next::Reply(Reply::lines(250, "", lines)))
    }

    pub(super) fn can_start_tls(&self, arguments: &str) -> Next {
        match &self.shared.tls {
            Some(_) if self.conn.info().tls.is_some() => Next::Reply(Reply::sequence("TLS is active already")),
            Some(_) if !arguments.is_empty() => Next::Reply(Reply::arguments("STARTTLS takes no arguments")),
            // CVE-2021-33515: what came in clear text must not be executed as if it had come encrypted.
            Some(_) if self.conn.has_input() => Next::Close(Reply::closing("5.5.1", "Commands behind STARTTLS")),
            Some(tls) => Next::StartTls(tls.clone()),
            None => Next::Reply(Reply::new(502, "5.5.1", "TLS is not available")),
        }
    }

    /// RFC 3207: what was said before is forgotten.
    pub(super) async fn start_tls(&mut self, tls: &Tls) -> Result<State<D>, End> {
        self.put(&Reply::new(220, "2.0.0", "Ready to start TLS"));
        let shutdown = self.shutdown.clone();
        let started = tokio::select! {
            started = self.conn.start_tls(tls) => started,
            () = shutdown.cancelled() => return Err(End::Closed),
        };
        match started {
            Ok(()) => {
                self.user = None;
                Ok(State::Connected)
            }
            Err(error) => {
                info!(event = "lmtp.tls.failed", conn = self.conn.info().id, %error);
                Err(End::Closed)
            }
        }
    }
}
