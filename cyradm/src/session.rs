//! A session with a server: what it can do, who we are, and the commands that all others are made of.

use crate::connection::{Security, Server, Stream};
use crate::imap::{Answer, Imap, Part};
use crate::modified_utf7;
use crate::trouble::{Kind, Trouble, printable};
use crate::value::Value;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Who logs in.
#[derive(Clone)]
pub struct Account {
    /// Whose password it is.
    pub user: String,
    /// Whose rights are wanted, if not the same user's.
    pub authorize_as: Option<String>,
    /// The password. Never printed.
    pub password: String,
    /// How; by default whatever the server offers.
    pub mechanism: Option<Mechanism>,
}

/// Ways to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// AUTHENTICATE PLAIN (RFC 4616)
    Plain,
    /// LOGIN
    Login,
}

/// A connection to a server, logged in or not.
pub struct Session {
    imap: Imap,
    server: Server,
    capabilities: Vec<String>,
    is_private: bool,
    user: Option<String>,
}

/// A mailbox that LIST tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name, decoded.
    pub(crate) name: String,
    /// Attributes, `\HasChildren`.
    pub(crate) attributes: Vec<String>,
}

impl Session {
    /// Connects and protects the connection as far as was asked for.
    ///
    /// # Errors
    /// When there is no way to the server, or no protected one.
    pub fn open(server: &Server) -> Result<Self, Trouble> {
        let (stream, here) = server.connect()?;
        let is_private = here || stream.is_encrypted();
        let imap = Imap::new(stream)?;
        let mut session = Self { imap, server: server.clone(), capabilities: Vec::new(), is_private, user: None };
        session.learn()?;
        if server.security == Security::StartTls {
            if session.can("STARTTLS") {
                session.imap.run(&[Part::Raw("STARTTLS")])?;
                let stream: Stream = server.encrypt(session.imap.into_stream()?, here)?;
                session.imap = Imap::resume(stream);
                session.is_private = true;
                session.learn()?;
            } else if !here {
                let text = "the server offers no encryption; --notls goes on without";
                return Err(Trouble::new(Kind::Unavailable, text));
            }
        }
        Ok(session)
    }

    /// Logs in.
    ///
    /// # Errors
    /// When the server refuses, or the password would be readable on the way and nobody has asked for that.
    pub fn log_in(&mut self, account: &Account) -> Result<(), Trouble> {
        if !self.is_private && self.server.security != Security::None {
            return Err(Trouble::new(Kind::Unavailable, "the connection is not encrypted; --notls goes on without"));
        }
        let plain = self.can("AUTH=PLAIN");
        let login = !self.can("LOGINDISABLED");
        let mechanism = match account.mechanism {
            Some(mechanism) => mechanism,
            None if plain => Mechanism::Plain,
            None if login => Mechanism::Login,
            None => return Err(Trouble::new(Kind::NoPermission, "the server offers no login with a password here")),
        };
        match mechanism {
            Mechanism::Plain => self.authenticate_plain(account)?,
            Mechanism::Login if account.authorize_as.is_some() => {
                return Err(Trouble::usage("only the mechanism PLAIN logs in as somebody else"));
            }
            Mechanism::Login => {
                self.imap.run(&[
                    Part::Raw("LOGIN "),
                    Part::Text(&account.user),
                    Part::Raw(" "),
                    Part::Text(&account.password),
                ])?;
            }
        }
        self.user = Some(account.user.clone());
        self.imap.be_patient()?;
        self.learn()
    }

    fn authenticate_plain(&mut self, account: &Account) -> Result<(), Trouble> {
        let authorize_as = account.authorize_as.as_deref().unwrap_or_default();
        if [&account.user, &account.password].iter().any(|text| text.contains('\0')) {
            return Err(Trouble::usage("a user or password with a NUL"));
        }
        let response = STANDARD.encode(format!("{authorize_as}\0{}\0{}", account.user, account.password));
        let tag = if self.can("SASL-IR") {
            self.imap.begin(&[Part::Raw("AUTHENTICATE PLAIN "), Part::Raw(&response)])?
        } else {
            let tag = self.imap.begin(&[Part::Raw("AUTHENTICATE PLAIN")])?;
            self.imap.invited(&tag)?;
            self.imap.send(response.as_bytes())?;
            self.imap.send(b"\r\n")?;
            tag
        };
        self.imap.end(&tag)?;
        Ok(())
    }

    /// Says goodbye. The server may be gone already.
    pub fn close(mut self) {
        let _: Result<Answer, Trouble> = self.imap.run(&[Part::Raw("LOGOUT")]);
    }

