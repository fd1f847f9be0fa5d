//! All rows of a directory, as they are at one moment, as a text.

use std::sync::Arc;

use directory::{
    Actor, Alias, AliasQuery, Credentials, Directory, Domain, Error, Event, MAX_PAGE, Page, Privileges, User,
    UserQuery, UserState, View, every, look,
};

use super::{Format, entries, json};
use crate::{CommandError, Console, Exit, Progress};

/// A piece goes out when it has grown to this many octets.
const PIECE: usize = 256 << 10;

/// What is to be exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// What is kept of passwords, too.
    pub passwords: bool,
    /// How it is written.
    pub format: Format,
    /// The entry above all others, of LDIF; by default made from the server's own domain.
    pub base: Option<String>,
    /// Who asks.
    pub actor: Actor,
}

/// What there is at one moment.
pub(super) struct Snapshot {
    pub(super) privileges: Privileges,
    pub(super) domains: Vec<Arc<Domain>>,
    pub(super) users: Vec<(Arc<User>, Option<Credentials>)>,
    pub(super) aliases: Vec<Arc<Alias>>,
}

/// Writes the whole directory to standard output. Users on the way out are left out. The audit log says that somebody has it.
///
/// # Errors
/// [`CommandError`]; what was written is not whole then.
pub fn export(
    directory: &dyn Directory,
    request: &ExportRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    // Whoever has hashes can guess passwords at leisure.
    let event = Event::new("directory.export", "").field("passwords", "", request.passwords.to_string());
    directory.note(&request.actor, &[event])?;
    let snapshot = look(directory, |view| Snapshot::of(view, request.passwords))?;
    if let Some(domain) = snapshot.domains.iter().find(|domain| domain.deleting) {
        let what = format!("the domain {} is being deleted: delete it again to end that, then export", domain.name);
        return Err(Error::Unavailable(what).into());
    }
    let mut written = Pieces { console, piece: String::new(), done: 0, total: snapshot.rows() };
    match request.format {
        Format::Json => json_lines(&snapshot, request.passwords, &mut |line| written.add(&[line, "\n"]))?,
        Format::Ldif => {
            let own = snapshot.domains.iter().find(|domain| domain.primary);
            let base = || entries::base_of(own.map_or("localdomain", |domain| domain.name.as_str()));
            entries::write(&snapshot, &request.base.clone().unwrap_or_else(base), &mut |entry| written.add(&[entry]))?;
        }
    }
    written.flush()?;
    Ok(Exit::Ok)
}

fn json_lines(
    snapshot: &Snapshot,
    passwords: bool,
    add: &mut dyn FnMut(&str) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    add(&json::first_line(passwords))?;
    add(&json::privileges_line(&snapshot.privileges)?)?;
    for domain in &snapshot.domains {
        add(&json::domain_line(domain)?)?;
    }
    for (user, credentials) in &snapshot.users {
        add(&json::user_line(user, credentials.as_ref())?)?;
    }
    snapshot.aliases.iter().try_for_each(|alias| add(&json::alias_line(alias)?))
}

impl Snapshot {
    /// About as many as are written.
    fn rows(&self) -> u64 {
        (self.domains.len() + self.users.len() + self.aliases.len()) as u64
    }

    /// Takes rows, and nothing else: while it looks nobody can change anything.
    fn of(view: &dyn View, passwords: bool) -> directory::Result<Snapshot> {
        let mut users = Vec::new();
        let mut page = Page::first(MAX_PAGE);
        loop {
            let listing = view.users(&UserQuery::default(), &page)?;
            for user in listing.rows.into_iter().filter(|user| user.state != UserState::Deleting) {
                let credentials = if passwords { view.credentials(&user.uid)? } else { None };
                users.push((user, credentials));
            }
            let Some(next) = listing.next else { break };
            page = page.next(next);
        }
        let aliases = every(|page| view.aliases(&AliasQuery::default(), page))?;
        Ok(Snapshot { privileges: view.privileges()?, domains: view.domains()?, users, aliases })
    }
}

/// Rows on their way out.
struct Pieces<'a> {
    console: &'a mut dyn Console,
    piece: String,
    done: u64,
    total: u64,
}

impl Pieces<'_> {
    /// Adds a row.
    fn add(&mut self, texts: &[&str]) -> Result<(), CommandError> {
        texts.iter().for_each(|text| self.piece.push_str(text));
        self.done += 1;
        if self.piece.len() < PIECE {
            return Ok(());
        }
        self.flush()?;
        let done = self.done.min(self.total);
        Ok(self.console.progress(&Progress { what: "rows".to_owned(), done, total: Some(self.total) })?)
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        self.console.octets(self.piece.as_bytes())?;
        self.piece.clear();
        Ok(())
    }
}
