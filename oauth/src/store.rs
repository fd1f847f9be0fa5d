//! The keys that are known: read when they are needed, kept for a while, read again when a token asks for one that is not
//! there.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use directory::Result;
use parking_lot::Mutex;
use tracing::{info, warn};

use crate::fetch::{Fetcher, MAX_ANSWER};
use crate::jws::Header;
use crate::keys::KeySet;
use crate::place::KeySource;
use crate::{SetupError, unavailable};

/// Keys are read again after an hour: one that was taken back is good no longer than that.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// What could not be read again is believed for a day.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// Between two attempts: a token with a key that does not exist must not cause a request each time.
const PAUSE: Duration = Duration::from_secs(60);
/// The same after an attempt that failed, for those who cannot do without.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

const WHAT: &str = "the keys of the authorization server";

/// The keys of the authorization server.
#[derive(Debug)]
pub(crate) struct KeyStore {
    source: KeySource,
    fetcher: Arc<Fetcher>,
    state: Mutex<State>,
    /// One reads them. The others wait for it only if there are none at all.
    reading: Mutex<()>,
}

#[derive(Clone, Debug, Default)]
struct State {
    /// The keys, and when they were read.
    known: Option<(Arc<KeySet>, Instant)>,
    /// The last attempt, and why it failed if it did.
    tried: Option<(Instant, Option<Arc<str>>)>,
}

impl KeyStore {
    /// The keys at `source`. A file is read now.
    ///
    /// # Errors
    /// A file that can't be used.
    pub(crate) fn new(source: KeySource, fetcher: Arc<Fetcher>) -> std::result::Result<KeyStore, SetupError> {
        let mut state = State::default();
        if let KeySource::File(path) = &source {
            let wrong = |problem: String| SetupError::File { file: path.clone(), problem };
            let set = read(path).and_then(|octets| KeySet::parse(&octets).map_err(Into::into)).map_err(wrong)?;
            let now = Instant::now();
            state = State { known: Some((Arc::new(set), now)), tried: Some((now, None)) };
        }
        Ok(KeyStore { source, fetcher, state: Mutex::new(state), reading: Mutex::default() })
    }

    /// The keys, read anew if that may help to find the one of `header`.
    ///
    /// # Errors
    /// [`directory::Error::Unavailable`] when it can't be said which keys there are.
    pub(crate) fn set_for(&self, header: &Header, now: Instant) -> Result<Arc<KeySet>> {
        if let Some(settled) = self.state.lock().settled(header, now) {
            return settled;
        }
        let _reading = match self.reading.try_lock() {
            Some(reading) => reading,
            // Somebody reads them already. Who has the key that is needed need not wait for that, and who asks for one that
            // is not there must not hold the place of others while a server hangs.
            None => {
                let state = self.state.lock().clone();
                match (state.usable(header, now), state.known) {
                    (Some(set), _) => return Ok(set),
                    (None, Some(_)) => return Err(unavailable(WHAT, &"they are being read")),
                    (None, None) => self.reading.lock(),
                }
            }
        };
        // Somebody else may have read them meanwhile.
        if let Some(settled) = self.state.lock().settled(header, now) {
            return settled;
        }
        let read = self.read();
        let mut state = self.state.lock();
        match read {
            Ok(set) => {
                info!(event = "oauth.keys.read");
                *state = State { known: Some((Arc::new(set), now)), tried: Some((now, None)) };
            }
            Err(problem) => {
                warn!(event = "oauth.keys.failed", error = %problem);
                state.tried = Some((now, Some(problem.into())));
            }
        }
        state.answer(header, now)
    }

    fn read(&self) -> std::result::Result<KeySet, String> {
        let octets = match &self.source {
            KeySource::File(path) => read(path)?,
            KeySource::Url(url) => self.fetcher.get(url).map_err(|problem| format!("{url}: {problem}"))?,
        };
        KeySet::parse(&octets).map_err(|problem| format!("{}: {problem}", self.source_name()))
    }

    fn source_name(&self) -> String {
        match &self.source {
            KeySource::File(path) => path.display().to_string(),
            KeySource::Url(url) => url.to_string(),
        }
    }
}

impl State {
    /// What is to be said, if that does not depend on another attempt.
    fn settled(&self, header: &Header, now: Instant) -> Option<Result<Arc<KeySet>>> {
        if let Some((set, read)) = &self.known
            && now.duration_since(*read) < FRESH
            && set.key_for(header).is_some()
        {
            return Some(Ok(Arc::clone(set)));
        }
        let (last, failed) = self.tried.as_ref()?;
        let urgent = failed.is_some() && self.usable(header, now).is_none();
        let pause = if urgent { PAUSE_AFTER_FAILURE } else { PAUSE };
        (now.duration_since(*last) < pause).then(|| self.answer(header, now))
    }

    /// What is to be said after the last attempt.
    fn answer(&self, header: &Header, now: Instant) -> Result<Arc<KeySet>> {
        if let Some(set) = self.usable(header, now) {
            return Ok(set);
        }
        let failed = self.tried.as_ref().and_then(|(_, failed)| failed.as_deref());
        match (&self.known, failed) {
            // There is no such key.
            (Some((set, read)), None) if now.duration_since(*read) < STALE => Ok(Arc::clone(set)),
            (_, failed) => Err(unavailable(WHAT, &failed.unwrap_or("they are too old"))),
        }
    }

    /// The keys, if the one that is needed is among them and they are not too old to be believed.
    fn usable(&self, header: &Header, now: Instant) -> Option<Arc<KeySet>> {
        let (set, read) = self.known.as_ref()?;
        let good = now.duration_since(*read) < STALE && set.key_for(header).is_some();
        good.then(|| Arc::clone(set))
    }
}

fn read(path: &Path) -> std::result::Result<Vec<u8>, String> {
    let size = std::fs::metadata(path).map_err(|problem| problem.to_string())?.len();
    if size > MAX_ANSWER as u64 {
        return Err("it is too long for a set of keys".to_owned());
    }
    std::fs::read(path).map_err(|problem| problem.to_string())
}
