//! Pages of the documentation that show commands and what these say, so that a test can run them.

/// A command of a page, and what it says.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// The line of the page, from 1 on.
    pub line: usize,
    /// What the shell gets.
    pub command: String,
    /// What it writes, line by line.
    pub said: Vec<String>,
}

/// The commands of all ```` ```console ```` blocks: `$ ` and a line for the shell, then what it writes.
#[must_use]
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_inside = false;
    for (line, text) in page.lines().enumerate() {
        match (is_inside, text.strip_prefix("$ ")) {
            (false, _) => is_inside = text == "```console",
            (true, _) if text == "```" => is_inside = false,
            (true, Some(command)) => {
                steps.push(Step { line: line + 1, command: command.to_owned(), said: Vec::new() });
            }
            (true, None) => {
                let step = steps.last_mut().unwrap_or_else(|| panic!("line {}: no command has said this", line + 1));
                step.said.push(text.to_owned());
            }
        }
    }
    steps
}

/// Whether `said` is what a page shows, where `...` stands for anything within a line.
#[must_use]
pub fn fits(shown: &str, said: &str) -> bool {
    let (mut shown, mut said) = (shown.lines(), said.lines());
    loop {
        match (shown.next(), said.next()) {
            (None, None) => return true,
            (Some(shown), Some(said)) if line_fits(shown, said) => {}
            _ => return false,
        }
    }
}

fn line_fits(shown: &str, said: &str) -> bool {
    let Some((front, mut shown)) = shown.split_once("...") else { return shown == said };
    let Some(mut said) = said.strip_prefix(front) else { return false };
    while let Some((part, rest)) = shown.split_once("...") {
        let Some(at) = said.find(part) else { return false };
        (said, shown) = (&said[at + part.len()..], rest);
    }
    said.ends_with(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_a_page() {
        let page = "text\n$ no command\n```console\n$ one\nsaid\n\nmore\n$ two\n```\n$ no\n";
        let step = |line, command: &str, said: &[&str]| Step {
            line,
            command: command.to_owned(),
            said: said.iter().map(|&text| text.to_owned()).collect(),
        };
        assert_eq!(steps(page), [step(4, "one", &["said", "", "more"]), step(8, "two", &[])]);
    }

    #[test]
    fn what_fits() {
        for (shown, said, expected) in [
            ("a\nb", "a\nb", true),
            ("a\nb", "a", false),
            ("a", "a\nb", false),
            ("a...z", "az", true),
            ("a...z", "a b z", true),
            ("a...z", "a b zz y", false),
            ("...m...", "a m z", true),
            ("...m...", "a n z", false),
            ("a...a", "a", false),
        ] {
            assert_eq!(fits(shown, said), expected, "{shown} {said}");
        }
    }
}
