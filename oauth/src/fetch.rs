//! One request over HTTP/1.1 and its answer: short, within a few seconds, without redirections.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::SetupError;
use crate::place::Url;

/// From looking the host up to the last octet: a client that logs in waits for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest answer: 256 KiB. A set of keys has some thousand octets, certificates and all.
pub(crate) const MAX_ANSWER: usize = 256 * 1024;

/// Why there is no answer.
#[derive(Debug, Error)]
pub(crate) enum FetchError {
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the host has no name that a certificate could have")]
    Name(#[from] InvalidDnsNameError),
    #[error("clear text to another machine")]
    NotLocal,
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error("the answer is {0}")]
    Status(StatusCode),
    #[error("the answer is longer than {MAX_ANSWER} octets")]
    TooLong,
    #[error("the answer broke off: {0}")]
    Body(String),
}

impl FetchError {
    /// Whether it was about this one request: the server works, and answers others.
    pub(crate) fn is_of_the_request(&self) -> bool {
        match self {
            FetchError::Status(status) => !status.is_server_error() && *status != StatusCode::TOO_MANY_REQUESTS,
            FetchError::TooLong => true,
            _ => false,
        }
    }
}

/// Makes requests.
#[derive(Debug)]
pub(crate) struct Fetcher {
    /// Nothing if nobody is asked over TLS.
    tls: Option<Arc<ClientConfig>>,
    /// [`PATIENCE`], but for tests of what happens meanwhile.
    patience: Duration,
}

impl Fetcher {
    /// With TLS if `encrypted` is needed; then servers must have a certificate of one of these authorities, or of one that
    /// the system trusts.
    ///
    /// # Errors
    /// [`SetupError`].
    pub(crate) fn new(authorities: Option<&Path>, encrypted: bool) -> Result<Fetcher, SetupError> {
        if !encrypted {
            return Ok(Fetcher { tls: None, patience: PATIENCE });
        }
        let mut roots = RootCertStore::empty();
        match authorities {
            Some(file) => {
                let wrong = |problem: String| SetupError::File { file: file.to_owned(), problem };
                for found in CertificateDer::pem_file_iter(file).map_err(|problem| wrong(problem.to_string()))? {
                    let found = found.map_err(|problem| wrong(problem.to_string()))?;
                    roots.add(found).map_err(|problem| wrong(problem.to_string()))?;
                }
            }
            None => {
                let found = rustls_native_certs::load_native_certs();
                // A system has hundreds, and now and then one that nobody can read.
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    let problems: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
                    return Err(SetupError::Authorities(problems.join(", ")));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Fetcher { tls: Some(Arc::new(config)), patience: PATIENCE })
    }

    /// The same with another patience.
    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Fetcher {
        Fetcher { patience, ..self }
    }

    /// What is there.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) fn get(&self, url: &Url) -> Result<Vec<u8>, FetchError> {
        self.run(url, Request::get(url.target()), Bytes::new())
    }

    /// What is answered to a form.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) fn post(&self, url: &Url, form: String, authorization: &str) -> Result<Vec<u8>, FetchError> {
        let request = Request::post(url.target())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            .header(AUTHORIZATION, authorization);
        self.run(url, request, form.into())
    }

    /// Makes the request on a reactor of its own: whoever waits here may block, and is no task.
    fn run(&self, url: &Url, request: hyper::http::request::Builder, body: Bytes) -> Result<Vec<u8>, FetchError> {
        let request = request
            .header(HOST, url.authority())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static("angarium"))
            .body(Full::new(body))
            .map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(async {
            let answer = tokio::time::timeout(self.patience, self.exchange(url, request)).await;
            answer.unwrap_or(Err(FetchError::Timeout(self.patience)))
        });
        // Looking a host up may take longer than we wait.
        runtime.shutdown_background();
        answer
    }

    async fn exchange(&self, url: &Url, request: Request<Full<Bytes>>) -> Result<Vec<u8>, FetchError> {
        let tcp = TcpStream::connect((url.host(), url.port())).await?;
        if !url.is_secure() {
            if !tcp.peer_addr()?.ip().to_canonical().is_loopback() {
                return Err(FetchError::NotLocal);
            }
            return answer(tcp, request).await;
        }
        let tls = self.tls.clone().ok_or(io::ErrorKind::Unsupported).map_err(io::Error::from)?;
        let name = ServerName::try_from(url.host().to_owned())?;
        answer(TlsConnector::from(tls).connect(name, tcp).await?, request).await
    }
}

/// Sends the request, and takes the answer: 200 with a body that is not too long.
async fn answer<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Vec<u8>, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the reactor.
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|problem| match problem.downcast_ref::<LengthLimitError>() {
        Some(_) => FetchError::TooLong,
        None => FetchError::Body(problem.to_string()),
    })?;
    Ok(body.to_bytes().to_vec())
}
