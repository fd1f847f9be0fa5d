//! Plays a script against a server and says where it went differently.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;

use super::expand::{Chunk, Scope};
use super::pattern::Pattern;
use super::script::{Action, Fill, Mailbox, Script, Session, Step};
use super::{Protocol, Site};
use crate::{Connection, Imap, Pop3, Reply, corpus};

/// Where a script and a server disagree.
#[derive(Debug)]
pub struct Failure {
    /// `file:line`.
    pub place: String,
    /// What was expected and what came.
    pub story: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.story)
    }
}

impl std::error::Error for Failure {}

/// Plays `script`; `Ok(Some(reason))` says that this site cannot play it.
///
/// # Errors
/// The first place where the server did not do as the script says.
pub fn run(script: &Script, site: &Site) -> Result<Option<String>, Failure> {
    let at_start = |story: String| Failure { place: format!("{}:1", script.name), story };
    if let Some(reason) = obstacle(script, site) {
        return if site.may_lack { Ok(Some(reason)) } else { Err(at_start(reason)) };
    }
    if let Some(missing) = missing_capability(script, site).map_err(|error| at_start(error.to_string()))? {
        let reason = format!("the server lacks {missing}");
        return if site.may_lack { Ok(Some(reason)) } else { Err(at_start(reason)) };
    }
    for mailbox in &script.mailboxes {
        fill(script, site, mailbox)
            .map_err(|error| at_start(format!("filling {} of {}: {error}", mailbox.name, mailbox.owner)))?;
    }
    let mut player = Player { script, scope: scope(script, site), lines: BTreeMap::new() };
    for (number, session) in &script.sessions {
        let line = Line::open(session, site).map_err(|error| at_start(format!("opening session {number}: {error}")))?;
        player.lines.insert(*number, line);
    }
    player.play()?;
    Ok(None)
}

/// Why this site cannot play the script at all.
fn obstacle(script: &Script, site: &Site) -> Option<String> {
    let needed = script.sessions.values().filter_map(|session| session.user.as_ref()).chain(&script.users);
    if let Some(user) = needed.into_iter().find(|user| !site.users.contains_key(*user)) {
        return Some(format!("the server has no user for {user}"));
    }
    if script.mentions("$others") && site.others.is_none() {
        return Some("the server does not show other users' mailboxes".to_owned());
    }
    let session = script.sessions.values().find(|session| !site.listeners.contains_key(&session.protocol))?;
    Some(format!("the server has no listener for {:?}", session.protocol))
}

fn missing_capability(script: &Script, site: &Site) -> io::Result<Option<String>> {
    let Some(user) = script.users.first() else { return Ok(None) };
    if script.capabilities.is_empty() {
        return Ok(None);
    }
    let answer = login(site, user)?.must("CAPABILITY")?;
    let offered: Vec<String> = answer
        .untagged
        .iter()
        .flat_map(|reply| reply.to_string().split_whitespace().map(str::to_ascii_uppercase).collect::<Vec<_>>())
        .collect();
    Ok(script.capabilities.iter().find(|name| !offered.contains(&name.to_ascii_uppercase())).cloned())
}

fn fill(script: &Script, site: &Site, mailbox: &Mailbox) -> io::Result<()> {
    let mut imap = login(site, &mailbox.owner)?;
    if mailbox.name != "INBOX" {
        imap.must(&format!("CREATE {}", crate::imap::quoted(&mailbox.name)))?;
    }
    let messages: Vec<Vec<u8>> = match &mailbox.fill {
        Fill::Generated(count) => (1..=*count).map(corpus::small).collect(),
        Fill::Named(names) => names.iter().map(|name| script.messages[name].clone()).collect(),
    };
    for message in messages {
        let answer = imap.append(&mailbox.name, "", &message)?;
        if !answer.ok() {
            return Err(io::Error::other(answer.status));
        }
    }
    imap.must("LOGOUT").map(drop)
}

fn login(site: &Site, user: &str) -> io::Result<Imap> {
    let account = &site.users[user];
    let address = site.listeners.get(&Protocol::Imap).ok_or_else(|| io::Error::other("no IMAP listener"))?;
    Imap::login(*address, &account.name, &account.password)
}

