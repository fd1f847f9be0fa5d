//! `angarium ctl_mboxlist`: dump, load, check and recover the mailbox list. Cyrus' `ctl_mboxlist`.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use admin::control::Input;
use clap::{Arg, ArgAction, ArgGroup, ArgMatches};
use mailstore::disk::RealDisk;
use mailstore::{Store, StoreOptions};
use tools::mboxlist::{DumpList, RecoverList, UndumpList, dump_list, recover_list, saved, undump_list, verify_list};
use tools::{CommandError, Console, Exit};

use super::{Command, Run, StoreCommand};
use crate::config::Config;
use crate::failure::Failure;
use crate::services::{Services, leave, store_failure, store_options};

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Repair(StoreCommand { input, run: online }, alone) };

/// Longest saved list that is read: ten million mailboxes.
const MAX_SAVED: u64 = 4 << 30;

const EXAMPLES: &str = "\
EXAMPLES
  ctl_mboxlist -d > mailboxes.txt
      save the list
  ctl_mboxlist -u < mailboxes.txt
      load it: what is there gets its ACLs, what is not there is made
  ctl_mboxlist -v
      what of list and directories does not fit
  ctl_mboxlist -r
      bring both in step; the first command after the loss of mailboxes.db
  ctl_mboxlist -r --prune
      and remove mailboxes whose directories are gone
  cp copies/mailboxes.00000000000000004711.1795402374.dump mailboxes.db && ctl_mboxlist -r
      begin with a copy of your choice

WHAT -r DOES
  1. ends what was under way
  2. reads the database; a damaged one is kept aside as mailboxes.db.bad.TIME and its readable rows are taken
  3. takes the newest good copy, and every change of the journal that can be read
  4. reads the cyrus.header of every directory on every partition, and lists those that have no row
  5. parts mailboxes of one identity, puts quota roots right
  6. names (or with --prune removes) mailboxes that have no directory
  Numbers that may have been given to messages are never given again, whatever was lost.

EXIT STATUS
  0   done; with -v: nothing wrong
  1   -v, or -n, found something
  64  wrong options
  65  with -u: lines that make no sense were passed over
  66  a file is missing
  74  reading or writing failed
  75  the store is in use by another process, or cannot be used now";

fn spec() -> clap::Command {
    let flag = |name: &'static str, help: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    clap::Command::new("ctl_mboxlist")
        .about("Dump, load, check or recover the mailbox list")
        .long_about(
            "Dump, load, check or recover the mailbox list, mailboxes.db. Runs in the server if there is one. A server whose \
             list cannot be proved complete does not start; then -r works on the store itself.",
        )
        .after_long_help(EXAMPLES)
        .arg(flag("dump", "Print the list, a mailbox a line").short('d'))
        .arg(flag("undump", "Load a list from standard input or -f; forms of Cyrus 2.0 to 3.x and ours").short('u'))
        .arg(flag("verify", "Name rows without directories and directories without rows; exit with 1 if there are any").short('v'))
        .arg(flag("recover", "Bring the list and the directories in step").short('r'))
        .arg(flag("checkpoint", "Write a safety copy now").short('c'))
        .group(ArgGroup::new("what").args(["dump", "undump", "verify", "recover", "checkpoint"]).required(true))
        .arg(flag("purge", "With -d: take what is dumped out of the list; directories stay").short('x').conflicts_with_all(["undump", "verify", "recover", "checkpoint"]))
        .arg(flag("intermediate", "With -d: accepted for Cyrus' sake; there are no intermediate entries here").short('y').conflicts_with_all(["undump", "verify", "recover", "checkpoint"]))
        .arg(
            Arg::new("partition")
                .long("partition")
                .short('p')
                .value_name("NAME")
                .conflicts_with_all(["undump", "verify", "recover", "checkpoint"])
                .help("With -d: only mailboxes on this partition"),
        )
        .arg(
            Arg::new("file")
                .long("file")
                .short('f')
                .value_name("FILE")
                .conflicts_with_all(["dump", "verify", "checkpoint"])
                .help("With -u: load this file; with -r: fill gaps from this saved list"),
        )
        .arg(flag("legacy", "With -u: accepted for Cyrus' sake; every form is known by itself").short('L').conflicts_with_all(["dump", "verify", "recover", "checkpoint"]))
        .arg(
            flag("dry-run", "With -r or -u: only say what would be done")
                .short('n')
                .conflicts_with_all(["dump", "verify", "checkpoint"]),
        )
        .arg(flag("prune", "With -r: remove mailboxes whose directories are missing").conflicts_with_all(["dump", "undump", "verify", "checkpoint"]))
        .arg(flag("json", "JSON: with -d the object that Cyrus 3.6 writes, else an object a line"))
}

fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    let reads = matches.get_flag("undump") && !matches.contains_id("file");
    Ok(if reads { Input::Stream(Box::new(std::io::stdin())) } else { Input::None })
}

