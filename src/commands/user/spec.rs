//! What `angarium user` takes: a function for each subject.

use clap::{Arg, ArgAction};

use super::fields::{self, Style};
use super::{app_password, list};
use crate::commands::listing::{self, json, revision_arg};

/// All of it.
pub(super) fn spec() -> clap::Command {
    clap::Command::new("user")
        .about("Add, show, list, change and delete users, change passwords, see who has logged in")
        .subcommand_required(true)
        .subcommand(adding())
        .subcommands(lists())
        .subcommand(
            clap::Command::new("show")
                .about("Show a user, which aliases name him, and when somebody last came in")
                .arg(user())
                .arg(json()),
        )
        .subcommand(changing())
        .subcommand(
            clap::Command::new("disable").about("Keep a user out, and refuse mail for him; sessions end").arg(user()),
        )
        .subcommand(clap::Command::new("enable").about("Let a user in again").arg(user()))
        .subcommand(delete_spec("delete").arg(user().num_args(1..)))
        .subcommand(logins())
        .subcommand(usage())
        .subcommand(app_password::spec())
        .subcommand(
            clap::Command::new("passwd")
                .about("Change a user's own password; app passwords stay as they are")
                .arg(user())
                .arg(password_stdin())
                .arg(hash()),
        )
}

fn adding() -> clap::Command {
    clap::Command::new("add")
                .visible_alias("create")
                .about("Add a user with an INBOX")
                .long_about(
                    "Add a user with an INBOX, or nothing. The password is asked for on the terminal, or is one line of \
                     standard input if that is not a terminal. First and last name are the user ID unless they are given, \
                     the quota is the one that `angarium privileges` has for new users.",
                )
                .arg(user())
                .arg(listing::domain("The user's domain, unless the address says it [default: the server's own]"))
                .args(fields::args(Style::Words))
                .arg(password_stdin())
}

fn lists() -> [clap::Command; 2] {
    let all = clap::Command::new("list").about("List users, sorted by user ID").args(list::args()).after_long_help(
        "EXAMPLES\n  angarium user list --domain example.org\n  angarium user list --limit 100 --after joe\n      \
                     the next hundred behind joe\n  angarium user list --quota\n      who stores how much",
    );
    let found = clap::Command::new("search")
        .about("List users whose user ID or names have all these words in them")
        .long_about(
            "List users whose user ID, first, last or display name has each of these words in it, whatever the case \
                     of letters. No character has a meaning of its own.",
        )
        .arg(Arg::new("WORD").required(true).num_args(1..))
        .arg(Arg::new("addresses").long("addresses").action(ArgAction::SetTrue).help("Words may be in addresses, too"))
        .args(list::args());
    [all, found]
}

fn changing() -> clap::Command {
    clap::Command::new("modify")
        .about("Change a user")
        .long_about(
            "Change what is said of a user; what is not given stays. An empty text or list takes away what was \
                     there. The user ID can't be changed.",
        )
        .arg(user())
        .args(fields::args(Style::Words))
        .arg(revision_arg())
        .after_long_help(
            "EXAMPLES\n  angarium user modify joe --quota 500\n  angarium user modify joe --forward joe@example.com \
                     --keep-copy\n  angarium user modify joe --forward ''\n  angarium user modify joe --vacation \
                     --vacation-text 'Back in May.'\n  angarium user modify joe --junk-filter --junk-allow xyz.com",
        )
}

fn logins() -> clap::Command {
    clap::Command::new("logins")
        .about("Show the last logins of a user, and those that failed")
        .long_about(
            "Show the last logins of a user, the latest first: when, how often that day, from which address, over \
                     which protocol, with which mechanism and app password, what the client calls itself, and why it \
                     failed. How many are kept says limits.login_history.",
        )
        .arg(user())
        .arg(json().help("One JSON object a line"))
}

fn usage() -> clap::Command {
    clap::Command::new("usage")
                .about("Show why a quota is full: what each folder uses, and what is only kept for a while")
                .long_about(
                    "Show what each folder of a user uses, the largest first, in megabytes and octets, with the messages \
                     that were expunged and are kept until cyr_expire or the server removes them: those are on the disk, but \
                     nobody is charged for them. The sum is what the quota root counts; where it is not, the last line says \
                     so. Indexes are read, no messages.",
                )
                .arg(user().required(false).required_unless_present("mailbox"))
                .arg(
                    Arg::new("mailbox")
                        .long("mailbox")
                        .value_name("NAME")
                        .conflicts_with("USER")
                        .help("Another quota root: team, user/joe/Work"),
                )
                .arg(
                    Arg::new("largest")
                        .long("largest")
                        .value_name("NUMBER")
                        .default_value("0")
                        .value_parser(clap::value_parser!(u16).range(0..=1000))
                        .help("Name so many of the largest messages, too"),
                )
                .arg(json())
                .after_long_help(
                    "EXAMPLES\n  angarium user usage joe\n  angarium user usage joe --largest 20\n  angarium user usage \
                     --mailbox team\n\nEXIT STATUS\n  0   shown\n  1   the quota root counts something else: run quota -f\n  \
                     66  there is no such mailbox\n  67  there is no such user",
                )
}

/// How users are deleted, under whatever name.
pub(in crate::commands) fn delete_spec(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .about("Delete users with all their mail")
        .long_about(
            "Delete users: accounts, passwords, mailboxes, subscriptions, quotas, rights on other mailboxes, and what \
             aliases say of them. An alias that is left without an owner or a member is deleted too, and is named. Deleted \
             mailboxes are kept as long as store.delete_mode and cyr_expire say. The user admin stays. On a terminal it says \
             first what goes, and asks.",
        )
        .arg(
            Arg::new("dry-run")
                .long("dry-run")
                .short('n')
                .action(ArgAction::SetTrue)
                .help("Only say what would be deleted, and which aliases would go along"),
        )
        .arg(
            Arg::new("yes")
                .long("yes")
                .short('y')
                .action(ArgAction::SetTrue)
                .help("Do not ask on a terminal; elsewhere nobody is asked"),
        )
}

/// `--password-stdin`.
pub(in crate::commands) fn password_stdin() -> Arg {
    Arg::new("password-stdin")
        .long("password-stdin")
        .action(ArgAction::SetTrue)
        .help("Read the password from a line of standard input even if that is a terminal")
}

/// `--hash`.
pub(in crate::commands) fn hash() -> Arg {
    Arg::new("hash")
        .long("hash")
        .action(ArgAction::SetTrue)
        .help("Read not a password but its hash, as another server has kept it ({SSHA512}..., $6$...)")
}

pub(super) fn user() -> Arg {
    Arg::new("USER").required(true).help("User ID: the login name, and the owner of user/USER")
}
