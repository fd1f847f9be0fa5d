//! The shell behind a prompt: lines that can be edited, a history, completion of commands and mailboxes.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io;
use std::path::Path;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};

use crate::commands::TABLE;
use crate::shell::Shell;
use crate::words::quote;

/// Lines that are remembered from one day to the next.
const HISTORY: usize = 1000;

/// Mailboxes offered at once: more than that nobody reads.
const OFFERED: usize = 200;

/// Reads lines from the terminal and runs them until the administrator leaves. `history` is where lines are remembered;
/// passwords are asked for otherwise and are never among them.
///
/// # Errors
/// When the terminal fails.
pub fn interact(shell: &mut Shell<'_>, history: Option<&Path>) -> io::Result<()> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(HISTORY)
        .and_then(|builder| builder.history_ignore_dups(true))
        .map_err(io::Error::other)?
        .build();
    let mut editor: Editor<Assistant<'_, '_>, DefaultHistory> =
        Editor::with_config(config).map_err(io::Error::other)?;
    if let Some(file) = history {
        // The first time there is none.
        let _ = editor.load_history(file);
    }
    let shell = RefCell::new(shell);
    editor.set_helper(Some(Assistant { shell: &shell }));
    loop {
        let prompt = shell.borrow().prompt();
        match editor.readline(&prompt) {
            Ok(line) => {
                if !line.trim().is_empty() {
                    let _ = editor.add_history_entry(line.as_str());
                }
                let mut shell = shell.borrow_mut();
                shell.run_line(&line)?;
                if shell.has_left() {
                    break;
                }
            }
            // ^C gives up the line, ^D the shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    if let Some(file) = history {
        let _ = editor.save_history(file);
    }
    Ok(())
}

/// What the line editor asks us.
struct Assistant<'s, 'a> {
    shell: &'s RefCell<&'s mut Shell<'a>>,
}

impl Completer for Assistant<'_, '_> {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (begin, word, is_first) = last_word(&line[..at]);
        if is_first {
            let names = TABLE.iter().map(|command| command.name);
            return Ok((begin, names.filter(|name| name.starts_with(word)).map(|name| format!("{name} ")).collect()));
        }
        // What a wildcard would mean is not what the administrator has begun to write.
        if word.contains(['*', '%', '"', '\'', '\\']) || word.starts_with(['-', '>']) {
            return Ok((begin, Vec::new()));
        }
        let mut shell = self.shell.borrow_mut();
        let listed = shell.session().and_then(|session| session.list("LIST", "", &format!("{word}%")));
        let names = listed.unwrap_or_default().into_iter().map(|listed| quote(&listed.name));
        Ok((begin, names.take(OFFERED).collect()))
    }
}

/// Where the word begins that is being written, the word, and whether it is the first of its command.
fn last_word(line: &str) -> (usize, &str, bool) {
    let command = line.rfind(';').map_or(0, |at| at + 1);
    let begin = line
        .rfind(|c: char| c.is_whitespace() || c == ';')
        .map_or(0, |at| at + line[at..].chars().next().map_or(1, char::len_utf8));
    (begin, &line[begin..], line[command..begin.max(command)].trim().is_empty())
}

impl Hinter for Assistant<'_, '_> {
    type Hint = String;
}

impl Highlighter for Assistant<'_, '_> {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        Cow::Borrowed(prompt)
    }
}

impl Validator for Assistant<'_, '_> {}

impl Helper for Assistant<'_, '_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_being_written() {
        for (line, expected) in [
            ("", (0, "", true)),
            ("cr", (0, "cr", true)),
            ("lam ", (4, "", false)),
            ("lam user/j", (4, "user/j", false)),
            ("lm; la", (4, "la", true)),
            ("lm;la", (3, "la", true)),
            ("lm;lam us", (7, "us", false)),
        ] {
            assert_eq!(last_word(line), expected, "{line:?}");
        }
    }
}
