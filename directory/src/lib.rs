//! Who may have mail here: domains, users, aliases and passwords, behind one trait. [`Embedded`] keeps them in a
//! [`durable::Ledger`] of its own; an LDAP directory will be another implementation.
//!
//! Rules that hold for every implementation:
//! - user IDs are unique over all domains (they are login names), and so is every address, whoever owns it;
//! - every domain has a `postmaster` alias (RFC 5321, 4.5.1), which can't be emptied;
//! - the user `admin` can't be deleted or disabled;
//! - a directory that can't answer says so with an error. "No such user" is an answer that bounces mail.
//!
//! All methods may block (a disk, a network, a password hash): callers on a reactor move them to a blocking thread.

mod address;
mod alias;
mod app_password;
mod domain;
mod embedded;
mod error;
mod foreign;
mod logins;
mod network_list;
mod origin;
mod password;
mod scram;
mod secret;
mod stored;
mod token;
mod user;

pub use address::Address;
pub use alias::{Alias, POSTMASTER};
pub use app_password::{AppPassword, MAX_APP_PASSWORDS, PROTOCOLS};
pub use domain::{Domain, DomainName};
pub use embedded::{Embedded, Settings};
pub use error::{Error, Result};
pub use logins::{Attempt, Login, Logins, MOST_KEPT};
pub use network::{Network, NetworkError};
pub use origin::{Accepted, Origin, Refusal, Unfit, Verdict};
pub use password::{HashCost, generate_password};
pub use scram::{ScramCost, ScramHash, ScramKeys};
pub use secret::Secret;
pub use token::{TokenCheck, TokenHint, TokenProblem};
pub use user::{ADMIN, NewUser, User, UserId, UserState};

/// Somebody whose password was right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The user ID: owner of mailboxes, identifier in ACLs.
    pub user: UserId,
    /// Whether the user administers the server.
    pub admin: bool,
    /// Groups that ACLs may name as `group:NAME`.
    pub groups: Vec<String>,
}

/// Whose an address is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resolution {
    /// This user's.
    User(UserId),
    /// That of a user who takes no mail for now.
    Disabled(UserId),
    /// An alias; these are the users it reaches in the end.
    Alias(Vec<UserId>),
    /// Nobody's.
    Unknown,
}

