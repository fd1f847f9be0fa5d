//! A script's text as values: headers, then steps.
//!
//! ```abnf
//! script   = *(header / comment) blank *(step / comment / blank)
//! header   = name ":" SP text *(newline "|" [SP text])
//! step     = [number ":" SP] (("C" / "C>" / "S" / "S>" / "!") ":" SP text / "TLS" / "EOF" / "HANGUP")
//! comment  = "#" text
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::Protocol;
use super::pattern::Pattern;

/// A whole script.
#[derive(Debug)]
pub struct Script {
    /// The file's name, for failures.
    pub name: String,
    /// Capabilities without which it makes no sense.
    pub capabilities: Vec<String>,
    /// The users it needs, by the names it uses for them.
    pub users: Vec<String>,
    /// Mailboxes that exist beforehand, with messages.
    pub mailboxes: Vec<Mailbox>,
    /// Its connections.
    pub sessions: BTreeMap<u8, Session>,
    /// Named messages.
    pub messages: BTreeMap<String, Vec<u8>>,
    /// Settings of the server, `name = value`, for a server that the test starts itself.
    pub settings: Vec<String>,
    /// Texts whose appearance in a warning or an error of the server's log is part of the script.
    pub log: Vec<String>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// A mailbox to fill before the script begins.
#[derive(Debug)]
pub struct Mailbox {
    /// The script's name of its owner.
    pub owner: String,
    /// The mailbox as its owner names it.
    pub name: String,
    /// What lies in it.
    pub fill: Fill,
}

/// What lies in a mailbox beforehand.
#[derive(Debug)]
pub enum Fill {
    /// So many small messages, `Subject: message 1` and so on.
    Generated(usize),
    /// The named messages of the script, in this order.
    Named(Vec<String>),
}

/// How a connection begins.
#[derive(Debug)]
pub struct Session {
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Who is logged in when the steps begin; without one the greeting is still to be read.
    pub user: Option<String>,
    /// The mailbox that is selected when the steps begin.
    pub mailbox: Option<String>,
}

/// One step and where it stands.
#[derive(Debug)]
pub struct Step {
    /// The line in the script, from 1.
    pub line: usize,
    /// The connection.
    pub session: u8,
    /// What is to happen on it.
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// `C:` sends a line, `C>:` the bytes alone.
    Send {
        /// The text, not expanded yet.
        text: String,
        /// Whether CRLF follows.
        line: bool,
    },
    /// `S:` a reply that must come, `S>:` one that must come after the one expected before it.
    Expect {
        /// What the reply looks like.
        pattern: Pattern,
        /// Whether the order matters.
        after: bool,
    },
    /// `!:` a reply that must not come, unless an `S:` claims it.
    Forbid(Pattern),
    /// `TLS`: the client begins a handshake.
    StartTls,
    /// `EOF`: the server closes the connection.
    Eof,
    /// `HANGUP`: the client closes the connection.
    Hangup,
}

/// A line of a script that makes no sense.
#[derive(Debug)]
pub struct SyntaxError {
    file: String,
    line: usize,
    problem: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

impl std::error::Error for SyntaxError {}

impl Script {
    /// Reads a script; `name` is used in failures.
    ///
    /// # Errors
    /// Names the first line that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, SyntaxError> {
        let mut script = Self {
            name: name.to_owned(),
            capabilities: Vec::new(),
            users: Vec::new(),
            mailboxes: Vec::new(),
            sessions: BTreeMap::new(),
            messages: BTreeMap::new(),
            settings: Vec::new(),
            log: Vec::new(),
            steps: Vec::new(),
        };
        let mut reader = Reader { message: None, session: 1 };
        let mut in_header = true;
        for (index, line) in text.lines().enumerate() {
            let result = if line.starts_with('#') {
                Ok(())
            } else if in_header && line.trim().is_empty() {
                in_header = script.sessions.is_empty();
                Ok(())
            } else if in_header {
                reader.header(&mut script, line)
            } else {
                reader.step(&mut script, index + 1, line)
            };
            result.map_err(|problem| SyntaxError { file: name.to_owned(), line: index + 1, problem })?;
        }
        script.check().map_err(|problem| SyntaxError { file: name.to_owned(), line: 1, problem })?;
        Ok(script)
    }

    /// Whether a step contains `text`.
    pub(super) fn mentions(&self, text: &str) -> bool {
        self.steps.iter().any(|step| match &step.action {
            Action::Send { text: sent, .. } => sent.contains(text),
            Action::Expect { pattern, .. } | Action::Forbid(pattern) => pattern.text.contains(text),
            _ => false,
        })
    }