fn scope(script: &Script, site: &Site) -> Scope {
    let mut scope = Scope { messages: script.messages.clone(), ..Scope::default() };
    for (name, user) in &site.users {
        scope.variables.insert(name.clone(), user.name.clone().into_bytes());
        scope.variables.insert(format!("{name}_password"), user.password.clone().into_bytes());
    }
    if let Some(others) = &site.others {
        scope.variables.insert("others".to_owned(), others.clone().into_bytes());
    }
    scope.variables.insert("domain".to_owned(), site.domain.clone().into_bytes());
    for count in 1..=9 {
        scope.messages.entry(format!("generated{count}")).or_insert_with(|| corpus::small(count));
    }
    scope
}

struct Player<'a> {
    script: &'a Script,
    scope: Scope,
    lines: BTreeMap<u8, Line>,
}

/// A connection, and what it received that no step has looked at.
struct Line {
    protocol: Protocol,
    connection: Connection,
    unread: VecDeque<Reply>,
    /// The last thing sent, for the story of a failure.
    sent: String,
}

/// Replies that belong together: those before a final one, and the final one if the script expects one.
struct Group<'a> {
    before: Vec<(&'a Step, &'a Pattern, bool)>,
    forbidden: Vec<(&'a Step, &'a Pattern)>,
    last: Option<(&'a Step, &'a Pattern)>,
}

impl Line {
    fn open(session: &Session, site: &Site) -> io::Result<Self> {
        let literals = session.protocol.is_imap();
        let mut connection = Connection::open(site.listeners[&session.protocol], literals)?;
        if session.protocol.begins_with_tls() {
            connection.start_tls()?;
        }
        if let Some(user) = session.user.as_ref().filter(|_| !literals) {
            let account = &site.users[user];
            let name =
                session.mailbox.as_ref().map_or(account.name.clone(), |folder| format!("{}+{folder}", account.name));
            connection = Pop3::over(connection)?.login(&name, &account.password)?.connection;
        } else if let Some(user) = &session.user {
            let account = &site.users[user];
            let mut imap = Imap::over(connection)?;
            imap.must(&format!(
                "LOGIN {} {}",
                crate::imap::quoted(&account.name),
                crate::imap::quoted(&account.password)
            ))?;
            if let Some(mailbox) = &session.mailbox {
                imap.must(&format!("SELECT {}", crate::imap::quoted(mailbox)))?;
            }
            connection = imap.connection;
        }
        Ok(Self { protocol: session.protocol, connection, unread: VecDeque::new(), sent: String::new() })
    }

    fn reply(&mut self) -> io::Result<Option<Reply>> {
        match self.unread.pop_front() {
            Some(reply) => Ok(Some(reply)),
            None => self.connection.reply(),
        }
    }

    /// Whether a reply ends what the server has to say about a command.
    fn is_final(&self, reply: &[u8]) -> bool {
        match self.protocol {
            Protocol::Lmtp => reply.get(3) != Some(&b'-'),
            // Which responses have more than one line depends on the command: every line is to be expected, in order.
            Protocol::Pop3 | Protocol::Pop3s => true,
            Protocol::Imap | Protocol::Imaps => !reply.starts_with(b"* "),
        }
    }

    /// The last line of an LMTP reply is a line like those before it: `250 SIZE` offers what `250-SIZE` does.
    fn as_continuation(&self, reply: &Reply) -> Option<Reply> {
        let mut line = reply.clone();
        match self.protocol {
            Protocol::Lmtp => line.0.get_mut(3).map(|byte| *byte = b'-').map(|()| line),
            Protocol::Imap | Protocol::Imaps | Protocol::Pop3 | Protocol::Pop3s => None,
        }
    }

    fn send(&mut self, chunks: &[Chunk]) -> io::Result<()> {
        for chunk in chunks {
            match chunk {
                Chunk::Bytes(bytes) => self.connection.send(bytes)?,
                Chunk::Consent => loop {
                    let reply = self.connection.reply()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                    if reply.0.starts_with(b"+") {
                        break;
                    }
                    let refused = self.is_final(&reply.0);
                    self.unread.push_back(reply);
                    if refused {
                        return Ok(());
                    }
                },
            }
        }
        Ok(())
    }
}

