//! `angarium config`: what is configured, and whether it makes sense.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches};
use serde_json::{Map, Value, json};
use tools::Exit;

use super::{Caller, Command, Run};
use crate::backend;
use crate::config::{Config, sample};
use crate::failure::Failure;
use crate::terminal;
use crate::tokens::{self, Tokens};

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

fn spec() -> clap::Command {
    clap::Command::new("config")
        .about("Check and show the configuration")
        .long_about("Check and show the configuration. Alone it explains every option, as `sample` does.")
        .subcommand(clap::Command::new("check").about("Explain what is wrong with a configuration file").arg(
            Arg::new("FILE").value_parser(clap::value_parser!(PathBuf)).help("Default: the one that would be used"),
        ))
        .subcommand(
            clap::Command::new("show")
                .about("Show the values in effect")
                .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("As JSON")),
        )
        .subcommand(clap::Command::new("sample").about("Print a configuration file with every option explained"))
}

fn run(matches: &ArgMatches, caller: &Caller) -> Result<Exit, Failure> {
    let text = match matches.subcommand() {
        Some(("check", matches)) => {
            let config = match matches.get_one::<PathBuf>("FILE") {
                Some(file) => Config::read(file)?,
                None => caller.config()?,
            };
            Tokens::read(&config)?;
            backend::check(&config)?;
            match config.file {
                Some(file) => format!("{}: good", file.display()),
                None => "no configuration file; the defaults are in effect".to_owned(),
            }
        }
        Some(("show", matches)) => show(&caller.config()?, matches.get_flag("json")),
        _ => sample().trim_end().to_owned(),
    };
    terminal::out(&text).map_err(|problem| Failure::new(Exit::Io, problem))?;
    Ok(Exit::Ok)
}

/// The values in effect; what is unset is shown with what it means.
pub(super) fn show(config: &Config, as_json: bool) -> String {
    let file = config.file.as_ref().map(|file| file.display().to_string());
    let mut sections = config.values();
    for (section, values) in &mut sections {
        for (name, value) in values {
            if value.is_none() {
                *value = meaning(config, section, name).map(toml::Value::String);
            }
        }
    }
    if as_json {
        let object = |values: Vec<(&str, Option<toml::Value>)>| -> Map<String, Value> {
            values.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect()
        };
        let mut all = Map::from_iter([("file".to_owned(), json!(file))]);
        all.extend(sections.into_iter().map(|(name, values)| (name.to_owned(), Value::Object(object(values)))));
        return format!("{:#}", Value::Object(all));
    }
    let mut lines = vec![match file {
        Some(file) => format!("# from {file}"),
        None => "# no configuration file: defaults".to_owned(),
    }];
    for (name, values) in sections {
        lines.push(format!("\n[{name}]"));
        lines.extend(values.into_iter().map(|(name, value)| match value {
            Some(value) => format!("{name} = {value}"),
            None => format!("# {name} is unset"),
        }));
    }
    lines.join("\n")
}

/// What an unset option comes down to.
fn meaning(config: &Config, section: &str, option: &str) -> Option<String> {
    let path = |path: PathBuf| Some(path.display().to_string());
    match (section, option) {
        ("server", "hostname") => Some(config.hostname()),
        ("server", "domain") => Some(config.domain()),
        ("store", "config_dir") => path(config.config_dir()),
        ("store", "spool") => path(config.spool()),
        ("lmtp", "socket") => path(config.lmtp_socket()),
        ("oauth", "openid_configuration") => tokens::openid_configuration(config),
        ("tls", "certificate") => path(config.certificate().0),
        ("tls", "key") => path(config.certificate().1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_a_configuration() {
        let shown = show(&Config::default(), false);
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("shown.toml");
        std::fs::write(&file, shown).unwrap();
        let again = Config::read(&file).unwrap();
        assert_eq!(again.config_dir(), Config::default().config_dir());
        assert_eq!(again.imap, Config::default().imap);
    }

    #[test]
    fn json_has_every_option() {
        let shown: Value = serde_json::from_str(&show(&Config::default(), true)).unwrap();
        assert_eq!(shown["imap"]["listen"][0], "127.0.0.1:1143");
        assert_eq!(shown["quota"]["warn_percent"], 90);
        assert_eq!(shown["limits"]["connections"], Value::Null);
        assert_eq!(shown["file"], Value::Null);
    }
}
