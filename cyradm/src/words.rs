//! A line taken apart as a shell does it.
//!
//! ```text
//! line     = command *(";" command) ["#" comment]
//! command  = *(word / redirection)
//! redirection = (">" / ">>") word
//! word     = 1*(character / "\" character / "'" *character "'" / DQUOTE *(character / "\" character) DQUOTE)
//! ```
//!
//! `#` begins a comment only where a word could begin. There are no variables, no patterns (`*` and `%` are IMAP's), no
//! pipes and no other programs.

use crate::trouble::Trouble;

/// One command of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its name and what follows; empty for a line that says nothing.
    pub(crate) words: Vec<String>,
    /// Where its output goes, if not to where all output goes.
    pub(crate) output: Option<Redirection>,
}

/// A file for output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Redirection {
    /// Which.
    pub(crate) file: String,
    /// Behind what it holds already.
    pub(crate) append: bool,
}

/// What a line is made of.
enum Token {
    Word(String),
    End,
    Output { append: bool },
}

/// The commands of a line, those that say nothing left out.
pub(crate) fn commands(line: &str) -> Result<Vec<Command>, Trouble> {
    let mut commands = Vec::new();
    let mut command = Command::default();
    let mut redirected: Option<bool> = None;
    for token in tokens(line)?.into_iter().chain([Token::End]) {
        match (token, redirected.take()) {
            (Token::Word(file), Some(append)) => command.output = Some(Redirection { file, append }),
            (_, Some(_)) => return Err(Trouble::usage("no file behind >")),
            (Token::Word(word), None) => command.words.push(word),
            (Token::Output { .. }, None) if command.output.is_some() => {
                return Err(Trouble::usage("output goes to one file"));
            }
            (Token::Output { append }, None) => redirected = Some(append),
            (Token::End, None) => {
                let command = std::mem::take(&mut command);
                match (command.words.is_empty(), &command.output) {
                    (false, _) => commands.push(command),
                    (true, Some(_)) => return Err(Trouble::usage("no command before >")),
                    (true, None) => {}
                }
            }
        }
    }
    Ok(commands)
}

fn tokens(line: &str) -> Result<Vec<Token>, Trouble> {
    let mut tokens = Vec::new();
    let mut characters = line.chars().peekable();
    while let Some(&next) = characters.peek() {
        match next {
            '#' => break,
            ';' => tokens.push(Token::End),
            '>' => {
                characters.next();
                let append = characters.next_if_eq(&'>').is_some();
                tokens.push(Token::Output { append });
                continue;
            }
            '<' | '|' => return Err(Trouble::usage(format!("{next} is not for this shell; quote it if it is meant"))),
            c if c.is_whitespace() => {}
            _ => {
                tokens.push(Token::Word(word(&mut characters)?));
                continue;
            }
        }
        characters.next();
    }
    Ok(tokens)
}

fn word(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<String, Trouble> {
    let mut word = String::new();
    while let Some(&next) = characters.peek() {
        match next {
            ';' | '>' | '<' | '|' => break,
            c if c.is_whitespace() => break,
            '\\' => {
                characters.next();
                word.push(characters.next().ok_or_else(|| Trouble::usage("nothing follows \\"))?);
            }
            '\'' | '"' => {
                characters.next();
                quoted(next, characters, &mut word)?;
            }
            _ => {
                word.push(next);
                characters.next();
            }
        }
    }
    Ok(word)
}

fn quoted(
    mark: char,
    characters: &mut std::iter::Peekable<std::str::Chars<'_>>,
    word: &mut String,
) -> Result<(), Trouble> {
    while let Some(next) = characters.next() {
        match next {
            c if c == mark => return Ok(()),
            '\\' if mark == '"' => word.push(characters.next().unwrap_or('\\')),
            c => word.push(c),
        }
    }
    Err(Trouble::usage(format!("{mark} is not closed")))
}

/// A word that [`commands`] reads as this text: for completion.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-@+%*&=,:".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and redirection of a command.
    type Expected<'a> = (&'a [&'a str], Option<(&'a str, bool)>);

    #[test]
    fn lines_fall_into_commands() {
        let check = |line: &str, expected: &[Expected<'_>]| {
            let commands = commands(line).unwrap_or_else(|trouble| panic!("{line}: {trouble}"));
            let commands: Vec<_> = commands
                .iter()
                .map(|c| {
                    let output = c.output.as_ref().map(|output| (output.file.as_str(), output.append));
                    (c.words.iter().map(String::as_str).collect::<Vec<_>>(), output)
                })
                .collect();
            let expected: Vec<_> = expected.iter().map(|(words, output)| (words.to_vec(), *output)).collect();
            assert_eq!(commands, expected, "{line}");
        };
        check("", &[]);
        check(" ; ;; # nothing", &[]);
        check("lm", &[(&["lm"], None)]);
        check("cm user/joe;lm  user/* # all", &[(&["cm", "user/joe"], None), (&["lm", "user/*"], None)]);
        check("cm \"a b\" 'c \\ d' e\\ f", &[(&["cm", "a b", "c \\ d", "e f"], None)]);
        check(r#"sam a"b"'c' "q\"\\" """#, &[(&["sam", "abc", "q\"\\", ""], None)]);
        check("lm > out;ver >>\"my file\"", &[(&["lm"], Some(("out", false))), (&["ver"], Some(("my file", true)))]);
        check("lm>out user/*", &[(&["lm", "user/*"], Some(("out", false)))]);
        check("cm a#b R&D &AOk-t", &[(&["cm", "a#b", "R&D", "&AOk-t"], None)]);
        check("cm ';' \">\" '|'", &[(&["cm", ";", ">", "|"], None)]);
    }

    #[test]
    fn wrong_lines() {
        for line in ["cm \"a", "cm 'a", "cm a\\", "lm >", "lm > ; ver", "> out", "lm >a >b", "lm | more", "lm < in"] {
            assert!(commands(line).is_err(), "{line}");
        }
    }

    #[test]
    fn quoted_words_read_back() {
        for text in ["user/joe", "a b", "q\"\\", "", ";", "é", "it's", "#x"] {
            assert_eq!(commands(&format!("x {}", quote(text))).unwrap()[0].words, ["x", text], "{text}");
        }
    }
}
