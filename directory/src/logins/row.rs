//! An entry of the history, and how many become few.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// Entries of one day that are alike are one entry.
const DAY: u64 = 24 * 60 * 60;

/// An attempt to log in, or several that differ in their time only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The first one, in Unix seconds.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// How many there were.
    pub count: u64,
    /// Why it failed, in a word; nothing for a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Cow<'static, str>>,
    /// From which address; nothing for a socket of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// `imap`, `pop3`.
    pub protocol: Cow<'static, str>,
    /// The SASL mechanism; `password` for the protocol's own command (LOGIN, USER and PASS).
    pub mechanism: Cow<'static, str>,
    /// The version of TLS, if there was TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Cow<'static, str>>,
    /// The name of the app password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// What the client calls itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// The administrator who came in as this user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The user as whom this administrator came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acting_as: Option<String>,
}

/// An attempt to log in, and on which connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The connection's number in this process.
    pub conn: u64,
    /// What is kept of it.
    pub login: Login,
}

impl Login {
    /// Whether somebody came in.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.refused.is_none()
    }

    /// Whether the two differ in their times at most.
    pub(super) fn is_like(&self, other: &Login) -> bool {
        self.kind() == other.kind()
    }

    /// Takes in one that is like it.
    pub(super) fn join(&mut self, other: &Login) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.count = self.count.saturating_add(other.count);
    }

    /// All but the times.
    fn kind(&self) -> impl Eq + std::hash::Hash + '_ {
        let Login { refused, from, protocol, mechanism, tls, app, client, by, acting_as, .. } = self;
        (refused, from, protocol, mechanism, (tls, app, client, by, acting_as))
    }
}

/// At most `keep` entries, sorted by their last time. Those of one day that are alike become one. If there are still too many
/// the oldest go, but not the last success with each app password and with none, and at most half of what stays are
/// failures: whoever guesses passwords must not be able to push out what others did.
pub(super) fn condense(logins: Vec<Login>, keep: usize) -> Vec<Login> {
    let mut days: Vec<Login> = Vec::new();
    {
        let mut places: HashMap<_, usize> = HashMap::new();
        let mut joined: Vec<usize> = Vec::with_capacity(logins.len());
        for login in &logins {
            let fresh = places.len();
            joined.push(*places.entry((login.last / DAY, login.kind())).or_insert(fresh));
        }
        for (login, place) in logins.iter().zip(joined) {
            match days.get_mut(place) {
                Some(day) => day.join(login),
                None => days.push(login.clone()),
            }
        }
    }
    days.sort_by_key(|login| login.last);
    let mut room = keep;
    let mut failures = keep / 2;
    let mut seen = Vec::new();
    let mut kept: Vec<bool> = days.iter().rev().map(|login| is_last_success(login, &mut seen)).collect();
    kept.reverse();
    room = room.saturating_sub(kept.iter().filter(|kept| **kept).count());
    for (login, kept) in days.iter().zip(&mut kept).rev() {
        if *kept || room == 0 || !login.is_success() && failures == 0 {
            continue;
        }
        *kept = true;
        room -= 1;
        failures -= usize::from(!login.is_success());
    }
    days.into_iter().zip(kept).filter_map(|(login, kept)| kept.then_some(login)).collect()
}

/// Whether nobody came in with this app password (or none) later; `seen` are those of whom later entries told.
fn is_last_success<'l>(login: &'l Login, seen: &mut Vec<&'l Option<String>>) -> bool {
    let last = login.is_success() && !seen.contains(&&login.app);
    if last {
        seen.push(&login.app);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(last: u64, address: u8, refused: bool, app: Option<&str>) -> Login {
        Login {
            first: last,
            last,
            count: 1,
            refused: refused.then_some(Cow::Borrowed("password")),
            from: Some([192, 0, 2, address].into()),
            protocol: "imap".into(),
            mechanism: "PLAIN".into(),
            tls: None,
            app: app.map(str::to_owned),
            client: None,
            by: None,
            acting_as: None,
        }
    }

    #[test]
    fn those_of_a_day_are_one() {
        let day = |n: u64| n * DAY;
        let all = vec![
            login(day(1) + 5, 1, false, None),
            login(day(1) + 9, 1, true, None),
            login(day(1) + 7, 1, false, None),
            login(day(2), 1, false, None),
            login(day(1) + 6, 1, false, None),
        ];
        let few = condense(all, 100);
        let seen: Vec<_> = few.iter().map(|login| (login.first, login.last, login.count, login.is_success())).collect();
        let expected =
            [(day(1) + 5, day(1) + 7, 3, true), (day(1) + 9, day(1) + 9, 1, false), (day(2), day(2), 1, true)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn guesses_push_nothing_out() {
        let mut all = vec![login(1, 1, false, Some("old phone")), login(2, 1, false, None)];
        all.extend((0..50).map(|n| login(1000 + n * DAY, 2, false, Some("phone"))));
        all.extend((0..=255).map(|n| login(1_000_000_000 + u64::from(n), n, true, None)));
        let few = condense(all, 20);
        assert_eq!(few.len(), 20);
        assert_eq!(few.iter().filter(|login| !login.is_success()).count(), 10);
        assert_eq!((few[0].last, few[1].last), (1, 2), "the last use of each password");
        assert!(few.is_sorted_by_key(|login| login.last));
        assert_eq!(few.last().map(|login| login.last), Some(1_000_000_255));
    }
}
