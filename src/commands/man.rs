//! `angarium man`: manual pages, made of the command lines that the commands really have.
//!
//! The pages below docs/man are what this writes; a test compares them, so they can't say anything else than `--help` does.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use tools::Exit;

use super::{Caller, Command, Run, TABLE};
use crate::failure::Failure;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

/// Programs for administrators (man-pages(7)).
const SECTION: &str = "8";

/// Names that administrators of Cyrus, and of the classic commands, look up. Where we have such a command, its page is found under its own name, too.
const CLASSIC: &[&str] = &[
    "arbitron",
    "chk_cyrus",
    "ctl_cyrusdb",
    "ctl_deliver",
    "ctl_mboxlist",
    "cyr_dbtool",
    "cyr_df",
    "cyr_expire",
    "cyr_info",
    "cyradm",
    "deliver",
    "ipurge",
    "mbexamine",
    "mbpath",
    "mkimap",
    "msgaclset",
    "msgaclshow",
    "msgaliasadd",
    "msgaliascreate",
    "msgaliasdelete",
    "msgaliaslist",
    "msgaliasmod",
    "msgaliasremove",
    "msgdomaincreate",
    "msgdomaindelete",
    "msgdomainlist",
    "msgdomainmove",
    "msgpasswd",
    "msgusercreate",
    "msguserdelete",
    "msguserlist",
    "msgusermod",
    "quota",
    "reconstruct",
    "squatter",
    "unexpunge",
];

/// A page: the name of its file, and its text.
type Page = (String, String);

fn spec() -> clap::Command {
    clap::Command::new("man")
        .about("Print or write manual pages")
        .long_about("Print a manual page, for `man -l -`, or write those of all commands into a directory.")
        .arg(
            Arg::new("NAME").num_args(0..).help("The command (`user`, `user add`); without it that of angarium itself"),
        )
        .arg(
            Arg::new("directory")
                .long("directory")
                .value_name("DIR")
                .value_parser(clap::value_parser!(PathBuf))
                .conflicts_with("NAME")
                .help("Write the pages of all commands there, as NAME.8"),
        )
}

fn run(matches: &ArgMatches, _: &Caller) -> Result<Exit, Failure> {
    if let Some(directory) = matches.get_one::<PathBuf>("directory") {
        write(directory)?;
        return Ok(Exit::Ok);
    }
    let words: Vec<&str> = matches.get_many::<String>("NAME").unwrap_or_default().map(String::as_str).collect();
    let wanted = file_name(&[&["angarium"][..], &words].concat().join("-"));
    let page = pages().into_iter().find(|(name, _)| *name == wanted);
    let (_, text) =
        page.ok_or_else(|| Failure::new(Exit::NoInput, format!("no manual page for {}", words.join(" "))))?;
    terminal::out(text.trim_end()).map_err(|problem| Failure::new(Exit::Io, problem))?;
    Ok(Exit::Ok)
}

fn write(directory: &Path) -> Result<(), Failure> {
    let failed = |path: &Path, problem| Failure::new(Exit::CantCreate, format!("{}: {problem}", path.display()));
    std::fs::create_dir_all(directory).map_err(|problem| failed(directory, problem))?;
    for (name, text) in pages() {
        let path = directory.join(name);
        std::fs::write(&path, text).map_err(|problem| failed(&path, problem))?;
    }
    Ok(())
}

/// All pages: of the program, of each command and of what each command does besides, and references under classic names.
fn pages() -> Vec<Page> {
    let mut line = without_help(super::line());
    line.build();
    let mut pages = Vec::new();
    add(&line, &["angarium"], &mut pages);
    for command in TABLE {
        let own = (command.spec)().get_name().to_owned();
        let names = command.links.iter().copied().chain([own.as_str()]);
        for name in names.filter(|name| CLASSIC.contains(name)) {
            pages.push((file_name(name), format!(".so man{SECTION}/{}\n", file_name(&format!("angarium-{own}")))));
        }
    }
    pages.sort();
    pages
}

/// `angarium help` says what the pages say and has none.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// The page of a command, called by these words, and those of what it does besides.
fn add(command: &clap::Command, words: &[&str], pages: &mut Vec<Page>) {
    for below in command.get_subcommands() {
        add(below, &[words, &[below.get_name()]].concat(), pages);
    }
    pages.push((file_name(&words.join("-")), page(command, words)));
}

fn page(command: &clap::Command, words: &[&str]) -> String {
    let name = words.join("-");
    let man = Man::new(command.clone().display_name(name.clone()).bin_name(words.join(" ")))
        .title(name)
        .section(SECTION)
        .source(concat!("Angarium ", env!("CARGO_PKG_VERSION")))
        .manual("Angarium");
    let mut octets = Vec::new();
    // Writing to memory does not fail.
    let _ = man.render(&mut octets);
    let mut text = String::from_utf8_lossy(&octets).into_owned();
    let mut more = Roff::new();
    more.control("SH", ["EXIT STATUS"]);
    more.text([roman(
        "A code of sysexits(3): 0 done; 1 done, and something wrong was found; 64 called wrongly; 66, 67 no such file or \
         user; 69 a service is not there; 75 try again later; 77 not allowed; 78 wrong configuration.",
    )]);
    more.control("SH", ["SEE ALSO"]);
    let other = words.split_last().filter(|(_, above)| !above.is_empty());
    let other = other.map_or_else(|| "angarium-config".to_owned(), |(_, above)| above.join("-"));
    more.text([roman(format!("{other}({SECTION})"))]);
    text.push_str(&more.to_roff());
    // Lines of text that end in a blank are warned of by those who check manual pages.
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn file_name(name: &str) -> String {
    format!("{name}.{SECTION}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    const AGAIN: &str = "write them anew: rm docs/man/*; cargo run -- man --directory docs/man";

    #[test]
    fn committed_pages_are_what_the_commands_say() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man");
        let mut names = BTreeSet::new();
        for (name, text) in pages() {
            let there = fs::read_to_string(directory.join(&name)).unwrap_or_default();
            assert!(there == text, "docs/man/{name} is not what the command line is; {AGAIN}");
            names.insert(name);
        }
        for entry in fs::read_dir(directory).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(names.contains(&name), "docs/man/{name} is the page of no command; {AGAIN}");
        }
    }

    #[test]
    fn every_command_has_a_page() {
        let pages = pages();
        let page = |name: &str| pages.iter().find(|page| page.0 == name).map(|page| page.1.as_str());
        for (name, words) in [
            ("angarium.8", &["angarium\\-user(8)", "\\-\\-config", "EXIT STATUS"][..]),
            ("angarium-user.8", &["angarium\\-user\\-add(8)", "angarium(8)"]),
            ("angarium-user-add.8", &["angarium user add", "\\-\\-password\\-stdin", "angarium\\-user(8)"]),
            ("deliver.8", &[".so man8/angarium-deliver.8"]),
        ] {
            let text = page(name).unwrap_or_else(|| panic!("no {name}"));
            for word in words {
                assert!(text.contains(word), "{name} lacks {word}:\n{text}");
            }
        }
        assert!(page("domain.8").is_none() && page("angarium-help.8").is_none());
        assert!(pages.iter().all(|page| !page.1.contains("help(8)")));
    }
}
