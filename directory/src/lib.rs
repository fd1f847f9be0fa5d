//! Who may have mail here: domains, users, aliases and passwords, behind one trait. [`Embedded`] keeps them in a
//! [`durable::Ledger`] of its own; an LDAP directory is another back end.
//!
//! Three layers, each in one place:
//! - [`Service`]: what administrators and users do, a method for each thing. Whoever offers it to people (commands, the REST
//!   interface, pages) calls this, with the [`Actor`] who asks;
//! - the rules (`rules/`): from a [`View`] of what is there to a [`Plan`] of what changes, or an [`Error`] that names field,
//!   value and rule. They know no back end;
//! - the back end ([`Directory`]): gives looks at its rows, carries plans out whole, writes the audit log.
//!
//! Rules that hold for every back end:
//! - user IDs are unique over all domains (they are login names), and so is every address, whoever owns it;
//! - every domain has a `postmaster` alias (RFC 5321, 4.5.1), which can't be emptied;
//! - the user `admin` can't be deleted or disabled;
//! - a directory that can't answer says so with an error. "No such user" is an answer that bounces mail.
//!
//! All methods may block (a disk, a network, a password hash): callers on a reactor move them to a blocking thread.

mod actor;
mod address;
mod alias;
mod app_password;
mod audit;
mod change;
mod contact;
mod credentials;
mod domain;
mod embedded;
mod error;
mod expansion;
mod foreign;
mod forwarding;
mod founding;
mod junk;
mod logins;
mod network_list;
mod origin;
mod overlay;
mod password;
mod passwords;
mod privileges;
mod query;
mod remote;
mod revision;
mod rules;
mod scram;
mod secret;
mod sender_pattern;
mod service;
mod surroundings;
mod text;
mod token;
mod user;
mod vacation;
mod view;

