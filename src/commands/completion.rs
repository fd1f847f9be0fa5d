//! `angarium completion`: what a shell must know to complete command lines, made of the command lines there are.

use clap::{Arg, ArgMatches};
use clap_complete::Shell;
use tools::Exit;

use super::{Caller, Command, Run, TABLE};
use crate::failure::Failure;
use crate::terminal;

pub(super) const COMMAND: Command = Command { spec, links: &[], run: Run::Here(run) };

fn spec() -> clap::Command {
    clap::Command::new("completion")
        .about("Print a completion script for a shell")
        .long_about(
            "Print a completion script for a shell: for angarium, or for a command that the program is called by as NAME.",
        )
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(["bash", "zsh", "fish"])
                .help("The shell"),
        )
        .arg(Arg::new("NAME").help("A command that is a link to the program, as msguserlist"))
        .after_long_help(
            "EXAMPLES\n  angarium completion bash > /etc/bash_completion.d/angarium\n  angarium completion zsh > \
             /usr/share/zsh/site-functions/_angarium\n  angarium completion fish > \
             /usr/share/fish/vendor_completions.d/angarium.fish",
        )
}

fn run(matches: &ArgMatches, _: &Caller) -> Result<Exit, Failure> {
    let name = matches.get_one::<String>("NAME").map(String::as_str);
    let shell = match matches.get_one::<String>("SHELL").map(String::as_str) {
        Some("zsh") => Shell::Zsh,
        Some("fish") => Shell::Fish,
        _ => Shell::Bash,
    };
    let text = script(shell, name)?;
    terminal::out(text.trim_end()).map_err(|problem| Failure::new(Exit::Io, problem))?;
    Ok(Exit::Ok)
}

fn script(shell: Shell, name: Option<&str>) -> Result<String, Failure> {
    let mut command = match name {
        None => super::line(),
        Some(name) => {
            let found = TABLE.iter().map(|command| (command.spec)()).find(|spec| spec.get_name() == name);
            found.ok_or_else(|| Failure::new(Exit::Usage, format!("there is no command {name:?}")))?
        }
    };
    let mut octets = Vec::new();
    clap_complete::generate(shell, &mut command, name.unwrap_or("angarium"), &mut octets);
    Ok(String::from_utf8_lossy(&octets).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_know_commands_and_options() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let text = script(shell, None).unwrap();
            for word in ["angarium", "msgusercreate", "app-password", "display-name"] {
                assert!(text.contains(word), "{shell}: {word}");
            }
            let text = script(shell, Some("msguserlist")).unwrap();
            assert!(text.contains("msguserlist") && text.contains("search") && !text.contains("angarium"), "{shell}");
        }
        assert_eq!(script(Shell::Bash, Some("frobnicate")).unwrap_err().exit, Exit::Usage);
    }
}
