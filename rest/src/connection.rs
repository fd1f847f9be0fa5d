//! One connection: HTTP/1.1, within limits.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use directory::{Account, UserId};
use hyper::body::Incoming;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, REFERRER_POLICY,
    TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use login::Failures;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep};
use tracing::{debug, info};
use wire::Connection;
use wire::meter::Verdict;

use crate::Rest;
use crate::counted::Counted;
use crate::problem::Problem;

/// Room for the head of a request: a long search, a cookie, a token.
const HEAD: usize = 16 * 1024;
/// Time for a whole head, and how long a connection may wait for the next request.
const HEAD_WITHIN: Duration = Duration::from_secs(30);
/// A connection takes no more requests after so long: a client that reads slowly does not stay for ever.
const LIFE: Duration = Duration::from_secs(300);
/// What is under way then, or when the server stops, may take so long: the deletion of a domain is a long request.
const GRACE: Duration = Duration::from_secs(120);
/// Characters of a path in the log.
const SHOWN: usize = 200;

/// What a client above the limit is told.
pub const BUSY: &str =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n";

/// What every answer says to browsers: keep nothing, run nothing, guess nothing.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

/// What handlers know of the connection that a request came over.
pub(crate) struct Link {
    /// Without its stream.
    pub(crate) connection: Connection,
    /// Requests come one after the other, so nobody waits for this.
    pub(crate) failures: tokio::sync::Mutex<Failures>,
    /// Who asks, for the log.
    user: Mutex<Option<UserId>>,
}

impl Link {
    /// It has turned out who asks.
    ///
    /// # Errors
    /// Users are kept out now.
    pub(crate) fn admit(&self, account: &Account) -> Result<(), Problem> {
        self.connection.admit(account.admin).map_err(|notice| Problem::locked_out(notice.text()))?;
        let user = &account.user;
        let mut known = self.user.lock();
        if known.as_ref() != Some(user) {
            self.connection.show_user(user.as_str());
            *known = Some(user.clone());
        }
        Ok(())
    }

    /// Whether the client speaks TLS, to us or to the load balancer in front.
    pub(crate) fn is_encrypted(&self) -> bool {
        let info = self.connection.info();
        info.tls.is_some() || info.proxy.is_some_and(|proxy| proxy.encrypted)
    }
}

/// Answers the requests of one connection, until it is idle for too long or the server stops.
pub async fn serve(rest: Arc<Rest>, mut connection: Connection) {
    let stream = connection.take_stream();
    let conn = connection.info().id;
    let link = Arc::new(Link { connection, failures: tokio::sync::Mutex::default(), user: Mutex::new(None) });
    let shutdown = rest.shutdown.clone();
    let known = Arc::clone(&link);
    let answers = service_fn(move |request| answer(Arc::clone(&rest), Arc::clone(&link), request));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(HEAD);
    // Whoever has sent all may say so and still wants the answer; and what is begun is done and logged.
    http.half_close(true);
    let stream = Counted::new(stream, Arc::clone(&known));
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), answers));
    let ended = tokio::select! {
        ended = &mut served => Some(ended),
        () = sleep(LIFE) => None,
        () = shutdown.cancelled() => None,
        // What is under way is answered.
        _ = known.connection.ended() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            served.as_mut().graceful_shutdown();
            match tokio::time::timeout(GRACE, served).await {
                Ok(ended) => ended,
                Err(_) => return debug!(event = "rest.connection.failed", conn, error = "timed out"),
            }
        }
    };
    if let Err(error) = ended {
        debug!(event = "rest.connection.failed", conn, %error);
    }
}

async fn answer(rest: Arc<Rest>, link: Arc<Link>, mut request: Request<Incoming>) -> Result<Response, Infallible> {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().chars().take(SHOWN).collect::<String>());
    *link.user.lock() = None;
    request.extensions_mut().insert(Arc::clone(&link));
    // Where the body ends may have been read in another way by somebody in between, who saw a Content-Length too: what comes
    // behind it is not believed to be a request (RFC 9112, 6.3).
    let is_last = request.headers().contains_key(TRANSFER_ENCODING) || has_no_host(&request);
    let mut response = if has_no_host(&request) {
        Problem::new(StatusCode::BAD_REQUEST, "host", "a request has one Host").into_response()
    } else {
        let Ok(response) = TowerToHyperService::new(rest.routes.clone()).call(request).await;
        response
    };
    if is_last {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, value);
    }
    let (status, took) = (response.status(), begun.elapsed());
    rest.commands.note(&method.as_str().to_ascii_lowercase(), verdict(status), took);
    log(&link, &method, &path, status, took);
    Ok(response)
}

/// Whether a request does not say for whom it is, or says it twice (RFC 9112, 3.2).
fn has_no_host(request: &Request<Incoming>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() == Version::HTTP_11,
        hosts => hosts > 1,
    }
}

fn verdict(status: StatusCode) -> Verdict {
    match status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Verdict::Bad,
        status if status.is_client_error() || status.is_server_error() => Verdict::No,
        _ => Verdict::Ok,
    }
}

/// Whoever only looks is not worth a line of every log.
fn log(link: &Link, method: &Method, path: &str, status: StatusCode, took: Duration) {
    let info = link.connection.info();
    let (conn, service, peer, status) = (info.id, info.service, info.peer, status.as_u16());
    let (ms, user) = (took.as_millis() as u64, link.user.lock().as_ref().map(ToString::to_string));
    let path = path.escape_debug();
    if method.is_safe() {
        debug!(event = "rest.request.finished", conn, service, %peer, user, %method, %path, status, ms);
    } else {
        info!(event = "rest.request.finished", conn, service, %peer, user, %method, %path, status, ms);
    }
}
