//! App passwords: a password of its own for one program of a user, made here and shown once, good for some protocols, from
//! some networks, for a time. Who loses a telephone takes that one password back.
//!
//! ```abnf
//! app-password = 6(4letter) ; with or without "-" or blanks anywhere, in any case
//! letter       = %x61-6B / %x6D-6E / %x70-7A / %x32-39 ; what can't be mistaken for another: no l, o, 0, 1
//! ```
//! The first four letters, the *selector*, are no secret: they say which of the user's app passwords it is, so that a login
//! costs one hash, however many there are. The other twenty are 100 random bits. A login with a selector that the user has
//! computes the hash of that app password and no other, one with any other text that of the user's own password: nothing
//! tells from outside whether a user has any. (A password that a user has chosen and that happens to look like one with a
//! selector of his is refused: a chance of one in forty thousand for somebody with twenty-five of them who chooses such
//! texts.)

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::network_list;
use crate::origin::{Origin, Unfit};
use crate::password::{Hasher, LETTERS};
use crate::secret::Secret;
use network::Network;

/// The protocols that an app password can be for.
pub const PROTOCOLS: &[&str] = &["imap", "pop3", "lmtp", "sieve"];

/// Most app passwords of a user: one for each program on more devices than anybody has, and a row that stays short.
pub const MAX_APP_PASSWORDS: usize = 25;

/// Most networks of an app password.
const MAX_NETWORKS: usize = 16;

/// Longest name in characters.
const MAX_NAME: usize = 64;

/// Letters of a selector: a million of them, and a user's differ.
const SELECTOR: usize = 4;

/// Letters of an app password.
const WRITTEN: usize = 24;

/// Longest text that may be one: with a separator behind every letter.
const MAX_TEXT: usize = 2 * WRITTEN;

/// An app password, as an administrator sees it: everything but the password.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AppPassword {
    /// What it is for, as the user calls it; unique among the user's.
    pub name: String,
    /// The [`PROTOCOLS`] it is good for; none: no protocol.
    pub protocols: Vec<String>,
    /// The networks it is good from; none: everywhere.
    pub networks: Vec<Network>,
    /// When it was made, in Unix seconds.
    pub created: u64,
    /// When it ends, in Unix seconds.
    pub expires: Option<u64>,
}

impl AppPassword {
    /// Whether it may be used there and then.
    ///
    /// # Errors
    /// Why not.
    pub fn permits(&self, origin: &Origin<'_>) -> std::result::Result<(), Unfit> {
        if !self.protocols.iter().any(|protocol| protocol == origin.protocol) {
            return Err(Unfit::Protocol);
        }
        // From somewhere without an address, a socket of this machine, nothing shows that it is in the network.
        let inside = |network: &Network| origin.address.is_some_and(|address| network.contains(address));
        if !self.networks.is_empty() && !self.networks.iter().any(inside) {
            return Err(Unfit::Network);
        }
        if self.expires.is_some_and(|end| origin.now >= end) {
            return Err(Unfit::Expired);
        }
        Ok(())
    }

    /// What must hold for a new one.
    ///
    /// # Errors
    /// [`Error::Rule`].
    pub(crate) fn check(&self) -> Result<()> {
        let letters = self.name.chars().count();
        let untidy = self.name.trim() != self.name || self.name.chars().any(char::is_control);
        if letters == 0 || letters > MAX_NAME || untidy {
            let rule = "the name of an app password has 1 to 64 characters, no blanks around them";
            return Err(Error::rule("name", &self.name, rule));
        }
        if self.protocols.is_empty() {
            return Err(Error::rule("protocols", "", "an app password is for one protocol at least"));
        }
        if let Some(unknown) = self.protocols.iter().find(|protocol| !PROTOCOLS.contains(&protocol.as_str())) {
            let rule = format!("it is no protocol: choose from {}", PROTOCOLS.join(", "));
            return Err(Error::rule("protocols", unknown, rule));
        }
        if self.networks.len() > MAX_NETWORKS {
            let rule = format!("an app password is bound to {MAX_NETWORKS} networks at most");
            return Err(Error::rule("networks", "", rule));
        }
        if self.expires.is_some_and(|end| end <= self.created) {
            return Err(Error::rule("expires", "", "an app password can't end before it begins"));
        }
        Ok(())
    }
}

