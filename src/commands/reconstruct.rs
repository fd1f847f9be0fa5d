//! `angarium reconstruct`: mailboxes brought in step with their message files.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};
use mailstore::{Mismatch, OddFiles, RepairOptions};
use tools::reconstruct::{Reconstruct, reconstruct};
use tools::{Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Store(StoreCommand { input: super::no_input, run }) };

const LONG: &str = "\
Bring mailboxes in step with their message files, whatever has happened to them: a damaged, lost or old cyrus.index, \
cyrus.cache, cyrus.header or cyrus.seen, message files that are missing, empty or were put back from a backup, \
directories that the mailboxes database does not know.

Without MAILBOX: every mailbox, and directories that hold a cyrus.header and that no mailbox knows are added. \
MAILBOX is user/joe/Lists or user.joe.Lists; * and % are wildcards.

It runs with and without a server. With one, everybody can go on using the mailboxes meanwhile; sessions are told \
what has changed, or to select the mailbox again. A mailbox in good order is not touched. Every change is one line \
of output and one of log; -n shows the lines and changes nothing.

What is done about message files: one whose record is damaged or lost keeps its UID, its flags are lost. One beyond \
the last UID is added under its UID. One that a healthy index does not know was put back by somebody: it is added \
under a new UID, so that clients see it (--no-reinject leaves it alone). UIDs are never used twice: numbering goes on \
above the marks in the mailboxes database, and UIDVALIDITY stays unless nobody knows which UIDs were used.

Run `quota -f` afterwards.";

const EXAMPLES: &str = "\
Exit codes:
  0   everything is in order now (with -n: could be looked at)
  64  wrong arguments
  65  something is damaged and could not be repaired
  66  there is no such mailbox
  74  reading or writing failed
  75  try again: files are being written, or the store is in use
  77  not permitted

Examples:
  reconstruct                       all mailboxes, after a restore from backup
  reconstruct -n                    what would that change?
  reconstruct -r -f user/joe        joe's mailboxes, and directories of his that are not listed
  reconstruct -u joe                joe's mailboxes
  reconstruct -G user/joe           read every message and compare it with its hash
  reconstruct -s                    without a look at each message file: fast";

fn spec() -> clap::Command {
    let flag = |short: char, name: &'static str, help: &'static str| {
        Arg::new(name).short(short).action(ArgAction::SetTrue).help(help)
    };
    let long = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("reconstruct")
        .about("Repair mailboxes from their message files")
        .long_about(LONG)
        .after_long_help(EXAMPLES)
        .arg(Arg::new("MAILBOX").num_args(0..).help("Mailboxes, or user IDs with -u; all mailboxes if there are none"))
        .arg(flag('r', "recursive", "And all mailboxes below"))
        .arg(flag('f', "find", "Add directories that are not listed, also without cyrus.header"))
        .arg(flag('n', "dry-run", "Change nothing, only say what would be changed").long("dry-run"))
        .arg(flag('q', "quiet", "Only changes and problems: no names of mailboxes, no notes").long("quiet"))
        .arg(flag('u', "users", "The arguments are user IDs: all mailboxes of each"))
        .arg(flag('s', "no-stat", "Do not look at each message file: sizes, modes and owners are not compared"))
        .arg(flag('G', "contents", "Read every message, compare it with its hash and its cache record"))
        .arg(
            flag(
                'R',
                "renumber",
                "A message that is not what its record says gets a new UID (by default: a new record)",
            )
            .conflicts_with("discard"),
        )
        .arg(flag('U', "discard", "A message that is not what its record says is expunged"))
        .arg(
            flag('o', "ignore-odd", "Say nothing of files that have no business in a mailbox")
                .conflicts_with("remove-odd"),
        )
        .arg(flag('O', "remove-odd", "Remove files that have no business in a mailbox"))
        .arg(
            Arg::new("partition")
                .short('p')
                .value_name("PARTITION")
                .requires("MAILBOX")
                .conflicts_with("users")
                .help("Add the named mailboxes, which are not listed, from this partition"),
        )
        .arg(flag(
            'x',
            "fresh",
            "With -p, -P or -f: believe nothing but message files; unique id, flags and ACL are new",
        ))
        .arg(
            Arg::new("path")
                .short('P')
                .value_name("PATH")
                .value_parser(clap::value_parser!(PathBuf))
                .conflicts_with("MAILBOX")
                .help("Add the directory at PATH and those below it"),
        )
        .arg(flag(
            'm',
            "only-list",
            "Add all directories that are not listed, repair nothing else (see ctl_mboxlist -r)",
        ))
        .arg(long("no-discover", "Do not add directories that are not listed, only name them").conflicts_with("find"))
        .arg(long("no-reinject", "Leave message files alone that a healthy index does not know"))
        .arg(long("fix-perms", "Set modes and owners of files right; changing owners needs privilege"))
        .arg(long("bump-uidvalidity", "Give the mailboxes a new UIDVALIDITY: clients forget what they know of them"))
        .arg(long("header-acl", "Where cyrus.header has another ACL than the mailboxes database, it counts"))
        .arg(long("json", "One JSON object for each line"))
        .arg(
            flag('M', "prefer-database", "The mailboxes database counts where cyrus.header differs: always so")
                .hide(true),
        )
        .arg(flag('I', "new-ids", "A unique id that another mailbox has is replaced: always so").hide(true))
        .arg(flag('k', "compatible-k", "Accepted and ignored").hide(true))
        .arg(flag('g', "compatible-g", "Accepted and ignored").hide(true))
        .arg(
            Arg::new("version")
                .short('V')
                .value_name("VERSION")
                .hide(true)
                .help("Accepted: there is one index version"),
        )
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let flag = |name: &str| matches.get_flag(name);
    let adds = flag("find") || flag("only-list") || matches.contains_id("partition") || matches.contains_id("path");
    if flag("fresh") && !adds {
        return Err(Failure::new(Exit::Usage, "-x needs -p, -P or -f"));
    }
    let mismatch = match (flag("renumber"), flag("discard")) {
        (true, _) => Mismatch::Renumber,
        (_, true) => Mismatch::Discard,
        _ => Mismatch::Update,
    };
    let odd_files = match (flag("ignore-odd"), flag("remove-odd")) {
        (true, _) => OddFiles::Ignore,
        (_, true) => OddFiles::Remove,
        _ => OddFiles::Report,
    };
    let request = Reconstruct {
        names: matches.get_many::<String>("MAILBOX").into_iter().flatten().cloned().collect(),
        recursive: flag("recursive"),
        find: flag("find"),
        no_discover: flag("no-discover"),
        users: flag("users"),
        partition: matches.get_one::<String>("partition").cloned(),
        path: matches.get_one::<PathBuf>("path").cloned(),
        only_list: flag("only-list"),
        quiet: flag("quiet"),
        json: flag("json"),
        repair: RepairOptions {
            dry_run: flag("dry-run"),
            contents: flag("contents"),
            sizes: !flag("no-stat"),
            mismatch,
            odd_files,
            reinject: !flag("no-reinject"),
            bump_uid_validity: flag("bump-uidvalidity"),
            fresh: flag("fresh"),
            header_acl: flag("header-acl"),
            fix_modes: flag("fix-perms"),
            ..RepairOptions::default()
        },
    };
    reconstruct(&services.store, &request, console).map_err(|problem| Failure::new(problem.exit(), problem))
}
