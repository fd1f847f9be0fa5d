//! THE table of commands: for each its name, the states in which it is legal, what it does to the numbering of messages,
//! and the function that runs it.
//!
//! State and ordering are checked once, by [`crate::connection`], from this table; no command checks its own. A command is
//! one file below `commands/`, whose function reads in one order: arguments, mailbox, work, reply, refusing early.
//!
//! # Adding a command
//! 1. `types` and `syntax` give it an [`Arguments`] variant whose [`Arguments::name`] is the row's name.
//! 2. `commands/<name>.rs` holds `pub(crate) async fn run(context: &mut Context, selected: &mut Selected, arguments..) ->
//!    Outcome`. The second parameter is what the command needs of the session, and thereby the variant of [`Run`]:
//!    nothing but the session ([`Run::Any`]), somebody who is not logged in, somebody who is, or a selected mailbox.
//! 3. A row here; the pattern takes the arguments apart: `run!(Selected, Arguments::Store(store) => store::run(store))`.
//!    `UID STORE` is a row of its own with STORE's function: it may renumber messages where STORE must not.
//! 4. The capability in `commands/capability.rs`, if it has one.
//!
//! What a command must know:
//! - Untagged replies go to `context.connection.output()`, with `context.connection.relieve().await?` between those of a
//!   long command: it waits while the client does not read. No lock of the store is held across any `await`.
//! - Work that blocks goes through [`Context::blocking`].
//! - It does not tell changes of the mailbox: after every command that has a mailbox, the view catches up and the client is
//!   told, with or without expunges as [`Effect`] says. What it has changed and told itself it reports with
//!   [`crate::view::View::told`].
//! - Everything ends in a `Result`: [`Done`](crate::outcome::Done) is the tagged OK, errors become NO or BAD in
//!   [`crate::outcome`].

mod acl;
mod append;
mod authenticate;
pub(crate) mod capability;
mod close;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
mod fetch;
mod id;
mod idle;
mod list;
mod login;
mod logout;
mod namespace;
mod noop;
mod quota;
mod rename;
mod search;
mod select;
mod starttls;
mod status;
mod store;
mod subscribe;

use std::future::{Future, ready};
use std::pin::Pin;

use wire::framing::Fragment;

use crate::context::Context;
use crate::outcome::{CommandError, Outcome};
use crate::session::{Authenticated, NotAuthenticated, Selected, Session};
use crate::types::Arguments;

/// One command.
pub(crate) struct Command {
    /// Its name in capitals, with its `UID`.
    pub(crate) name: &'static str,
    /// Where it is legal.
    pub(crate) states: States,
    /// What it does to the numbering of messages.
    pub(crate) effect: Effect,
    /// What runs it.
    pub(crate) run: Run,
}

/// States in which a command is legal (RFC 9051, 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum States {
    /// All.
    Any,
    /// Before login.
    NotAuthenticated,
    /// After login, with or without a mailbox.
    Authenticated,
    /// With a mailbox.
    Selected,
}

/// What a command does to the numbering of messages, and so what the client may be told at its end (RFC 9051, 7.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Anything may be told: the command uses no sequence numbers.
    MayRenumber,
    /// Its arguments or replies are sequence numbers, so no message may lose its own: expunges wait.
    UsesNumbers,
    /// It leaves the selected mailbox first, whether it works or not (SELECT, EXAMINE).
    Leaves,
    /// Nothing is told: it gives the mailbox up, ends the session, or does the telling itself.
    Silent,
}

/// A command's future. Boxed, so that a session that waits for its next command is small.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A command's function, by what it needs of the session.
pub(crate) enum Run {
    /// The session in whatever state.
    Any(for<'a> fn(&'a mut Context, &'a mut Session, Arguments) -> Running<'a>),
    /// Nobody has logged in.
    NotAuthenticated(for<'a> fn(&'a mut Context, &'a mut NotAuthenticated, Arguments) -> Running<'a>),
    /// Somebody has.
    Authenticated(for<'a> fn(&'a mut Context, &'a mut Authenticated, Arguments) -> Running<'a>),
    /// A mailbox is selected.
    Selected(for<'a> fn(&'a mut Context, &'a mut Selected, Arguments) -> Running<'a>),
    /// Somebody has logged in, and the command's arguments are not read yet: they hold messages, which go to disk as they
    /// arrive (APPEND). The function gets what was read, up to the announcement of the first message, and reads the rest.
    Streamed(for<'a> fn(&'a mut Context, &'a mut Authenticated, Fragment) -> Running<'a>),
}