    /// The server's name, as it was asked for.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.server.host
    }

    /// Who is logged in.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The same server, for another connection.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// Whether the server has announced this capability.
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known.eq_ignore_ascii_case(capability))
    }

    /// The value of a capability, `kxten` of `RIGHTS=kxten`.
    pub(crate) fn capability(&self, name: &str) -> Option<&str> {
        self.capabilities.iter().find_map(|known| {
            let (of, value) = known.split_once('=')?;
            of.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// Does a command.
    pub(crate) fn run(&mut self, parts: &[Part<'_>]) -> Result<Answer, Trouble> {
        self.imap.run(parts)
    }

    /// Does a command on a mailbox: its name is put behind the command's.
    pub(crate) fn on(&mut self, command: &str, mailbox: &str, rest: &[Part<'_>]) -> Result<Answer, Trouble> {
        let name = modified_utf7::encode(mailbox);
        let mut parts = vec![Part::Raw(command), Part::Raw(" "), Part::Text(&name)];
        parts.extend(rest.iter().map(|part| match part {
            Part::Raw(text) => Part::Raw(text),
            Part::Text(text) => Part::Text(text),
        }));
        self.imap.run(&parts)
    }

    /// LIST or the like: `command` is all before the reference.
    pub(crate) fn list(&mut self, command: &str, reference: &str, pattern: &str) -> Result<Vec<Listed>, Trouble> {
        let (reference, pattern) = (modified_utf7::encode(reference), modified_utf7::encode(pattern));
        let parts = [Part::Raw(command), Part::Raw(" "), Part::Text(&reference), Part::Raw(" "), Part::Text(&pattern)];
        let answer = self.imap.run(&parts)?;
        let lists = answer.responses.iter().filter(|response| response[..].first().is_some_and(is_list));
        lists.map(|response| listed(response)).collect()
    }

    /// The mailboxes that a pattern means, in the server's order; a name without wildcards means itself, whether it is
    /// there or not.
    pub(crate) fn expand(&mut self, pattern: &str) -> Result<Vec<String>, Trouble> {
        if !pattern.contains(['*', '%']) {
            return Ok(vec![pattern.to_owned()]);
        }
        let found = self.list("LIST", "", pattern)?;
        let names: Vec<String> = found.into_iter().filter(Listed::is_mailbox).map(|listed| listed.name).collect();
        if names.is_empty() {
            return Err(Trouble::new(Kind::NotFound, format!("{pattern}: no such mailbox")));
        }
        Ok(names)
    }

    /// What the server wants the administrator to know.
    pub(crate) fn alerts(&mut self) -> Vec<String> {
        self.imap.alerts()
    }

    /// Asks what the server can do.
    fn learn(&mut self) -> Result<(), Trouble> {
        let answer = self.imap.run(&[Part::Raw("CAPABILITY")])?;
        let response = answer.responses.iter().find(|response| response.first().is_some_and(|v| v.is("CAPABILITY")));
        self.capabilities = response.into_iter().flatten().skip(1).filter_map(Value::text).collect();
        Ok(())
    }
}

impl Listed {
    /// Whether there is such a mailbox, and not only ones below it.
    pub(crate) fn is_mailbox(&self) -> bool {
        !self.attributes.iter().any(|attribute| {
            attribute.eq_ignore_ascii_case("\\Noselect") || attribute.eq_ignore_ascii_case("\\NonExistent")
        })
    }
}

fn is_list(value: &Value) -> bool {
    value.is("LIST") || value.is("LSUB")
}

fn listed(response: &[Value]) -> Result<Listed, Trouble> {
    let wrong = || Trouble::protocol("a LIST without a name");
    let [_, Value::List(attributes), _, name, ..] = response else { return Err(wrong()) };
    let name = name.text().ok_or_else(wrong)?;
    Ok(Listed {
        name: decoded(&name),
        attributes: attributes.iter().filter_map(Value::text).map(|text| printable(&text)).collect(),
    })
}

/// A name that a server told, as it is shown.
pub(crate) fn decoded(name: &str) -> String {
    printable(&modified_utf7::decode(name).unwrap_or_else(|| name.to_owned()))
}

impl std::str::FromStr for Mechanism {
    type Err = Trouble;

    fn from_str(name: &str) -> Result<Self, Trouble> {
        match name.to_ascii_lowercase().as_str() {
            "plain" => Ok(Self::Plain),
            "login" => Ok(Self::Login),
            _ => Err(Trouble::usage(format!("no mechanism {name}; there are plain and login"))),
        }
    }
}