impl Player<'_> {
    fn play(&mut self) -> Result<(), Failure> {
        let script = self.script;
        let mut steps = script.steps.as_slice();
        while let Some(step) = steps.first() {
            if matches!(step.action, Action::Expect { .. } | Action::Forbid(_)) {
                let end = steps
                    .iter()
                    .position(|other| {
                        other.session != step.session
                            || !matches!(other.action, Action::Expect { .. } | Action::Forbid(_))
                    })
                    .unwrap_or(steps.len());
                for group in self.groups(&steps[..end]) {
                    self.expect(step.session, &group)?;
                }
                steps = &steps[end..];
            } else {
                self.act(step)?;
                steps = &steps[1..];
            }
        }
        Ok(())
    }

    fn act(&mut self, step: &Step) -> Result<(), Failure> {
        let failed = |story: String| Failure { place: format!("{}:{}", self.script.name, step.line), story };
        let gone = || failed(format!("session {} has hung up", step.session));
        if matches!(step.action, Action::Hangup) {
            return self.lines.remove(&step.session).map(drop).ok_or_else(gone);
        }
        let line = self.lines.get_mut(&step.session).ok_or_else(gone)?;
        match &step.action {
            Action::Send { text, line: whole } => {
                let mut chunks = self.scope.send(text).map_err(&failed)?;
                if *whole && let Some(Chunk::Bytes(last)) = chunks.last_mut() {
                    last.extend_from_slice(b"\r\n");
                }
                line.sent.clone_from(text);
                line.send(&chunks).map_err(|error| failed(format!("sending {text}: {error}")))
            }
            Action::StartTls => line.connection.start_tls().map_err(|error| failed(format!("TLS: {error}"))),
            Action::Eof => match line.reply() {
                Ok(None) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(()),
                Ok(Some(reply)) => Err(failed(format!("expected the end of the connection, got\n  {reply}"))),
                Err(error) => Err(failed(format!("expected the end of the connection: {error}"))),
            },
            Action::Expect { .. } | Action::Forbid(_) | Action::Hangup => Ok(()),
        }
    }

    fn groups<'s>(&self, steps: &'s [Step]) -> Vec<Group<'s>> {
        let mut groups = vec![Group { before: Vec::new(), forbidden: Vec::new(), last: None }];
        for step in steps {
            if groups.last().is_some_and(|group| group.last.is_some()) {
                groups.push(Group { before: Vec::new(), forbidden: Vec::new(), last: None });
            }
            let Some(group) = groups.last_mut() else { continue };
            match &step.action {
                Action::Forbid(pattern) => group.forbidden.push((step, pattern)),
                Action::Expect { pattern, after } => {
                    let line = self.lines.get(&step.session);
                    if line.is_some_and(|line| line.is_final(pattern.text.as_bytes())) {
                        group.last = Some((step, pattern));
                    } else {
                        group.before.push((step, pattern, *after));
                    }
                }
                _ => {}
            }
        }
        groups
    }

    fn expect(&mut self, session: u8, group: &Group<'_>) -> Result<(), Failure> {
        let mut replies = Vec::new();
        loop {
            if group.last.is_none() && self.claim(session, group, &replies).is_ok() {
                break;
            }
            let step = group.last.map_or_else(|| group.before.first().map(|before| before.0), |last| Some(last.0));
            let reply = match self.lines.get_mut(&session).map(Line::reply) {
                Some(Ok(Some(reply))) => reply,
                other => {
                    let problem = match other {
                        Some(Err(error)) => error.to_string(),
                        Some(Ok(_)) => "the server closed the connection".to_owned(),
                        None => "this session has hung up".to_owned(),
                    };
                    let missing = self.claim(session, group, &replies).err();
                    return Err(missing.unwrap_or_else(|| self.failure(session, step, "", &replies)).because(&problem));
                }
            };
            let is_final = self.lines.get(&session).is_some_and(|line| line.is_final(&reply.0));
            if !is_final {
                replies.push(reply);
                continue;
            }
            match group.last {
                Some((step, pattern)) => {
                    if let Some(line) = self.lines.get(&session).and_then(|line| line.as_continuation(&reply)) {
                        replies.push(line);
                    }
                    self.scope = self.claim(session, group, &replies).map_err(|failure| failure.followed_by(&reply))?;
                    if pattern.matches(&reply.0, &mut self.scope) {
                        return self.forbid(session, group, &replies);
                    }
                    replies.push(reply);
                    return Err(self.failure(session, Some(step), &pattern.text, &replies));
                }
                None => {
                    replies.push(reply);
                    let missing = self.claim(session, group, &replies).err();
                    return Err(missing.unwrap_or_else(|| self.failure(session, step, "", &replies)));
                }
            }
        }
        self.scope = self.claim(session, group, &replies)?;
        self.forbid(session, group, &replies)
    }

    /// Finds for every expected reply one that came; the scope with what was remembered.
    fn claim(&self, session: u8, group: &Group<'_>, replies: &[Reply]) -> Result<Scope, Failure> {
        let mut scope = self.scope.clone();
        assignment(group, replies, &mut scope)
            .map(|_| scope)
            .map_err(|(step, pattern)| self.failure(session, Some(step), &pattern.text, replies))
    }

    fn forbid(&self, session: u8, group: &Group<'_>, replies: &[Reply]) -> Result<(), Failure> {
        if group.forbidden.is_empty() {
            return Ok(());
        }
        let mut before = self.scope.clone();
        let claimed = assignment(group, replies, &mut before).unwrap_or_default();
        for (step, pattern) in &group.forbidden {
            for (index, reply) in replies.iter().enumerate() {
                if !claimed.contains(&index) && pattern.matches(&reply.0, &mut self.scope.clone()) {
                    return Err(self.failure(session, Some(step), &format!("!: {}", pattern.text), replies));
                }
            }
        }
        Ok(())
    }

    fn failure(&self, session: u8, step: Option<&Step>, expected: &str, replies: &[Reply]) -> Failure {
        let sent = self.lines.get(&session).map(|line| line.sent.clone()).unwrap_or_default();
        let mut story = format!("session {session}\n  after     {sent}\n  expected  {expected}");
        for (index, reply) in replies.iter().enumerate() {
            let label = if index == 0 { "got     " } else { "        " };
            story.push_str(&format!("\n  {label}  {}", shown(reply)));
        }
        if replies.is_empty() {
            story.push_str("\n  got       nothing");
        }
        Failure { place: format!("{}:{}", self.script.name, step.map_or(1, |step| step.line)), story }
    }
}

