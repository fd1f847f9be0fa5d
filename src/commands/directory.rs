//! `angarium directory`: everything of the directory as a text, and back.

use std::fs::File;
use std::path::PathBuf;

use admin::control::Input;
use clap::{Arg, ArgAction, ArgMatches};
use directory::Actor;
use tools::transfer::{ExportRequest, Format, ImportRequest, export, import};
use tools::{Console, Exit};

use super::listing::text;
use super::{Command, Run, StoreCommand};
use crate::failure::Failure;
use crate::services::Services;

pub(super) const COMMAND: Command =
    Command { spec, links: &[], run: Run::Export(StoreCommand { input, run }, exported_file) };

fn spec() -> clap::Command {
    clap::Command::new("directory")
        .about("Move domains, users, aliases and privileges between servers")
        .subcommand_required(true)
        .subcommand(export_spec())
        .subcommand(import_spec())
}

fn export_spec() -> clap::Command {
    clap::Command::new("export")
        .about("Write the whole directory into a file")
        .long_about(
            "Write domains, users, aliases and privileges into a new file, as they are at one moment, a line of JSON for each \
             or as LDIF for an LDAP server (docs/directory-transfer.md). The file is for its owner alone, and has to stay so: it has the password hashes \
             in it, from which passwords can be guessed. Mail is not in it: that is what `angarium backup` is for.",
        )
        .arg(Arg::new("FILE").required(true).help("The file, which is made; - is standard output"))
        .arg(
            Arg::new("without-passwords")
                .long("without-passwords")
                .action(ArgAction::SetTrue)
                .help("Leave out what is kept of passwords, and app passwords"),
        )
        .arg(format_arg().help("How it is written [default: json, or ldif for a FILE that is called so]"))
        .arg(
            Arg::new("base")
                .long("base")
                .value_name("DN")
                .help("The entry above all others, of LDIF [default: dc=example,dc=org for the server's own domain example.org]"),
        )
        .after_long_help(
            "EXIT STATUS\n  0   done\n  73  the file is there, or can't be made\n  75  the directory can't answer now\n\n\
             EXAMPLES\n  angarium directory export accounts.jsonl\n  angarium directory export - | ssh new angarium \
             directory import -\n  angarium directory export --base dc=mail,dc=example accounts.ldif",
        )
}

fn import_spec() -> clap::Command {
    let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    clap::Command::new("import")
        .about("Make domains, users, aliases and privileges from a file")
        .long_about(
            "Make domains, users with their mailboxes, aliases and privileges from a file that `directory export` has written, \
             slapcat of such a directory, or something else that writes such rows (docs/directory-transfer.md). First the whole file is tried by all rules, \
             and if anything in it is wrong all of that is listed, with lines, and nothing is changed. Rows that are there \
             already and the same are passed over, so that the same file again changes nothing, and goes on where a stop has \
             cut it short. A row that is there and other is an error, unless --replace is given. Nothing is deleted.",
        )
        .arg(Arg::new("FILE").required(true).help("The file; - is standard input"))
        .arg(format_arg().help("How it is written [default: what it begins like]"))
        .arg(flag("dry-run").short('n').help("Only try, and say what would be made and changed"))
        .arg(flag("replace").help("Make rows that are there what the file says"))
        .arg(flag("keep-going").help("Leave out what is wrong, and take the rest"))
        .arg(flag("keep-primary").help("The server's own domain stays what it is; that of the file becomes one like others"))
        .arg(flag("json").help("Problems and results as JSON, one object a line"))
        .after_long_help(
            "EXIT STATUS\n  0   done; --dry-run: nothing to change\n  1   --dry-run: something would be changed\n  65  something \
             in the file is wrong; nothing was changed, unless --keep-going was given\n  66  there is no such file\n  75  a \
             change failed, or somebody else was first: the same import again goes on\n\nEXAMPLES\n  angarium directory \
             import --dry-run accounts.jsonl\n  angarium directory import accounts.jsonl",
        )
}

/// The file that an export goes into.
fn exported_file(matches: &ArgMatches) -> Option<PathBuf> {
    let matches = matches.subcommand_matches("export")?;
    text(matches, "FILE").filter(|name| name != "-").map(PathBuf::from)
}

/// The file that is imported, read where the administrator sits.
fn input(matches: &ArgMatches) -> Result<Input, Failure> {
    let Some(matches) = matches.subcommand_matches("import") else { return Ok(Input::None) };
    let name = name(matches);
    if name == "-" {
        return Ok(Input::Stream(Box::new(std::io::stdin())));
    }
    let file = File::open(&name).map_err(|problem| Failure::new(Exit::NoInput, format!("{name}: {problem}")))?;
    Ok(Input::Stream(Box::new(file)))
}

fn run(matches: &ArgMatches, services: &Services, console: &mut dyn Console) -> Result<Exit, Failure> {
    match matches.subcommand() {
        Some(("export", matches)) => {
            let by_name = Format::of_name(&name(matches)).unwrap_or(Format::Json);
            let request = ExportRequest {
                passwords: !matches.get_flag("without-passwords"),
                format: format_of(matches).unwrap_or(by_name),
                base: text(matches, "base"),
                actor: Actor::clone(services.operator().actor()),
            };
            Ok(export(&*services.directory, &request, console)?)
        }
        Some((_, matches)) => {
            let request = ImportRequest {
                name: name(matches),
                format: format_of(matches),
                dry_run: matches.get_flag("dry-run"),
                replace: matches.get_flag("replace"),
                keep_going: matches.get_flag("keep-going"),
                keep_primary: matches.get_flag("keep-primary"),
                json: matches.get_flag("json"),
                actor: Actor::clone(services.operator().actor()),
            };
            let (exit, unwelcome) = import(&services.store, &*services.directory, &request, console)?;
            unwelcome.iter().for_each(|user| super::user::end_sessions(services, user.as_str()));
            Ok(exit)
        }
        None => Ok(Exit::Ok),
    }
}

fn format_arg() -> Arg {
    Arg::new("format").long("format").value_name("FORMAT").value_parser(["json", "ldif"])
}

fn format_of(matches: &ArgMatches) -> Option<Format> {
    text(matches, "format").map(|format| if format == "ldif" { Format::Ldif } else { Format::Json })
}

fn name(matches: &ArgMatches) -> String {
    text(matches, "FILE").unwrap_or_default()
}

#[cfg(test)]
mod tests;
