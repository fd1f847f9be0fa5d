//! The commands: one table, with every name and abbreviation that Cyrus' shell has; a file for each group of them.

mod access;
mod annotation;
mod connection;
mod list;
mod mailbox;
mod options;
mod quota;

use crate::shell::Shell;
use crate::trouble::Trouble;

/// A command.
pub(crate) struct Command {
    /// Its full name.
    pub(crate) name: &'static str,
    /// What else it is called.
    pub(crate) short: &'static [&'static str],
    /// What follows the name.
    pub(crate) arguments: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Does it.
    pub(crate) run: fn(&mut Shell<'_>, &[String], &mut Output) -> Result<(), Trouble>,
}

/// What commands print, line by line.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) lines: Vec<String>,
}

impl Output {
    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }
}

macro_rules! command {
    ($name:literal, $short:expr, $arguments:literal, $about:literal, $run:expr) => {
        Command { name: $name, short: &$short, arguments: $arguments, about: $about, run: $run }
    };
}

/// All commands, in the order of the alphabet.
pub(crate) const TABLE: &[Command] = &[
    command!(
        "authenticate",
        ["auth", "login"],
        "[--mechanism plain|login] [--authz USER] [USER]",
        "log in as USER",
        connection::authenticate
    ),
    command!("chdir", ["cd"], "[DIRECTORY]", "change the directory of files for >", connection::chdir),
    command!(
        "createmailbox",
        ["create", "cm"],
        "[--partition PARTITION] [--specialuse FLAG] MAILBOX [PARTITION]",
        "make a mailbox",
        mailbox::create
    ),
    command!("deleteaclmailbox", ["deleteacl", "dam"], "MAILBOX ID...", "take all rights from users", access::delete),
    command!("deletemailbox", ["delete", "dm"], "MAILBOX", "delete a mailbox", mailbox::delete),
    command!("disconnect", ["disc"], "", "end the connection", connection::disconnect),
    command!("exit", ["quit"], "", "leave", connection::exit),
    command!("getmetadata", ["getmd"], "[MAILBOX] [ENTRY]", "show annotations", annotation::get),
    command!("help", ["?"], "[COMMAND]", "explain commands", connection::help),
    command!("info", [], "[MAILBOX]", "show annotations of a mailbox, or of the server", annotation::info),
    command!("listaclmailbox", ["listacl", "lam"], "MAILBOX", "show who may do what", access::list),
    command!(
        "listmailbox",
        ["list", "lm"],
        "[--subscribed] [--specialuse] [PATTERN [REFERENCE]]",
        "show mailboxes; * stands for anything, % for anything at one level",
        list::list
    ),
    command!("listquota", ["lq"], "ROOT", "show usage and limits of a quota root", quota::list),
    command!(
        "listquotaroot",
        ["lqr", "lqm"],
        "MAILBOX",
        "show the quota roots that hold for a mailbox",
        quota::list_roots
    ),
    command!(
        "mboxconfig",
        ["mboxcfg"],
        "[--private] MAILBOX comment|expire|news2mail|pop3showafter|sharedseen|sieve|squat|/ENTRY VALUE|none",
        "set an annotation of a mailbox",
        annotation::configure
    ),
    command!("reconstruct", [], "[-r] MAILBOX", "have a mailbox rebuilt from its messages", mailbox::reconstruct),
    command!(
        "renamemailbox",
        ["rename", "renm"],
        "[--partition PARTITION] OLD NEW [PARTITION]",
        "rename a mailbox, or move it",
        mailbox::rename
    ),
    command!("server", ["connect", "servername"], "[HOST]", "connect to a server, or show which", connection::server),
    command!(
        "setaclmailbox",
        ["setacl", "sam"],
        "MAILBOX ID RIGHTS [ID RIGHTS]...",
        "give rights: letters, +letters, -letters, or none read post append write delete all",
        access::set
    ),
    command!(
        "setinfo",
        [],
        "motd|comment|admin|shutdown|expire|squat|/ENTRY VALUE|none",
        "set an annotation of the server",
        annotation::set_info
    ),
    command!(
        "setmetadata",
        ["setmd"],
        "[--private] MAILBOX ENTRY VALUE|none",
        "set an annotation of a mailbox",
        annotation::set
    ),
    command!(
        "setquota",
        ["sq"],
        "ROOT none|LIMIT|RESOURCE LIMIT [RESOURCE LIMIT]...",
        "limit a quota root: STORAGE in KiB, MESSAGE; none lifts all limits",
        quota::set
    ),
    command!("subscribe", ["sub"], "MAILBOX...", "subscribe to mailboxes", mailbox::subscribe),
    command!("unsubscribe", ["unsub"], "MAILBOX...", "end subscriptions", mailbox::unsubscribe),
    command!("version", ["ver"], "", "show what the server says of itself", connection::version),
    command!(
        "xfermailbox",
        ["xfer"],
        "MAILBOX SERVER [PARTITION]",
        "move a mailbox to another server",
        mailbox::transfer
    ),
];

/// Every command with its arguments and what it does, for a manual.
#[must_use]
pub fn summary() -> String {
    TABLE.iter().fold("Commands of the shell:\n".to_owned(), |text, command| {
        let names = [&[command.name], command.short].concat().join(", ");
        format!("{text}\n{names} {}\n    {}\n", command.arguments, command.about)
    })
}

/// The command of that name.
pub(crate) fn find(name: &str) -> Result<&'static Command, Trouble> {
    let found = TABLE.iter().find(|command| command.name == name || command.short.contains(&name));
    found.ok_or_else(|| Trouble::usage(format!("no command {name}; help shows all")))
}

/// How a command is called, for those who have called it otherwise.
pub(crate) fn usage(name: &str) -> Trouble {
    match find(name) {
        Ok(command) => Trouble::usage(format!("usage: {} {}", command.name, command.arguments).trim_end().to_owned()),
        Err(trouble) => trouble,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_in_order() {
        assert!(TABLE.iter().map(|command| command.name).is_sorted());
        let mut names = BTreeSet::new();
        for name in TABLE.iter().flat_map(|command| command.short.iter().chain([&command.name])) {
            assert!(names.insert(name), "{name}");
        }
    }

    #[test]
    fn every_classic_name_is_known() {
        for (name, full) in [
            ("cm", "createmailbox"),
            ("create", "createmailbox"),
            ("dm", "deletemailbox"),
            ("delete", "deletemailbox"),
            ("renm", "renamemailbox"),
            ("rename", "renamemailbox"),
            ("sam", "setaclmailbox"),
            ("setacl", "setaclmailbox"),
            ("dam", "deleteaclmailbox"),
            ("deleteacl", "deleteaclmailbox"),
            ("lam", "listaclmailbox"),
            ("listacl", "listaclmailbox"),
            ("lm", "listmailbox"),
            ("list", "listmailbox"),
            ("sq", "setquota"),
            ("lq", "listquota"),
            ("lqr", "listquotaroot"),
            ("lqm", "listquotaroot"),
            ("sub", "subscribe"),
            ("unsub", "unsubscribe"),
            ("mboxcfg", "mboxconfig"),
            ("getmd", "getmetadata"),
            ("setmd", "setmetadata"),
            ("xfer", "xfermailbox"),
            ("connect", "server"),
            ("servername", "server"),
            ("auth", "authenticate"),
            ("login", "authenticate"),
            ("disc", "disconnect"),
            ("ver", "version"),
            ("cd", "chdir"),
            ("?", "help"),
            ("quit", "exit"),
        ] {
            assert_eq!(find(name).map(|command| command.name), Ok(full));
        }
        assert!(find("ls").is_err());
    }
}