fn online(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    let saved = if matches.get_flag("recover") { saved_list(matches, None, console)? } else { None };
    work(matches, &services.store, recovery(matches, saved), console)
}

/// The same without a server, on a list that no server could open.
fn alone(matches: &ArgMatches, config: &Config, console: &mut dyn Console) -> Result<Exit, Failure> {
    if matches.get_flag("undump") {
        // A list is loaded into a store that may be new; nothing else here makes one.
        let services = Services::open(config, None)?;
        let done = online(matches, &services, console);
        let closed = services.close();
        leave(services);
        let exit = done?;
        return closed.map(|()| exit);
    }
    let options = StoreOptions { create: false, ..store_options(config) };
    if !options.layout.config().is_dir() {
        let what = format!("there is no mail store at {}", options.layout.config().display());
        return Err(Failure::new(Exit::NoInput, what));
    }
    if !matches.get_flag("recover") {
        let (store, _) = Store::open(options, Arc::new(RealDisk)).map_err(store_failure)?;
        let done = work(matches, &store, RecoverList::default(), console);
        return closing(store, done);
    }
    let in_place = options.layout.mailboxes_db();
    let saved = saved_list(matches, in_place.is_file().then_some(in_place.as_path()), console)?;
    let salvage = !matches.get_flag("dry-run");
    let (store, report) = match Store::open(StoreOptions { salvage, ..options }, Arc::new(RealDisk)) {
        Err(problem) if !salvage && problem.kind() == mailstore::ErrorKind::Unavailable => {
            let line =
                format!("{problem}; without -n, what can be read of it is taken, and every cyrus.header is read");
            console.out(&line).map_err(|problem| Failure::new(Exit::Io, problem))?;
            return Ok(Exit::Found);
        }
        opened => opened.map_err(store_failure)?,
    };
    let request = RecoverList { opened: Some(report), ..recovery(matches, saved) };
    let done = work(matches, &store, request, console);
    closing(store, done)
}

fn closing(store: Arc<Store>, done: Result<Exit, Failure>) -> Result<Exit, Failure> {
    let closed = store.close().map_err(store_failure);
    leave(store);
    let exit = done?;
    closed.map(|()| exit)
}

fn recovery(matches: &ArgMatches, saved: Option<mailstore::SavedList>) -> RecoverList {
    RecoverList {
        dry_run: matches.get_flag("dry-run"),
        prune: matches.get_flag("prune"),
        json: matches.get_flag("json"),
        saved,
        opened: None,
    }
}

fn work(
    matches: &ArgMatches,
    store: &Store,
    recovery: RecoverList,
    console: &mut dyn Console,
) -> Result<Exit, Failure> {
    let json = matches.get_flag("json");
    let done = if matches.get_flag("dump") {
        let partition = matches.get_one::<String>("partition").cloned();
        dump_list(store, &DumpList { partition, purge: matches.get_flag("purge"), json }, console)
    } else if matches.get_flag("undump") {
        let text = match matches.get_one::<String>("file") {
            Some(path) => read(&console.directory().join(path))?,
            None => read_all(console.stdin(), Path::new("standard input"))?,
        };
        undump_list(store, &text, UndumpList { dry_run: matches.get_flag("dry-run"), json }, console)
    } else if matches.get_flag("verify") {
        verify_list(store, json, console)
    } else if matches.get_flag("checkpoint") {
        store.checkpoint().map(|()| Exit::Ok).map_err(CommandError::from)
    } else {
        recover_list(store, recovery, console)
    };
    done.map_err(|problem| Failure::new(problem.exit(), problem))
}

/// The copy that the administrator gave, or put in the place of the database.
fn saved_list(
    matches: &ArgMatches,
    in_place: Option<&Path>,
    console: &mut dyn Console,
) -> Result<Option<mailstore::SavedList>, Failure> {
    let given = matches.get_one::<String>("file").map(|path| console.directory().join(path));
    let Some(path) = given.or_else(|| in_place.map(PathBuf::from)) else { return Ok(None) };
    let parsed = saved::parse(&read(&path)?);
    for (line, problem) in &parsed.problems {
        let line = format!("{}: line {line}: {problem}", path.display());
        console.err(&line).map_err(|problem| Failure::new(Exit::Io, problem))?;
    }
    Ok(Some(parsed.list))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = std::fs::File::open(path);
    let file = file.map_err(|problem| Failure::new(Exit::NoInput, format!("{}: {problem}", path.display())))?;
    read_all(&mut std::io::BufReader::new(file), path)
}

fn read_all(source: &mut dyn std::io::BufRead, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let read = source.take(MAX_SAVED).read_to_end(&mut text);
    read.map_err(|problem| Failure::new(Exit::Io, format!("{}: {problem}", path.display())))?;
    Ok(text)
}