/// A directory of domains, users and aliases.
pub trait Directory: Send + Sync + std::fmt::Debug {
    /// Checks a password, the user's own or an app password. `login` is a user ID, in any case of letters. Takes as long for
    /// a user who doesn't exist, and whatever app passwords there are.
    ///
    /// # Errors
    /// When the directory can't say; nobody is let in then.
    fn authenticate(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Result<Verdict>;

    /// Whether [`account`](Self::account) and [`resolve`](Self::resolve) answer from memory, without a wait for a disk or
    /// another machine.
    fn answers_from_memory(&self) -> bool {
        false
    }

    /// The account, if it is known from memory alone that the login is right: it was a moment ago, and the user and the
    /// password are still what they were. Never blocks, unlike [`authenticate`](Self::authenticate), which is to be asked
    /// where there is no answer.
    fn recognise(&self, login: &str, password: &Secret, origin: &Origin<'_>) -> Option<Accepted> {
        let _ = (login, password, origin);
        None
    }

    /// Whether SCRAM can be offered ([`scram`](Self::scram)).
    fn knows_scram(&self) -> bool {
        false
    }

    /// What a SCRAM exchange needs to know of a user. For somebody who does not exist, must not log in or has no verifier the
    /// answer looks the same, and no password fits it. Never blocks.
    ///
    /// # Errors
    /// When the directory can't say.
    fn scram(&self, login: &str, hash: ScramHash) -> Result<ScramKeys> {
        let _ = (login, hash);
        Err(Error::Unavailable("this directory knows no SCRAM".into()))
    }

    /// Whether tokens can be taken instead of passwords ([`authenticate_token`](Self::authenticate_token)), and what a client
    /// is told that needs another one.
    fn takes_tokens(&self) -> Option<&TokenHint> {
        None
    }

    /// Checks a token that an authorization server has given out (RFC 7628), and returns whose it is.
    ///
    /// # Errors
    /// When the directory, or the authorization server, can't say; nobody is let in then.
    fn authenticate_token(&self, token: &Secret) -> Result<std::result::Result<Account, TokenProblem>> {
        let _ = token;
        Ok(Err(TokenProblem::Invalid))
    }

    /// Whether [`authenticate_token`](Self::authenticate_token) asks another machine about this one. Does not block.
    fn is_asked_about(&self, token: &Secret) -> bool {
        let _ = token;
        false
    }

    /// Notes an attempt to log in as a user, for the history. Costs no disk and no wait; nothing happens for somebody who
    /// does not exist.
    fn note_login(&self, user: &UserId, attempt: Attempt) {
        let _ = (user, attempt);
    }

    /// Notes what the client calls itself that has logged in over connection `conn` a moment ago.
    fn name_client(&self, user: &UserId, conn: u64, client: &str) {
        let _ = (user, conn, client);
    }

    /// The last attempts to log in as a user, the latest first.
    ///
    /// # Errors
    /// When they can't be read.
    fn logins(&self, user: &UserId) -> Result<Vec<Login>> {
        let _ = user;
        Ok(Vec::new())
    }

    /// A user's app passwords, in the order in which they were made.
    ///
    /// # Errors
    /// [`Error::NoUser`], or the directory's.
    fn app_passwords(&self, user: &UserId) -> Result<Vec<AppPassword>> {
        let _ = user;
        Ok(Vec::new())
    }

    /// Makes an app password for a user, and returns it: nobody can find it out again.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::Exists`] for a name that the user has already, [`Error::Invalid`], or the directory's.
    fn add_app_password(&self, user: &UserId, app: &AppPassword) -> Result<Secret> {
        let _ = (user, app);
        Err(Error::Invalid("this directory keeps no app passwords".into()))
    }

    /// Takes back the app password called `name`, or all of a user's. Logins with it fail from now on. Returns how many there
    /// were.
    ///
    /// # Errors
    /// [`Error::NoUser`], or the directory's.
    fn remove_app_passwords(&self, user: &UserId, name: Option<&str>) -> Result<usize> {
        let _ = (user, name);
        Ok(0)
    }

    /// The account of a user, without a password: for those who were authenticated otherwise.
    ///
    /// # Errors
    /// When the directory can't say.
    fn account(&self, user: &UserId) -> Result<Option<Account>>;

    /// Whose the address is. Without a domain the local part is a user ID, or a local part of the primary domain.
    ///
    /// # Errors
    /// When the directory can't say: the mail is deferred then, never bounced.
    fn resolve(&self, local: &str, domain: Option<&str>) -> Result<Resolution>;

    /// All domains, sorted; the primary one is marked.
    ///
    /// # Errors
    /// When the directory can't say.
    fn domains(&self) -> Result<Vec<Domain>>;

    /// Makes a domain and its postmaster alias.
    ///
    /// # Errors
    /// [`Error::Exists`], or the directory's.
    fn create_domain(&self, name: &DomainName, description: &str) -> Result<()>;

    /// A user.
    ///
    /// # Errors
    /// When the directory can't say.
    fn user(&self, user: &UserId) -> Result<Option<User>>;

    /// All users, or those of one domain, sorted by user ID.
    ///
    /// # Errors
    /// When the directory can't say.
    fn users(&self, domain: Option<&DomainName>) -> Result<Vec<User>>;

    /// Makes a user who is [`UserState::Pending`]: nobody can log in or get mail until the mailbox exists and
    /// [`activate_user`](Self::activate_user) says so. Making a pending user again is allowed: a crash came between.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::Invalid`], [`Error::NoDomain`], or the directory's.
    fn create_user(&self, user: &NewUser, password: &Secret) -> Result<User>;

    /// The user's mailbox exists: logins and mail are welcome.
    ///
    /// # Errors
    /// [`Error::NoUser`], or the directory's.
    fn activate_user(&self, user: &UserId) -> Result<()>;

    /// Stores a changed user: names, addresses, groups, quota, rights, and whether the user is disabled. A pending user stays
    /// pending.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::Exists`] for an address that is taken, [`Error::NoDomain`], [`Error::Invalid`],
    /// [`Error::Protected`] for an `admin` who would be disabled or no administrator any more, or the directory's.
    fn update_user(&self, user: &User) -> Result<()>;

    /// Changes a user's own password. Logins with the old one fail from now on; app passwords stay as they are.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::Invalid`] for an empty password, or the directory's.
    fn set_password(&self, user: &UserId, password: &Secret) -> Result<()>;

    /// Takes a password hash that another server has made (docs/formats/directory.md lists the kinds). At the first login
    /// that works it is replaced by one of ours.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::Invalid`] for a hash that can't be checked, or the directory's.
    fn set_password_hash(&self, user: &UserId, hash: &Secret) -> Result<()> {
        let _ = (user, hash);
        Err(Error::Invalid("this directory takes no password hashes".into()))
    }

    /// Deletes a user, and whatever refers to the user: memberships, and aliases that have no owner or no member left.
    ///
    /// # Errors
    /// [`Error::NoUser`], [`Error::Protected`] for `admin`, or the directory's.
    fn delete_user(&self, user: &UserId) -> Result<()>;

    /// An alias by its address.
    ///
    /// # Errors
    /// When the directory can't say.
    fn alias(&self, address: &Address) -> Result<Option<Alias>>;

    /// Writes a safety copy now, where the directory keeps its own.
    ///
    /// # Errors
    /// The directory's; the directory itself is fine.
    fn checkpoint(&self) -> Result<()> {
        Ok(())
    }

    /// Writes what waits and lets go of the files.
    ///
    /// # Errors
    /// The directory's.
    fn close(&self) -> Result<()>;
}