/// Which of a user's app passwords it is: no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Selector([u8; SELECTOR]);

/// An app password as a client sends it, without its separators.
pub(crate) struct Written {
    pub(crate) selector: Selector,
    /// All letters of it.
    pub(crate) letters: Secret,
}

impl Written {
    /// The app password that a client sends; nothing if it can't be one.
    pub(crate) fn parse(password: &Secret) -> Option<Written> {
        let text = password.expose();
        if !(WRITTEN..=MAX_TEXT).contains(&text.len()) {
            return None;
        }
        let mut letters = Zeroizing::new([0; WRITTEN]);
        let mut count = 0;
        for octet in text.iter().filter(|octet| !matches!(octet, b'-' | b' ')) {
            let letter = octet.to_ascii_lowercase();
            if !LETTERS.contains(&letter) {
                return None;
            }
            *letters.get_mut(count)? = letter;
            count += 1;
        }
        (count == WRITTEN).then(|| Written::of(&letters))
    }

    /// A new one, whose selector is none of `taken`.
    ///
    /// # Errors
    /// When the kernel gives no random bytes.
    fn generate(taken: &[StoredApp]) -> Result<Written> {
        loop {
            let mut octets = Zeroizing::new([0; WRITTEN]);
            getrandom::fill(&mut *octets).map_err(|e| Error::Unavailable(e.to_string()))?;
            for octet in octets.iter_mut() {
                *octet = LETTERS[usize::from(*octet) % LETTERS.len()];
            }
            let made = Written::of(&octets);
            if taken.iter().all(|app| app.selector != made.selector) {
                return Ok(made);
            }
        }
    }

    fn of(letters: &[u8; WRITTEN]) -> Written {
        let mut selector = [0; SELECTOR];
        selector.copy_from_slice(&letters[..SELECTOR]);
        Written { selector: Selector(selector), letters: Secret::new(letters.as_slice()) }
    }

    /// As people read it: six groups of four.
    fn show(&self) -> Secret {
        Secret::new(self.letters.expose().chunks(4).collect::<Vec<_>>().join(&b'-'))
    }
}

/// An app password as it is kept.
#[derive(Clone)]
pub(crate) struct StoredApp {
    pub(crate) app: AppPassword,
    pub(crate) selector: Selector,
    /// A PHC string of [`Written::letters`].
    pub(crate) hash: String,
}

impl StoredApp {
    /// Makes a new one beside `taken`; and the password, which nobody will see again.
    ///
    /// # Errors
    /// As [`Hasher::hash`].
    pub(crate) fn make(app: &AppPassword, taken: &[StoredApp], hasher: &Hasher) -> Result<(StoredApp, Secret)> {
        let written = Written::generate(taken)?;
        let hash = hasher.hash(&written.letters)?;
        Ok((StoredApp { app: app.clone(), selector: written.selector, hash }, written.show()))
    }
}

/// A [`StoredApp`] in a row of the directory.
#[derive(Serialize, Deserialize)]
pub(crate) struct AppRow {
    name: String,
    selector: String,
    hash: String,
    #[serde(default)]
    protocols: Vec<String>,
    #[serde(default, with = "network_list", skip_serializing_if = "Vec::is_empty")]
    networks: Vec<Network>,
    #[serde(default)]
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

impl From<&StoredApp> for AppRow {
    fn from(stored: &StoredApp) -> AppRow {
        let AppPassword { name, protocols, networks, created, expires } = stored.app.clone();
        let selector = String::from_utf8_lossy(&stored.selector.0).into_owned();
        AppRow { name, selector, hash: stored.hash.clone(), protocols, networks, created, expires }
    }
}

impl TryFrom<AppRow> for StoredApp {
    type Error = &'static str;

