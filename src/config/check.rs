//! Reading a configuration text, and everything that can be wrong with it: all of it at once, each with its line.

use std::fmt::Write as _;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::options::ClientCertificates;
use super::section::Section;
use super::{Config, for_each_section};

/// Something wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What is wrong and what was meant.
    pub(crate) text: String,
}

/// The problems as `file:line: text`, one a line.
pub(crate) fn list(file: &Path, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        let _ = writeln!(text, "{}:{}: {}", file.display(), problem.line, problem.text);
    }
    text.truncate(text.trim_end().len());
    text
}

/// Reads a configuration text.
pub(crate) fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut checker = Checker { text, problems: Vec::new() };
    for error in errors {
        checker.note(error.span().map_or(0, |span| span.start), format!("not TOML: {}", error.message()));
    }
    let mut config = Config::default();
    if checker.problems.is_empty() {
        for (name, value) in document.get_ref() {
            checker.section(&mut config, name, value);
        }
    }
    if checker.problems.is_empty() {
        checker.together(&config, document.get_ref());
    }
    if checker.problems.is_empty() {
        return Ok(config);
    }
    checker.problems.sort();
    checker.problems.dedup();
    Err(checker.problems)
}

struct Checker<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn note(&mut self, at: usize, text: String) {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = 1 + before.iter().filter(|&&octet| octet == b'\n').count();
        self.problems.push(Problem { line, text });
    }

    /// What each option by itself cannot know.
    fn together(&mut self, config: &Config, document: &DeTable<'_>) {
        let asks = config.tls.client_certificates != ClientCertificates::Off;
        if asks && config.tls.client_ca.is_none() {
            let text = "client_certificates: client_ca must say whose certificates are good";
            self.note(place(document, "tls", "client_certificates"), text.to_owned());
        }
        for (option, problem) in crate::backend::problems(&config.directory) {
            self.note(place(document, "directory", option), format!("{option}: {problem}"));
        }
        for deliverer in &config.lmtp.deliverers {
            if let Err(problem) = directory::UserId::parse(deliverer) {
                self.note(place(document, "lmtp", "deliverers"), format!("deliverers: {problem}"));
            }
        }
        if !config.lmtp.deliverers.is_empty() && !config.lmtp.auth {
            let text = "deliverers: without auth = true nobody can say who he is";
            self.note(place(document, "lmtp", "deliverers"), text.to_owned());
        }
    }

    fn section(&mut self, config: &mut Config, name: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) {
        let (key, at) = (name.get_ref().as_ref(), name.span().start);
        let mut known = Vec::new();
        macro_rules! try_section {
            ($field:ident: $section:ty) => {
                if key == <$section>::TABLE {
                    return self.options(&mut config.$field, value);
                }
                known.push(<$section>::TABLE);
            };
        }
        for_each_section!(try_section);
        if value.get_ref().is_table() {
            let meant = meant(key, known.iter().copied(), "the sections are");
            return self.note(at, format!("unknown section [{key}]{meant}"));
        }
        // An option above the first section: say where it belongs.
        let mut homes = Vec::new();
        macro_rules! find_home {
            ($field:ident: $section:ty) => {
                if <$section>::options().iter().any(|option| option.name == key) {
                    homes.push(format!("[{}]", <$section>::TABLE));
                }
            };
        }
        for_each_section!(find_home);
        self.note(
            at,
            match homes.is_empty() {
                true => format!("{key} stands outside of any section, and no section has such an option"),
                false => format!("{key} stands outside of any section; it belongs into {}", homes.join(" or ")),
            },
        );
    }

    fn options<S: Section>(&mut self, section: &mut S, value: &Spanned<DeValue<'_>>) {
        let Some(table) = value.get_ref().as_table() else {
            let text = format!("{} is a section: write [{}] on a line of its own", S::TABLE, S::TABLE);
            return self.note(value.span().start, text);
        };
        for (name, value) in table {
            let key = name.get_ref().as_ref();
            match section.set(key, value.get_ref()) {
                Some(Ok(())) => {}
                Some(Err(problem)) => self.note(value.span().start, format!("{key}: {problem}")),
                None => {
                    let options = S::options();
                    let meant = meant(key, options.iter().map(|option| option.name), "its options are");
                    self.note(name.span().start, format!("unknown option {key} in [{}]{meant}", S::TABLE));
                }
            }
        }
    }
}

/// Where an option's value stands; the beginning of the text if it does not.
fn place(document: &DeTable<'_>, section: &str, option: &str) -> usize {
    let found = document.iter().find(|(name, _)| name.get_ref().as_ref() == section);
    let options = found.and_then(|(_, value)| value.get_ref().as_table()).into_iter().flat_map(DeTable::iter);
    let value = options.into_iter().find(|(name, _)| name.get_ref().as_ref() == option);
    value.map_or(0, |(_, value)| value.span().start)
}