/// For each expected reply the place of the one that came, or the first that is missing.
fn assignment<'a>(
    group: &Group<'a>,
    replies: &[Reply],
    scope: &mut Scope,
) -> Result<Vec<usize>, (&'a Step, &'a Pattern)> {
    let mut claimed: Vec<usize> = Vec::new();
    for (step, pattern, after) in &group.before {
        let from = if *after { claimed.last().map_or(0, |last| last + 1) } else { 0 };
        let found =
            (from..replies.len()).find(|index| !claimed.contains(index) && pattern.matches(&replies[*index].0, scope));
        claimed.push(found.ok_or((*step, *pattern))?);
    }
    Ok(claimed)
}

fn shown(reply: &Reply) -> String {
    const LONGEST: usize = 2000;
    let text = String::from_utf8_lossy(&reply.0).replace("\r\n", "\\r\\n");
    if text.len() > LONGEST {
        format!("{}... ({} bytes)", text.chars().take(LONGEST).collect::<String>(), text.len())
    } else {
        text
    }
}

impl Failure {
    fn followed_by(mut self, reply: &Reply) -> Self {
        self.story.push_str(&format!("\n            {}", shown(reply)));
        self
    }

    fn because(mut self, problem: &str) -> Self {
        self.story.push_str(&format!("\n  and then  {problem}"));
        self
    }
}