pub use actor::{Actor, Who};
pub use address::Address;
pub use alias::{Alias, MAX_MEMBERS, Member, POSTMASTER};
pub use app_password::{AppPassword, MAX_APP_PASSWORDS, PROTOCOLS};
pub use audit::{AuditFile, Entry, Event};
pub use change::{Change, Plan};
pub use contact::{Contact, ContactField};
pub use credentials::Credentials;
pub use domain::{Domain, DomainName};
pub use embedded::{Embedded, Settings};
pub use error::{Error, Place, Result};
pub use expansion::{Expansion, expand, resolve};
pub use forwarding::{Forwarding, MAX_FORWARDS};
pub use founding::{ensure_primary_domain, plan_primary_domain};
pub use junk::{Decision, JunkAction, JunkException, JunkFilter, MAX_EXCEPTIONS};
pub use logins::{Attempt, Login, Logins, MOST_KEPT};
pub use network::{Network, NetworkError};
pub use origin::{Accepted, Origin, Refusal, Unfit, Verdict};
pub use overlay::{Over, Overlay};
pub use password::{HashCost, generate_password};
pub use passwords::{Checked, Passwords};
pub use privileges::{MAX_QUOTA_MIB, Privilege, Privileges};
pub use query::{AliasQuery, DEFAULT_PAGE, Listing, MAX_PAGE, Page, UserOrder, UserQuery, Words, every};
pub use remote::RemoteAddress;
pub use revision::Revision;
pub use rules::domain::postmaster as first_postmaster;
pub use rules::rename::Renaming;
pub use rules::together::Row;
pub use scram::{ScramCost, ScramHash, ScramKeys};
pub use secret::Secret;
pub use sender_pattern::SenderPattern;
pub use service::Service;
pub use surroundings::Surroundings;
pub use text::MAX_TEXT;
pub use token::{TokenCheck, TokenHint, TokenProblem};
pub use user::{ADMIN, MAX_ALTERNATES, MAX_GROUPS, NewUser, User, UserId, UserState};
pub use vacation::{MAX_VACATION_TEXT, VACATION_DAYS, Vacation};
pub use view::{Counts, Named, Owner, View};

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

    /// Whoever knows whether a token is good, where tokens are taken instead of passwords.
    fn token_check(&self) -> Option<&dyn TokenCheck> {
        None
    }

    /// Whether tokens can be taken instead of passwords ([`authenticate_token`](Self::authenticate_token)), and what a client
    /// is told that needs another one.
    fn takes_tokens(&self) -> Option<TokenHint> {
        self.token_check().and_then(TokenCheck::hint)
    }

    /// Checks a token that an authorization server has given out (RFC 7628), and returns whose it is.
    ///
    /// # Errors
    /// When the directory, or the authorization server, can't say; nobody is let in then.
    fn authenticate_token(&self, token: &Secret) -> Result<std::result::Result<Account, TokenProblem>> {
        let Some(check) = self.token_check() else { return Ok(Err(TokenProblem::Invalid)) };
        match check.check(token)? {
            Ok(name) => token::account(self, &name),
            Err(problem) => Ok(Err(problem)),
        }
    }

    /// Whether [`authenticate_token`](Self::authenticate_token) asks another machine about this one. Does not block.
    fn is_asked_about(&self, token: &Secret) -> bool {
        self.token_check().is_some_and(|check| check.is_asked_about(token))
    }

    /// The history of logins, if one is kept.
    fn history(&self) -> Option<&Logins> {
        None
    }

    /// Whether somebody is a user, as far as memory tells who was asked about a moment ago. Never blocks.
    fn remembers(&self, user: &UserId) -> bool {
        let _ = user;
        false
    }

    /// Notes an attempt to log in as a user, for the history. Costs no disk and no wait; nothing happens for somebody who
    /// does not exist: names that nobody has would fill the disk.
    fn note_login(&self, user: &UserId, attempt: Attempt) {
        if let Some(history) = self.history().filter(|_| self.remembers(user)) {
            history.note(user, attempt);
        }
    }

    /// Notes what the client calls itself that has logged in over connection `conn` a moment ago.
    fn name_client(&self, user: &UserId, conn: u64, client: &str) {
        if let Some(history) = self.history() {
            history.name_client(user, conn, client);
        }
    }

    /// The last attempts to log in as a user, the latest first.
    ///
    /// # Errors
    /// When they can't be read.
    fn logins(&self, user: &UserId) -> Result<Vec<Login>> {
        self.history().map_or_else(|| Ok(Vec::new()), |history| history.of(user))
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

    /// Where mail for an address goes in the end: users, addresses elsewhere, files, programs. A `+` and what follows it is
    /// a detail, unless the whole is an address. Without a domain, as [`resolve`](Self::resolve).
    ///
    /// # Errors
    /// When the directory can't say: the mail is deferred then, never bounced.
    fn expand(&self, local: &str, domain: Option<&str>) -> Result<Option<Expansion>> {
        look(self, |view| expand(view, local, domain))
    }

    /// Gives `look` the rows as they are at one moment. Called once, unless the directory can't answer.
    ///
    /// # Errors
    /// Those of `look`; the directory's.
    fn read(&self, look: &mut dyn FnMut(&dyn View) -> Result<()>) -> Result<()>;

    /// Makes a change: gives `plan` the rows as they are, and carries out what it plans, all of it or nothing, before anybody
    /// else changes anything. Durable when it returns. Every row that is written gets the returned revision. What the plan
    /// says about it goes to the audit log, in the name of `actor`; who may change what is the plan's business.
    ///
    /// # Errors
    /// Those of `plan`, and nothing has changed; or the directory's.
    fn change(&self, actor: &Actor, plan: &mut dyn FnMut(&dyn View) -> Result<Plan>) -> Result<Revision>;

    /// Writes into the audit log what is no change of the directory's own, in the name of `actor`. When it returns the entries
    /// are as durable as those of changes.
    ///
    /// # Errors
    /// When they can't be kept; there are none of them then.
    fn note(&self, actor: &Actor, events: &[Event]) -> Result<()>;

    /// Entries of the audit log, the latest first: at most `limit`, of those with numbers below `before`. Older ones are there
    /// as long as files of it are kept.
    ///
    /// # Errors
    /// When they can't be read.
    fn audited(&self, before: Option<u64>, limit: usize) -> Result<Vec<Entry>>;

    /// What makes and checks password hashes.
    fn passwords(&self) -> &Passwords;

    /// What rules look at outside of the directory.
    fn surroundings(&self) -> &Surroundings;

    /// All domains, sorted; the primary one is marked.
    ///
    /// # Errors
    /// When the directory can't say.
    fn domains(&self) -> Result<Vec<Domain>> {
        look(self, |view| Ok(view.domains()?.iter().map(|domain| Domain::clone(domain)).collect()))
    }

    /// A user, but for one who is on the way out.
    ///
    /// # Errors
    /// When the directory can't say.
    fn user(&self, user: &UserId) -> Result<Option<User>> {
        let found = look(self, |view| view.user(user))?;
        Ok(found.filter(|user| user.state != UserState::Deleting).map(|user| User::clone(&user)))
    }

    /// All users, or those of one domain, sorted by user ID.
    ///
    /// # Errors
    /// When the directory can't say.
    fn users(&self, domain: Option<&DomainName>) -> Result<Vec<User>> {
        let query = UserQuery { domain: domain.cloned(), ..UserQuery::default() };
        let (mut users, mut page) = (Vec::new(), Page::first(MAX_PAGE));
        loop {
            let listing = look(self, |view| view.users(&query, &page))?;
            users.extend(listing.rows.iter().map(|user| User::clone(user)));
            let Some(next) = listing.next else { return Ok(users) };
            page = page.next(next);
        }
    }

    /// An alias by its address.
    ///
    /// # Errors
    /// When the directory can't say.
    fn alias(&self, address: &Address) -> Result<Option<Alias>> {
        Ok(look(self, |view| view.alias(address))?.map(|alias| Alias::clone(&alias)))
    }

    /// [`Service::create_domain`] by the server itself, as all that follow: for its first start, and for tests.
    ///
    /// # Errors
    /// As there.
    fn create_domain(&self, name: &DomainName, description: &str) -> Result<()> {
        Service::new(self, Actor::server()).create_domain(name, description).map(drop)
    }

    /// [`Service::create_user`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn create_user(&self, user: &NewUser, password: &Secret) -> Result<User> {
        Service::new(self, Actor::server()).create_user(&User::from(user.clone()), password)
    }

    /// [`Service::activate_user`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn activate_user(&self, user: &UserId) -> Result<()> {
        Service::new(self, Actor::server()).activate_user(user)
    }

    /// [`Service::update_user`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn update_user(&self, user: &User) -> Result<()> {
        Service::new(self, Actor::server()).update_user(user).map(drop)
    }

    /// [`Service::set_password`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn set_password(&self, user: &UserId, password: &Secret) -> Result<()> {
        Service::new(self, Actor::server()).set_password(user, password)
    }

    /// [`Service::set_password_hash`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn set_password_hash(&self, user: &UserId, hash: &Secret) -> Result<()> {
        Service::new(self, Actor::server()).set_password_hash(user, hash)
    }

    /// [`Service::app_passwords`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn app_passwords(&self, user: &UserId) -> Result<Vec<AppPassword>> {
        Service::new(self, Actor::server()).app_passwords(user)
    }

    /// [`Service::add_app_password`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn add_app_password(&self, user: &UserId, app: &AppPassword) -> Result<Secret> {
        Service::new(self, Actor::server()).add_app_password(user, app)
    }

    /// [`Service::remove_app_passwords`] by the server itself.
    ///
    /// # Errors
    /// As there.
    fn remove_app_passwords(&self, user: &UserId, name: Option<&str>) -> Result<usize> {
        Service::new(self, Actor::server()).remove_app_passwords(user, name)
    }

    /// [`Service::begin_user_deletion`] and [`Service::finish_user_deletion`] at once, for a user without a mailbox.
    ///
    /// # Errors
    /// As there.
    fn delete_user(&self, user: &UserId) -> Result<()> {
        let service = Service::new(self, Actor::server());
        service.begin_user_deletion(user, None)?;
        service.finish_user_deletion(user)
    }

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

/// A look at the rows of a directory that do not change meanwhile.
///
/// # Errors
/// Those of `look`; the directory's.
pub fn look<D: Directory + ?Sized, T>(directory: &D, look: impl FnOnce(&dyn View) -> Result<T>) -> Result<T> {
    let (mut look, mut found) = (Some(look), None);
    directory.read(&mut |view| {
        if let Some(look) = look.take() {
            found = Some(look(view)?);
        }
        Ok(())
    })?;
    found.ok_or_else(|| Error::Unavailable("the directory gave no look at its rows".into()))
}
