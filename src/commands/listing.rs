//! Lists of the directory, page by page: the options that say which part, and the walk through them.

use std::borrow::Borrow;
use std::io;

use clap::{Arg, ArgAction, ArgMatches};
use directory::{DomainName, Listing, MAX_PAGE, Page, Service};
use serde::Serialize;
use tools::{CommandError, Console, Lines};

/// `--limit`, `--after` and `--json`. `cursor` is what a row is called by.
pub(super) fn args(cursor: &'static str) -> [Arg; 3] {
    [
        Arg::new("limit")
            .long("limit")
            .value_name("NUMBER")
            .value_parser(clap::value_parser!(u64).range(1..))
            .help("Most rows; if there are more, standard error says how to go on [default: all]"),
        Arg::new("after")
            .long("after")
            .value_name(cursor)
            .help("Begin behind this row: the last one of the page before"),
        json().help("One JSON object a line"),
    ]
}

/// `--json`.
pub(super) fn json() -> Arg {
    Arg::new("json").long("json").action(ArgAction::SetTrue).help("As a JSON object")
}

/// `--domain`.
pub(super) fn domain(help: &'static str) -> Arg {
    Arg::new("domain").long("domain").short('d').value_name("DOMAIN").help(help)
}

/// The service with the domain of `--domain` as its current one, which must be there.
pub(super) fn in_domain<'a>(service: Service<'a>, matches: &ArgMatches) -> Result<Service<'a>, CommandError> {
    let Some(name) = text(matches, "domain") else { return Ok(service) };
    let name = DomainName::parse(&name)?;
    service.domain(&name)?.ok_or_else(|| directory::Error::NoDomain(name.to_string()))?;
    Ok(service.in_domain(name))
}

/// Prints rows as the options say: `page_of` finds a page, `line` writes a row for people.
pub(super) fn print<T: Serialize, R: Borrow<T>>(
    matches: &ArgMatches,
    console: &mut dyn Console,
    page_of: &mut dyn FnMut(&Page) -> directory::Result<Listing<R>>,
    line: &mut dyn FnMut(&T) -> String,
) -> Result<(), CommandError> {
    let as_json = matches.get_flag("json");
    let mut left =
        matches.get_one::<u64>("limit").map_or(usize::MAX, |limit| usize::try_from(*limit).unwrap_or(usize::MAX));
    let mut page = Page { after: text(matches, "after"), limit: left.min(MAX_PAGE) };
    let mut lines = Lines::new(console);
    let next = loop {
        let listing = page_of(&page)?;
        for row in listing.rows.iter().map(Borrow::borrow) {
            let row = if as_json { object(row)? } else { line(row) };
            lines.line(|piece| piece.push_str(row.trim_end()))?;
        }
        left = left.saturating_sub(listing.rows.len());
        match listing.next {
            Some(next) if left > 0 => page = Page { after: Some(next), limit: left.min(MAX_PAGE) },
            next => break next,
        }
    };
    lines.flush()?;
    if let Some(next) = next {
        console.err(&format!("there are more: --after {next}"))?;
    }
    Ok(())
}

/// A row as JSON, with its revision written as everywhere else.
pub(super) fn object<T: Serialize>(row: &T) -> Result<String, CommandError> {
    Ok(value(row)?.to_string())
}

/// The same, to be added to.
pub(super) fn value<T: Serialize>(row: &T) -> Result<serde_json::Value, CommandError> {
    let mut value = serde_json::to_value(row).map_err(io::Error::other)?;
    with_revision(&mut value);
    Ok(value)
}

/// Writes an object's revision as options take it.
pub(super) fn with_revision(value: &mut serde_json::Value) {
    if let Some(number) = value.get("revision").and_then(serde_json::Value::as_u64) {
        value["revision"] = directory::Revision(number).to_string().into();
    }
}

/// Names and values, one a line; what is empty is left out.
pub(super) fn print_fields(rows: &[(&str, String)], console: &mut dyn Console) -> Result<(), CommandError> {
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        console.out(&format!("{name:14} {value}"))?;
    }
    Ok(())
}

/// An option's text.
pub(super) fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.try_get_one::<String>(name).ok().flatten().cloned()
}

/// The texts of an option that may be given several times.
pub(super) fn texts(matches: &ArgMatches, name: &str) -> Vec<String> {
    matches.try_get_many::<String>(name).ok().flatten().into_iter().flatten().cloned().collect()
}

/// What several words say, as one text.
pub(super) fn words(matches: &ArgMatches, name: &str) -> directory::Words {
    directory::Words::parse(&texts(matches, name).join(" "))
}

/// `--if-revision`.
pub(super) fn revision_arg() -> Arg {
    Arg::new("if-revision")
        .long("if-revision")
        .value_name("REVISION")
        .help("Only if it still is what `show` said: refused if somebody else has changed it since")
}

/// What `--if-revision` says.
pub(super) fn revision(matches: &ArgMatches) -> Result<Option<directory::Revision>, CommandError> {
    Ok(text(matches, "if-revision").map(|text| text.parse()).transpose()?)
}