/// Makes a [`Run`] of a pattern that takes the arguments apart and a call without its first two parameters.
macro_rules! run {
    ($kind:ident, $pattern:pat => $($function:ident)::+ ($($argument:expr),*)) => {
        Run::$kind(|context, state, arguments| match arguments {
            $pattern => Box::pin($($function)::+(context, state $(, $argument)*)),
            other => mismatch(&other),
        })
    };
}

/// The commands, sorted by name.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        name: "APPEND",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: Run::Streamed(|context, user, fragment| Box::pin(append::run(context, user, fragment))),
    },
    Command {
        name: "AUTHENTICATE",
        states: States::NotAuthenticated,
        effect: Effect::MayRenumber,
        run: run!(NotAuthenticated, Arguments::Authenticate { mechanism, initial } => authenticate::run(mechanism, initial)),
    },
    Command {
        name: "CAPABILITY",
        states: States::Any,
        effect: Effect::MayRenumber,
        run: run!(Any, Arguments::Capability => capability::run()),
    },
    Command {
        name: "CHECK",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Check => noop::check()),
    },
    Command {
        name: "CLOSE",
        states: States::Selected,
        effect: Effect::Silent,
        run: run!(Selected, Arguments::Close => close::close()),
    },
    Command {
        name: "COPY",
        states: States::Selected,
        effect: Effect::UsesNumbers,
        run: run!(Selected, Arguments::Copy(transfer) => copy::copy(transfer)),
    },
    Command {
        name: "CREATE",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Create { mailbox, uses } => create::run(mailbox, uses)),
    },
    Command {
        name: "DELETE",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Delete(mailbox) => delete::run(mailbox)),
    },
    Command {
        name: "DELETEACL",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::DeleteAcl { mailbox, identifier } => acl::delete(mailbox, identifier)),
    },
    Command {
        name: "ENABLE",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Any, Arguments::Enable(capabilities) => enable::run(capabilities)),
    },
    Command {
        name: "EXAMINE",
        states: States::Authenticated,
        effect: Effect::Leaves,
        run: run!(Authenticated, Arguments::Examine(select) => select::examine(select)),
    },
    Command {
        name: "EXPUNGE",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Expunge => expunge::all()),
    },
    Command {
        name: "FETCH",
        states: States::Selected,
        effect: Effect::UsesNumbers,
        run: run!(Selected, Arguments::Fetch(fetch) => fetch::run(fetch)),
    },
    Command {
        name: "GETACL",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::GetAcl(mailbox) => acl::get(mailbox)),
    },
    Command {
        name: "GETQUOTA",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::GetQuota(root) => quota::get(root)),
    },
    Command {
        name: "GETQUOTAROOT",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::GetQuotaRoot(mailbox) => quota::get_root(mailbox)),
    },
    Command {
        name: "ID",
        states: States::Any,
        effect: Effect::MayRenumber,
        run: run!(Any, Arguments::Id(fields) => id::run(fields)),
    },
    Command {
        name: "IDLE",
        states: States::Authenticated,
        effect: Effect::Silent,
        run: run!(Any, Arguments::Idle => idle::run()),
    },
    Command {
        name: "LIST",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::List(list) => list::list(list)),
    },
    Command {
        name: "LISTRIGHTS",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::ListRights { mailbox, identifier } => acl::list_rights(mailbox, identifier)),
    },
    Command {
        name: "LOGIN",
        states: States::NotAuthenticated,
        effect: Effect::MayRenumber,
        run: run!(NotAuthenticated, Arguments::Login { user, password } => login::run(user, password)),
    },
    Command {
        name: "LOGOUT",
        states: States::Any,
        effect: Effect::Silent,
        run: run!(Any, Arguments::Logout => logout::run()),
    },
    Command {
        name: "LSUB",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Lsub { reference, pattern } => list::lsub(reference, pattern)),
    },
    Command {
        name: "MOVE",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Move(transfer) => copy::move_(transfer)),
    },
    Command {
        name: "MYRIGHTS",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::MyRights(mailbox) => acl::my_rights(mailbox)),
    },
    Command {
        name: "NAMESPACE",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Namespace => namespace::run()),
    },
    Command {
        name: "NOOP",
        states: States::Any,
        effect: Effect::MayRenumber,
        run: run!(Any, Arguments::Noop => noop::run()),
    },
    Command {
        name: "RENAME",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Rename { from, to } => rename::run(from, to)),
    },
    Command {
        name: "SEARCH",
        states: States::Selected,
        effect: Effect::UsesNumbers,
        run: run!(Selected, Arguments::Search(search) => search::run(search)),
    },
    Command {
        name: "SELECT",
        states: States::Authenticated,
        effect: Effect::Leaves,
        run: run!(Authenticated, Arguments::Select(select) => select::select(select)),
    },
    Command {
        name: "SETACL",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::SetAcl { mailbox, identifier, change } => acl::set(mailbox, identifier, change)),
    },
    Command {
        name: "SETQUOTA",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::SetQuota { root, limits } => quota::set(root, limits)),
    },
    Command {
        name: "STARTTLS",
        states: States::NotAuthenticated,
        effect: Effect::Silent,
        run: run!(NotAuthenticated, Arguments::StartTls => starttls::run()),
    },
    Command {
        name: "STATUS",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Any, Arguments::Status { mailbox, items } => status::run(mailbox, items)),
    },
    Command {
        name: "STORE",
        states: States::Selected,
        effect: Effect::UsesNumbers,
        run: run!(Selected, Arguments::Store(store) => store::run(store)),
    },
    Command {
        name: "SUBSCRIBE",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Subscribe(mailbox) => subscribe::subscribe(mailbox)),
    },
    Command {
        name: "UID COPY",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Copy(transfer) => copy::copy(transfer)),
    },
    Command {
        name: "UID EXPUNGE",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::UidExpunge(set) => expunge::some(set)),
    },
    Command {
        name: "UID FETCH",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Fetch(fetch) => fetch::run(fetch)),
    },
    Command {
        name: "UID MOVE",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Move(transfer) => copy::move_(transfer)),
    },
    Command {
        name: "UID SEARCH",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Search(search) => search::run(search)),
    },
    Command {
        name: "UID STORE",
        states: States::Selected,
        effect: Effect::MayRenumber,
        run: run!(Selected, Arguments::Store(store) => store::run(store)),
    },
    Command {
        name: "UNSELECT",
        states: States::Selected,
        effect: Effect::Silent,
        run: run!(Selected, Arguments::Unselect => close::unselect()),
    },
    Command {
        name: "UNSUBSCRIBE",
        states: States::Authenticated,
        effect: Effect::MayRenumber,
        run: run!(Authenticated, Arguments::Unsubscribe(mailbox) => subscribe::unsubscribe(mailbox)),
    },
];

/// The command called `name`, which is in capitals.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.binary_search_by_key(&name, |command| command.name).ok().map(|at| &COMMANDS[at])
}

/// A row that takes other arguments than those its name stands for; a test makes sure that there is none.
fn mismatch(arguments: &Arguments) -> Running<'static> {
    let text = format!("{} is not implemented", arguments.name());
    Box::pin(ready(Err(CommandError::bad(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(COMMANDS.is_sorted_by_key(|command| command.name));
        assert!(find("NOOP").is_some() && find("noop").is_none() && find("XYZZY").is_none());
    }

    #[test]
    fn what_a_function_needs_exists_in_its_states() {
        for Command { name, states, run, .. } in COMMANDS {
            let fits = match run {
                Run::Any(_) => true,
                Run::NotAuthenticated(_) => *states == States::NotAuthenticated,
                Run::Authenticated(_) | Run::Streamed(_) => matches!(states, States::Authenticated | States::Selected),
                Run::Selected(_) => *states == States::Selected,
            };
            assert!(fits, "{name}");
        }
    }
}
