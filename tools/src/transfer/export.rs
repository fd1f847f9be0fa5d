//! All rows of a directory, as they are at one moment, as a text.

use std::sync::Arc;

use directory::{
    Alias, AliasQuery, Credentials, Directory, Domain, Error, MAX_PAGE, Page, Privileges, User, UserQuery, UserState,
    View, look,
};

use super::json;
use crate::apply::rehearsal::every;
use crate::{CommandError, Console, Exit, Progress};

/// A piece goes out when it has grown to this many octets.
const PIECE: usize = 256 << 10;

/// What is to be exported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// What is kept of passwords, too.
    pub passwords: bool,
}

/// What there is at one moment.
pub(super) struct Snapshot {
    pub(super) privileges: Privileges,
    pub(super) domains: Vec<Arc<Domain>>,
    pub(super) users: Vec<(Arc<User>, Option<Credentials>)>,
    pub(super) aliases: Vec<Arc<Alias>>,
}

/// Writes the whole directory to standard output. Users on the way out are left out.
///
/// # Errors
/// [`CommandError`]; what was written is not whole then.
pub fn export(
    directory: &dyn Directory,
    request: &ExportRequest,
    console: &mut dyn Console,
) -> Result<Exit, CommandError> {
    let snapshot = look(directory, |view| Snapshot::of(view, request.passwords))?;
    if let Some(domain) = snapshot.domains.iter().find(|domain| domain.deleting) {
        let what = format!("the domain {} is being deleted: delete it again to end that, then export", domain.name);
        return Err(Error::Unavailable(what).into());
    }
    let mut piece = String::new();
    let mut lines = Written { console, piece: &mut piece };
    lines.add(&json::first_line(request.passwords))?;
    lines.add(&json::privileges_line(&snapshot.privileges)?)?;
    for domain in &snapshot.domains {
        lines.add(&json::domain_line(domain)?)?;
    }
    let total = snapshot.users.len() as u64;
    for (done, (user, credentials)) in (1..).zip(&snapshot.users) {
        lines.add(&json::user_line(user, credentials.as_ref())?)?;
        lines.console.progress(&Progress { what: user.uid.to_string(), done, total: Some(total) })?;
    }
    for alias in &snapshot.aliases {
        lines.add(&json::alias_line(alias)?)?;
    }
    lines.flush()?;
    Ok(Exit::Ok)
}

impl Snapshot {
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

/// Lines on their way out.
struct Written<'a> {
    console: &'a mut dyn Console,
    piece: &'a mut String,
}

impl Written<'_> {
    fn add(&mut self, line: &str) -> Result<(), CommandError> {
        self.piece.push_str(line);
        self.piece.push('\n');
        if self.piece.len() < PIECE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), CommandError> {
        self.console.octets(self.piece.as_bytes())?;
        self.piece.clear();
        Ok(())
    }
}
