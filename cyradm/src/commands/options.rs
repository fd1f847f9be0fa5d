//! Options of commands: `--partition x`, `--partition=x`, one dash or two, abbreviated as long as it is clear what is meant.

use crate::trouble::Trouble;

/// What an option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// It is there or not.
    Nothing,
    /// A word follows.
    Value,
}

/// The options of one call, and the words that are none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options<'a> {
    given: Vec<(&'static str, &'a str)>,
    pub(super) words: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// Takes options out of `words`, up to a `--`. A word that begins with a dash where no option does so is a word: rights
    /// are taken away with `-lrs`. So options are looked for only before the first word that is none.
    pub(super) fn parse(words: &'a [String], known: &[(&'static str, Takes)]) -> Result<Self, Trouble> {
        let mut options = Self::default();
        let mut rest = words.iter().map(String::as_str);
        while let Some(word) = rest.next() {
            if word == "--" {
                options.words.extend(rest);
                break;
            }
            let Some(name) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')).filter(|name| !name.is_empty())
            else {
                options.words.push(word);
                options.words.extend(rest);
                break;
            };
            let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
            let (name, takes) = the_one(name, known)?;
            let value = match (takes, value) {
                (Takes::Nothing, None) => "",
                (Takes::Nothing, Some(_)) => return Err(Trouble::usage(format!("--{name} takes no value"))),
                (Takes::Value, Some(value)) => value,
                (Takes::Value, None) => rest.next().ok_or_else(|| Trouble::usage(format!("--{name} wants a value")))?,
            };
            options.given.push((name, value));
        }
        Ok(options)
    }

    /// Whether an option was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The value of an option.
    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| *value)
    }
}

/// The option that begins so.
fn the_one(name: &str, known: &[(&'static str, Takes)]) -> Result<(&'static str, Takes), Trouble> {
    let mut meant = known.iter().filter(|(option, _)| option.starts_with(name));
    match (meant.next(), meant.next()) {
        (Some(option), None) => Ok(*option),
        (Some(first), Some(_)) => known
            .iter()
            .find(|(option, _)| *option == name)
            .copied()
            .ok_or_else(|| Trouble::usage(format!("-{name} may mean --{} or another option", first.0))),
        (None, _) => Err(Trouble::usage(format!("no option -{name}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[(&str, Takes)] =
        &[("partition", Takes::Value), ("specialuse", Takes::Value), ("subscribed", Takes::Nothing)];

    type Parsed = (Vec<(&'static str, String)>, String);

    fn parse(line: &str) -> Result<Parsed, Trouble> {
        let words: Vec<String> = line.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let options = Options::parse(&words, KNOWN)?;
        let given = options.given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Ok((given, options.words.join(" ")))
    }

    #[test]
    fn options_come_first() {
        for (line, given, words) in [
            ("a b", &[][..], "a b"),
            ("--partition p a", &[("partition", "p")], "a"),
            ("-p p --su a", &[("partition", "p"), ("subscribed", "")], "a"),
            ("--sp=\\Sent a -lrs", &[("specialuse", "\\Sent")], "a -lrs"),
            ("-- -a", &[], "-a"),
            ("- a", &[], "- a"),
        ] {
            let given: Vec<_> = given.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            assert_eq!(parse(line).unwrap(), (given, words.to_owned()), "{line}");
        }
    }

    #[test]
    fn wrong_options() {
        for line in ["--s a", "--what a", "--partition", "--subscribed=1 a"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