/// "; did you mean ...?", or all there is to choose from.
fn meant<'a>(found: &str, known: impl Iterator<Item = &'a str>, all: &str) -> String {
    let known: Vec<_> = known.collect();
    let nearest = known.iter().map(|known| (distance(found, known), known)).min();
    match nearest {
        // A third of the letters may be wrong.
        Some((distance, nearest)) if distance * 3 <= nearest.len().max(3) => format!("; did you mean {nearest}?"),
        _ => format!("; {all} {}", known.join(", ")),
    }
}

/// How many letters must be inserted, removed, replaced or swapped with their neighbour to make `a` of `b`; `-` and `_`
/// and case do not count.
fn distance(a: &str, b: &str) -> usize {
    let letters = |text: &str| -> Vec<char> {
        text.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::Bounds;

    fn check(text: &str, expected: &[&str]) {
        let problems = parse(text).err().unwrap_or_default();
        let found: Vec<_> = problems.iter().map(|problem| format!("{}: {}", problem.line, problem.text)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn good_files() {
        check("", &[]);
        check("[server]\nhostname = 'mail.example.com'\n[imap]\nlisten = ['0.0.0.0:143', '[::]:143']\n", &[]);
        check("[limits]\nmessage_size = '20 MiB'\nconnections = 5_000\n", &[]);
        let config = parse("[store]\ndelete_mode = 'immediate'\n").unwrap();
        assert_eq!(config.store.delete_mode, crate::config::options::Mode::Immediate);
    }

    #[test]
    fn problems_name_line_and_meaning() {
        check("[sever]\n", &["1: unknown section [sever]; did you mean server?"]);
        check(
            "[webmail]\n",
            &[
                "1: unknown section [webmail]; the sections are server, store, imap, pop3, lmtp, quota, login, tls, oauth, directory, limits, performance, scrub, metrics, http, log",
            ],
        );
        check(
            "[store]\n\ndelete-mode = 'delayed'\n",
            &["3: unknown option delete-mode in [store]; did you mean delete_mode?"],
        );
        check(
            "[store]\nedlete_mdoe = 'delayed'\n",
            &["2: unknown option edlete_mdoe in [store]; did you mean delete_mode?"],
        );
        check(
            "[quota]\nlimit = 3\n",
            &["2: unknown option limit in [quota]; its options are warn_percent, warn_free_mib"],
        );
        check(
            "[store]\ndelete_mode = 'later'\n",
            &[
                "2: delete_mode: unknown value \"later\"; expected \"delayed\" or \"immediate\", for example \"delayed\"",
            ],
        );
        check("spool = '/x'\n", &["1: spool stands outside of any section; it belongs into [store]"]);
        check(
            "listen = []\n",
            &[
                "1: listen stands outside of any section; it belongs into [imap] or [pop3] or [lmtp] or [metrics] or [http]",
            ],
        );
        check("colour = 1\n", &["1: colour stands outside of any section, and no section has such an option"]);
        check("imap = 3\n", &["1: imap is a section: write [imap] on a line of its own"]);
    }

    #[test]
    fn all_problems_at_once_in_order() {
        check(
            "[store]\nx = 1\n[imap]\nlisten = '1'\n[log]\nlevel = 3\n",
            &[
                "2: unknown option x in [store]; its options are config_dir, spool, durability, delete_mode, expunge_mode, \
             keep_deleted, heal",
                "4: listen: found string, expected a list in square brackets, for example [\"127.0.0.1:1143\"]",
                "6: level: found integer, expected a string in quotes, for example \"text\"",
            ],
        );
    }

    #[test]
    fn options_that_need_one_another() {
        check(
            "[tls]\n\nclient_certificates = 'ask'\n",
            &["3: client_certificates: client_ca must say whose certificates are good"],
        );
        check("[tls]\nclient_certificates = 'ask'\nclient_ca = 'clients.pem'\n", &[]);
        check("[lmtp]\ndeliverers = ['relay', 'MX-2']\n", &[]);
        check(
            "[lmtp]\nauth = false\ndeliverers = ['a@b']\n",
            &[
                "3: deliverers: uid: \"a@b\": a user ID has only letters, digits, _ and -",
                "3: deliverers: without auth = true nobody can say who he is",
            ],
        );
    }

    /// Each row: an option's value, and what is said of it behind `2: option: `; nothing if it is good.
    #[test]
    fn numbers_out_of_bounds() {
        let number = |problem: &str, bounds: &str| format!("{problem}, expected a whole number {bounds}");
        let size = |problem: &str, bounds: &str| {
            format!("{problem}, expected a size in quotes, a number of B, KiB, MiB or GiB {bounds}")
        };
        let time = |problem: &str, bounds: &str| {
            format!("{problem}, expected a time in quotes, a number of ms, s, m, h or d {bounds}")
        };
        let row = |section: &str, option: &str, value: &str, expected: String| {
            let text = format!("[{section}]\n{option} = {value}\n");
            match expected.is_empty() {
                true => check(&text, &[]),
                false => check(&text, &[&format!("2: {option}: {expected}")]),
            }
        };
        for (value, problem) in [
            ("1", ""),
            ("1000000", ""),
            ("0x10", ""),
            ("0", "0 is too small"),
            ("-1", "-1 is too small"),
            ("1_000_001", "1000001 is too large"),
            ("4294967296", "4294967296 is too large"),
            ("9223372036854775808", "9223372036854775808 is too large"),
            ("'5000'", "found string"),
            ("5000.0", "found float"),
            ("true", "found boolean"),
            ("[5000]", "found array"),
        ] {
            let expected = if problem.is_empty() { String::new() } else { number(problem, "from 1 to 1000000") };
            row("limits", "connections", value, expected);
        }
        for (value, problem) in [
            ("'1 KiB'", ""),
            ("'1 GiB'", ""),
            ("'1024 MiB'", ""),
            ("'1023 B'", "\"1023 B\" is too small"),
            ("'1025 MiB'", "\"1025 MiB\" is too large"),
            ("'99999999999999 GiB'", "\"99999999999999 GiB\" is too large"),
            ("'-1 B'", "\"-1 B\" is too small"),
            ("'50'", "\"50\" has no unit"),
            ("'50 MB'", "unknown unit \"MB\""),
            ("52428800", "found integer"),
        ] {
            let expected = if problem.is_empty() { String::new() } else { size(problem, "from 1 KiB to 1 GiB") };
            row("limits", "message_size", value, expected);
        }
        for (value, problem) in [
            ("'10m'", ""),
            ("'600 s'", ""),
            ("'30d'", ""),
            ("'599s'", "\"599s\" is too small"),
            ("'0s'", "\"0s\" is too small"),
            ("'31d'", "\"31d\" is too large"),
            ("'99999999999999999999d'", "\"99999999999999999999d\" is too large"),
            ("'-5m'", "\"-5m\" is too small"),
            ("'soon'", "\"soon\" does not begin with a number"),
            ("''", "\"\" does not begin with a number"),
            ("600", "found integer"),
        ] {
            let expected = if problem.is_empty() { String::new() } else { time(problem, "from 10m to 30d") };
            row("pop3", "idle_timeout", value, expected);
        }
        row("quota", "warn_percent", "101", number("101 is too large", "from 0 to 100"));
        row("quota", "warn_free_mib", "1048577", number("1048577 is too large", "from 0 to 1048576"));
        row("limits", "login_history", "2001", number("2001 is too large", "from 0 to 2000"));
        row("login", "scram_rounds", "4095", number("4095 is too small", "from 4096 to 10000000"));
        row("limits", "tls_handshake", "'999ms'", time("\"999ms\" is too small", "from 1s to 1h"));
        row("limits", "connection_memory", "'1 KiB'", size("\"1 KiB\" is too small", "from 512 KiB to 1024 GiB"));
    }

    /// The defaults are within, and so is each bound itself, which is not true of what is beyond.
    #[test]
    fn bounds_are_bounds() {
        let mut numbers = 0;
        macro_rules! look {
            ($field:ident: $section:ty) => {
                for option in <$section>::options() {
                    let name = format!("{}.{}", <$section>::TABLE, option.name);
                    let Some(Bounds(lowest, highest)) = option.bounds else { continue };
                    numbers += 1;
                    let write = |value: &str| match value.parse::<u64>() {
                        Ok(_) => format!("{name} = {value}\n"),
                        Err(_) => format!("{name} = '{value}'\n"),
                    };
                    for value in [lowest, highest] {
                        assert!(parse(&write(value)).is_ok(), "{name} = {value}");
                    }
                    let digits = highest.bytes().take_while(u8::is_ascii_digit).count();
                    let (number, unit) = highest.split_at(digits);
                    let beyond = format!("{}{unit}", number.parse::<u64>().unwrap() + 1);
                    assert!(parse(&write(&beyond)).is_err(), "{name} = {beyond}");
                    if let Some(default) = &option.default {
                        assert!(parse(&format!("{name} = {default}\n")).is_ok(), "{name}: {default}");
                    }
                    if !option.example.is_empty() {
                        assert!(parse(&format!("{name} = {}\n", option.example)).is_ok(), "{name}: {}", option.example);
                    }
                }
            };
        }
        for_each_section!(look);
        assert_eq!(numbers, 42);
        // What is written here is decided elsewhere.
        assert_eq!(directory::MOST_KEPT, 2000);
        assert_eq!(mailstore::MAX_MESSAGE, 1 << 30);
        for (rounds, good) in [(4095, false), (4096, true), (10_000_000, true), (10_000_001, false)] {
            assert_eq!(directory::ScramCost::new(rounds, false).is_ok(), good, "{rounds}");
        }
    }

    #[test]
    fn text_that_is_not_toml() {
        for text in ["[store\n", "[store]\nspool = /var\n", "[store]\nspool = 'a'\nspool = 'b'\n", "\u{0}", "a b c"] {
            let problems = parse(text).unwrap_err();
            assert!(problems.iter().all(|problem| problem.text.starts_with("not TOML: ")), "{text}: {problems:?}");
        }
    }
}
