//! The figures over HTTP: `GET /metrics`, and nothing else. A connection is for one request: whoever scrapes comes once in
//! many seconds.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tracing::debug;
use wire::Connection;

use super::Metrics;

/// What the body is (OpenMetrics 1.0, 2.2).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// For request and answer together: a scrape takes milliseconds, and Prometheus itself gives up after 10 s.
const PATIENCE: Duration = Duration::from_secs(10);
/// Scrapers at a time: 16, more than anybody has; whoever reaches the port must not take the connections of mail clients.
pub(crate) const CONNECTIONS: u32 = 16;
/// What one above that is told.
pub(crate) const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
/// Room for the head of a request. The least that hyper takes; a scraper's has some hundred octets.
const HEAD: usize = 8192;

/// Answers one connection, unless the server stops.
pub(crate) async fn serve(metrics: Arc<Metrics>, conn: Connection, shutdown: CancellationToken) {
    let id = conn.info().id;
    let (stream, _place) = conn.into_parts();
    let answers = service_fn(move |request: Request<Incoming>| {
        let response = answer(&metrics, request.method(), request.uri().path());
        async { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    let connection = http.keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), answers);
    let connection = tokio::time::timeout(PATIENCE, connection);
    let served = tokio::select! {
        served = connection => served,
        () = shutdown.cancelled() => return,
    };
    match served {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => debug!(event = "metrics.request.failed", conn = id, error = %problem),
        Err(_) => debug!(event = "metrics.request.failed", conn = id, error = "timed out"),
    }
}

fn answer(metrics: &Arc<Metrics>, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let plain =
        |status, text: &'static str| response(status, "text/plain; charset=utf-8", Bytes::from_static(text.as_bytes()));
    match (method, path) {
        // hyper leaves the body of an answer to HEAD out.
        (&Method::GET | &Method::HEAD, "/metrics") => {
            response(StatusCode::OK, OPEN_METRICS, Bytes::from(metrics.text()))
        }
        (_, "/metrics") => {
            let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "GET\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            refused
        }
        _ => plain(StatusCode::NOT_FOUND, "/metrics\n"),
    }
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