    fn try_from(row: AppRow) -> std::result::Result<StoredApp, &'static str> {
        let AppRow { name, selector, hash, protocols, networks, created, expires } = row;
        let selector = selector.as_bytes().try_into().map_err(|_| "the selector of an app password is wrong")?;
        let app = AppPassword { name, protocols, networks, created, expires };
        Ok(StoredApp { app, selector: Selector(selector), hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(protocols: &[&str], networks: &[&str], expires: Option<u64>) -> AppPassword {
        AppPassword {
            name: "phone".into(),
            protocols: protocols.iter().map(|&protocol| protocol.to_owned()).collect(),
            networks: networks.iter().map(|network| network.parse().unwrap()).collect(),
            created: 1000,
            expires,
        }
    }

    #[test]
    fn what_it_is_good_for() {
        let check = |app: &AppPassword, protocol: &str, address: Option<&str>, now: u64, expected| {
            let origin = Origin { protocol, address: address.map(|address| address.parse().unwrap()), now };
            assert_eq!(app.permits(&origin).err(), expected, "{app:?} {origin:?}");
        };
        let free = app(&["imap", "pop3"], &[], None);
        check(&free, "imap", Some("192.0.2.1"), 0, None);
        check(&free, "pop3", None, u64::MAX, None);
        check(&free, "lmtp", Some("192.0.2.1"), 0, Some(Unfit::Protocol));
        check(&free, "memory", None, 0, Some(Unfit::Protocol));
        check(&app(&[], &[], None), "imap", None, 0, Some(Unfit::Protocol));
        let bound = app(&["imap"], &["192.0.2.0/24", "2001:db8::/32"], Some(2000));
        check(&bound, "imap", Some("192.0.2.77"), 1999, None);
        check(&bound, "imap", Some("::ffff:192.0.2.77"), 1999, None);
        check(&bound, "imap", Some("2001:db8::1"), 0, None);
        check(&bound, "imap", Some("192.0.3.1"), 0, Some(Unfit::Network));
        check(&bound, "imap", Some("2001:db9::1"), 0, Some(Unfit::Network));
        check(&bound, "imap", None, 0, Some(Unfit::Network));
        check(&bound, "imap", Some("192.0.2.77"), 2000, Some(Unfit::Expired));
    }

    #[test]
    fn rules_for_new_ones() {
        assert!(app(&["imap"], &[], None).check().is_ok());
        assert!(app(PROTOCOLS, &["0.0.0.0/0"], Some(1001)).check().is_ok());
        let named = |name: &str| AppPassword { name: name.into(), ..app(&["imap"], &[], None) };
        for bad in [
            named(""),
            named(" phone"),
            named("a\nb"),
            named(&"x".repeat(65)),
            app(&[], &[], None),
            app(&["IMAP"], &[], None),
            app(&["imap", "http"], &[], None),
            app(&["imap"], &["::1"; 17], None),
            app(&["imap"], &[], Some(1000)),
        ] {
            assert!(matches!(bad.check(), Err(Error::Rule { .. })), "{bad:?}");
        }
    }

    #[test]
    fn how_it_is_written() {
        let parse = |text: &str| Written::parse(&Secret::new(text)).map(|written| written.letters.expose().to_vec());
        let letters = b"abcdefghijkmnpqrstuvwxyz";
        for good in [
            "abcdefghijkmnpqrstuvwxyz",
            "abcd-efgh-ijkm-npqr-stuv-wxyz",
            "ABCD EFGH IJKM NPQR STUV WXYZ",
            " Abcd-efgh ijkmnpqrstuvwxyz ",
        ] {
            assert_eq!(parse(good).as_deref(), Some(&letters[..]), "{good}");
        }
        for other in [
            "",
            "abcdefghijkmnpqrstuvwxy",
            "abcdefghijkmnpqrstuvwxyza",
            "abcdefghijklmnpqrstuvwxy",
            "abcd_efgh_ijkm_npqr_stuv_wxyz",
            "abcdefghijkmnpqrstuvwxy1",
            &"-".repeat(30),
            &format!("{}{}", "-".repeat(30), "abcdefghijkmnpqrstuvwxyz"),
            &"a".repeat(100_000),
            "äbcdefghijkmnpqrstuvwxy",
        ] {
            assert_eq!(parse(other), None, "{other:.40}");
        }
        let made = Written::generate(&[]).unwrap();
        let shown = made.show();
        assert_eq!(shown.expose().len(), 29);
        assert_eq!(Written::parse(&shown).unwrap().letters.expose(), made.letters.expose());
        assert!(Written::parse(&crate::generate_password().unwrap()).is_none(), "no other password of ours looks so");
    }
}