    fn check(&self) -> Result<(), String> {
        let mut users = self
            .mailboxes
            .iter()
            .map(|mailbox| &mailbox.owner)
            .chain(self.sessions.values().filter_map(|session| session.user.as_ref()));
        if let Some(user) = users.find(|user| !self.users.contains(user) && *user != "admin") {
            return Err(format!("{user} is not among the users"));
        }
        for mailbox in &self.mailboxes {
            if let Fill::Named(names) = &mailbox.fill
                && let Some(name) = names.iter().find(|name| !self.messages.contains_key(*name))
            {
                return Err(format!("there is no message {name}"));
            }
        }
        match self.steps.iter().find(|step| !self.sessions.contains_key(&step.session)) {
            Some(step) => Err(format!("line {} uses session {}, which no header begins", step.line, step.session)),
            None if self.steps.is_empty() => Err("nothing happens in it".to_owned()),
            None => Ok(()),
        }
    }
}

/// What has to be remembered from line to line.
struct Reader {
    /// The message that `|` lines belong to.
    message: Option<String>,
    /// The session of a step that names none.
    session: u8,
}

impl Reader {
    fn header(&mut self, script: &mut Script, line: &str) -> Result<(), String> {
        if let Some(rest) = line.strip_prefix('|') {
            let name = self.message.as_ref().ok_or("a | line belongs below a message header")?;
            let message = script.messages.get_mut(name).ok_or("no such message")?;
            message.extend_from_slice(&super::expand::unescaped(rest.strip_prefix(' ').unwrap_or(rest)));
            message.extend_from_slice(b"\r\n");
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or("a header is `name: value`")?;
        let value = value.trim();
        let words = || value.split_whitespace().map(str::to_owned);
        match name {
            "capabilities" => script.capabilities.extend(words()),
            "users" => script.users.extend(words()),
            "log" => script.log.push(value.to_owned()),
            "setting" => script.settings.push(value.to_owned()),
            "mailbox" => script.mailboxes.push(mailbox(value)?),
            "session" => {
                let (number, session) = session(value)?;
                script.sessions.insert(number, session);
            }
            "message" => {
                self.message = Some(value.to_owned());
                script.messages.insert(value.to_owned(), Vec::new());
            }
            _ => return Err(format!("{name} is not a header")),
        }
        Ok(())
    }

    fn step(&mut self, script: &mut Script, number: usize, line: &str) -> Result<(), String> {
        let line = line.trim_start();
        if line.is_empty() {
            return Ok(());
        }
        let mut rest = line;
        if let Some((session, after)) = line.split_once(": ")
            && let Ok(session) = session.parse()
        {
            self.session = session;
            rest = after.trim_start();
        }
        let (kind, text) = rest.split_once(':').unwrap_or((rest, ""));
        let text = text.strip_prefix(' ').unwrap_or(text);
        let action = match kind {
            "C" | "C>" => Action::Send { text: text.to_owned(), line: kind == "C" },
            "S" | "S>" => Action::Expect { pattern: Pattern::parse(text)?, after: kind == "S>" },
            "!" => Action::Forbid(Pattern::parse(text)?),
            "TLS" => Action::StartTls,
            "EOF" => Action::Eof,
            "HANGUP" => Action::Hangup,
            _ => return Err(format!("{kind} is not a step")),
        };
        script.steps.push(Step { line: number, session: self.session, action });
        Ok(())
    }
}

/// `OWNER NAME COUNT` or `OWNER NAME MESSAGE...`
fn mailbox(value: &str) -> Result<Mailbox, String> {
    let mut words = value.split_whitespace();
    let (Some(owner), Some(name)) = (words.next(), words.next()) else {
        return Err("a mailbox is `owner name` and a count or names of messages".to_owned());
    };
    let rest: Vec<String> = words.map(str::to_owned).collect();
    let fill = match rest.as_slice() {
        [count] if count.bytes().all(|byte| byte.is_ascii_digit()) => {
            Fill::Generated(count.parse().map_err(|_| "too many messages")?)
        }
        _ => Fill::Named(rest),
    };
    Ok(Mailbox { owner: owner.to_owned(), name: name.to_owned(), fill })
}

/// `NUMBER PROTOCOL [USER [MAILBOX]]`
fn session(value: &str) -> Result<(u8, Session), String> {
    let mut words = value.split_whitespace();
    let number = words.next().and_then(|word| word.parse().ok()).ok_or("a session begins with its number")?;
    let protocol = words.next().and_then(Protocol::named).ok_or("a session speaks imap, imaps, pop3, pop3s or lmtp")?;
    let user = words.next().map(str::to_owned);
    let mailbox = words.next().map(str::to_owned);
    Ok((number, Session { protocol, user, mailbox }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read() {
        let text = "# why\nusers: joe\nmailbox: joe INBOX hello\nmessage: hello\n| Subject: x\n|\n| hi\n\
                    session: 1 imap joe INBOX\n\n1: C: a NOOP\nS: a OK ...\n!: * BYE ...\nEOF\n";
        let script = Script::parse("x.imap", text).unwrap();
        assert_eq!(script.messages["hello"], b"Subject: x\r\n\r\nhi\r\n");
        assert_eq!(script.steps.len(), 4);
        assert_eq!(script.steps[1].line, 11);
    }

    #[test]
    fn wrong_scripts_are_refused() {
        for (text, problem) in [
            ("users: joe\nsession: 1 imap sue\n\nC: a NOOP\n", "sue is not among the users"),
            ("session: 1 imap\n\n2: C: a NOOP\n", "uses session 2"),
            ("session: 1 gopher\n\nC: a\n", "speaks imap"),
            ("session: 1 imap\n\nQ: a\n", "Q is not a step"),
            ("session: 1 imap\n\n", "nothing happens"),
            ("colour: red\n", "colour is not a header"),
        ] {
            let error = Script::parse("x", text).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }
}
