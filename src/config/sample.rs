//! The sample configuration, printed from the options themselves.

use std::fmt::Write as _;

use super::for_each_section;
use super::section::{Bounds, OptionInfo, Section};

/// Longest line of a comment.
const WIDTH: usize = 100;

const HEAD: &str = "\
# The configuration of angarium, every option with its default. An option that is commented out has that default;
# options without a value shown are unset. `angarium config check` explains mistakes, `angarium config show` prints
# what is in effect.
#
# Looked for at: --config FILE, $ANGARIUM_CONFIG, ./angarium.toml, /etc/angarium/angarium.toml.
# This file is printed by `angarium config sample`.
";

pub(super) fn print() -> String {
    let mut out = HEAD.to_owned();
    macro_rules! print {
        ($field:ident: $section:ty) => {
            print_section::<$section>(&mut out);
        };
    }
    for_each_section!(print);
    out
}

fn print_section<S: Section>(out: &mut String) {
    out.push('\n');
    comment(out, S::DOC);
    let _ = writeln!(out, "[{}]", S::TABLE);
    for option in S::options() {
        out.push('\n');
        print_option(out, &option);
    }
}

fn print_option(out: &mut String, option: &OptionInfo) {
    let bounds = option.bounds.map(|Bounds(lowest, highest)| format!("From {lowest} to {highest}."));
    let lines: Vec<&str> = option.doc.iter().copied().chain(bounds.as_deref()).collect();
    comment(out, &lines);
    let _ = match &option.default {
        Some(value) => writeln!(out, "#{} = {value}", option.name),
        None => writeln!(out, "#{} = {}", option.name, option.example),
    };
}

/// Doc comment lines as a comment of the file, filled anew.
fn comment(out: &mut String, lines: &[&str]) {
    let mut line = String::from("#");
    for word in lines.iter().flat_map(|line| line.split_whitespace()) {
        if line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line.truncate(1);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::check::parse;

    #[test]
    fn sample_says_what_the_defaults_are() {
        assert_eq!(parse(&print()).unwrap(), Config::default());
        // With every default written out it means the same.
        let mut written = String::new();
        let mut table = String::new();
        let unset: Vec<String> = Config::default()
            .values()
            .into_iter()
            .flat_map(|(table, options)| {
                let unset = options.into_iter().filter(|(_, value)| value.is_none());
                unset.map(move |(name, _)| format!("{table}.{name}"))
            })
            .collect();
        for line in print().lines() {
            table = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map_or(table, str::to_owned);
            let option = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && rest.contains(" = "));
            let name = option.and_then(|option| option.split(' ').next()).unwrap_or_default();
            let unset = unset.contains(&format!("{table}.{name}"));
            let _ = writeln!(written, "{}", option.filter(|_| !unset).unwrap_or(line));
        }
        assert_ne!(written, print());
        assert_eq!(parse(&written).unwrap(), Config::default());
    }

    #[test]
    fn committed_sample_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/angarium.toml");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == print(), "docs/angarium.toml is stale: angarium config sample > docs/angarium.toml");
    }
}
