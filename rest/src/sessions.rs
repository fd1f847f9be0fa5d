//! Who has logged in with a password: in memory, gone with the process.

use std::collections::HashMap;

use directory::UserId;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use crate::secrets::{self, Hash};

/// A session that nobody uses for so long ends, in seconds: half an hour.
const IDLE: u64 = 30 * 60;
/// No session is longer, in seconds: half a day.
const LONGEST: u64 = 12 * 60 * 60;
/// Most sessions of a user; the oldest goes.
const OF_A_USER: usize = 32;
/// Most sessions in all: some 20 MiB.
const MOST: usize = 50_000;
/// What the secret of a session begins with, so that one who finds it knows what it is.
pub(crate) const PREFIX: &str = "angs_";

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    table: Mutex<HashMap<Hash, Session>>,
}

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) user: UserId,
    /// What the user's password was made to when it began: another password ends it.
    pub(crate) password: Hash,
    /// What a browser must send along with a change, in clear.
    pub(crate) csrf: Zeroizing<String>,
    pub(crate) begun: u64,
    used: u64,
}

impl Session {
    /// When it ends if nobody uses it, in Unix seconds.
    pub(crate) fn ends(&self) -> u64 {
        (self.used + IDLE).min(self.begun + LONGEST)
    }
}

impl Sessions {
    /// Begins one at `now`, and gives its secret.
    ///
    /// # Errors
    /// When the kernel gives no random octets.
    pub(crate) fn begin(
        &self,
        user: &UserId,
        password: Hash,
        now: u64,
    ) -> Result<(Zeroizing<String>, Session), getrandom::Error> {
        let (secret, csrf) = (secrets::generate(PREFIX)?, secrets::generate("")?);
        let session = Session { user: user.clone(), password, csrf, begun: now, used: now };
        let mut table = self.table.lock();
        let is_own = |known: &Session| known.user == *user;
        if table.len() >= MOST || table.values().filter(|known| is_own(known)).count() >= OF_A_USER {
            table.retain(|_, known| known.ends() > now);
        }
        let gone = if table.values().filter(|known| is_own(known)).count() >= OF_A_USER {
            oldest(&table, is_own)
        } else if table.len() >= MOST {
            oldest(&table, |_| true)
        } else {
            None
        };
        gone.and_then(|gone| table.remove(&gone));
        table.insert(secrets::hash(&secret), session.clone());
        Ok((secret, session))
    }

    /// The session with this secret, if it lasts; it is used now.
    pub(crate) fn find(&self, secret: &str, now: u64) -> Option<Session> {
        let mut table = self.table.lock();
        let hash = secrets::hash(secret);
        let session = table.get_mut(&hash)?;
        if session.ends() <= now {
            table.remove(&hash);
            return None;
        }
        session.used = now;
        Some(session.clone())
    }

    /// Ends a session.
    pub(crate) fn end(&self, secret: &str) {
        self.table.lock().remove(&secrets::hash(secret));
    }
}

/// Of those that `fits` picks, the one that was used the longest time ago.
fn oldest(table: &HashMap<Hash, Session>, fits: impl Fn(&Session) -> bool) -> Option<Hash> {
    let candidates = table.iter().filter(|(_, known)| fits(known));
    candidates.min_by_key(|(_, known)| known.used).map(|(hash, _)| *hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    #[test]
    fn they_end() {
        let sessions = Sessions::default();
        let password = secrets::hash("x");
        let (secret, begun) = sessions.begin(&uid("joe"), password, 1000).unwrap();
        assert_eq!(begun.ends(), 1000 + IDLE);
        assert!(secret.starts_with(PREFIX) && sessions.find("angs_other", 1000).is_none());
        assert!(sessions.find(&secret, 1000 + IDLE - 1).is_some());
        assert!(sessions.find(&secret, 1000 + IDLE * 2 - 2).is_some(), "it was used");
        assert!(sessions.find(&secret, 1000 + IDLE * 4).is_none());
        assert!(sessions.find(&secret, 1000).is_none(), "it is gone");
        let (secret, _) = sessions.begin(&uid("joe"), password, 0).unwrap();
        for now in (0..LONGEST).step_by(1000) {
            assert!(sessions.find(&secret, now).is_some(), "{now}");
        }
        assert!(sessions.find(&secret, LONGEST).is_none());
        let (secret, _) = sessions.begin(&uid("joe"), password, 0).unwrap();
        sessions.end(&secret);
        assert!(sessions.find(&secret, 0).is_none());
    }

    #[test]
    fn a_user_has_only_so_many() {
        let sessions = Sessions::default();
        let password = secrets::hash("x");
        let (others, _) = sessions.begin(&uid("sue"), password, 0).unwrap();
        let begun: Vec<_> =
            (1..=OF_A_USER as u64 + 1).map(|now| sessions.begin(&uid("joe"), password, now).unwrap().0).collect();
        assert!(sessions.find(&begun[0], 50).is_none(), "the oldest went");
        assert!(begun[1..].iter().chain([&others]).all(|secret| sessions.find(secret, 50).is_some()));
    }
}
